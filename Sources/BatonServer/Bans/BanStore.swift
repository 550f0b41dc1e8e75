import GRDB
import RelayCore

/// Bans in an SQLite database: one table, `bans`.
final class BanStore: Sendable {
    private let database: DatabaseQueue

    /// How long is waited for another program that has the file locked.
    private static let patience: Double = 1

    /// Opens or makes the database. It has no write-ahead log: one that lies where nothing may be written can still be read.
    init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.label = "bans"
        configuration.busyMode = .timeout(Self.patience)
        database = try DatabaseQueue(path: path, configuration: configuration)
        try database.read { database in
            guard try !Self.migrations.hasBeenSuperseded(database) else { throw DatabaseFault.WrittenByNewerVersion() }
        }
        try Self.migrations.migrate(database)
        // A file that may only be read opens all the same; who makes a ban should not be the first to hear of it.
        try database.write { database in try database.execute(sql: "DELETE FROM bans WHERE false") }
    }

    /// The bans of a file that may not be written to.
    static func read(path: String) throws -> [Ban] {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(patience)
        return try DatabaseQueue(path: path, configuration: configuration).read(all)
    }

    func load() throws -> [Ban] { try database.read(Self.all) }

    /// Writes down, all or nothing, bans that were made and which are no more.
    func save(_ bans: [Ban], removing removed: some Sequence<String> & Sendable) async throws {
        try await database.write { database in
            let remove = try database.cachedStatement(sql: "DELETE FROM bans WHERE id = ?")
            for id in removed { try remove.execute(arguments: [id]) }
            let save = try database.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO bans (id, subject, value, protocol, reason, author, created, expires)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            for ban in bans {
                try save.execute(arguments: [
                    ban.id, ban.target.subject.rawValue, ban.target.value, ban.target.protocolName, ban.reason,
                    ban.author, ban.created.seconds, ban.expires?.seconds,
                ])
            }
        }
    }

    func close() throws { try database.close() }

    private static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("bans") { database in
            try database.execute(
                sql: """
                    CREATE TABLE bans (
                        id TEXT PRIMARY KEY, subject TEXT NOT NULL, value TEXT NOT NULL, protocol TEXT,
                        reason TEXT NOT NULL, author TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER
                    )
                    """)
        }
        return migrator
    }

    /// Rows that somebody else has spoilt are left out, and stay.
    private static func all(_ database: Database) throws -> [Ban] {
        try Row.fetchAll(database, sql: "SELECT * FROM bans").compactMap { row in
            guard let id = String.fromDatabaseValue(row["id"]), let value = String.fromDatabaseValue(row["value"]),
                let word = String.fromDatabaseValue(row["subject"]), let subject = Ban.Subject(rawValue: word),
                let created = Int64.fromDatabaseValue(row["created"]),
                let target = Ban.Target(subject, value, protocolName: String.fromDatabaseValue(row["protocol"]))
            else { return nil }
            return Ban(
                id: id, target: target, reason: String.fromDatabaseValue(row["reason"]) ?? "",
                author: String.fromDatabaseValue(row["author"]) ?? "", created: Timestamp(seconds: created),
                expires: Int64.fromDatabaseValue(row["expires"]).map { Timestamp(seconds: $0) })
        }
    }
}
