public import NIOCore

/// Why bytes on the control stream are no message.
public enum ControlError: String, Error, Sendable, CaseIterable {
    case emptyFrame = "empty_frame"
    /// More than `ControlReader.maxLength` bytes are announced.
    case frameTooLarge = "frame_too_large"
    case badJSON = "bad_json"
    case typeMissing = "type_missing"
    /// A member is missing, or is not what it should be.
    case badMember = "bad_member"

    /// As a sentence for the other end.
    public var sentence: String {
        switch self {
        case .emptyFrame: "a control frame is empty"
        case .frameTooLarge: "a control frame is longer than \(ControlReader.maxLength) bytes"
        case .badJSON: "a control frame is not one JSON object"
        case .typeMissing: "a control message has no type"
        case .badMember: "a control message lacks a member, or one is not of its kind"
        }
    }
}

/// What the ends of the tunnel say to each other on reliable streams: `length(4) | a JSON object of so many bytes`.
public enum ControlMessage: Equatable, Sendable {
    /// The first message to the relay.
    case hello(Hello)
    /// The relay's answer if the endpoint is in.
    case welcome(Welcome)
    /// The relay's answer if it is not; the connection ends.
    case reject(code: String, sentence: String)
    case peerJoined(PeerNotice)
    case peerLeft(peer: Int, reason: String)
    /// What the relay has counted for this endpoint, and which of its frames it dropped.
    case stats(TunnelStats, drops: [DropReason: Int])
    /// The endpoint wants `stats` now.
    case getStats
    /// The sender ends the connection.
    case disconnect(code: String, sentence: String)
    /// A type that this version does not know; it is passed over.
    case unknown(String)

    public struct Hello: Equatable, Sendable {
        public var version: Int = ControlMessage.version
        public var role: FrameSender
        public var room: String
        public var mac: MACAddress
        /// The largest datagram this end can send and take.
        public var datagram: Int
        /// Whether it takes frames in two parts.
        public var splits: Bool = true
        /// What opens the room, if it is closed: its password, or a token the operator gave out.
        public var password: String?
        /// What others may call it; empty if nothing.
        public var name: String = ""
        /// A secret of this endpoint alone, by which it takes its own place back; empty if it has none.
        public var key: String = ""

        public init(role: FrameSender, room: String, mac: MACAddress, datagram: Int) {
            self.role = role
            self.room = room
            self.mac = mac
            self.datagram = datagram
        }
    }

    public struct Welcome: Equatable, Sendable {
        public var version: Int = ControlMessage.version
        /// The endpoint's number in its room.
        public var peer: Int
        /// The largest IP packet that the room carries.
        public var mtu: Int
        /// The largest that needs no splitting on the way to anybody who was there: what a TAP should have.
        public var tapMTU: Int
        public var hasGateway: Bool
        public var isIsolated: Bool

        public init(peer: Int, mtu: Int, tapMTU: Int, hasGateway: Bool, isIsolated: Bool) {
            self.peer = peer
            self.mtu = mtu
            self.tapMTU = tapMTU
            self.hasGateway = hasGateway
            self.isIsolated = isIsolated
        }
    }

    public struct PeerNotice: Equatable, Sendable {
        public var peer: Int
        public var role: FrameSender
        public var mac: MACAddress
        public var name: String

        public init(peer: Int, role: FrameSender, mac: MACAddress, name: String) {
            self.peer = peer
            self.role = role
            self.mac = mac
            self.name = name
        }
    }

    public static let version = 1
}

/// What one end of a tunnel has counted.
public struct TunnelStats: Equatable, Sendable {
    public var framesReceived = 0
    public var framesSent = 0
    public var bytesReceived = 0
    public var bytesSent = 0
    public var dropped = 0

    public init() {}
}

extension ControlMessage {
    /// The message with its length before it.
    public func frame() -> ByteBuffer {
        let text = ControlJSON(members).encoded()
        var buffer = ByteBuffer()
        buffer.reserveCapacity(4 + text.utf8.count)
        buffer.writeInteger(UInt32(text.utf8.count))
        buffer.writeString(text)
        return buffer
    }

    private var members: [String: ControlJSON.Value] {
        switch self {
        case .hello(let hello):
            var members: [String: ControlJSON.Value] = [
                "type": .text("hello"), "version": .number(hello.version), "role": .text(hello.role.rawValue),
                "room": .text(hello.room), "mac": .text(hello.mac.description), "datagram": .number(hello.datagram),
                "splits": .flag(hello.splits), "name": .text(hello.name),
            ]
            members["password"] = hello.password.map { .text($0) }
            if !hello.key.isEmpty { members["key"] = .text(hello.key) }
            return members
        case .welcome(let welcome):
            return [
                "type": .text("welcome"), "version": .number(welcome.version), "peer": .number(welcome.peer),
                "mtu": .number(welcome.mtu), "tap_mtu": .number(welcome.tapMTU), "gateway": .flag(welcome.hasGateway),
                "isolated": .flag(welcome.isIsolated),
            ]
        case .reject(let code, let sentence):
            return ["type": .text("reject"), "code": .text(code), "sentence": .text(sentence)]
        case .peerJoined(let notice):
            return [
                "type": .text("peer_joined"), "peer": .number(notice.peer), "role": .text(notice.role.rawValue),
                "mac": .text(notice.mac.description), "name": .text(notice.name),
            ]
        case .peerLeft(let peer, let reason):
            return ["type": .text("peer_left"), "peer": .number(peer), "reason": .text(reason)]
        case .stats(let stats, let drops):
            var members: [String: ControlJSON.Value] = [
                "type": .text("stats"), "frames_received": .number(stats.framesReceived),
                "frames_sent": .number(stats.framesSent), "bytes_received": .number(stats.bytesReceived),
                "bytes_sent": .number(stats.bytesSent), "dropped": .number(stats.dropped),
            ]
            for (reason, count) in drops { members["drop " + reason.word] = .number(count) }
            return members
        case .getStats: return ["type": .text("get_stats")]
        case .disconnect(let code, let sentence):
            return ["type": .text("disconnect"), "code": .text(code), "sentence": .text(sentence)]
        case .unknown(let type): return ["type": .text(type)]
        }
    }

