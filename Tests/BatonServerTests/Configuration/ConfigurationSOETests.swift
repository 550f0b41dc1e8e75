import BatonServer
import RelayCore
import SOE
import SOEGateway
import Testing

@Suite("Configuration: SOE gateway")
struct ConfigurationSOETests {
    @Test func theGatewayIsOffUnlessItsSectionIsThere() throws {
        #expect(try configuration("json:\n").soe == nil)
        let soe = try configuration("soe:\n").soe
        #expect(soe == Configuration.SOE())
        #expect(soe?.listen.map(\.description) == ["0.0.0.0:20260", "[::]:20260"])
        #expect(soe?.backend == ServerAddress(host: "127.0.0.1", port: 20261))
        #expect(soe?.gateway == GatewayConfiguration())
        #expect(soe?.key == nil)
    }

    @Test func everySettingIsRead() throws {
        let yaml = """
            soe:
              listen: "[::1]:2"
              backend: "game.example:3"
              dialect: udplibrary
              protocols: [LoginUdp_9, ExternalGatewayApi_3]
              udp_length: 1400
              crc_length: 4
              compression: true
              key: 00fF17
              opens_at_request: true
              heartbeat_after: 11s
              inactivity_timeout: 12s
              unacknowledged_timeout: 13s
              flush_timeout: 14s
              max_sessions: 15
              max_message: 16KiB
              max_queued: 170KiB
              max_held: 18MiB
              backend_grace: 19s
              backend_stall_timeout: 20s
              stats_interval: 21s

            """
        var soe = Configuration.SOE()
        soe.listen = [Endpoint(address: IPAddress(high: 0, low: 1), port: 2)]
        soe.backend = ServerAddress(host: "game.example", port: 3)
        soe.key = Secret("00fF17")
        soe.gateway.dialect = .udpLibrary
        soe.gateway.protocolNames = ["LoginUdp_9", "ExternalGatewayApi_3"]
        (soe.gateway.udpLength, soe.gateway.crcLength) = (1400, 4)
        (soe.gateway.compression, soe.gateway.opensAtRequest) = (true, true)
        (soe.gateway.heartbeatAfter, soe.gateway.inactivityTimeout) = (.seconds(11), .seconds(12))
        (soe.gateway.unacknowledgedTimeout, soe.gateway.flushTimeout) = (.seconds(13), .seconds(14))
        (soe.gateway.maxSessions, soe.gateway.maxMessage, soe.gateway.maxQueued) = (15, 16 << 10, 170 << 10)
        (soe.gateway.maxHeldBytes, soe.gateway.backendGrace) = (18 << 20, .seconds(19))
        (soe.gateway.backendStallTimeout, soe.gateway.statsInterval) = (.seconds(20), .seconds(21))
        #expect(try configuration(yaml).soe == soe)
    }

    @Test(arguments: [
        ("v3", SOEDialect.v3), ("udplibrary", .udpLibrary), ("swg", .swg), ("everquest", .everQuest),
    ])
    func everyDialectHasAWord(_ word: String, _ dialect: SOEDialect) throws {
        #expect(try configuration("soe: {dialect: \(word)}").soe?.gateway.dialect == dialect)
    }

