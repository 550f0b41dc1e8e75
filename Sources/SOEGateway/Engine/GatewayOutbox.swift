public import NIOCore
public import RelayCore

/// What a gateway wants done: datagrams and events as every engine over datagrams has them, and what its backend is sent.
///
/// Who drains it sends the datagrams, writes the bytes, then does the command. Messages never appear among the effects:
/// they have become frames.
public struct GatewayOutbox {
    /// What becomes of the connection to the backend.
    public enum BackendCommand: Equatable, Sendable {
        /// Try to connect; `backendConnected` or `backendDisconnected` follows.
        case connect
        /// Close it, behind the bytes that were written. Nothing follows.
        case close
    }

    public var datagrams = DatagramOutbox()
    /// Frames, in a row.
    public internal(set) var backendBytes = ByteBuffer()
    public internal(set) var command: BackendCommand?

    public init() {}

    public var isEmpty: Bool { datagrams.isEmpty && backendBytes.readableBytes == 0 && command == nil }

    /// Forgets what has been drained.
    public mutating func removeAll() {
        datagrams.removeAll()
        // Whoever writes it keeps the storage.
        if backendBytes.readableBytes > 0 { backendBytes = ByteBuffer() }
        command = nil
    }

    mutating func send(_ frame: BackendFrame) {
        frame.encode(into: &backendBytes)
    }
}
