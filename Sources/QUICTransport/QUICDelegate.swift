public import RelayCore

/// Who hears of an endpoint's connections and carries its packets.
///
/// All calls come from within the endpoint's own inputs, on the caller's thread. A delegate may call the endpoint's
/// `send`, `openStream`, `reset` and `close` from within them; what may not happen at once is done at the next `flush`.
/// Bytes that are handed over are valid for the call only.
public protocol QUICDelegate: AnyObject {
    /// Packets to be put on the wire, in this order. Called in `flush`, and sooner when the batch is full.
    func transmit(_ packets: borrowing PacketBatch)
    /// Whether a stranger may begin a handshake: asked when he has sent his first packet and nothing is held for him.
    func admits(_ remote: Endpoint) -> Bool
    /// The handshake is complete, the server's certificate has been verified.
    func connected(_ connection: PeerID, remote: Endpoint)
    /// Bytes of a stream, in order; `ended` with the last ones, which may be none.
    func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID)
    /// The peer gave up a stream: it will send no more of it, or wants no more of it.
    func reset(stream: Int64, code: UInt64, from connection: PeerID)
    /// One DATAGRAM frame (RFC 9221).
    func received(datagram: UnsafeRawBufferPointer, from connection: PeerID)
    /// The largest datagram that fits the path is now so many bytes (path-MTU discovery, or another path).
    func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint)
    /// The connection is over and its name is free. Nothing follows. `connected` need not have been called before.
    func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason)
}

/// Why a connection is over.
public enum QUICCloseReason: Hashable, Sendable, CustomStringConvertible {
    /// `close` was called here.
    case local
    /// The peer's application closed it, with a code and a sentence of its own.
    case application(code: UInt64, reason: String)
    /// The peer's transport closed it (RFC 9000, section 20.1).
    case transport(code: UInt64, reason: String)
    /// The peer does not know the connection (any more): it was started anew (RFC 9000, section 10.3).
    case reset
    /// Nothing was heard for the idle timeout.
    case idle
    /// The handshake did not come to an end in time.
    case handshakeTimeout
    /// The server's certificate is not the one expected; why.
    case certificate(String)
    /// The peer speaks no version that we speak.
    case version
    /// The peer broke the protocol, or the handshake failed; in the library's words.
    case failed(String)

    public var description: String {
        switch self {
        case .local: "closed here"
        case .application(let code, let reason): "closed by the peer, code \(code): \(reason)"
        case .transport(let code, let reason):
            "closed by the peer's transport, code \(code)\(reason.isEmpty ? "" : ": \(reason)")"
        case .reset: "the peer does not know the connection any more"
        case .idle: "nothing heard for too long"
        case .handshakeTimeout: "the handshake took too long"
        case .certificate(let reason): "certificate refused: \(reason)"
        case .version: "no common version"
        case .failed(let reason): reason
        }
    }
}
