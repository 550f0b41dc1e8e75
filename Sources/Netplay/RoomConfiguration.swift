/// The settings of one listener of hostless rooms.
public struct RoomConfiguration: Sendable, Equatable {
    /// What guests must know to get in; `nil` lets everybody in.
    public var password: String?
    /// What everybody plays with.
    public var device = NetplayDevice.joypad
    /// The most rooms; 0 means without limit.
    public var maxRooms = 64
    /// The most guests of a room, players and spectators, at most 31: a guest's number has 5 bits.
    public var maxGuests = 16
    /// The longest savestate, compressed or not.
    public var maxStateBytes = 32 << 20
    /// How long a guest may take from its connection to SYNC. Somebody may have to type a password meanwhile.
    public var handshakeTimeout = Duration.seconds(60)
    /// How long a room may stand still for a player. A RetroArch that waits gives up after 10 seconds.
    public var stallTimeout = Duration.seconds(5)
    /// How long a guest may take to begin with the savestate it was asked for.
    public var statePatience = Duration.seconds(10)
    /// How long a savestate may be on its way.
    public var stateTimeout = Duration.seconds(120)
    /// How long a room waits for a player who pauses it.
    public var pauseTimeout = Duration.seconds(120)

    public init() {}
}
