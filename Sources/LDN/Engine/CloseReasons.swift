public import RelayCore

extension CloseReason {
    public static let badMagic = CloseReason("bad_magic", "the client does not speak LDN")
    public static let badVersion = CloseReason("bad_version", "the client speaks another version of LDN")
    public static let badSize = CloseReason("bad_size", "a packet's size was negative or too large")
    public static let sessionsFull = CloseReason("sessions_full", "the most sessions allowed exist already")
    public static let addressSessionsFull = CloseReason(
        "address_sessions_full", "the most sessions allowed for one address exist already")
    public static let tooManyBytes = CloseReason("too_many_bytes", "the client's address sent too much")
    public static let tooManyChanges = CloseReason("too_many_changes", "the host changed its network too often")
    public static let unansweredPing = CloseReason("unanswered_ping", "the client did not answer a ping")
}

extension FrameError {
    /// Why the connection ends, in a word of the fixed set.
    var closeReason: CloseReason {
        switch self {
        case .badMagic: .badMagic
        case .badVersion: .badVersion
        case .negativeSize, .tooLarge: .badSize
        }
    }
}
