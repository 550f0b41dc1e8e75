import ArgumentParser
import BatonServer
import Foundation
import LANBridge
import LANSockets

extension LAN {
    struct Doctor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says why they cannot see you: goes the way of a game's frames and names the step that fails.",
            discussion: """
                Looks at the gateways and players that run on this machine, at the cards, routes and addresses around \
                them, and sends broadcast, multicast, IPX and full-size frames to the party's gateway, which answers them \
                (that needs CAP_NET_RAW). With a link, and where none of them runs, it joins the room for a moment itself. \
                Takes less than 5 seconds. Exit code 1 if something is wrong.
                """
        )

        @OptionGroup var end: EndOptions

        func run() async throws {
            let reports = EndReport.all().filter { $0.namespace == ChangeJournal.ownNamespace }
            var findings: [LANSockets.Finding] = []
            if reports.isEmpty {
                findings = try await trial()
            }
            for report in reports {
                findings += EndExamination.examine(report, sendsProbes: Privileges.rawFrames)
            }
            show(findings)
            if findings.contains(where: { $0.fault != nil }) { throw ExitCode.failure }
        }

        /// Without anybody running: whether the room could be joined.
        private func trial() async throws -> [LANSockets.Finding] {
            guard !end.isEmpty else {
                let message = "neither a gateway nor a player runs on this machine"
                return [
                    LANSockets.Finding(
                        hop: "client", fault: "not-running", message: message,
                        advice: "start 'baton lan join LINK', or give the doctor the LINK to try")
                ]
            }
            var generator = SystemRandomNumberGenerator()
            do {
                // Somebody else's address, so that nobody is taken for this machine's player.
                let made = try await end.makeEnd(mac: .random(using: &generator))
                return try TrialRun.run(made)
            } catch let error as BatonError where error.code == .unavailable {
                return [
                    LANSockets.Finding(
                        hop: "route", fault: "unknown-host", message: error.message, advice: "is the link spelt right?")
                ]
            }
        }

        private func show(_ findings: [LANSockets.Finding]) {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            if end.json {
                guard let data = try? encoder.encode(findings) else { return }
                StandardOutput.write(String(decoding: data, as: UTF8.self) + "\n")
                return
            }
            for finding in findings {
                let mark = finding.fault.map { "FAULT \($0)" } ?? "ok"
                StandardOutput.write("\(finding.hop): \(mark): \(finding.message)\n")
                if let advice = finding.advice { StandardOutput.write("    \(advice)\n") }
            }
        }
    }
}
