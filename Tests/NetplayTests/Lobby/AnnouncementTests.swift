import Netplay
import Testing

@Suite struct AnnouncementTests {
    private func refusal(of fields: [String: String?]) -> LobbyRefusal? {
        do {
            _ = try Announcements.read(Announcements.changed(fields))
            return nil
        } catch {
            return error as? LobbyRefusal
        }
    }

    @Test func whatRetroArchSaysIsRead() throws {
        let said = try Announcements.read(Announcements.relayed)
        #expect(said.username == "hosty")
        #expect(said.coreVersion == "1.52.0 ")
        #expect(said.gameCRC == "B0606C41")
        #expect(said.port == 45435)
        #expect(said.frontend == "unix x64")
        #expect(said.relay?.name == "nyc")
        #expect(said.relay?.session == "Vp8eSjN+k8m9gVUR")
        #expect(said.relay?.custom == nil)
        #expect((said.playerCount, said.spectatorCount) == (-1, -1))
        #expect(!said.hasPassword && !said.hasSpectatePassword)
    }

    @Test func aCustomRelayComesWithItsPlace() throws {
        let said = try Announcements.read(Announcements.custom)
        #expect(said.relay?.custom == LobbyRelay(host: "127.0.0.1", port: 45435))
    }

    @Test(arguments: [
        ["force_mitm": "0"], ["mitm_server": ""], ["mitm_session": ""], ["force_mitm": nil], ["mitm_session": nil],
        ["mitm_server": "custom"], ["mitm_server": "custom", "mitm_custom_addr": "relay.example.org"],
        ["mitm_server": "custom", "mitm_custom_port": "55435"],
    ])
    func relaysThatAreNotWhollyNamedAreNone(_ fields: [String: String?]) throws {
        #expect(try Announcements.read(Announcements.changed(fields)).relay == nil)
    }

    @Test(arguments: [
        (LobbyField.username, 32), (.retroarchVersion, 32), (.relaySession, 32), (.coreName, 255), (.coreVersion, 255),
        (.gameName, 255), (.subsystemName, 255), (.frontend, 255),
    ])
    func textsHaveALength(_ field: LobbyField, _ most: Int) {
        #expect(refusal(of: [field.rawValue: String(repeating: "x", count: most)]) == nil)
        #expect(refusal(of: [field.rawValue: String(repeating: "x", count: most + 1)]) == .badField(field))
    }

    /// Bytes count, not characters.
    @Test func lengthsAreThoseOfBytes() {
        #expect(refusal(of: ["game_name": String(repeating: "%C3%A9", count: 127)]) == nil)
        #expect(refusal(of: ["game_name": String(repeating: "%C3%A9", count: 128)]) == .badField(.gameName))
    }

    @Test(arguments: [
        LobbyField.username, .coreName, .coreVersion, .frontend, .subsystemName, .retroarchVersion, .relaySession,
        .relayName,
    ])
    func textsArePrintableASCII(_ field: LobbyField) {
        for bad in ["%C3%A9", "a%00", "a%0Ab", "a%1B%5B2J", "a%7F", "%E2%80%AEa", "%FF"] {
            #expect(refusal(of: [field.rawValue: bad]) == .badField(field), "\(bad)")
        }
    }

    @Test func onlyTheNameOfTheGameMayHaveAnyCharacter() throws {
        let body = Announcements.changed(["game_name": "Pok%C3%A9mon%0Aconnectable=0%00%E2%80%A8%C2%85%3Cb%3E"])
        #expect(try Announcements.read(body).gameName == "Pokémon connectable=0   <b>")
    }

    @Test(arguments: ["", "B0606C4", "B0606C411", "B0606C4%C3%A9"])
    func aChecksumHasEightCharacters(_ crc: String) {
        #expect(refusal(of: ["game_crc": crc]) == .badField(.gameCRC))
    }

    @Test func aChecksumIsKeptInUpperCase() throws {
        #expect(try Announcements.read(Announcements.changed(["game_crc": "b0606c4f"])).gameCRC == "B0606C4F")
    }

    @Test(arguments: ["0", "", nil, "65536", "-1", "x", "1.5", "%2B"])
    func aPortIsANumber(_ port: String?) {
        #expect(refusal(of: ["port": port]) == .badField(.port))
    }

    @Test(arguments: [("player_count", LobbyField.playerCount), ("spectator_count", .spectatorCount)])
    func countsAreOptionalAndSmall(_ name: String, _ field: LobbyField) throws {
        for (text, count) in [("0", 0), ("3", 3), ("-1", -1), ("32767", 32767), ("", -1)] as [(String, Int16)] {
            let said = try Announcements.read(Announcements.changed([name: text]))
            #expect((field == .playerCount ? said.playerCount : said.spectatorCount) == count)
        }
        for bad in ["32768", "x", "1e3"] { #expect(refusal(of: [name: bad]) == .badField(field), "\(bad)") }
    }

    @Test(arguments: [LobbyField.hasPassword, .hasSpectatePassword, .forceRelay])
    func flagsAreOneOrZeroOrWords(_ field: LobbyField) {
        for good in ["1", "0", "true", "false", ""] { #expect(refusal(of: [field.rawValue: good]) == nil, "\(good)") }
        for bad in ["2", "yes", "-1"] { #expect(refusal(of: [field.rawValue: bad]) == .badField(field), "\(bad)") }
    }

    @Test(arguments: ["a'b", "a%7Cb", "a%20b", "a%22", "a%3Cb%3E", "a%2Fb", "%24(id)"])
    func aCustomRelayHasAHostsName(_ host: String) {
        let fields = ["mitm_server": "custom", "mitm_custom_addr": host, "mitm_custom_port": "1"]
        #expect(refusal(of: fields) == .badField(.customRelayAddress))
    }

    @Test func whoSaysNoNameIsAnonymous() throws {
        #expect(try Announcements.read(Announcements.changed(["username": ""])).username == "Anonymous")
        #expect(try Announcements.read(Announcements.changed(["username": nil])).username == "Anonymous")
    }

    @Test(
        arguments: [
            ("relay.example.org:55435", "relay.example.org", 55435), ("192.0.2.1:1", "192.0.2.1", 1),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ] as [(String, String, UInt16)])
    func relaysAreReadAndWritten(text: String, host: String, port: UInt16) {
        #expect(LobbyRelay(text) == LobbyRelay(host: host, port: port))
        #expect(LobbyRelay(host: host, port: port).description == text)
    }

    @Test(arguments: [
        "", "relay", "relay:", ":1", "relay:0", "relay:65536", "relay:x", "2001:db8::1:1", "[]:1", "[relay]:1", "a b:1",
        "a|b:1", "relay:+1",
    ])
    func whatIsNoRelayIsNotRead(_ text: String) {
        #expect(LobbyRelay(text) == nil)
    }
}
