import Foundation
import Glibc
package import LANBridge
import QUICTransport
import RelayCore

/// How an end of the tunnel stands, for people and programs; kept in a file while it runs.
package struct EndReport: Codable, Sendable {
    package struct Peer: Codable, Sendable {
        package var number: Int
        package var role: String
        package var mac: String
        package var name: String
    }

    /// Why it is not in its room.
    package struct Trouble: Codable, Sendable, Equatable {
        package var code: String
        package var sentence: String

        package init(code: String, sentence: String) {
            self.code = code
            self.sentence = sentence
        }

        /// What an event says about that; `nil` if nothing.
        package init?(_ event: LANEndpointEvent) {
            switch event {
            case .refused(let code, let sentence, _): (self.code, self.sentence) = (code, sentence)
            case .lost(.unreachable(let words)):
                (code, sentence) = ("unreachable", RelayLoss.unreachable(words).sentence)
            case .lost(.untrusted(let words)): (code, sentence) = ("untrusted", RelayLoss.untrusted(words).sentence)
            case .lost(.forgotten): (code, sentence) = ("forgotten", RelayLoss.forgotten.sentence)
            default: return nil
            }
        }
    }

    package var role: String
    package var card: String
    package var mac = ""
    /// The network namespace it runs in.
    package var namespace: UInt64
    package var relayAddresses: [String]
    package var trouble: Trouble?
    package var room: String
    package var process: Int32
    package var phase: String
    package var relay: String?
    package var mtu: Int?
    package var peers: [Peer] = []
    package var hasGateway = false
    package var roundTripSeconds: Double?
    package var framesReceived = 0
    package var framesSent = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    /// Dropped here, and by the relay, by reason.
    package var drops: [String: Int] = [:]
    package var relayDrops: [String: Int] = [:]
    package var reconnects = 0
    /// Of a gateway: stopped because a second bridge makes a loop.
    package var isStopped = false
    package var lanStations = 0
    /// Datagrams that waited for the path and were too late or too many.
    package var lateDatagrams = 0

    enum CodingKeys: String, CodingKey {
        case role, card, mac, namespace, trouble, room, process, phase, relay, mtu, peers, drops, reconnects
        case relayAddresses = "relay_addresses"
        case hasGateway = "has_gateway"
        case roundTripSeconds = "round_trip_seconds"
        case framesReceived = "frames_received"
        case framesSent = "frames_sent"
        case bytesReceived = "bytes_received"
        case bytesSent = "bytes_sent"
        case relayDrops = "relay_drops"
        case isStopped = "is_stopped"
        case lanStations = "lan_stations"
        case lateDatagrams = "late_datagrams"
    }

    package init(
        _ driver: EndDriver, role: FrameSender, card: String, mac: MACAddress, room: String, trouble: Trouble?
    ) {
        self.mac = mac.description
        namespace = ChangeJournal.ownNamespace
        relayAddresses = driver.relayAddresses.map(\.description)
        self.trouble = trouble
        self.role = role.rawValue
        self.card = card
        self.room = room
        process = getpid()
        phase = "connecting"
        guard let status = driver.status else { return }
        phase = status.phase.rawValue
        relay = driver.remote?.description
        mtu = status.welcome?.mtu
        peers = status.peers.map {
            Peer(number: $0.peer, role: $0.role.rawValue, mac: $0.mac.description, name: $0.name)
        }
        hasGateway = status.hasGateway
        roundTripSeconds = status.roundTrip.map { $0 / .seconds(1) }
        (framesReceived, framesSent) = (status.stats.framesReceived, status.stats.framesSent)
        (bytesReceived, bytesSent) = (status.stats.bytesReceived, status.stats.bytesSent)
        drops = Self.words(status.drops)
        for (word, count) in driver.cardDrops where count > 0 { drops[word, default: 0] += Int(clamping: count) }
        relayDrops = Self.words(status.relayDrops)
        reconnects = status.reconnects
        isStopped = status.isStopped
        lanStations = status.lanStations
        if let transport = driver.transport { lateDatagrams = transport.expired + transport.overflowed }
    }

    private static func words(_ drops: [DropReason: Int]) -> [String: Int] {
        Dictionary(drops.map { ($0.key.word, $0.value) }, uniquingKeysWith: +)
    }

    /// One line of JSON.
    package var line: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    // MARK: The file

    private static func path(_ process: Int32) -> String { "\(ChangeJournal.folder)/\(process).status" }

    /// Shows it to `baton lan status`.
    package func publish() {
        try? Data(line.utf8).write(to: URL(fileURLWithPath: Self.path(process)), options: .atomic)
    }

    package static func withdraw() { unlink(path(getpid())) }

    /// Those of processes that run.
    package static func all() -> [EndReport] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: ChangeJournal.folder)) ?? []
        return names.filter { $0.hasSuffix(".status") }.sorted().compactMap { name in
            let path = "\(ChangeJournal.folder)/\(name)"
            guard let data = FileManager.default.contents(atPath: path),
                let report = try? JSONDecoder().decode(EndReport.self, from: data)
            else { return nil }
            guard kill(report.process, 0) == 0 || errno == EPERM else {
                unlink(path)
                return nil
            }
            return report
        }
    }
}