    @Test func mistakesAreShownWhereTheyAre() {
        let yaml = """
            soe:
              backend: nowhere
              dialect: v2
              protocols: ["é"]
              udp_length: 63
              crc_length: 5
              key: abc
              flush_timeout: 2m
              max_message: 1GiB
              backend_stall_timeout: 0s
              sessions: 1
            """
        #expect(
            diagnostics(of: yaml) == [
                """
                baton.yaml:2:12: soe.backend: 'nowhere' is not a host and a port such as relay.example.org:55435 or \
                [2001:db8::1]:55435; a port is a number up to 65535
                """,
                """
                baton.yaml:3:12: soe.dialect: 'v2' is not one of v3, udplibrary, swg, everquest; did you mean 'v3'?
                """,
                """
                baton.yaml:4:15: soe.protocols: 'é' is not the name of a protocol such as LoginUdp_9; \
                1 to 255 visible ASCII characters
                """,
                "baton.yaml:5:15: soe.udp_length: '63' is not 0, or between 64 and 8192",
                "baton.yaml:6:15: soe.crc_length: '5' is not between 0 and 4",
                "baton.yaml:7:8: soe.key: a key is 1 to 256 bytes in hexadecimal digits",
                "baton.yaml:8:18: soe.flush_timeout: '2m' is not between 0 and 1m",
                "baton.yaml:9:16: soe.max_message: '1GiB' is not between 1KiB and 64MiB",
                "baton.yaml:10:26: soe.backend_stall_timeout: '0s' is not between 1ms and 7d",
                """
                baton.yaml:11:3: unknown key 'sessions' in soe; it takes listen, backend, dialect, protocols, \
                udp_length, crc_length, compression, key, key_file, opens_at_request, heartbeat_after, \
                inactivity_timeout, unacknowledged_timeout, flush_timeout, max_sessions, max_message, max_queued, \
                max_held, backend_grace, backend_stall_timeout, stats_interval
                """,
            ])
    }

    @Test(arguments: ["abc", "0g", "+1", String(repeating: "00", count: 257)])
    func aKeyThatIsNoneIsAnErrorThatDoesNotShowIt(_ text: String) throws {
        #expect(
            diagnostics(of: "soe: {key: \"\(text)\"}")
                == ["baton.yaml:1:12: soe.key: a key is 1 to 256 bytes in hexadecimal digits"])
    }

    @Test func theKeyComesFromAFile() throws {
        try withFile(holding: "17BD086B1B94F02FF0EC53D763B5E5F8\n") { path in
            let read = try configuration("soe: {key_file: \(path)}")
            #expect(read.soe?.key == Secret("17BD086B1B94F02FF0EC53D763B5E5F8"))
        }
        try withFile(holding: "what\n") { path in
            #expect(
                diagnostics(of: "json:\nsoe: {key_file: \(path)}")
                    == ["baton.yaml:2:17: soe.key: a key is 1 to 256 bytes in hexadecimal digits"])
        }
    }

    @Test func keysAreNeverPrinted() throws {
        let read = try configuration("soe: {key: \"17bd086b\"}")
        var dumped = ""
        dump(read, to: &dumped)
        #expect(!"\(read) \(String(reflecting: read)) \(dumped)".lowercased().contains("17bd086b"))
    }

    /// A UDP port is another than the TCP port of the same number.
    @Test func listenersAreNoOthersOfTheirKind() throws {
        _ = try configuration("json: {listen: 127.0.0.1:7}\nsoe: {listen: 127.0.0.1:7}")
        #expect(
            diagnostics(of: "soe: {listen: [127.0.0.1:7, 127.0.0.1:7]}")
                == ["baton.yaml:1:29: soe.listen[1]: 127.0.0.1:7 is also in soe.listen[0]"])
    }

    @Test func variablesReachIt() throws {
        let read = try configuration("json:\n", ["BATON_SOE__CRC_LENGTH": "0", "BATON_SOE__PROTOCOLS": "a"])
        #expect(read.soe?.gateway.crcLength == 0 && read.soe?.gateway.protocolNames == ["a"])
    }

    @Test func developmentListensOnLoopback() throws {
        let development = try Configuration.development(environment: [:])
        #expect(development.soe?.listen.map(\.description) == ["127.0.0.1:20260"])
    }

    @Test func addressesAndTheBackendNeedARestart() throws {
        let old = try configuration("soe:\n")
        let moved = try configuration("soe: {listen: 127.0.0.1:1, backend: \"a:1\", max_sessions: 5}\n")
        #expect(moved.changesNeedingRestart(from: old) == ["soe.listen", "soe.backend"])
        let lively = try configuration(
            "soe: {dialect: swg, protocols: [a], key: \"00\", crc_length: 4, max_queued: 1MiB, backend_grace: 0}\n")
        #expect(lively.changesNeedingRestart(from: old) == [])
    }
}