    /// Reads the JSON of a message.
    init(_ json: ControlJSON) throws(ControlError) {
        guard let type = json.text("type") else { throw .typeMissing }
        switch type {
        case "hello": self = .hello(try Hello(json))
        case "welcome": self = .welcome(try Welcome(json))
        case "reject": self = .reject(code: try json.needText("code"), sentence: json.text("sentence") ?? "")
        case "peer_joined": self = .peerJoined(try PeerNotice(json))
        case "peer_left": self = .peerLeft(peer: try json.needNumber("peer"), reason: json.text("reason") ?? "")
        case "stats": self = .stats(TunnelStats(json), drops: DropReason.counts(in: json))
        case "get_stats": self = .getStats
        case "disconnect": self = .disconnect(code: try json.needText("code"), sentence: json.text("sentence") ?? "")
        default: self = .unknown(type)
        }
    }
}

extension ControlMessage.Hello {
    fileprivate init(_ json: ControlJSON) throws(ControlError) {
        guard let role = FrameSender(rawValue: try json.needText("role")),
            let mac = MACAddress(try json.needText("mac"))
        else { throw .badMember }
        self.init(
            role: role, room: try json.needText("room"), mac: mac, datagram: try json.needNumber("datagram"))
        version = try json.needNumber("version")
        splits = json.flag("splits") ?? false
        password = json.text("password")
        name = json.text("name") ?? ""
        key = json.text("key") ?? ""
        guard key.utf8.count <= 128, password?.utf8.count ?? 0 <= 256 else { throw .badMember }
    }
}

extension ControlMessage.Welcome {
    fileprivate init(_ json: ControlJSON) throws(ControlError) {
        self.init(
            peer: try json.needNumber("peer"), mtu: try json.needNumber("mtu"),
            tapMTU: try json.needNumber("tap_mtu"), hasGateway: json.flag("gateway") ?? false,
            isIsolated: json.flag("isolated") ?? false)
        version = try json.needNumber("version")
    }
}

extension ControlMessage.PeerNotice {
    fileprivate init(_ json: ControlJSON) throws(ControlError) {
        guard let role = FrameSender(rawValue: try json.needText("role")),
            let mac = MACAddress(try json.needText("mac"))
        else { throw .badMember }
        self.init(peer: try json.needNumber("peer"), role: role, mac: mac, name: json.text("name") ?? "")
    }
}

extension TunnelStats {
    fileprivate init(_ json: ControlJSON) {
        framesReceived = json.number("frames_received") ?? 0
        framesSent = json.number("frames_sent") ?? 0
        bytesReceived = json.number("bytes_received") ?? 0
        bytesSent = json.number("bytes_sent") ?? 0
        dropped = json.number("dropped") ?? 0
    }
}

extension DropReason {
    fileprivate static func counts(in json: ControlJSON) -> [DropReason: Int] {
        var counts: [DropReason: Int] = [:]
        for reason in allCases {
            if let count = json.number("drop " + reason.word), count > 0 { counts[reason] = count }
        }
        return counts
    }
}

extension ControlJSON {
    fileprivate func needText(_ name: String) throws(ControlError) -> String {
        guard let text = text(name) else { throw .badMember }
        return text
    }

    fileprivate func needNumber(_ name: String) throws(ControlError) -> Int {
        guard let number = number(name) else { throw .badMember }
        return number
    }
}

/// Cuts a control stream into messages, however it arrives.
public struct ControlReader: Sendable {
    /// Longer messages end the connection.
    public static let maxLength = 16 * 1024

    private var pending = ByteBuffer()

    public init() {}

    public mutating func append(_ bytes: ByteBuffer) {
        pending.discardReadBytes()
        pending.writeImmutableBuffer(bytes)
    }

    /// The next message, if all of it has come. Nothing can be read after it has thrown.
    public mutating func next() throws(ControlError) -> ControlMessage? {
        guard let length = pending.getInteger(at: pending.readerIndex, as: UInt32.self) else { return nil }
        if length == 0 { throw .emptyFrame }
        if length > Self.maxLength { throw .frameTooLarge }
        guard pending.readableBytes >= 4 + Int(length) else { return nil }
        pending.moveReaderIndex(forwardBy: 4)
        guard let slice = pending.readSlice(length: Int(length)) else { return nil }
        return try ControlMessage(ControlJSON(slice.readableBytesView))
    }
}
