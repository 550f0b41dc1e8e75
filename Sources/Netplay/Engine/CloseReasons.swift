import RelayCore

extension CloseReason {
    static let unknownOpening = CloseReason("unknown_opening", "the first bytes are no tunnel message")
    static let openingTimeout = CloseReason("opening_timeout", "the connection did not say in time what it is")
    static let bareNetplay = CloseReason("bare_netplay", "the client came without a session id")
    static let unknownSession = CloseReason("unknown_session", "there is no such session, or its host has left")
    static let sessionsFull = CloseReason("sessions_full", "the most sessions allowed exist already")
    static let sessionFull = CloseReason("session_full", "the session has the most members allowed")
    static let addressPending = CloseReason("address_pending", "too many guests of this address wait for a link")
    static let linkTimeout = CloseReason("link_timeout", "the host did not open a link in time")
    static let unknownGuest = CloseReason("unknown_guest", "no guest waits under the link's id")
    static let foreignLink = CloseReason("foreign_link", "the link comes from another address than the session's host")
    static let hostLeft = CloseReason("host_left", "the session's host left before the link was open")
    static let unknownWord = CloseReason("unknown_word", "the host said a word the tunnel does not know")
    static let addressQueryTimeout = CloseReason("address_query_timeout", "the host began an address query and stopped")
    static let unansweredPings = CloseReason("unanswered_pings", "the host answered none of the pings")
    static let partnerLeft = CloseReason("partner_left", "the other end of the pair closed or was lost")
    static let badSavestate = CloseReason(
        "bad_savestate", "a savestate is no zlib stream, or is larger or smaller than its message says")
    static let savestateTooLarge = CloseReason("savestate_too_large", "a savestate is larger than allowed")
    static let savestatesFull = CloseReason("savestates_full", "too many savestates are being compressed")
    static let halfClosed = CloseReason("half_closed", "one end had finished and the other one fell silent")
}
