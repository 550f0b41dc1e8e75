import RelayCore
import Testing

@testable import BatonServer

@Suite struct ConfigurationChangesTests {
    @Test func nothingChanged() throws {
        #expect(Configuration.complete.changesNeedingRestart(from: .complete) == [])
    }

    @Test func whatARunningServerCannotTakeOver() throws {
        let old = try configuration("json:\nnetplay:\nsoe:\nadmin:\n")
        let new = try configuration(
            """
            json: {listen: 127.0.0.1:1, proxy_protocol_from: 1.1.1.1, queue_bytes: 1MiB, queue_frames: 1, user_timeout: 1s}
            netplay: {listen: 127.0.0.1:2, proxy_protocol_from: 1.1.1.1, user_timeout: 1s}
            soe: {listen: 127.0.0.1:2, backend: "game:1"}
            admin: {listen: 127.0.0.1:3, token: abc}
            """)
        #expect(
            new.changesNeedingRestart(from: old) == [
                "json.listen", "json.proxy_protocol_from", "json.queue_bytes", "json.queue_frames", "json.user_timeout",
                "netplay.listen", "netplay.proxy_protocol_from", "netplay.user_timeout", "soe.listen", "soe.backend",
                "admin.listen",
            ])
    }

    @Test func sectionsThatComeOrGoAreNamedAlone() throws {
        let json = try configuration("json: {user_timeout: 1s}")
        let netplay = try configuration("netplay: {user_timeout: 1s}\nadmin: {token: abc}")
        #expect(netplay.changesNeedingRestart(from: json) == ["json", "netplay", "admin"])
        #expect(json.changesNeedingRestart(from: netplay) == ["netplay", "admin", "json"])
    }

    @Test func everythingElseIsTakenOver() throws {
        let restart: Set = [
            "json", "json.listen", "json.proxy_protocol_from", "json.queue_bytes", "json.queue_frames",
            "json.user_timeout", "netplay", "netplay.listen", "netplay.proxy_protocol_from", "netplay.user_timeout",
            "netplay.rooms", "netplay.rooms.listen", "netplay.rooms.max_state_bytes",
            "netplay.rooms.proxy_protocol_from",
            "netplay.rooms.user_timeout", "lobby", "lobby.listen", "lobby.database", "lobby.read_timeout",
            "lobby.write_timeout", "ldn", "ldn.listen", "ldn.proxy_protocol_from", "ldn.queue_bytes",
            "ldn.queue_frames", "ldn.user_timeout",
            "ldn.api", "ldn.api.listen", "ldn.api.read_timeout", "ldn.api.write_timeout", "soe", "soe.listen",
            "soe.backend", "lan", "lan.listen", "lan.identity", "lan.certificate", "lan.key", "lan.max_connections",
            "admin", "admin.listen", "admin.bans_database", "log.format",
        ]
        let recorded = SettingRecorder(.complete).settings
        #expect(Set(recorded.filter(\.needsRestart).map(\.path)) == restart)
        let new = try configuration(
            "json: {max_frame: 2MiB}\nnetplay: {max_sessions: 1, rooms: {max_guests: 4}}\n"
                + "lobby: {relays: {a: \"b:1\"}, max_rooms: 1}\nldn: {max_networks: 1, api: {game_list: x}}\nsoe: {max_sessions: 1, protocols: [a], backend_grace: 0}\n"
                + "lan: {max_rooms: 1}\nadmin:\nlog: {level: debug, addresses: hashed, file: x}\n"
                + "limits: {connections: 1}\ndrain_timeout: 1s\nbans: [{address: 1.1.1.1}]\n")
        #expect(new.changesNeedingRestart(from: .complete) == [])
    }
}
