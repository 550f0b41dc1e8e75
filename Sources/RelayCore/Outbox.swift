public import NIOCore

/// One thing an engine wants done, in the order it was decided.
public enum Effect {
    /// Pass on bytes that were received from a peer: relayed traffic. No copy: it is a slice of what was read.
    case forward(ByteBuffer, to: PeerID)
    /// Send bytes that the engine made itself.
    case send(ByteBuffer, to: PeerID)
    /// Stop reading from a peer, because what it feeds cannot take more.
    case pause(PeerID)
    /// Read from it again.
    case resume(PeerID)
    /// Nothing more will be sent to this peer: end its stream once all that was sent before has left.
    case finish(PeerID)
    /// Part from a peer: what was sent before still leaves, then the connection ends. The engine forgets the peer
    /// when it says this; no `disconnect` follows.
    case close(PeerID, CloseReason)
    /// Something an operator may want to know; never a packet.
    case emit(any EngineEvent)
}

/// What an engine wants done: every input appends here, and its caller drains it before the next input.
///
/// It is handed to each input as an `inout` argument, so an effect can be neither polled too late nor forgotten.
public struct Outbox {
    @usableFromInline var effects: [Effect] = []

    public init() {}

    @inlinable public var count: Int { effects.count }
    @inlinable public var isEmpty: Bool { effects.isEmpty }
    @inlinable public subscript(index: Int) -> Effect { effects[index] }

    /// Forgets the drained effects and keeps the storage for the next ones.
    @inlinable
    public mutating func removeAll() {
        effects.removeAll(keepingCapacity: true)
    }

    @inlinable
    public mutating func forward(_ bytes: ByteBuffer, to peer: PeerID) {
        effects.append(.forward(bytes, to: peer))
    }

    @inlinable
    public mutating func send(_ bytes: ByteBuffer, to peer: PeerID) {
        effects.append(.send(bytes, to: peer))
    }

    public mutating func pause(_ peer: PeerID) { effects.append(.pause(peer)) }
    public mutating func resume(_ peer: PeerID) { effects.append(.resume(peer)) }
    public mutating func finish(_ peer: PeerID) { effects.append(.finish(peer)) }
    public mutating func close(_ peer: PeerID, _ reason: CloseReason) { effects.append(.close(peer, reason)) }
    public mutating func emit(_ event: any EngineEvent) { effects.append(.emit(event)) }
}
