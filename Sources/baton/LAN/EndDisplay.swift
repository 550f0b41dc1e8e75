import BatonServer
import Foundation
import Glibc
import LANBridge
import LANSockets
import RelayCore

/// What an end of the tunnel shows while it runs: events as lines, and on a terminal a line that is always up to date.
final class EndDisplay {
    private let isJSON: Bool
    private let isTerminal: Bool
    private let role: FrameSender
    private let card: String
    private let mac: MACAddress
    private var trouble: EndReport.Trouble?
    private let room: String
    private var last: EndReport?
    private var hasLine = false

    init(isJSON: Bool, role: FrameSender, card: String, end: LANEnd) {
        self.isJSON = isJSON
        mac = end.endpoint.mac
        room = end.endpoint.room
        self.role = role
        self.card = card
        isTerminal = !isJSON && isatty(STDERR_FILENO) == 1
    }

    deinit {
        EndReport.withdraw()
        if hasLine { StandardError.write("\n") }
    }

    func attach(to end: inout LANEnd) {
        end.tell = { self.show("note", $0) }
        end.observer.note = { self.note($0) }
        end.observer.tick = { self.tick($0) }
    }

    private func note(_ event: any EngineEvent) {
        if let event = event as? LANEndpointEvent {
            if case .joined = event { trouble = nil } else if let found = EndReport.Trouble(event) { trouble = found }
        }
        show(event.name, event.message)
    }

    private func show(_ name: String, _ message: String) {
        if isJSON {
            let event = ["event": name, "message": message]
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let data = try? encoder.encode(event) else { return }
            StandardOutput.write(String(decoding: data, as: UTF8.self) + "\n")
        } else {
            StandardError.write((hasLine ? "\r\u{1B}[K" : "") + message + "\n")
            hasLine = false
        }
    }

    private func tick(_ driver: EndDriver) {
        let report = EndReport(driver, role: role, card: card, mac: mac, room: room, trouble: trouble)
        report.publish()
        if isJSON {
            StandardOutput.write(report.line + "\n")
        } else if isTerminal {
            StandardError.write("\r\u{1B}[K" + report.statusLine(since: last))
            hasLine = true
        }
        last = report
    }
}

extension EndReport {
    /// `joined, 3 players and the LAN, ping 12.3 ms, up 1.2 Mbit/s, down 300 kbit/s, dropped 3 (rate-arp 3)`
    func statusLine(since earlier: EndReport?) -> String {
        var parts = [isStopped ? "stopped: a loop" : phase]
        let players = peers.count { $0.role == FrameSender.client.rawValue }
        let lan = role == FrameSender.gateway.rawValue ? "" : hasGateway ? " and the LAN" : ", no gateway"
        parts.append("\(players) \(players == 1 ? "player" : "players")\(lan)")
        if let roundTripSeconds { parts.append("ping \(Self.decimal(roundTripSeconds * 1000)) ms") }
        if let earlier {
            parts.append("up \(Self.rate(bytesSent - earlier.bytesSent))")
            parts.append("down \(Self.rate(bytesReceived - earlier.bytesReceived))")
        }
        let all = drops.merging(relayDrops, uniquingKeysWith: +)
        let total = all.values.reduce(0, +)
        if total > 0 {
            let most = all.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }.prefix(3)
            parts.append("dropped \(total) (\(most.map { "\($0.key) \($0.value)" }.joined(separator: ", ")))")
        }
        return parts.joined(separator: ", ")
    }

    private static func rate(_ bytes: Int) -> String {
        let bits = Double(max(0, bytes)) * 8
        return bits < 1_000_000 ? "\(Int(bits / 1000)) kbit/s" : "\(decimal(bits / 1_000_000)) Mbit/s"
    }

    private static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
