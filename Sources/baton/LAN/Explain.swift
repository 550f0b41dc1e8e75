public import ArgumentParser
import BatonServer
import Captures
import Foundation
public import LANBridge
import NIOCore
import RelayCore

extension LAN {
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says of each frame in a file what the relay's filter does with it, and why.",
            discussion: """
                FILE is a capture of a player's network interface (pcap, pcapng), or JSON with a room and frames:
                  {"context": {"room_mtu": 1400, "clients": [{"id": "c1", "mac": "02:..."}], ...},
                   "frames": [{"name": "...", "role": "client", "hex": "..."}]}
                Frames of JSON are judged each on its own, in the room as it is described; frames of a capture one after \
                the other, with their times, so that limits count. A capture has no room, so one may be given with \
                --context; without, the room has one player, whose address is --mac, or the address that most frames \
                of the capture have in them. Exit code 1 if the file cannot be read as either.
                """
        )

        @Argument(help: "A capture or a JSON file.", completion: .file(extensions: ["pcap", "pcapng", "json"]))
        var file: String

        @Option(help: "Who sends the frames that do not say so themselves: client or gateway.")
        var role = FrameSender.client

        @Option(help: "A JSON file whose room the frames of a capture are judged in.", completion: .file())
        var context: String?

        @Option(help: "The player's MAC address in a capture.", transform: Self.mac)
        var mac: MACAddress?

        @Option(help: "The largest IP packet in the room of a capture.")
        var mtu = 1500

        @Flag(help: "Print an array of JSON objects.")
        var json = false

        private static func mac(_ text: String) throws -> MACAddress {
            guard let mac = MACAddress(text), mac.isStation else {
                throw ValidationError("'\(text)' is no address of a network card such as 02:4c:41:4e:01:01.")
            }
            return mac
        }

        func validate() throws {
            guard (68...65_535).contains(mtu) else { throw ValidationError("--mtu takes 68 to 65535.") }
        }

        func run() throws {
            var report = ExplanationReport(isJSON: json)
            do {
                if try FrameSource.isJSON(file) {
                    try explainJSON(into: &report)
                } else {
                    try explainCapture(into: &report)
                }
            } catch let error as FrameSource.Failure {
                StandardError.write("\(error.file): \(error.sentence)\n")
                throw ExitCode.failure
            }
            report.finish()
        }

        private func explainJSON(into report: inout ExplanationReport) throws {
            let frames = try FrameSource.frameFile(file)
            guard !frames.context.clients.isEmpty || !frames.frames.contains(where: { ($0.role ?? role) == .client })
            else { throw FrameSource.Failure(file: file, sentence: "frames of a client, but no client in the room") }
            var explainer = FrameExplainer(frames.context)
            for frame in frames.frames {
                report.add(
                    explainer.nextOnItsOwn(frame.octets.span.bytes, name: frame.name, from: frame.role ?? role))
            }
        }

        private func explainCapture(into report: inout ExplanationReport) throws {
            var explainer = FrameExplainer(try roomOfCapture())
            var start: Int64?
            try FrameSource.forEachFrame(of: file) { frame in
                let first = start ?? frame.time
                start = first
                let (elapsed, overflow) = frame.time.subtractingReportingOverflow(first)
                let now = Instant(nanoseconds: overflow ? 0 : max(0, elapsed))
                report.add(explainer.next(frame.bytes.readableBytesSpan, from: role, at: now))
            }
        }

        private func roomOfCapture() throws -> RoomContext {
            if let context {
                var room = try FrameSource.frameFile(context).context
                if let mac { room.clients = [.init(id: "client", mac: mac)] + room.clients.filter { $0.mac != mac } }
                guard role == .gateway || !room.clients.isEmpty else {
                    throw FrameSource.Failure(file: context, sentence: "no client in the room; --mac adds one")
                }
                return room
            }
            guard role == .client || mac != nil else { return RoomContext(mtu: mtu, clients: []) }
            guard let player = try mac ?? FrameSource.commonestAddress(in: file) else {
                throw FrameSource.Failure(
                    file: file, sentence: "no frame has an address of a network card in it; say --mac")
            }
            if !json, mac == nil { StandardError.write("the player is taken to be \(player); --mac says otherwise\n") }
            return RoomContext(mtu: mtu, clients: [.init(id: "client", mac: player)])
        }
    }
}

extension FrameSender: ExpressibleByArgument {}
