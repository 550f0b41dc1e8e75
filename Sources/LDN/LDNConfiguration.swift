public import RelayCore

/// The settings of one LDN master.
public struct LDNConfiguration: Sendable, Equatable {
    /// The most networks; 0 means without limit.
    public var maxNetworks = 5000
    /// The most sessions; 0 means without limit.
    public var maxSessions = 0
    /// The most sessions of one address, or of one IPv6 /64; 0 means without limit.
    public var maxSessionsPerAddress = 1024

    /// Networks that the sessions of one address may create.
    public var createRate = TokenBucket.Rate(perSecond: 10, burst: 1000)
    /// Scans of one address. Beyond it a scan finds nothing.
    public var scanRate = TokenBucket.Rate(perSecond: 50, burst: 1000)
    /// Attempts of one address to join a network.
    public var joinRate = TokenBucket.Rate(perSecond: 100, burst: 5000)
    /// Bytes that one address may send. A session beyond it is closed.
    public var byteRate = TokenBucket.Rate(perSecond: 16 << 20, burst: 64 << 20)
    /// How often a host may change its network: policy, advertised data, rejected players. Each change is told to all
    /// its players. A session beyond it is closed.
    public var changeRate = TokenBucket.Rate(perSecond: 50, burst: 200)
    /// How often hosts of one address may have it checked whether their P2P proxy can be reached. Beyond it the proxy
    /// counts as unreachable.
    public var probeRate = TokenBucket.Rate(perSecond: 1, burst: 20)

    /// The most networks that a scan is answered with, those that can be joined first. Games take 24 or fewer; 50 answers
    /// fit the 64 KiB that some clients hold.
    public var maxScanReplies = 50
    /// Whether a network that rejects all is not only hidden from scans but also closed to those who know its id.
    public var enforceAcceptPolicy = true
    /// Whether hosts may run P2P proxies. Without, all players' addresses stay hidden from each other.
    public var allowP2P = true

    /// After how much silence a session is pinged.
    public var pingInterval = Duration.seconds(10)
    /// How long a ping may stay without any packet in answer.
    public var pingTimeout = Duration.seconds(10)

    /// How many clients that have gone keep their MAC address for when they return.
    public var maxRememberedClients = 10_000
    /// How long they keep it.
    public var clientMemory = Duration.seconds(7 * 86_400)

    public init() {}
}
