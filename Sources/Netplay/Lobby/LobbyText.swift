/// The answers of `/add` and `/tunnel`: a line for each `key=value`, every one ended, also the last. Values are not
/// encoded, so they must have no line breaks.
public enum LobbyText {
    /// What a host is told of its room.
    public static func added(_ room: LobbyRoom) -> String {
        let content = room.content
        return lines([
            ("status", "OK"),
            ("id", "\(room.id)"),
            ("username", content.username),
            ("core_name", content.coreName),
            ("game_name", content.gameName),
            ("game_crc", content.gameCRC),
            ("core_version", content.coreVersion),
            ("ip", "\(content.address)"),
            ("port", "\(content.port)"),
            ("host_method", "\(content.hostMethod.rawValue)"),
            ("has_password", flag(content.hasPassword)),
            ("has_spectate_password", flag(content.hasSpectatePassword)),
            ("retroarch_version", content.retroarchVersion),
            ("frontend", content.frontend),
            ("subsystem_name", content.subsystemName),
            ("country", room.country.uppercased()),
            ("connectable", flag(room.isConnectable)),
        ])
    }

    /// Where a named relay is.
    public static func tunnel(_ relay: LobbyRelay) -> String {
        lines([("status", "OK"), ("tunnel_addr", relay.host), ("tunnel_port", "\(relay.port)")])
    }

    private static func flag(_ value: Bool) -> String { value ? "1" : "0" }

    private static func lines(_ fields: [(String, String)]) -> String {
        fields.map { "\($0)=\($1)\n" }.joined()
    }
}
