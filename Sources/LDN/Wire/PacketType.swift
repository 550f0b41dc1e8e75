/// What a packet is. Any byte may come.
public struct PacketType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let initialize = PacketType(rawValue: 0)
    public static let passphrase = PacketType(rawValue: 1)
    public static let createAccessPoint = PacketType(rawValue: 2)
    public static let createAccessPointPrivate = PacketType(rawValue: 3)
    public static let externalProxy = PacketType(rawValue: 4)
    public static let externalProxyToken = PacketType(rawValue: 5)
    public static let externalProxyState = PacketType(rawValue: 6)
    public static let syncNetwork = PacketType(rawValue: 7)
    public static let reject = PacketType(rawValue: 8)
    public static let rejectReply = PacketType(rawValue: 9)
    public static let scan = PacketType(rawValue: 10)
    public static let scanReply = PacketType(rawValue: 11)
    public static let scanReplyEnd = PacketType(rawValue: 12)
    public static let connect = PacketType(rawValue: 13)
    public static let connectPrivate = PacketType(rawValue: 14)
    public static let connected = PacketType(rawValue: 15)
    public static let disconnect = PacketType(rawValue: 16)
    public static let proxyConfig = PacketType(rawValue: 17)
    public static let proxyConnect = PacketType(rawValue: 18)
    public static let proxyConnectReply = PacketType(rawValue: 19)
    public static let proxyData = PacketType(rawValue: 20)
    public static let proxyDisconnect = PacketType(rawValue: 21)
    public static let setAcceptPolicy = PacketType(rawValue: 22)
    public static let setAdvertiseData = PacketType(rawValue: 23)
    public static let ping = PacketType(rawValue: 254)
    public static let networkError = PacketType(rawValue: 255)

    /// Whether it is relayed from player to player: `ProxyConnect`, its reply, `ProxyData`, `ProxyDisconnect`.
    public var isProxied: Bool { (18...21).contains(rawValue) }
}
