public import RelayCore

/// The rules of a desk that gives out dedicated hosts.
public struct DedicatedConfiguration: Sendable, Equatable {
    /// The most hosts there may be, those that are just starting or stopping included.
    public var maxHosts = 4
    /// The most of them that datagrams of one address, or of one IPv6 /64, may have asked for.
    public var maxHostsPerAddress = 2
    /// Requests of one address, or of one IPv6 /64, that are looked at; the others get no answer.
    public var requests = TokenBucket.Rate(perSecond: 5, burst: 20)
    /// How long a host without a guest is kept.
    public var idleTimeout = Duration.seconds(30)
    /// How long a host may take until it answers.
    public var startTimeout = Duration.seconds(20)
    /// The ports on which guests are let in.
    public var ports: ClosedRange<UInt16> = 55500...55599
    /// Whether guests come through a tunnel instead.
    public var isRelayed = false

    public init() {}
}
