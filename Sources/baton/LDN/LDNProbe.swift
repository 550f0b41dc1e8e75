import ArgumentParser
import BatonServer
import RelayCore

struct LDNProbe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Plays a short session against a master and says how long each step took.",
        discussion: """
            Connects, shakes hands, pings, scans, opens a test network, which nobody else's scan shows, joins it with a \
            second client, sends a datagram there and back, and leaves. Each address that the host's name has is \
            tried. Exit code 0 if all steps succeeded at every address, 1 if not. A master that does not answer \
            clients' pings, as the reference does not, is none the worse for it.
            """
    )

    @Argument(
        help: "The master: HOST, HOST:PORT or [IPV6]:PORT; its port is 30456 if not given.",
        transform: { try .ldnMaster($0) })
    var host: RemoteHost

    @Flag(help: "Print the result as a line of JSON.")
    var json = false

    func run() async throws {
        let report = await report()
        if json { StandardOutput.write(try report.jsonLine()) }
        if !report.ok { throw ExitCode.failure }
    }

    fileprivate struct Report: Encodable {
        struct Address: Encodable {
            var address: String
            var ok = true
            var steps: [Step] = []
        }

        struct Step: Encodable {
            var step: String
            var ok: Bool
            var milliseconds: Double
            /// What was seen, or why it failed.
            var detail: String
        }

        var host: String
        var ok = false
        /// Why there are no addresses.
        var error: String?
        var addresses: [Address] = []
    }

    private func report() async -> Report {
        var report = Report(host: "\(host)")
        do {
            for endpoint in try await host.addresses() { report.addresses.append(await probe(endpoint)) }
            report.ok = !report.addresses.isEmpty && report.addresses.allSatisfy(\.ok)
        } catch {
            report.error = "\(error)"
            if !json { StandardOutput.write("\(error)\n") }
        }
        return report
    }

    private func probe(_ endpoint: Endpoint) async -> Report.Address {
        if !json { StandardOutput.write("\(endpoint)\n") }
        let (outcomes, source) = AsyncStream.makeStream(of: MasterProbe.Outcome.self)
        async let run: Void = {
            await MasterProbe(endpoint).run { source.yield($0) }
            source.finish()
        }()
        var address = Report.Address(address: "\(endpoint)")
        for await outcome in outcomes {
            let step = Report.Step(outcome)
            address.steps.append(step)
            if !step.ok, outcome.step != .ping { address.ok = false }
            if !json { StandardOutput.write(step.line) }
        }
        await run
        return address
    }
}

extension LDNProbe.Report.Step {
    fileprivate init(_ outcome: MasterProbe.Outcome) {
        let (seconds, attoseconds) = outcome.duration.components
        let microseconds = Double(seconds) * 1_000_000 + Double(attoseconds / 1_000_000_000_000)
        self.init(
            step: outcome.step.rawValue, ok: outcome.failure == nil, milliseconds: microseconds / 1000,
            detail: outcome.failure ?? outcome.detail)
    }

    fileprivate var line: String {
        let name = step + String(repeating: " ", count: 10 - min(10, step.count))
        let time = "\(milliseconds) ms"
        let padding = String(repeating: " ", count: 14 - min(14, time.count))
        return "  \(name)\(padding)\(time)  \(ok ? detail : "FAILED: \(detail)")\n"
    }
}
