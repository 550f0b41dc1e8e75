/// Who an end of the tunnel is, and where it wants to be.
public struct LANEndpointConfiguration: Equatable, Sendable {
    public var room: String
    /// A client's virtual card, or the card of the gateway that faces the LAN.
    public var mac: MACAddress
    /// A secret of this endpoint alone, kept where its address is kept. Who says it again with the same address gets its
    /// own place back, though the relay does not know yet that the connection before is dead. Empty: it has to wait.
    public var key: String
    /// What opens the room, if it is closed: its password, or a token the operator gave out.
    public var password: String?
    /// What others may call it; empty if nothing.
    public var name = ""
    /// Whether TCP is told of segments that need no splitting.
    public var clampsSegments = true
    /// How often the relay is asked for a sign of life.
    public var pingInterval = Duration.seconds(1)
    /// With no sign for so long, another connection is sought while the one that stands is kept.
    public var silence = Duration.milliseconds(2500)

    public init(room: String, mac: MACAddress, key: String = "") {
        self.room = room
        self.mac = mac
        self.key = key
    }
}

/// Why a connection to the relay is no more, or never came to be.
public enum RelayLoss: Equatable, Sendable {
    /// Nothing answered, or no longer. In words for the user.
    case unreachable(String)
    /// The relay does not know the connection: it was started anew.
    case forgotten
    /// The relay is not who it should be, or its certificate, or this machine's clock, is wrong. In words for the user.
    case untrusted(String)

    /// For the user.
    public var sentence: String {
        switch self {
        case .unreachable(let words): "the relay cannot be reached: \(words)"
        case .forgotten: "the relay was started anew"
        case .untrusted(let words): "the relay cannot be trusted: \(words)"
        }
    }
}
