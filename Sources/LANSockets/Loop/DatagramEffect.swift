import LANBridge
import QUICTransport
import RelayCore

extension QUICEndpoint {
    /// Sends what an engine wants sent: the header, and behind it bytes that are in the input or in the outbox.
    @inline(__always)
    func send(
        _ header: OverlayHeader, _ bytes: FrameBytes, isUrgent: Bool, to peer: PeerID, input: UnsafeRawBufferPointer,
        scratch: UnsafeRawBufferPointer, at now: Instant
    ) {
        let body = bytes.locate(input, scratch)
        withUnsafeBytes(of: header.bits.bigEndian) { head in
            _ = send(datagram: head, body, priority: isUrgent ? .urgent : .bulk, to: peer, at: now)
        }
    }
}

extension FrameBytes {
    var count: Int {
        switch self {
        case .input(let range), .scratch(let range): range.count
        }
    }

    @inline(__always)
    func locate(_ input: UnsafeRawBufferPointer, _ scratch: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        switch self {
        case .input(let range): UnsafeRawBufferPointer(rebasing: input[range])
        case .scratch(let range): UnsafeRawBufferPointer(rebasing: scratch[range])
        }
    }
}
