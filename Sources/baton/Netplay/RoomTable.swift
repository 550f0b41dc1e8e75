import BatonServer

/// Rooms as people read them.
enum RoomTable {
    /// The most characters of a cell.
    private static let widest = 32
    private static let titles = [
        "NAME", "GAME", "CORE", "PLAYERS", "COUNTRY", "VIA", "PASSWORD", "REACHABLE", "VERSION",
    ]

    static func text(of rooms: [AdvertisedRoom]) -> String {
        guard !rooms.isEmpty else { return "no rooms" }
        let lines = Table(titles: titles, rows: rooms.map { row(for: $0).map(cut) }).lines
        let withCommands = zip(rooms, lines.dropFirst()).flatMap { room, line in
            [line, "    " + shellText(room.retroArchCommand)]
                + (room.bridgeCommand.map { ["    " + shellText($0)] } ?? [])
        }
        return (lines.prefix(1) + withCommands).joined(separator: "\n")
    }

    private static func row(for room: AdvertisedRoom) -> [String] {
        [
            room.name, room.game, room.core, players(of: room), room.country, room.isRelayed ? "relay" : "direct",
            room.hasPassword ? "yes" : "no", room.isReachable ? "yes" : "no", room.version,
        ]
    }

    private static func players(of room: AdvertisedRoom) -> String {
        guard let players = room.players else { return "" }
        return room.maxPlayers.map { "\(players)/\($0)" } ?? "\(players)"
    }

    private static func cut(_ text: String) -> String {
        text.count > widest ? text.prefix(widest - 1) + "…" : text
    }

    /// Only the bars between host, port and session mean something to a shell.
    private static func shellText(_ command: [String]) -> String {
        command.map { $0.contains("|") ? "'\($0)'" : $0 }.joined(separator: " ")
    }
}
