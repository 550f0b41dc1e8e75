/// How often each of a few named things happened. Names must come from a fixed set: they become metric labels.
public struct Tally: Sendable, Equatable {
    public private(set) var counts: [String: UInt64] = [:]

    public init() {}

    public init(_ counts: [(String, UInt64)]) {
        self.counts = Dictionary(counts) { $0 &+ $1 }
    }

    public mutating func count(_ name: String) {
        counts[name, default: 0] &+= 1
    }

    public mutating func add(_ other: Tally) {
        counts.merge(other.counts) { $0 &+ $1 }
    }

    public subscript(name: String) -> UInt64 { counts[name] ?? 0 }
}

/// What a stream listener counts: plain integers owned by its event loop, copied when somebody asks.
public struct StreamCounters: Sendable, Equatable {
    /// Connections the engine was told of.
    public var connectionsOpened: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// Bytes passed from peer to peer.
    public var bytesRelayed: UInt64 = 0
    /// Pieces passed from peer to peer: messages, or reads where the protocol has no messages.
    public var messagesRelayed: UInt64 = 0
    /// Bytes the server said itself.
    public var bytesAnswered: UInt64 = 0
    /// Connections that ended, by the word of the reason.
    public var closed = Tally()
    /// Connections turned away before the engine saw them, by the word of the reason.
    public var refused = Tally()
    /// Messages that were not acted upon, by the word of the reason.
    public var dropped = Tally()
    /// Things the engine told of, by name.
    public var events = Tally()
    /// From what woke the event loop for a message until that was handed to the system, or to its receiver's queue.
    public var forwardLatency = LatencyHistogram()

    public init() {}
}
