import RelayCore
import ServiceLifecycle

/// A protocol as the server sees it, whatever is spoken inside.
protocol Relay: Service {
    var name: String { get }

    /// Binds the listeners; from then on connections are served.
    func start() async throws

    /// No new rooms from now on.
    func beginDrain() async throws

    /// Takes over what a running relay can.
    func reconfigure(_ configuration: Configuration) async throws

    func status() async throws -> RelayStatus

    func rooms() async throws -> [RoomSnapshot]

    /// Parts from a peer; `false` if there is none of that name.
    func kick(_ peer: PeerID) async throws -> Bool
}

extension Relay {
    /// Where nobody stays connected there is nobody to part from.
    func kick(_ peer: PeerID) async throws -> Bool { false }
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
    func status() async throws -> RelayStatus { try await relay.status() }
    func rooms() async throws -> [RoomSnapshot] { try await relay.rooms() }
    func kick(_ peer: PeerID) async throws -> Bool { try await relay.kick(peer) }
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
