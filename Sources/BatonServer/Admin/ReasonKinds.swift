/// What sort of reason a word stands for, where alarms want to know: the words are those of the protocols' own lists.
enum ReasonKinds {
    /// The connection ended before its peer had said who it is and what it wants.
    static let handshake: Set<String> = [
        "address_query_timeout", "bad_control", "bad_magic", "bad_version", "bare_netplay", "handshake_timeout",
        "link_timeout", "malformed_command", "no_hello", "no_netplay", "not_netplay", "opening_timeout", "other_core",
        "protocol_mismatch", "protocol_too_old", "proxy_header_invalid", "proxy_header_timeout", "unknown_opening",
        "unknown_session", "wrong_password",
    ]

    /// A bound was met: the operator's, or one that keeps the server standing.
    static let limit: Set<String> = [
        "address_full", "address_sessions_full", "command_flood", "far_ahead", "frame_too_large", "host_crowded",
        "input_flood", "lobby_full", "players_full", "prefix_full", "rate-arp", "rate-broadcast", "rate-bytes",
        "rate-multicast", "rate-unknown-unicast", "reliable_overflow", "room_full", "rooms_full",
        "savestate_too_large", "savestates_full", "server_full", "session_full", "sessions_full", "slow_reader",
        "states_full", "strangers_full", "too_fast", "too_many_bytes", "too_many_changes", "too_many_failures",
        "too_many_faults", "too_soon",
    ]
}
