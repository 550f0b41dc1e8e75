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
        /// By reason.
        var dropped: [String: UInt64]
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
    var bans: Bans
    var banDatabase: BanDatabase
    var access: Access

    /// Whoever has seen the same figures has seen the bans, but for those of the configuration.
    struct Bans: Codable, Equatable {
        /// In force, those of the configuration included.
        var count: Int
        /// Since the server was started.
        var made: UInt64
        /// Since the server was started; those that are over included.
        var lifted: UInt64

        init(_ overview: Overview) {
            count = overview.reloader.running.bans.count + overview.bans.count
            (made, lifted) = overview.bans.changes
        }
    }

    /// What the caller may do.
    struct Access: Codable, Equatable {
        /// `read` or `full`.
        var access: String
        /// The token's; absent where none is wanted.
        var name: String?
    }

    /// What becomes of bans that are made.
    struct BanDatabase: Codable, Equatable {
        /// `memory`, `database` or `failed`.
        var state: String
        /// Why it failed.
        var failure: String?

        init(_ keeping: BanDesk.Keeping) {
            switch keeping {
            case .memory: state = "memory"
            case .database: state = "database"
            case .failing(let words): (state, failure) = ("failed", words)
            }
        }
    }

    init(_ overview: Overview, caller: AdminCaller) async throws {
        bans = Bans(overview)
        banDatabase = BanDatabase(overview.bans.keeping)
        access = Access(access: caller.access.rawValue, name: caller.name)
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
                dropped: status.counters.dropped.counts,
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
        /// How its data travels, where the protocol has several ways.
        var mode: String?
        var peers: [PeerSnapshot]
    }

    var rooms: [Room] = []

    init(_ relays: [any Relay]) async throws {
        for relay in relays {
            rooms += try await relay.rooms().map {
                Room(protocol: relay.name, id: $0.id, mode: $0.mode, peers: $0.peers)
            }
        }
    }
}

/// `GET /api/v1/listeners`.
struct ListenersResponse: ResponseCodable, Equatable {
    struct Listener: Codable, Equatable {
        var `protocol`: String
        /// With the port in use.
        var address: String
    }

    var listeners: [Listener]

    init(_ statuses: [RelayStatus]) {
        listeners = statuses.flatMap { status in
            status.listeners.map { Listener(protocol: status.name, address: $0) }
        }
    }
}

/// `GET /api/v1/peers`: every connection with its counters.
struct PeersResponse: ResponseCodable, Equatable {
    struct Peer: Codable, Equatable {
        var `protocol`: String
        var peer: String
        var endpoint: String
        var connectedSeconds: Int
        var room: String?
        var name: String?
        var role: String?
        var bytesReceived: UInt64?
        var bytesSent: UInt64?
        var queuedBytes: Int?

        init(_ detail: PeerDetail, of relay: String) {
            `protocol` = relay
            (peer, endpoint, connectedSeconds) = (detail.peer, detail.endpoint, detail.connectedSeconds)
            (room, name, role) = (detail.membership?.room, detail.membership?.name, detail.membership?.role)
            bytesReceived = detail.counters?.bytesReceived
            bytesSent = detail.counters?.bytesSent
            queuedBytes = detail.counters?.queuedBytes
        }
    }

    var peers: [Peer] = []

    init(_ relays: [any Relay]) async throws {
        for relay in relays {
            peers += try await relay.peers().map { Peer($0, of: relay.name) }
        }
    }
}

/// `/api/v1/drain`.
struct DrainResponse: ResponseCodable, Equatable {
    /// `running`, `draining` or `stopping`.
    var phase: String
    /// Rooms that are waited for.
    var rooms: Int
    /// When the server stops at the latest; absent without a drain.
    var deadline: String?

    init(_ status: Drain.Status) {
        phase = "\(status.phase)"
        rooms = status.rooms
        deadline = status.deadline?.description
    }
}

/// `POST /api/v1/reload`.
struct ReloadResponse: ResponseCodable, Equatable {
    /// Settings that changed and take effect after a restart only.
    var restartNeeded: [String]
}
