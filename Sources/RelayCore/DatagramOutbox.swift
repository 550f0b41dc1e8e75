public import NIOCore

/// What an engine over datagrams wants done: every input appends here, and its caller drains it before long.
///
/// Datagrams are written in a row into one buffer that is used again, so that none of them costs an allocation. They may
/// all be sent before the deliveries and events are looked at; these are in the order of what happened.
public struct DatagramOutbox {
    /// A delivery or an event.
    public enum Effect {
        /// A message for the application.
        case deliver(ByteBuffer, from: PeerID, channel: UInt8)
        /// Something an operator or the application may want to know; never a packet.
        case emit(any EngineEvent)
    }

    /// A stretch of `bytes`.
    @usableFromInline
    struct Stretch {
        @usableFromInline var start: Int
        @usableFromInline var count: Int

        @inlinable
        init(start: Int, count: Int) {
            self.start = start
            self.count = count
        }
    }

    @usableFromInline
    struct Datagram {
        @usableFromInline var stretch: Stretch
        @usableFromInline var endpoint: Endpoint

        @inlinable
        init(stretch: Stretch, endpoint: Endpoint) {
            self.stretch = stretch
            self.endpoint = endpoint
        }
    }

    @usableFromInline
    enum Record {
        /// Part of what was received.
        case received(ByteBuffer, from: PeerID, channel: UInt8)
        /// Part of `bytes`.
        case made(Stretch, from: PeerID, channel: UInt8)
        case event(any EngineEvent)
    }

    /// Where datagrams, and messages that had to be made, are written; `send` and `deliver` then say which part is which.
    /// A slice of it kept while more is written makes all of it be copied: only the drain hands out slices.
    public var bytes = ByteBuffer()
    @usableFromInline var datagrams: [Datagram] = []
    @usableFromInline var records: [Record] = []
    /// Storage that is larger than this is given back when the outbox has been drained.
    @usableFromInline static var keptCapacity: Int { 1 << 20 }

    public init() {}

    public var isEmpty: Bool { datagrams.isEmpty && records.isEmpty }

    /// How many datagrams are to be sent.
    @inlinable public var datagramCount: Int { datagrams.count }

    /// A datagram to send, and where to.
    @inlinable
    public func datagram(at index: Int) -> (bytes: ByteBuffer, endpoint: Endpoint) {
        (slice(datagrams[index].stretch), datagrams[index].endpoint)
    }

    /// Where in `bytes` a datagram stands, and where it goes. Datagrams that were made in a row stand in a row.
    @inlinable
    public func stretch(at index: Int) -> (start: Int, count: Int, endpoint: Endpoint) {
        (datagrams[index].stretch.start, datagrams[index].stretch.count, datagrams[index].endpoint)
    }

    /// How many deliveries and events there are.
    @inlinable public var effectCount: Int { records.count }

    @inlinable
    public func effect(at index: Int) -> Effect {
        switch records[index] {
        case .received(let message, let peer, let channel): .deliver(message, from: peer, channel: channel)
        case .made(let stretch, let peer, let channel): .deliver(slice(stretch), from: peer, channel: channel)
        case .event(let event): .emit(event)
        }
    }

    /// Forgets what has been drained and keeps the storage for what comes next.
    @inlinable
    public mutating func removeAll() {
        datagrams.removeAll(keepingCapacity: true)
        records.removeAll(keepingCapacity: true)
        if bytes.capacity > Self.keptCapacity { bytes = ByteBuffer() } else { bytes.clear() }
    }

    /// Forgets the datagrams: they have been sent ahead of the rest.
    public mutating func removeDatagrams() {
        datagrams.removeAll(keepingCapacity: true)
    }

    /// Forgets the deliveries and events from one on: somebody in between has made something else of them.
    public mutating func removeEffects(from first: Int) {
        records.removeSubrange(first...)
    }

    /// Sends what stands in `bytes` from an index to the end.
    @inlinable
    public mutating func send(from start: Int, to endpoint: Endpoint) {
        let stretch = Stretch(start: start, count: bytes.writerIndex - start)
        datagrams.append(Datagram(stretch: stretch, endpoint: endpoint))
    }

    /// Sends a copy of a datagram.
    @inlinable
    public mutating func send(_ datagram: ByteBuffer, to endpoint: Endpoint) {
        let start = bytes.writerIndex
        bytes.writeImmutableBuffer(datagram)
        send(from: start, to: endpoint)
    }

    /// Delivers a message that is part of what was received.
    @inlinable
    public mutating func deliver(_ message: ByteBuffer, from peer: PeerID, channel: UInt8) {
        records.append(.received(message, from: peer, channel: channel))
    }

    /// Delivers what stands in `bytes` from an index to the end.
    @inlinable
    public mutating func deliver(from start: Int, from peer: PeerID, channel: UInt8) {
        let stretch = Stretch(start: start, count: bytes.writerIndex - start)
        records.append(.made(stretch, from: peer, channel: channel))
    }

    public mutating func emit(_ event: any EngineEvent) {
        records.append(.event(event))
    }

    @inlinable
    func slice(_ stretch: Stretch) -> ByteBuffer {
        bytes.getSlice(at: stretch.start, length: stretch.count) ?? ByteBuffer()
    }
}
