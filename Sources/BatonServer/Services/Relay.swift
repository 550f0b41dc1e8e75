import RelayCore
import ServiceLifecycle

/// A protocol as the server sees it, whatever is spoken inside.
protocol Relay: Service {
    var name: String { get }

    /// Whether it tells strangers of rooms that others have. In a drain lists stop doing so first, so that nobody is sent
    /// to a room that does not let him in.
    var isList: Bool { get }

    /// Binds the listeners; from then on connections are served.
    func start() async throws

    /// No new rooms from now on.
    func beginDrain() async throws

    /// New rooms again.
    func endDrain() async throws

    /// Takes over what a running relay can.
    func reconfigure(_ configuration: Configuration) async throws

    func status() async throws -> RelayStatus

    /// Comes back when it is its turn on the relay's event loop: a message waits as long.
    func takeTurn() async throws

    func rooms() async throws -> [RoomSnapshot]

    /// Parts from a peer; `false` if there is none of that name.
    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool

    /// Parts from every member of a room; `false` if there is none of that name.
    func closeRoom(_ id: String) async throws -> Bool

    func peers() async throws -> [PeerDetail]

    /// Parts from everybody who came before a ban was made that is about him. Returns how many these were.
    func enforceBans(of desk: AdmissionDesk) async throws -> Int
}

extension Relay {
    var isList: Bool { false }

    func takeTurn() async throws { _ = try await status() }

    /// Where nobody stays connected there is nobody to part from.
    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool { false }

    func closeRoom(_ id: String) async throws -> Bool {
        guard let room = try await rooms().first(where: { $0.id == id }) else { return false }
        for peer in room.peers.compactMap({ PeerID($0.peer) }) { _ = try await kick(peer, for: .kicked) }
        return true
    }

    func enforceBans(of desk: AdmissionDesk) async throws -> Int {
        var count = 0
        for detail in try await peers() {
            guard let removal = desk.removal(of: detail, in: name), let peer = PeerID(detail.peer) else { continue }
            if try await kick(peer, for: removal) { count += 1 }
        }
        return count
    }

    /// The members of rooms, where a relay does not count for each peer.
    func peers() async throws -> [PeerDetail] {
        try await rooms().flatMap { room in room.peers.map { PeerDetail($0, in: room.id) } }
    }
}

/// A protocol over TCP: what it does not say about itself, its relay does.
protocol StreamService: Relay {
    var relay: StreamRelay { get }
}

extension StreamService {
    var name: String { relay.name }

    func start() async throws { try await relay.start() }
    func run() async throws { try await relay.run() }
    func beginDrain() async throws { try await relay.beginDrain() }
    func endDrain() async throws { try await relay.endDrain() }
    func status() async throws -> RelayStatus { try await relay.status() }
    func takeTurn() async throws { try await relay.takeTurn() }
    func rooms() async throws -> [RoomSnapshot] { try await relay.rooms() }
    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool { try await relay.kick(peer, for: removal) }
    func closeRoom(_ id: String) async throws -> Bool { try await relay.closeRoom(id) }
    func peers() async throws -> [PeerDetail] { try await relay.peers() }
    func enforceBans(of desk: AdmissionDesk) async throws -> Int { try await relay.enforceBans() }
}

/// What a relay does, in figures.
struct RelayStatus: Sendable {
    var name: String
    /// Addresses listened on, with the ports in use.
    var listeners: [String]
    var peers: Int
    var rooms: Int
    /// Bytes waiting for peers that read slowly.
    var queuedBytes: Int
    var counters: StreamCounters
    /// What only this protocol counts.
    var figures: [RelayFigure] = []
}

/// A number of one protocol's own, for the metrics: `baton_PROTOCOL_NAME`.
struct RelayFigure: Sendable {
    enum Kind: String, Sendable {
        case gauge, counter
    }

    /// In snake case; a counter's ends in `_total`.
    var name: String
    var kind: Kind
    var help: String
    var value: UInt64
}
