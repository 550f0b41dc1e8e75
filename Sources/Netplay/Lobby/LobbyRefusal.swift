public import RelayCore

/// Why an announcement, or another request, was not taken.
public enum LobbyRefusal: Error, Equatable, Sendable {
    /// The body is no form.
    case badForm
    /// A field is missing, too long, or holds what it may not; which one.
    case badField(LobbyField)
    /// A text matches the operator's blacklist.
    case blacklistedText(LobbyField)
    /// The operator's blacklist has the caller's address.
    case blacklistedAddress
    /// The operator has banned the name.
    case bannedName
    /// The room was announced a moment ago.
    case tooSoon
    /// The caller asks for more each second than he may.
    case tooFast
    /// The caller's address has as many rooms as it may.
    case addressFull
    /// The lobby has as many rooms as it may.
    case lobbyFull
    /// The server takes no new rooms before it stops.
    case draining
    /// The room could not be written down.
    case storageFailed

    /// The word that is counted, and a sentence for the log.
    public var reason: CloseReason {
        switch self {
        case .badForm: CloseReason("bad_form", "the body is no form")
        case .badField(let field):
            CloseReason("bad_field", "the field \(field.rawValue) is missing, too long or holds what it may not")
        case .blacklistedText(let field):
            CloseReason("blacklisted_text", "the blacklist has what \(field.rawValue) says")
        case .blacklistedAddress: CloseReason("blacklisted_address", "the blacklist has the address")
        case .bannedName: .banned
        case .tooSoon: CloseReason("too_soon", "the room was announced a moment ago")
        case .tooFast: CloseReason("too_fast", "the address asks too often")
        case .addressFull: CloseReason("address_full", "the address has the most rooms allowed")
        case .lobbyFull: CloseReason("lobby_full", "the lobby has the most rooms allowed")
        case .draining: .serverDraining
        case .storageFailed: CloseReason("storage_failed", "the database could not be written to")
        }
    }
}

/// The fields of an announcement, by the names that the form has for them.
public enum LobbyField: String, CaseIterable, Sendable {
    case username
    case coreName = "core_name"
    case coreVersion = "core_version"
    case gameName = "game_name"
    case gameCRC = "game_crc"
    case port
    case relayName = "mitm_server"
    case hasPassword = "has_password"
    case hasSpectatePassword = "has_spectate_password"
    case forceRelay = "force_mitm"
    case retroarchVersion = "retroarch_version"
    case frontend
    case subsystemName = "subsystem_name"
    case relaySession = "mitm_session"
    case customRelayAddress = "mitm_custom_addr"
    case customRelayPort = "mitm_custom_port"
    case playerCount = "player_count"
    case spectatorCount = "spectator_count"
}
