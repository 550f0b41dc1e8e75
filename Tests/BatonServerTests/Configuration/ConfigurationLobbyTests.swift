import BatonServer
import Netplay
import RelayCore
import Testing

@Suite struct ConfigurationLobbyTests {
    @Test func aLobbyAloneIsEnough() throws {
        let lobby = try #require(try configuration("lobby:").lobby)
        #expect(lobby.listen.map(\.description) == ["0.0.0.0:8080", "[::]:8080"])
        #expect(lobby.database == nil && lobby.countryDatabase == nil)
        #expect(!lobby.allowPrivateTargets && lobby.trustedProxies == [] && lobby.rules == LobbyConfiguration())
    }

    @Test func everythingIsRead() throws {
        let yaml = """
            lobby:
              database: /tmp/lobby.sqlite
              relays:
                nyc: relay.example.org:55435
                six: "[2001:db8::1]:1"
              allow_private_targets: true
              trusted_proxies: [10.0.0.0/8, "::1"]
              blacklist:
                strings: ["(?i)spam", "^x$"]
                ips: 192.0.2.0/24
              country_database: /tmp/c.mmdb
              max_rooms: 5
              requests_per_second: 0
            """
        let lobby = try #require(try configuration(yaml).lobby)
        #expect(lobby.database == "/tmp/lobby.sqlite" && lobby.countryDatabase == "/tmp/c.mmdb")
        #expect(lobby.rules.relays["nyc"] == LobbyRelay(host: "relay.example.org", port: 55435))
        #expect(lobby.rules.relays["six"] == LobbyRelay(host: "2001:db8::1", port: 1))
        #expect(lobby.allowPrivateTargets && lobby.trustedProxies.map(\.description) == ["10.0.0.0/8", "::1"])
        #expect(lobby.rules.blacklist.strings.map(\.description) == ["(?i)spam", "^x$"])
        #expect(lobby.rules.blacklist.ips.map(\.description) == ["192.0.2.0/24"])
        #expect(lobby.rules.maxRooms == 5 && lobby.requests.perSecond == 0)
    }

    @Test func theEnvironmentReachesEverySetting() throws {
        let environment = [
            "BATON_LOBBY__RELAYS": "{nyc: \"a:1\", madrid: \"b:2\"}", "BATON_LOBBY__BLACKLIST__IPS": "192.0.2.1",
            "BATON_LOBBY__BLACKLIST__STRINGS": "[\"a+\", \"b\"]", "BATON_LOBBY__DATABASE": "x.sqlite",
        ]
        let lobby = try #require(try configuration("lobby:", environment).lobby)
        #expect(lobby.rules.relays.keys.sorted() == ["madrid", "nyc"])
        #expect(lobby.rules.blacklist.ips.map(\.description) == ["192.0.2.1"])
        #expect(lobby.rules.blacklist.strings.map(\.description) == ["a+", "b"])
        #expect(lobby.database == "x.sqlite")
        #expect(
            diagnostics(of: "lobby:", ["BATON_LOBBY__BLACKLIST__IP": "192.0.2.1"])
                == ["environment: BATON_LOBBY__BLACKLIST__IP: unknown key 'ip' in lobby.blacklist; did you mean 'ips'?"]
        )
    }

    @Test(arguments: [
        (
            "lobby: {relays: {nyc: relay}}",
            "baton.yaml:1:23: lobby.relays.nyc: 'relay' is not a host and a port such as relay.example.org:55435 or "
                + "[2001:db8::1]:55435"
        ),
        ("lobby: {relays: [a]}", "baton.yaml:1:17: lobby.relays: a list is not a mapping of keys to values"),
        (
            "lobby: {relays: {custom: \"a:1\"}}",
            "baton.yaml:1:17: lobby.relays: 'custom' is no name for a relay: visible ASCII characters, and not 'custom'"
        ),
        (
            "lobby: {relays: {a: \"a:1\", a: \"b:1\"}}",
            "baton.yaml:1:28: 'a' is there twice in lobby.relays"
        ),
        (
            "lobby: {blacklist: {strings: \"(a\"}}",
            "baton.yaml:1:30: lobby.blacklist.strings: '(a' is not a regular expression; a group is not closed"
        ),
        ("lobby: {database: \"\"}", "baton.yaml:1:19: lobby.database is empty; it takes the name of a file"),
        (
            "lobby: {listen: 127.0.0.1:9550}\nadmin:\n",
            "baton.yaml:1:17: admin.listen[0]: 127.0.0.1:9550 is also in lobby.listen[0]"
        ),
    ])
    func mistakesAreExplained(yaml: String, diagnostic: String) {
        #expect(diagnostics(of: yaml) == [diagnostic])
    }
}
