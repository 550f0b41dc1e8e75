import GRDB
import Netplay
import RelayCore

/// The rooms of the lobby in an SQLite database: one table, `sessions`, a row for each room.
final class LobbyStore: Sendable {
    let database: DatabaseQueue

    /// How long is waited for another program that has the file locked.
    private static let patience: Double = 2

    /// Opens or makes the database. Without a path it is in memory. Throws `BatonError`.
    init(path: String?) throws {
        var configuration = GRDB.Configuration()
        configuration.label = "lobby"
        configuration.busyMode = .timeout(Self.patience)
        configuration.journalMode = .wal
        configuration.prepareDatabase { database in
            // What was answered must survive a loss of power, not only of the process.
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            database = try path.map { try DatabaseQueue(path: $0, configuration: configuration) } ?? DatabaseQueue()
            try database.read { database in
                guard try String.fetchOne(database, sql: "PRAGMA quick_check(1)") == "ok" else {
                    throw DatabaseError(resultCode: .SQLITE_CORRUPT)
                }
                guard try !Self.migrations.hasBeenSuperseded(database) else {
                    throw DatabaseFault.WrittenByNewerVersion()
                }
            }
            try Self.migrations.migrate(database)
        } catch {
            throw BatonError(.storage, "lobby.database: \(path ?? "memory") \(Self.fault(error))", cause: error)
        }
    }

    private static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("sessions") { database in
            try database.execute(
                sql: """
                    CREATE TABLE sessions (
                        room_id INTEGER PRIMARY KEY AUTOINCREMENT,
                        \(columns.map { "\($0.name) \($0.kind) NOT NULL" }.joined(separator: ",\n    ")),
                        UNIQUE (username, ip, port)
                    );
                    CREATE INDEX sessions_updated_at ON sessions (updated_at);
                    """)
        }
        return migrator
    }

    /// All but the number of the room.
    private static let columns: [(name: String, kind: String)] = [
        ("username", "TEXT"), ("country", "TEXT"), ("game_name", "TEXT"), ("game_crc", "TEXT"), ("core_name", "TEXT"),
        ("core_version", "TEXT"), ("subsystem_name", "TEXT"), ("retroarch_version", "TEXT"), ("frontend", "TEXT"),
        ("ip", "TEXT"), ("port", "INTEGER"), ("mitm_handle", "TEXT"), ("mitm_address", "TEXT"),
        ("mitm_port", "INTEGER"), ("mitm_session", "TEXT"), ("host_method", "INTEGER"), ("has_password", "INTEGER"),
        ("has_spectate_password", "INTEGER"), ("connectable", "INTEGER"), ("is_retroarch", "INTEGER"),
        ("player_count", "INTEGER"), ("spectator_count", "INTEGER"), ("created_at", "INTEGER"),
        ("updated_at", "INTEGER"),
    ]

    /// What is wrong with the file, and what to do about it.
    private static func fault(_ error: any Error) -> String {
        let words = DatabaseFault.words(for: error)
        if error is DatabaseFault.WrittenByNewerVersion { return words + ": run that, or name another file" }
        switch (error as? DatabaseError)?.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: return words + ": move it away, and the lobby begins with an empty one"
        default: return words
        }
    }
}

// MARK: Rooms

extension LobbyStore {
    /// Every room, and the number that none ever had. Throws `BatonError`.
    func load() throws -> (rooms: [LobbyRoom], nextID: Int32) {
        do {
            return try database.read { database in
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM sessions ORDER BY room_id")
                let last = try Int64.fetchOne(database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'sessions'")
                let next = Int32(exactly: (last ?? 0) + 1) ?? 1
                return (try rows.map { try LobbyRoom(row: $0) }, next)
            }
        } catch {
            throw BatonError(.storage, "lobby.database: the rooms in it cannot be read", cause: error)
        }
    }

    /// Writes a room down, new or changed.
    func save(_ room: LobbyRoom) async throws {
        try await database.write { database in
            let names = (["room_id"] + Self.columns.map(\.name)).joined(separator: ", ")
            let marks = databaseQuestionMarks(count: Self.columns.count + 1)
            let statement = try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO sessions (\(names)) VALUES (\(marks))")
            try statement.execute(arguments: room.values)
        }
    }

    /// Writes down, all or nothing, the age of rooms and the counts of people in them, and which rooms are no more.
    func save(touched: [LobbyRoom], removed: [Int32]) async throws {
        try await database.write { database in
            // A newer state may be there already.
            let touch = try database.cachedStatement(
                sql: """
                    UPDATE sessions SET updated_at = ?, player_count = ?, spectator_count = ?
                    WHERE room_id = ? AND updated_at <= ?
                    """)
            for room in touched {
                let updated = room.updated.seconds
                try touch.execute(arguments: [updated, room.playerCount, room.spectatorCount, room.id, updated])
            }
            let remove = try database.cachedStatement(sql: "DELETE FROM sessions WHERE room_id = ?")
            for id in removed { try remove.execute(arguments: [id]) }
        }
    }

    func close() throws {
        try database.close()
    }
}

extension LobbyRoom {
    /// In the order of the columns, the number first.
    fileprivate var values: StatementArguments {
        let relay = content.relay
        return [
            id, content.username, country, content.gameName, content.gameCRC, content.coreName, content.coreVersion,
            content.subsystemName, content.retroarchVersion, content.frontend, "\(content.address)", content.port,
            relay?.name ?? "", relay?.address.host ?? "", relay?.address.port ?? 0, relay?.session ?? "",
            content.hostMethod.rawValue, content.hasPassword, content.hasSpectatePassword, isConnectable, isRetroArch,
            playerCount, spectatorCount, created.seconds, updated.seconds,
        ]
    }

    fileprivate init(row: Row) throws {
        let column = Column(row: row)
        guard let address = IPAddress(try column("ip", String.self)),
            let method = HostMethod(rawValue: try column("host_method"))
        else { throw UnreadableRow(row: row.description) }
        var relay: Relay?
        if method == .relay {
            let place = LobbyRelay(host: try column("mitm_address"), port: try column("mitm_port"))
            relay = Relay(name: try column("mitm_handle"), address: place, session: try column("mitm_session"))
        }
        let content = Content(
            username: try column("username"), gameName: try column("game_name"), gameCRC: try column("game_crc"),
            coreName: try column("core_name"), coreVersion: try column("core_version"),
            subsystemName: try column("subsystem_name"), retroarchVersion: try column("retroarch_version"),
            frontend: try column("frontend"), address: address, port: try column("port"), hostMethod: method,
            relay: relay, hasPassword: try column("has_password"),
            hasSpectatePassword: try column("has_spectate_password")
        )
        self.init(
            id: try column("room_id"), content: content, playerCount: try column("player_count"),
            spectatorCount: try column("spectator_count"), country: try column("country"),
            isConnectable: try column("connectable"), isRetroArch: try column("is_retroarch"),
            created: Timestamp(seconds: try column("created_at")), updated: Timestamp(seconds: try column("updated_at"))
        )
    }
}

private struct UnreadableRow: Error {
    var row: String
}

/// Reads the columns of a row that somebody else may have written.
private struct Column {
    let row: Row

    func callAsFunction<Value: DatabaseValueConvertible>(
        _ name: String, _ type: Value.Type = Value.self
    ) throws -> Value {
        guard row.hasColumn(name), let value = Value.fromDatabaseValue(row[name] as DatabaseValue) else {
            throw UnreadableRow(row: row.description)
        }
        return value
    }
}
