import Hummingbird
import RelayCore

/// `GET /api/v1/status`: the server and its relays in figures.
struct StatusResponse: ResponseCodable, Equatable {
    struct Relay: Codable, Equatable {
        var `protocol`: String
        var listeners: [String]
        var peers: Int
        var rooms: Int
        var queuedBytes: Int
        var connectionsOpened: UInt64
        var bytesReceived: UInt64
        var bytesRelayed: UInt64
        var messagesRelayed: UInt64
        var bytesAnswered: UInt64
        /// By reason.
        var closed: [String: UInt64]
        /// By reason.
        var refused: [String: UInt64]
        /// By event.
        var events: [String: UInt64]
    }

    /// A port that the router is asked to let in.
    struct PortMapping: Codable, Equatable {
        var `protocol`: String
        /// The listener.
        var address: String
        /// Where the world reaches it; absent while it does not.
        var external: String?
        /// Why the last attempt failed, in one word; absent if it did not.
        var failure: String?
    }

    var version: String
    /// `running`, `draining` or `stopping`.
    var phase: String
    var uptimeSeconds: Int
    var connections: Int
    var relays: [Relay]
    var portMappings: [PortMapping]

    init(_ overview: Overview) async throws {
        version = BatonVersion.current
        phase = "\(overview.phase.current)"
        uptimeSeconds = Int(overview.phase.uptime.components.seconds)
        connections = overview.desk.connections
        relays = try await overview.statuses().map { status in
            Relay(
                protocol: status.name, listeners: status.listeners, peers: status.peers, rooms: status.rooms,
                queuedBytes: status.queuedBytes, connectionsOpened: status.counters.connectionsOpened,
                bytesReceived: status.counters.bytesReceived, bytesRelayed: status.counters.bytesRelayed,
                messagesRelayed: status.counters.messagesRelayed, bytesAnswered: status.counters.bytesAnswered,
                closed: status.counters.closed.counts, refused: status.counters.refused.counts,
                events: status.counters.events.counts
            )
        }
        portMappings = await overview.portMapping.statuses().map { status in
            PortMapping(
                protocol: status.mapping.name, address: "\(status.mapping.target)",
                external: status.external?.description, failure: status.failure?.word
            )
        }
    }
}

/// `GET /api/v1/rooms`: every room with its members.
struct RoomsResponse: ResponseCodable, Equatable {
    struct Room: Codable, Equatable {
        var `protocol`: String
        var id: String
        var peers: [PeerSnapshot]
    }

    var rooms: [Room] = []

    init(_ overview: Overview) async throws {
        for relay in overview.relays {
            rooms += try await relay.rooms().map { Room(protocol: relay.name, id: $0.id, peers: $0.peers) }
        }
    }
}
