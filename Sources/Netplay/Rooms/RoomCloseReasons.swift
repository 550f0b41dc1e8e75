import RelayCore

extension CloseReason {
    static let notNetplay = CloseReason("not_netplay", "the first bytes are no netplay")
    static let handshakeTimeout = CloseReason("handshake_timeout", "the handshake was not done in time")
    static let poked = CloseReason("poked", "somebody asked whether a host is here, and was told")
    static let protocolTooOld = CloseReason("protocol_too_old", "the guest speaks no protocol this server does")
    static let roomsFull = CloseReason("rooms_full", "the most rooms allowed exist already")
    static let roomFull = CloseReason("room_full", "the room has the most guests allowed")
    static let wrongPassword = CloseReason("wrong_password", "the password is not the room's")
    static let otherCore = CloseReason("other_core", "the room plays with another core")
    static let outOfOrder = CloseReason("out_of_order", "a command came where the protocol has no place for it")
    static let malformed = CloseReason("malformed_command", "a command's size or content is not possible")
    static let commandFlood = CloseReason("command_flood", "too many commands beside input in a short time")
    static let inputFlood = CloseReason("input_flood", "input came for many times the frames a game has")
    static let inputOutOfOrder = CloseReason("input_out_of_order", "input came that leaves out a frame")
    static let inputSize = CloseReason("input_size", "input came that does not fit the guest's devices")
    static let farAhead = CloseReason("far_ahead", "the player ran further ahead of the room than RetroArch does")
    static let heldUp = CloseReason("held_up", "the room stood still for the player")
    static let pausedTooLong = CloseReason("paused_too_long", "the player paused the room for longer than it waits")
    static let stateTimeout = CloseReason("state_timeout", "a savestate did not arrive in time")
    static let statesFull = CloseReason("states_full", "too many savestates are on their way to the server")
    static let noSavestate = CloseReason(
        "no_savestate", "the guest was asked for the room's savestate and did not give it")
    static let refused = CloseReason("refused", "the guest said NAK: it could not go on")
    static let left = CloseReason("left", "the guest said that it leaves")
}
