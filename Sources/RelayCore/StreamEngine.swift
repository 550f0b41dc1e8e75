public import NIOCore

/// The state of one listener of a protocol over byte streams: bytes and time in, effects out.
///
/// An engine owns all its state and touches nothing else: no clock, socket, task, lock, log or system randomness.
/// Its caller hands it one input at a time, `now` never going back, and drains the outbox after each.
/// Inputs that name a peer the engine does not know (it closed it a moment ago) do nothing.
public protocol StreamEngine: SendableMetatype {
    /// A connection was accepted. `peer` stays valid until `disconnect` or until the engine closes it.
    mutating func connect(_ peer: PeerID, from: Endpoint, at now: Instant, into out: inout Outbox)

    /// What somebody is told whose connection is not admitted; `nil` where the protocol has no words for it. He is no
    /// peer: nothing else will be heard of him.
    ///
    /// - Parameter reason: what the operator wrote down about a ban; empty if there is nothing.
    mutating func words(for refusal: Admission.Refusal, because reason: String) -> ByteBuffer?

    /// Bytes arrived, in stream order, cut anywhere.
    mutating func receive(_ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox)

    /// The peer ended its sending direction (FIN); it may still read.
    mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox)

    /// The connection has gone: reset, lost, or closed by the driver for the given reason.
    mutating func disconnect(_ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox)

    /// What is sent to this peer now waits in a queue (`false`), or the queue has emptied (`true`).
    mutating func writability(of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox)

    /// The answer to a `probe` that was asked for.
    mutating func probed(_ peer: PeerID, isReachable: Bool, at now: Instant, into out: inout Outbox)

    /// Does whatever is due.
    mutating func advance(to now: Instant, into out: inout Outbox)

    /// When `advance` should be called next. O(1).
    var nextDeadline: Instant? { get }

    /// From now on no new rooms; those that exist play on.
    mutating func drain(at now: Instant, into out: inout Outbox)

    /// New rooms again: the operator has ended the drain.
    mutating func endDrain(at now: Instant, into out: inout Outbox)

    /// Parts from every peer, in the protocol's own words where it has any.
    mutating func stop(at now: Instant, into out: inout Outbox)

    /// Parts from a peer because the operator wants so, in the protocol's own words where it has any.
    mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox)

    /// How many rooms keep a draining server alive.
    var roomCount: Int { get }

    /// How many messages were not acted upon, by a word for the reason; those whose senders are told are events instead.
    var droppedMessages: [(reason: String, count: UInt64)] { get }

    /// A copy of what is going on, for people to look at.
    func rooms(at now: Instant) -> [RoomSnapshot]
}

extension StreamEngine {
    public mutating func words(for refusal: Admission.Refusal, because reason: String) -> ByteBuffer? { nil }

    public var droppedMessages: [(reason: String, count: UInt64)] { [] }

    public mutating func probed(_ peer: PeerID, isReachable: Bool, at now: Instant, into out: inout Outbox) {}
}

/// A room as an operator sees it, whatever the protocol calls it.
public struct RoomSnapshot: Sendable, Equatable, Codable {
    /// The room's name in its own protocol.
    public var id: String
    /// How its data travels, in the protocol's own word, where there are several ways.
    public var mode: String?
    public var peers: [PeerSnapshot]

    public init(id: String, mode: String? = nil, peers: [PeerSnapshot]) {
        self.id = id
        self.mode = mode
        self.peers = peers
    }
}

/// One member of a room as an operator sees it.
public struct PeerSnapshot: Sendable, Equatable, Codable {
    /// The peer's number, as in log lines.
    public var peer: String
    /// What the protocol calls it: an id, a nick; empty if it has none.
    public var name: String
    /// The part it plays, in the protocol's own word.
    public var role: String
    /// Address and port.
    public var endpoint: String
    /// The address alone; it is not encoded, for `endpoint` has it.
    public var address = IPAddress.anyIPv6
    /// Seconds since the connection was accepted.
    public var connectedSeconds: Int
    /// What was counted for it, where its protocol counts by peer.
    public var traffic: PeerTraffic?

    private enum CodingKeys: String, CodingKey {
        case peer, name, role, endpoint, connectedSeconds, traffic
    }

    public init(peer: PeerID, name: String, role: String, endpoint: Endpoint, connected: Duration) {
        self.peer = peer.description
        self.name = name
        self.role = role
        self.endpoint = endpoint.description
        address = endpoint.address
        self.connectedSeconds = Int(connected.components.seconds)
    }
}

/// What has passed between a peer and the server.
public struct PeerTraffic: Sendable, Equatable, Codable {
    public var framesReceived = 0
    public var framesSent = 0
    public var bytesReceived = 0
    public var bytesSent = 0
    /// Frames of the peer that went nowhere, by reason.
    public var dropped: [String: UInt64] = [:]
    /// Of the path to the peer, smoothed; absent where it is not known.
    public var roundTripSeconds: Double?

    public init() {}
}
