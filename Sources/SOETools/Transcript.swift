public import Captures
import NIOCore
import RelayCore
public import SOE

/// Captured datagrams in words: packets with their sequences and acknowledgements, and the messages they make.
///
/// It follows each conversation from its SessionRequest on. One whose beginning was not captured is read as the settings
/// say, and its CRCs are not checked.
public struct Transcript {
    public struct Settings: Sendable {
        public var dialect = SOEDialect.v3
        /// Decrypts messages on the reliable channels, from the first one on.
        public var key: RC4Key?
        /// Of conversations whose beginning was not captured.
        public var crcLength = 2
        public var compression = false
        /// How many bytes of a message are shown.
        public var shownBytes = 64

        public init() {}
    }

    /// Two ends, whichever of them sends.
    struct Pair: Hashable {
        var low: Endpoint
        var high: Endpoint

        init(_ one: Endpoint, _ other: Endpoint) {
            let isOrdered =
                (one.address.high, one.address.low, one.port) < (other.address.high, other.address.low, other.port)
            (low, high) = isOrdered ? (one, other) : (other, one)
        }
    }

    /// Conversations are forgotten all together when there are more.
    private static let maxConversations = 4096

    let settings: Settings
    private let zlib = ZlibCodec()
    private var conversations: [Pair: Conversation] = [:]
    private var started = 0
    private var firstTime: Int64?

    public init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// How many conversations there were.
    public var conversationCount: Int { started }

    /// What a datagram says, in lines; none if it cannot be of this protocol.
    public mutating func lines(for datagram: CapturedDatagram) -> [String] {
        let pair = Pair(datagram.source, datagram.destination)
        let start = datagram.payload.getInteger(at: datagram.payload.readerIndex, as: UInt16.self)
        let isRequest = start == UInt16(OpCode.sessionRequest.rawValue)
        if conversations[pair] == nil {
            guard let start, start < 256, let code = OpCode(rawValue: UInt8(truncatingIfNeeded: start)),
                code != .zeroEscape, datagram.payload.readableBytes >= 2 + code.minimumBody
            else { return [] }
            if conversations.count >= Self.maxConversations { conversations = [:] }
            started += 1
            let isFromServer = code == .sessionResponse
            conversations[pair] = Conversation(
                number: started, client: isFromServer ? datagram.destination : datagram.source, settings: settings)
        }
        firstTime = firstTime ?? datagram.time
        let since = datagram.time.subtractingReportingOverflow(firstTime ?? 0).partialValue
        var page = Page(settings: settings)
        if isRequest { conversations[pair]?.startAnew(from: datagram.source) }
        conversations[pair]?.read(datagram, zlib: zlib, into: &page)
        guard let conversation = conversations[pair] else { return [] }
        let arrow = datagram.source == conversation.client ? ">" : "<"
        let ends = conversation.hasBegun ? "" : "  (\(datagram.source) to \(datagram.destination))"
        conversations[pair]?.hasBegun = true
        return page.lines.enumerated().map { index, line in
            index == 0 ? "\(Self.seconds(since)) #\(conversation.number) \(arrow) \(line)\(ends)" : "    \(line)"
        }
    }

    private static func seconds(_ nanoseconds: Int64) -> String {
        let micros = nanoseconds.magnitude / 1000
        return
            "\(nanoseconds < 0 ? "-" : "")\(micros / 1_000_000).\(String(1_000_000 + micros % 1_000_000).dropFirst())"
    }
}

/// The lines about one datagram.
struct Page {
    let settings: Transcript.Settings
    private(set) var lines: [String] = []
    /// A hostile capture does not make one datagram fill a disk.
    private static let maxLines = 4096

    init(settings: Transcript.Settings) {
        self.settings = settings
    }

    mutating func write(_ line: String) {
        if lines.count < Self.maxLines { lines.append(line) }
    }

    mutating func write(_ what: String, _ bytes: ByteBuffer) {
        let shown = bytes.readableBytesView.prefix(settings.shownBytes)
        let hex = shown.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        let text = shown.map { (0x20...0x7E).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
        let rest = bytes.readableBytes > shown.count ? " ..." : ""
        write("\(what) bytes=\(bytes.readableBytes)" + (shown.isEmpty ? "" : ": \(hex)\(rest)  |\(text)|"))
    }
}
