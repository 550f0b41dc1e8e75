import Foundation
import NIOCore
import Netplay
import RelayCore
import Testing

@Suite struct LobbyAnswerTests {
    @Test func addIsAnsweredWithLines() throws {
        var scene = LobbyScene()
        var room = try scene.announce(Announcements.relayed).room
        room.country = "at"
        #expect(
            LobbyText.added(room) == """
                status=OK
                id=1
                username=hosty
                core_name=Nestopia
                game_name=loop
                game_crc=B0606C41
                core_version=1.52.0\u{20}
                ip=192.0.2.7
                port=45435
                host_method=3
                has_password=0
                has_spectate_password=0
                retroarch_version=1.14.0
                frontend=unix x64
                subsystem_name=N/A
                country=AT
                connectable=1

                """)
    }

    @Test func flagsOfLinesAreDigits() throws {
        var scene = LobbyScene()
        let fields = ["has_password": "1", "has_spectate_password": "1"]
        let room = try scene.begin(Announcements.changed(fields, of: Announcements.direct)).room
        let text = LobbyText.added(room)
        for line in ["has_password=1", "has_spectate_password=1", "host_method=0", "country=", "connectable=0"] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    @Test func tunnelIsAnsweredWithLines() {
        #expect(
            LobbyText.tunnel(LobbyRelay(host: "relay.example.org", port: 55435))
                == "status=OK\ntunnel_addr=relay.example.org\ntunnel_port=55435\n")
        #expect(LobbyText.tunnel(LobbyRelay(host: "2001:db8::1", port: 1)).contains("tunnel_addr=2001:db8::1\n"))
    }

    @Test func aListIsIndentedJSONInItsOwnOrder() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.relayed)
        #expect(
            scene.list() == """
                [
                  {
                    "fields": {
                      "id": 1,
                      "username": "hosty",
                      "country": "",
                      "game_name": "loop",
                      "game_crc": "B0606C41",
                      "core_name": "Nestopia",
                      "core_version": "1.52.0 ",
                      "subsystem_name": "N/A",
                      "retroarch_version": "1.14.0",
                      "frontend": "unix x64",
                      "ip": "192.0.2.7",
                      "port": 45435,
                      "mitm_ip": "relay.example.org",
                      "mitm_port": 55435,
                      "mitm_session": "Vp8eSjN+k8m9gVUR",
                      "host_method": 3,
                      "has_password": false,
                      "has_spectate_password": false,
                      "connectable": true,
                      "is_retroarch": true,
                      "player_count": -1,
                      "spectator_count": -1,
                      "created": "2030-01-01T00:00:00Z",
                      "updated": "2030-01-01T00:00:00Z"
                    }
                  }
                ]

                """)
        #expect(scene.lobby.json(of: 1, at: scene.now).map { String(buffer: $0) } == scene.list())
    }

    @Test func anEmptyListIsAnEmptyArray() {
        var scene = LobbyScene()
        #expect(scene.list() == "[]\n")
    }

    @Test func whatAGameIsCalledComesThroughJSON() throws {
        var scene = LobbyScene()
        let name = #"a"b\c<script>&'é"# + "\u{202E}\u{1F3AE}"
        let escaped = name.utf8.map { "%" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        try scene.announce(Announcements.changed(["game_name": escaped, "username": "%22%5C%3C%3E%26"]))
        let text = scene.list()
        #expect(!text.contains("<") && !text.contains("&"))
        struct Element: Decodable {
            var fields: Fields
            struct Fields: Decodable {
                var gameName: String
                var username: String
            }
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let list = try decoder.decode([Element].self, from: Data(text.utf8))
        #expect(list.first?.fields.gameName == name)
        #expect(list.first?.fields.username == #""\<>&"#)
    }
}
