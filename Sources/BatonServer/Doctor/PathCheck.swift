import Foundation

/// Whether files and folders that the configuration names can be used.
enum PathCheck {
    static func findings(for configuration: Configuration) -> [Finding] {
        var findings: [Finding] = []
        if let database = configuration.lobby?.database { findings.append(writable(database, for: "lobby.database")) }
        if let database = configuration.admin?.bansDatabase {
            findings.append(writable(database, for: "admin.bans_database"))
        }
        if let log = configuration.log.file { findings.append(writable(log, for: "log.file")) }
        if let identity = configuration.lan?.identity, configuration.lan?.certificate == nil {
            findings.append(writable(identity, for: "lan.identity"))
        }
        if let countries = configuration.lobby?.countryDatabase {
            findings.append(readable(countries, for: "lobby.country_database"))
        }
        if let dedicated = configuration.netplay?.dedicated {
            findings.append(readable(dedicated.content, for: "netplay.dedicated.content"))
        }
        return findings
    }

    private static func writable(_ file: String, for setting: String) -> Finding {
        let files = FileManager.default
        let folder = URL(filePath: file).deletingLastPathComponent().path
        let target = files.fileExists(atPath: file) ? file : folder
        // SQLite makes more files beside the database.
        guard files.isWritableFile(atPath: target), files.isWritableFile(atPath: folder) else {
            return .problem(
                "files", "\(setting): \(file) cannot be written",
                advice: "make \(folder) and give it to the user that the server runs as")
        }
        return .ok("files", "\(setting): \(file) can be written")
    }

    private static func readable(_ path: String, for setting: String) -> Finding {
        guard FileManager.default.isReadableFile(atPath: path) else {
            return .problem(
                "files", "\(setting): \(path) cannot be read",
                advice: "put it there, and let the user that the server runs as read it")
        }
        return .ok("files", "\(setting): \(path) can be read")
    }
}
