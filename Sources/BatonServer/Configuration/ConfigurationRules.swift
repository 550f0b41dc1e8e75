import LANBridge
import Netplay
import RelayCore
import SOE

/// What is wrong although each setting by itself is right.
struct Complaint {
    /// The settings it is about. It is shown at the first of these that was given.
    var paths: [String]
    var message: String
}

extension Configuration {
    func brokenRules() -> [Complaint] {
        [protocolMissing, unwritablePassword, badKey, loneCertificate].compactMap { $0 } + doubledListeners
            + openAdminListeners + tokenRules + lobbyRules + lanRooms + namelessFiles
    }

    private var protocolMissing: Complaint? {
        guard json == nil, netplay == nil, lobby == nil, ldn == nil, soe == nil, lan == nil else { return nil }
        return Complaint(
            paths: [""],
            message: "no protocol is enabled: add a section 'json:', 'netplay:', 'lobby:', 'ldn:', 'soe:' or 'lan:'")
    }

    /// RetroArch's configuration has no way to write a quotation mark.
    private var unwritablePassword: Complaint? {
        guard let password = netplay?.dedicated?.password, password.text.contains("\"") else { return nil }
        let path = "netplay.dedicated.password"
        return Complaint(paths: [path, "\(path)_file"], message: "\(path): RetroArch cannot have a '\"' in it")
    }

    private var badKey: Complaint? {
        guard let soe, let secret = soe.key, RC4Key(hexadecimal: secret.text) == nil else { return nil }
        return Complaint(
            paths: ["soe.key", "soe.key_file"], message: "soe.key: a key is 1 to 256 bytes in hexadecimal digits")
    }

    private var loneCertificate: Complaint? {
        guard let lan, (lan.certificate == nil) != (lan.key == nil) else { return nil }
        return Complaint(
            paths: ["lan.certificate", "lan.key"],
            message: "lan: a certificate needs its key, and a key its certificate")
    }

    private var lanRooms: [Complaint] {
        var known: Set<String> = []
        return (lan?.rooms ?? []).enumerated().compactMap { index, room in
            let path = "lan.rooms[\(index)]"
            guard LANRelayEngine.isRoomName(room.name) else {
                return Complaint(
                    paths: ["\(path).name", path],
                    message: "\(path).name: a room's name has 1 to 64 letters, digits, dashes, dots or underscores")
            }
            guard known.insert(room.name).inserted else {
                return Complaint(
                    paths: ["\(path).name", path], message: "\(path).name: '\(room.name)' is there already")
            }
            return nil
        }
    }

    private var doubledListeners: [Complaint] {
        // A port of UDP is another one than that of TCP.
        doubles(among: listeners) + doubles(among: datagramListeners)
    }

    private func doubles(among listeners: [(path: String, endpoint: Endpoint)]) -> [Complaint] {
        var complaints: [Complaint] = []
        var known: [Endpoint: String] = [:]
        for (path, endpoint) in listeners where endpoint.port != 0 {
            if let first = known[endpoint] {
                complaints.append(Complaint(paths: [path, first], message: "\(path): \(endpoint) is also in \(first)"))
            } else {
                known[endpoint] = path
            }
        }
        return complaints
    }

    private var openAdminListeners: [Complaint] {
        guard let admin, admin.allTokens.isEmpty else { return [] }
        return listeners.filter { $0.path.hasPrefix("admin.") && !$0.endpoint.address.isLoopback }.map {
            Complaint(
                paths: [$0.path, "admin.token", "admin.token_file"],
                message: "\($0.path): \($0.endpoint) is not loopback, which needs admin.token or admin.token_file"
            )
        }
    }

    private var tokenRules: [Complaint] {
        var complaints: [Complaint] = []
        var names: Set<String> = admin?.token == nil ? [] : ["admin"]
        for (index, token) in (admin?.tokens ?? []).enumerated() {
            let path = "admin.tokens[\(index)]"
            if token.token == nil {
                complaints.append(
                    Complaint(paths: ["\(path).name"], message: "\(path) has neither token nor token_file"))
            }
            if token.name.isEmpty || token.name.utf8.count > 64 || !names.insert(token.name).inserted {
                complaints.append(
                    Complaint(
                        paths: ["\(path).name"],
                        message: "\(path).name: '\(token.name)' is empty, longer than 64 bytes, or another token's name"
                    ))
            }
        }
        return complaints
    }

    private var lobbyRules: [Complaint] {
        guard let lobby else { return [] }
        var complaints: [Complaint] = []
        for name in lobby.rules.relays.keys.sorted() where !LobbyRelay.isName(name) {
            complaints.append(
                Complaint(
                    paths: ["lobby.relays"],
                    message:
                        "lobby.relays: '\(name)' is no name for a relay: visible ASCII characters, and not 'custom'"))
        }
        return complaints
    }

    private var namelessFiles: [Complaint] {
        let files = [
            ("lobby.database", lobby?.database), ("lobby.country_database", lobby?.countryDatabase),
            ("ldn.api.game_list", ldn?.api?.gameList), ("lan.identity", lan?.identity),
            ("lan.certificate", lan?.certificate), ("lan.key", lan?.key),
        ]
        return files.filter { $0.1?.isEmpty == true }.map { path, _ in
            Complaint(paths: [path], message: "\(path) is empty; it takes the name of a file")
        }
    }

    /// Where is listened by TCP, in the order of the configuration, with the setting that says so.
    var listeners: [(path: String, endpoint: Endpoint)] {
        Self.paths(of: [
            ("json", json?.listen), ("netplay", netplay?.listen), ("netplay.rooms", netplay?.rooms?.listen),
            ("lobby", lobby?.listen), ("ldn", ldn?.listen), ("ldn.api", ldn?.api?.listen), ("admin", admin?.listen),
        ])
    }

    /// The same of UDP.
    var datagramListeners: [(path: String, endpoint: Endpoint)] {
        Self.paths(of: [
            ("netplay.dedicated", netplay?.dedicated?.listen), ("soe", soe?.listen), ("lan", lan?.listen),
        ])
    }

    private static func paths(of sections: [(name: String, endpoints: [Endpoint]?)]) -> [(String, Endpoint)] {
        sections.flatMap { name, endpoints in
            (endpoints ?? []).enumerated().map { ("\(name).listen[\($0.offset)]", $0.element) }
        }
    }
}
