public import NIOCore
import RelayCore
public import SOE

/// What a gateway and its backend say to each other over TCP: section "Frames" of the gateway's page.
///
/// | bytes | field |
/// |---|---|
/// | 4 | how many bytes follow, 10... |
/// | 1 | kind |
/// | 1 | channel, 0...6; 0 where there is none |
/// | 8 | session: a number of the gateway's; 0 where there is none |
/// | rest | what the kind says |
public enum BackendFrame: Hashable, Sendable {
    /// Each end's first frame.
    case hello(version: UInt16)
    /// A session exists. The gateway says it, of all there are when a backend connects.
    case opened(SessionNumber, OpenedSession)
    /// A message, from the client or for it.
    case data(SessionNumber, SOEChannel, ByteBuffer)
    /// From the gateway: the session has ended. From the backend: end it.
    case closed(SessionNumber, ClosedSession)
    /// From the backend, without figures: tell me. From the gateway: the figures.
    case stats(SessionNumber, SessionFigures?)
    /// The backend's: encrypt from the next message on.
    case encrypt(SessionNumber, EncryptionChange)
    /// Send me nothing of this session for a while.
    case pause(SessionNumber)
    case resume(SessionNumber)
    /// The client's port has changed. The gateway says it.
    case moved(SessionNumber, address: String)

    /// The version of these frames.
    public static let version: UInt16 = 1
    /// What a hello begins with.
    public static let mark: [UInt8] = Array("SOEG".utf8)
    /// The bytes of a frame before its body, those of the length included.
    public static let headSize = 14
    /// Bodies are no longer: the longest message that a session can be set to, and nothing has more beside it.
    public static let longestBody = 64 << 20

    /// The byte that names a frame's kind.
    enum Kind: UInt8 {
        case hello = 1
        case opened, data, closed, stats, encrypt, pause, resume, moved
    }
}

/// Bytes from a backend, or from a gateway, that are no frame.
public enum BackendFrameError: Error, Hashable, Sendable {
    /// It ends before all its fields have come.
    case truncated
    case tooLong
    case unknownKind
    case unknownChannel
    /// A hello that does not begin as one.
    case noHello
    /// A key of more than 256 bytes.
    case badKey
    /// A text that is no UTF-8.
    case badText
}

/// A session as gateway and backend call it; never 0, and none is used again while the gateway runs.
public struct SessionNumber: Hashable, Sendable, CustomStringConvertible {
    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }

    public var description: String { "\(value)" }
}

/// What a backend is told of a session.
///
/// | bytes | field |
/// |---|---|
/// | 1 | flags: 1 is set if the session existed before this connection to the backend, 2 if it is encrypted |
/// | 4 | the session id that the client chose |
/// | 1, n | the length of the protocol name, and the name |
/// | rest | the client's address and port, as text: `192.0.2.1:5000`, `[2001:db8::1]:5000` |
public struct OpenedSession: Hashable, Sendable {
    public var isResumed: Bool
    public var isEncrypted: Bool
    public var wireID: UInt32
    public var protocolName: ProtocolName
    public var address: String

    public init(
        isResumed: Bool, isEncrypted: Bool = false, wireID: UInt32, protocolName: ProtocolName, address: String
    ) {
        self.isResumed = isResumed
        self.isEncrypted = isEncrypted
        self.wireID = wireID
        self.protocolName = protocolName
        self.address = address
    }
}

/// How a session ended, or is to end.
///
/// | bytes | field |
/// |---|---|
/// | 2 | reason, in the protocol's numbers |
/// | 1 | who ended it: 0 this end, 1 the client; absent from the backend |
/// | 4 | how many messages of the backend's were not acknowledged; absent from the backend |
public struct ClosedSession: Hashable, Sendable {
    public var reason: DisconnectReason
    public var isByClient: Bool
    public var undelivered: UInt32

    public init(reason: DisconnectReason, isByClient: Bool = false, undelivered: UInt32 = 0) {
        self.reason = reason
        self.isByClient = isByClient
        self.undelivered = undelivered
    }
}

/// Which directions are encrypted from now on, and with what.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 1 is set for messages to the client, 2 for messages from the client |
/// | rest | the key, 1...256 bytes; none turns encryption off |
public struct EncryptionChange: Hashable, Sendable {
    public var toClient: Bool
    public var fromClient: Bool
    public var key: RC4Key?

    public init(toClient: Bool, fromClient: Bool, key: RC4Key?) {
        self.toClient = toClient
        self.fromClient = fromClient
        self.key = key
    }
}

/// A session in figures, all unsigned: round trip, lowest round trip and its variation in microseconds (4 bytes each), then
/// 8 bytes each: bytes queued for the client, messages from and to the client, datagrams from and to it, reliable packets
/// sent and how many of these again.
public struct SessionFigures: Hashable, Sendable {
    public var roundTrip: UInt32 = 0
    public var lowestRoundTrip: UInt32 = 0
    public var roundTripVariation: UInt32 = 0
    public var queuedBytes: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var datagramsReceived: UInt64 = 0
    public var datagramsSent: UInt64 = 0
    public var packetsSent: UInt64 = 0
    public var packetsResent: UInt64 = 0

    public init() {}

    init(_ statistics: SOEStatistics) {
        func microseconds(_ duration: Duration?) -> UInt32 {
            UInt32(clamping: (duration?.wholeNanoseconds ?? 0) / 1000)
        }
        roundTrip = microseconds(statistics.roundTrip)
        lowestRoundTrip = microseconds(statistics.lowestRoundTrip)
        roundTripVariation = microseconds(statistics.roundTripVariation)
        queuedBytes = UInt64(clamping: statistics.queuedBytes)
        messagesReceived = statistics.messagesReceived
        messagesSent = statistics.messagesSent
        datagramsReceived = statistics.datagramsReceived
        datagramsSent = statistics.datagramsSent
        packetsSent = statistics.packetsSent
        packetsResent = statistics.packetsResent
    }
}
