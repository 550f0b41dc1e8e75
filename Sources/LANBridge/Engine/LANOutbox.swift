public import NIOCore
public import RelayCore

/// Where the bytes of a frame are while its effect is done.
public enum FrameBytes: Equatable, Sendable {
    /// In what the engine was just given.
    case input(Range<Int>)
    /// In the outbox's own memory, which holds until it is drained.
    case scratch(Range<Int>)
}

/// What an engine of the bridge wants done: every input appends here, and its caller drains it before the next input.
/// The memory of a drained outbox is used again, so that a frame costs none.
public struct LANOutbox {
    public enum Effect {
        /// Send a datagram: the header's 8 bytes, then those of a frame. Urgent ones go before others.
        case datagram(OverlayHeader, FrameBytes, to: PeerID, isUrgent: Bool)
        /// Hand a frame to the network interface.
        case deliver(FrameBytes)
        /// Send bytes on the reliable stream.
        case control(ByteBuffer, to: PeerID)
        /// Part from a peer once what was sent before has left. No `disconnect` follows.
        case close(PeerID, CloseReason)
        /// Of an end of the tunnel: open a connection to the relay, beside any that stands or is being opened. `connect`
        /// or `disconnect` says what came of it, within about two seconds.
        case open
        /// Of an end of the tunnel: the relay has let it in. The card may go up, with the welcome's MTU.
        case join(ControlMessage.Welcome)
        /// Of an end of the tunnel: it is over for good, and why. Nothing follows, but `close` for connections that come
        /// too late.
        case finish(CloseReason)
        /// Something an operator may want to know; never a frame.
        case emit(any EngineEvent)
    }

    public private(set) var effects: [Effect] = []
    /// What `FrameBytes.scratch` lies in.
    public private(set) var scratch: [UInt8] = []

    public init() {}

    /// Forgets the drained effects and keeps the memory for the next ones.
    public mutating func removeAll() {
        effects.removeAll(keepingCapacity: true)
        scratch.removeAll(keepingCapacity: true)
    }

    mutating func append(_ effect: Effect) { effects.append(effect) }

    mutating func send(_ message: ControlMessage, to peer: PeerID) {
        effects.append(.control(message.frame(), to: peer))
    }

    /// Lowers the segments that a frame of the scratch memory announces.
    mutating func clamp(_ range: Range<Int>, mtu: Int) {
        scratch.withUnsafeMutableBytes { memory in
            var frame = UnsafeMutableRawBufferPointer(rebasing: memory[range]).mutableBytes
            SegmentClamp.clamp(&frame, mtu: mtu)
        }
    }

    /// Keeps a copy of bytes that will not be there any more.
    mutating func copy(_ bytes: RawSpan) -> Range<Int> {
        let start = scratch.count
        bytes.withUnsafeBytes { scratch.append(contentsOf: $0) }
        return start..<scratch.count
    }

    /// Sends a frame in one datagram, or in two if it must be and the other end takes two; `false` if they do not hold it.
    mutating func send(
        _ frame: FrameBytes, to peer: PeerID, datagram budget: Int, splits: Bool = true, number: () -> UInt16
    ) -> Bool {
        let range = frame.range
        let isUrgent = range.count <= Self.urgentLength
        if range.count + OverlayHeader.length <= budget {
            effects.append(.datagram(OverlayHeader(whole: range.count), frame, to: peer, isUrgent: isUrgent))
            return true
        }
        guard splits, let cut = FrameBudget.cut(frame: range.count, datagram: budget) else { return false }
        let number = number()
        for part in [0..<cut, cut..<range.count] {
            let header = OverlayHeader(part: number, of: range.count, at: part.lowerBound)
            effects.append(.datagram(header, frame.slice(part), to: peer, isUrgent: false))
        }
        return true
    }

    /// Games, ARP, DHCP and acknowledgements are shorter than this; bulk is not.
    private static let urgentLength = 400
}

extension FrameBytes {
    /// Reads the bytes where they are.
    @inline(__always)
    func read<Result>(_ input: RawSpan, _ out: borrowing LANOutbox, _ body: (RawSpan) -> Result) -> Result {
        switch self {
        case .input(let range): body(input.extracting(range))
        case .scratch(let range): body(out.scratch.span.bytes.extracting(range))
        }
    }

    var range: Range<Int> {
        switch self {
        case .input(let range), .scratch(let range): range
        }
    }

    func slice(_ part: Range<Int>) -> FrameBytes {
        switch self {
        case .input(let range): .input(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
        case .scratch(let range): .scratch(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
        }
    }
}
