import GRDB

/// What is wrong with a database, for its operator.
enum DatabaseFault {
    /// It goes on behind the file's name.
    static func words(for error: any Error) -> String {
        switch (error as? DatabaseError)?.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: "is locked by another program"
        case .SQLITE_FULL: "cannot grow: the disk is full"
        case .SQLITE_READONLY, .SQLITE_PERM: "may not be written to"
        case .SQLITE_CANTOPEN: "cannot be opened: its directory is missing, or closed to us"
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: "is damaged, or no SQLite database"
        case .SQLITE_IOERR: "cannot be read or written: the disk has an error"
        default: error is WrittenByNewerVersion ? "was written by a newer Baton" : "cannot be used"
        }
    }

    /// The file has tables that this version does not know.
    struct WrittenByNewerVersion: Error {}
}
