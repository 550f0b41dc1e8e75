import ArgumentParser
import BatonServer
import RelayCore
import SOE
import SOETools

extension SOECommand {
    struct Ping: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends messages to a server that echoes, and checks each echo.",
            discussion: """
                Ends its session with a Disconnect (reason 6). Exit code 0 only if every message was sent and came back as \
                it was, in order.
                """
        )

        @Option(help: "The server: ADDRESS:PORT, [IPV6]:PORT or HOST:PORT.")
        var connect: RemoteHost

        @Option(help: "How many messages.")
        var count = 10

        @Option(help: ArgumentHelp("Their sizes in bytes, over and over.", valueName: "a,b,..."))
        var sizes = "64"

        @Option(help: "How many may be on their way at the same time.")
        var inflight = 1

        @Flag(help: "Print the result as a line of JSON.")
        var json = false

        @OptionGroup var session: SessionOptions

        /// No message is longer: peers have limits of this order.
        private static let longest = 64 << 20

        private var sizeList: [Int]? {
            let list = sizes.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
            let valid = list.compactMap { $0 }.filter { (0...Self.longest).contains($0) }
            return valid.isEmpty || valid.count < list.count ? nil : valid
        }

        func validate() throws {
            guard count > 0, inflight > 0 else { throw ValidationError("--count and --inflight take 1 or more.") }
            guard sizeList != nil else { throw ValidationError("--sizes takes sizes such as 64 or 64,512,3000.") }
        }

        func run() async throws {
            var plan = PingEngine.Plan()
            plan.count = count
            plan.sizes = sizeList ?? plan.sizes
            plan.inflight = inflight
            plan.parameters = session.parameters
            plan.parameters.maxMessage = max(plan.parameters.maxMessage, plan.sizes.max() ?? 0)
            guard let endpoint = try await connect.addresses().first else {
                throw ValidationError("\(connect) has no address.")
            }
            let result = try await SOETool.ping(plan, to: endpoint)
            let report = Report(result, plan: plan)
            StandardOutput.write(json ? try report.jsonLine() : report.text(server: "\(endpoint)"))
            if !report.ok { throw ExitCode.failure }
        }

        private struct Report: Encodable {
            enum CodingKeys: String, CodingKey {
                case ok, sent, received, bad, seconds, failure
                case handshake = "handshake_seconds"
                case median = "round_trip_p50_seconds"
                case p90 = "round_trip_p90_seconds"
                case p99 = "round_trip_p99_seconds"
                case longest = "round_trip_max_seconds"
                case packetsSent = "packets_sent"
                case packetsResent = "packets_resent"
            }

            var ok: Bool
            var sent: Int
            var received: Int
            var bad: Int
            /// Why the session ended before its time.
            var failure: String?
            var handshake: Double?
            var seconds: Double
            var median: Double?
            var p90: Double?
            var p99: Double?
            var longest: Double?
            var packetsSent: UInt64
            var packetsResent: UInt64

            init(_ result: PingEngine.Result, plan: PingEngine.Plan) {
                ok = result.isOK(for: plan)
                (sent, received, bad) = (result.sent, result.received, result.bad)
                failure = result.failure?.word
                handshake = result.handshake.map { $0 / .seconds(1) }
                seconds = result.elapsed / .seconds(1)
                (packetsSent, packetsResent) = (result.packetsSent, result.packetsResent)
                let sorted = result.roundTrips.sorted()
                guard let last = sorted.last else { return }
                func part(_ hundredths: Int) -> Double { sorted[(sorted.count - 1) * hundredths / 100] / .seconds(1) }
                (median, p90, p99, longest) = (part(50), part(90), part(99), last / .seconds(1))
            }

            func text(server: String) -> String {
                func milliseconds(_ seconds: Double?) -> String {
                    guard let seconds else { return "-" }
                    let micros = Int((seconds * 1_000_000).rounded())
                    return "\(micros / 1000).\(String(1000 + micros % 1000).dropFirst()) ms"
                }
                guard handshake != nil else { return "\(server): no session: \(failure ?? "no answer")\n" }
                var lines =
                    "\(server): \(received) of \(sent) messages came back, \(bad) of them not as they were sent\n"
                lines += "handshake \(milliseconds(handshake)); round trips: median \(milliseconds(median)), "
                lines += "90 % \(milliseconds(p90)), 99 % \(milliseconds(p99)), longest \(milliseconds(longest))\n"
                lines += "\(packetsSent) reliable packets, \(packetsResent) of them sent again\n"
                if let failure { lines += "the session ended before its time: \(failure)\n" }
                return lines
            }
        }
    }
}
