import ArgumentParser
import BatonServer
import LANSockets

extension LAN {
    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows how the gateways and players that run on this machine stand.",
            discussion: "Exit code 1 if none runs."
        )

        @Flag(help: "Print a line of JSON for each.")
        var json = false

        func run() throws {
            let reports = EndReport.all()
            for report in reports {
                if json {
                    StandardOutput.write(report.line + "\n")
                    continue
                }
                let relay = report.relay.map { " at \($0)" } ?? ""
                StandardOutput.write(
                    "\(report.role) on \(report.card), room \(report.room)\(relay), process \(report.process)\n")
                StandardOutput.write("  \(report.statusLine(since: nil))\n")
                for peer in report.peers {
                    StandardOutput.write("  \(peer.number) \(peer.role) \(peer.mac) \(peer.name)\n")
                }
            }
            guard reports.isEmpty else { return }
            if !json { StandardError.write("neither a gateway nor a player runs on this machine\n") }
            throw ExitCode.failure
        }
    }
}
