import NIOCore
import RelayCore

/// One connection of the relay.
struct RelayMember {
    /// How far it has come.
    enum Standing: Equatable {
        case connected
        case client(ClientPort)
        case gateway
    }

    let endpoint: Endpoint
    let connected: Instant
    var standing = Standing.connected
    var room = ""
    /// Its number in the room.
    var number = 0
    var mac = MACAddress.zero
    var name = ""
    /// What it proves with that a place is its own; empty if nothing.
    var key = ""
    /// The largest datagram to it.
    var datagram: Int
    /// The largest that it takes, whatever the path carries.
    var budget = Int.max
    var splits = false
    var reader = ControlReader()
    var reassembler: FrameReassembler
    var stats = TunnelStats()
    /// Dropped frames by reason.
    var drops = [UInt64](repeating: 0, count: DropReason.allCases.count)
    /// When a drop for each reason was last told of.
    private var told = [Instant?](repeating: nil, count: DropReason.allCases.count)
    private var saying: TokenBucket
    private var asking: TokenBucket
    private var pinging: TokenBucket
    private var malformed = 0
    private var malformedSince: Instant?

    /// A hello and a question a second are what endpoints say.
    private static let words = TokenBucket.Rate(perSecond: 20, burst: 100)
    private static let asks = TokenBucket.Rate(perSecond: 2, burst: 10)
    private static let pings = TokenBucket.Rate(perSecond: 20, burst: 40)
    private static let maxMalformed = 1000
    private static let malformedWindow = Duration.seconds(10)

    init(endpoint: Endpoint, datagram: Int, at now: Instant) {
        self.endpoint = endpoint
        self.datagram = datagram
        connected = now
        saying = TokenBucket(at: now)
        asking = TokenBucket(at: now)
        pinging = TokenBucket(at: now)
        reassembler = FrameReassembler(slots: 4)
    }

    /// Takes over what was counted for the connection before.
    mutating func carryOn(_ before: RelayMember) {
        stats = before.stats
        drops = before.drops
        told = before.told
        malformed = before.malformed
        malformedSince = before.malformedSince
    }

    var role: FrameSender { standing == .gateway ? .gateway : .client }

    /// Counts a dropped frame; whether it should be told of.
    mutating func countDrop(_ reason: DropReason, at now: Instant) -> Bool {
        let index = Int(reason.rawValue)
        drops[index] &+= 1
        stats.dropped += 1
        if let last = told[index], now - last < .seconds(1) { return false }
        told[index] = now
        return true
    }

    var dropCounts: [DropReason: UInt64] {
        let counted = DropReason.allCases.filter { drops[Int($0.rawValue)] > 0 }
        return Dictionary(uniqueKeysWithValues: counted.map { ($0, drops[Int($0.rawValue)]) })
    }

    /// What was counted, for the operator.
    func traffic(roundTrip: Duration?) -> PeerTraffic {
        var traffic = PeerTraffic()
        traffic.framesReceived = stats.framesReceived
        traffic.framesSent = stats.framesSent
        traffic.bytesReceived = stats.bytesReceived
        traffic.bytesSent = stats.bytesSent
        for (reason, count) in dropCounts { traffic.dropped[reason.word] = count }
        traffic.roundTripSeconds = roundTrip.map { $0 / .seconds(1) }
        return traffic
    }

    /// Whether it may say one more message.
    mutating func maySay(at now: Instant) -> Bool {
        saying.take(at: now, rate: Self.words)
    }

    /// Whether it may have its statistics once more.
    mutating func mayAsk(at now: Instant) -> Bool {
        asking.take(at: now, rate: Self.asks)
    }

    /// Whether a ping is answered.
    mutating func mayPing(at now: Instant) -> Bool {
        pinging.take(at: now, rate: Self.pings)
    }

    /// Counts a datagram no honest endpoint sends; whether it was one too many.
    mutating func countMalformed(at now: Instant) -> Bool {
        if malformedSince.map({ now - $0 >= Self.malformedWindow }) ?? true {
            malformedSince = now
            malformed = 0
        }
        malformed += 1
        return malformed >= Self.maxMalformed
    }
}

/// A room: its filter, and who is at which of its ports.
struct RelayRoom {
    var filter: FrameFilter
    var clients: [PeerID?] = []
    var gateway: PeerID?
    var secrets: [String]
    /// What a gateway has to say instead.
    var gatewaySecret: String?
    var isIsolated: Bool
    var nextNumber = 1
    private var frameNumber: UInt16 = 0

    init(filter: FrameFilter, secrets: [String], isIsolated: Bool) {
        self.filter = filter
        self.secrets = secrets
        self.isIsolated = isIsolated
    }

    /// Takes what the operator has changed of a room that is open.
    mutating func take(_ registered: LANBridgeConfiguration.RegisteredRoom) {
        secrets = registered.secrets
        gatewaySecret = registered.gatewaySecret
        isIsolated = registered.isIsolated
        filter.isIsolated = registered.isIsolated
        for address in registered.protected { filter.protect(address) }
    }

    var clientCount: Int { clients.count { $0 != nil } }
    var isEmpty: Bool { gateway == nil && clientCount == 0 }

    /// All peers in it.
    var peers: [PeerID] { clients.compactMap { $0 } + [gateway].compactMap { $0 } }

    mutating func nextFrameNumber() -> UInt16 {
        frameNumber &+= 1
        return frameNumber
    }

    /// Whether a secret opens it for somebody of a role.
    func opens(with said: String?, for role: FrameSender) -> Bool {
        if role == .gateway, let gatewaySecret { return Secret.matches(gatewaySecret, said ?? "") }
        guard !secrets.isEmpty else { return true }
        return secrets.reduce(false) { opens, secret in Secret.matches(secret, said ?? "") || opens }
    }
}

enum Secret {
    /// Whether two secrets are the same; looks at all bytes of what was said, so that time tells nothing.
    static func matches(_ secret: String, _ said: String) -> Bool {
        let (secret, said) = (Array(secret.utf8), Array(said.utf8))
        var difference = said.count ^ secret.count
        for (index, octet) in said.enumerated() {
            difference |= Int(octet ^ (secret.isEmpty ? 0 : secret[index % secret.count]))
        }
        return difference == 0
    }
}
