import ArgumentParser
import BatonServer
import Netplay
import RelayCore

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says whether a RetroArch host can be reached, itself or through a tunnel.",
        discussion: """
            Asks at every address that the host's name has. With --session the host is a tunnel server, and who \
            answers is the host of that session. Exit code 0 if a RetroArch answers at any address, even if it is full, \
            1 if none does.
            """
    )

    @Argument(help: "The host or the tunnel server: HOST, HOST:PORT or [IPV6]:PORT; the port is 55435 if not given.")
    var host: RemoteHost

    @Option(help: "Ask a session's host through the tunnel server: 16 characters of Base64.")
    var session: TunnelID?

    @Flag(help: "Print the result as a line of JSON.")
    var json = false

    func run() async throws {
        let report = await report()
        if json {
            StandardOutput.write(try report.jsonLine())
        } else {
            if let error = report.error { StandardOutput.write("\(error)\n") }
            for address in report.addresses { StandardOutput.write("\(address.address): \(address.message)\n") }
        }
        if !report.reachable { throw ExitCode.failure }
    }

    private struct Report: Encodable {
        struct Address: Encodable {
            var address: String
            /// In a word.
            var answer: String
            /// The highest netplay protocol of who answered.
            var `protocol`: UInt32?
            var message: String
        }

        var host: String
        var session: String?
        var reachable = false
        /// Why there are no addresses.
        var error: String?
        var addresses: [Address] = []
    }

    private func report() async -> Report {
        var report = Report(host: "\(host)", session: session.map { "\($0)" })
        do {
            let probe = ReachabilityProbe()
            for endpoint in try await host.addresses() {
                let answer = await probe.poke(endpoint, session: session)
                report.reachable = report.reachable || answer.isReachable
                report.addresses.append(
                    Report.Address(
                        address: "\(endpoint)", answer: answer.word, protocol: answer.highestProtocol,
                        message: answer.sentence(throughTunnel: session != nil)))
            }
        } catch {
            report.error = "\(error)"
        }
        return report
    }
}

extension ReachabilityProbe.Answer {
    fileprivate var isReachable: Bool {
        switch self {
        case .netplay, .full: true
        case .denied, .silent, .hungUp, .stranger, .unreachable: false
        }
    }

    fileprivate var highestProtocol: UInt32? {
        if case .netplay(let highest) = self { highest } else { nil }
    }

    fileprivate var word: String {
        switch self {
        case .netplay: "netplay"
        case .full: "full"
        case .denied: "denied"
        case .silent: "silent"
        case .hungUp: "hung_up"
        case .stranger: "stranger"
        case .unreachable: "unreachable"
        }
    }

    fileprivate func sentence(throughTunnel: Bool) -> String {
        switch self {
        case .netplay(let highest): "can be reached: a RetroArch host answers (netplay protocol \(highest))"
        case .full: "can be reached, but is full: a RetroArch host answers that it has no room for one more"
        case .denied: "cannot be joined from here: the RetroArch host has banned this address"
        case .silent where throughTunnel: "the tunnel takes the connection, but the session's host does not answer"
        case .silent: "something takes the connection but says nothing; it is no RetroArch host, or it hangs"
        case .hungUp where throughTunnel:
            "the connection is closed without a host's answer: the session has ended, is full or never existed, "
                + "or this is no tunnel server"
        case .hungUp: "something takes the connection and ends it without a word; it is no RetroArch of today"
        case .stranger: "something answers, but it is no RetroArch host"
        case .unreachable(let why): "nobody answers: \(why)"
        }
    }
}
