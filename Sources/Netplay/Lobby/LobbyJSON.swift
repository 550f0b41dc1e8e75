import NIOCore

/// Rooms as `GET /list` and `GET /{id}` tell of them: an array of objects with one member `fields`, indented by two
/// spaces, in the order that clients were written against.
enum LobbyJSON {
    /// An array of rooms that are encoded already.
    static func array(of rooms: some Collection<ByteBuffer>) -> ByteBuffer {
        guard !rooms.isEmpty else { return ByteBuffer(string: "[]\n") }
        var json = ByteBuffer()
        json.reserveCapacity(rooms.reduce(0) { $0 + $1.readableBytes + 2 } + 6)
        json.writeStaticString("[\n")
        var isFirst = true
        for room in rooms {
            if !isFirst { json.writeStaticString(",\n") }
            json.writeImmutableBuffer(room)
            isFirst = false
        }
        json.writeStaticString("\n]\n")
        return json
    }

    /// One element of that array.
    static func element(_ room: LobbyRoom) -> ByteBuffer {
        let content = room.content
        var fields = Fields()
        fields.number("id", room.id)
        fields.text("username", content.username)
        fields.text("country", room.country)
        fields.text("game_name", content.gameName)
        fields.text("game_crc", content.gameCRC)
        fields.text("core_name", content.coreName)
        fields.text("core_version", content.coreVersion)
        fields.text("subsystem_name", content.subsystemName)
        fields.text("retroarch_version", content.retroarchVersion)
        fields.text("frontend", content.frontend)
        fields.text("ip", "\(content.address)")
        fields.number("port", content.port)
        fields.text("mitm_ip", content.relay?.address.host ?? "")
        fields.number("mitm_port", content.relay?.address.port ?? 0)
        fields.text("mitm_session", content.relay?.session ?? "")
        fields.number("host_method", content.hostMethod.rawValue)
        fields.flag("has_password", content.hasPassword)
        fields.flag("has_spectate_password", content.hasSpectatePassword)
        fields.flag("connectable", room.isConnectable)
        fields.flag("is_retroarch", room.isRetroArch)
        fields.number("player_count", room.playerCount)
        fields.number("spectator_count", room.spectatorCount)
        fields.text("created", "\(room.created)")
        fields.text("updated", "\(room.updated)")
        return fields.finished
    }
}

/// Writes the members of one room.
private struct Fields {
    private var json = ByteBuffer()
    private var isFirst = true

    init() {
        json.reserveCapacity(1024)
        json.writeStaticString("  {\n    \"fields\": {\n")
    }

    mutating func number(_ name: StaticString, _ value: some BinaryInteger) {
        key(name)
        json.writeString(String(value))
    }

    mutating func flag(_ name: StaticString, _ value: Bool) {
        key(name)
        json.writeStaticString(value ? "true" : "false")
    }

    mutating func text(_ name: StaticString, _ value: String) {
        key(name)
        json.writeStaticString("\"")
        for scalar in value.unicodeScalars { write(scalar) }
        json.writeStaticString("\"")
    }

    var finished: ByteBuffer {
        var json = json
        json.writeStaticString("\n    }\n  }")
        return json
    }

    private mutating func key(_ name: StaticString) {
        json.writeStaticString(isFirst ? "      \"" : ",\n      \"")
        isFirst = false
        json.writeStaticString(name)
        json.writeStaticString("\": ")
    }

    /// Escapes what JSON must, and what would mean something to a page that embeds it, as the original lobby does.
    private mutating func write(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": json.writeStaticString("\\\"")
        case "\\": json.writeStaticString("\\\\")
        case "<", ">", "&", "\u{7F}", "\u{2028}", "\u{2029}", "\u{0}"..<"\u{20}":
            let digits = String(scalar.value, radix: 16)
            json.writeString("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
        default: json.writeString(String(scalar))
        }
    }
}
