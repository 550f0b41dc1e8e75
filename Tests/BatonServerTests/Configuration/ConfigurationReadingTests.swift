import BatonServer
import JSONRelay
import Netplay
import RelayCore
import Testing

@Suite struct ConfigurationReadingTests {
    @Test func sectionWithNothingUnderItIsOnWithDefaults() throws {
        let read = try configuration("json:\nnetplay: ~\nadmin: {}\n")
        #expect(read.json == Configuration.JSON())
        #expect(read.netplay == Configuration.Netplay())
        #expect(read.admin == Configuration.Admin())
        #expect(read.log == Configuration.Log())
        #expect(read.limits == Admission.Limits())
    }

    @Test func sectionThatIsNotThereIsOff() throws {
        let read = try configuration("json:\n")
        #expect(read.netplay == nil)
        #expect(read.admin == nil)
    }

    @Test func defaultsAreThoseOfTheContract() {
        let json = Configuration.JSON()
        #expect(json.listen.map(\.description) == ["0.0.0.0:5300", "[::]:5300"])
        #expect(json.queueBytes == 262_144)
        #expect(json.queueFrames == 512)
        #expect(json.userTimeout == .seconds(60))
        #expect(json.relay == JSONRelayConfiguration())
        let netplay = Configuration.Netplay()
        #expect(netplay.listen.map(\.description) == ["0.0.0.0:55435", "[::]:55435"])
        #expect(netplay.userTimeout == .seconds(120))
        #expect(netplay.tunnel == NetplayConfiguration())
        #expect(Configuration.Admin().listen.map(\.description) == ["127.0.0.1:9550"])
        let all = Configuration()
        #expect(all.drainTimeout == .seconds(600))
        #expect(all.portMapping.mode == .off && all.portMapping.lease == .seconds(60))
        #expect(all.log.level == .info)
        #expect(all.log.format == .text)
        #expect(all.limits.connections == 10_000)
        #expect(all.limits.connectionsPerAddress == 1024)
        #expect(all.limits.connectionsPerPrefix == 2048)
        #expect(all.limits.newConnections == TokenBucket.Rate(perSecond: 200, burst: 1000))
    }

    @Test func everySettingReachesItsField() throws {
        let read = try configuration(
            """
            log: {level: warning, format: json}
            drain_timeout: 90s
            port_mapping: upnp
            port_mapping_lease: 2m
            limits:
              connections: 1
              connections_per_address: 2
              connections_per_prefix: 3
              new_connections_per_second: 4
              new_connections_burst: 5
            json:
              listen: 127.0.0.1:1
              proxy_protocol_from: [10.0.0.0/8, "::1"]
              queue_bytes: 1MiB
              queue_frames: 6
              user_timeout: 7s
              readme_names: always
              payload_escaping: reference
              source_policy: trust
              error_replies: reference
              require_init: true
              max_frame: 2MiB
              frame_timeout: 8s
              idle_timeout: 9s
              close_grace: 10s
              max_clients: 11
              message_rate: 12
              max_strikes: 13
            netplay:
              listen: ["[::1]:2"]
              proxy_protocol_from: 10.1.1.1
              user_timeout: 14s
              max_sessions: 15
              max_clients: 16
              max_pending_per_address: 17
              handshake_timeout: 18s
              link_timeout: 19s
              idle_timeout: 20s
              half_close_timeout: 21s
              ping_interval: 22s
              max_unanswered_pings: 23
              max_early_bytes: 24KiB
              link_from_owner_only: true
            admin:
              listen: 0.0.0.0:3
              token: s3cret
            """)
        #expect(read.log.level == .warning)
        #expect(read.log.format == .json)
        #expect(read.drainTimeout == .seconds(90))
        #expect(read.portMapping.mode == .upnp && read.portMapping.lease == .seconds(120))
        let limits = read.limits
        #expect([limits.connections, limits.connectionsPerAddress, limits.connectionsPerPrefix] == [1, 2, 3])
        #expect(limits.newConnections == TokenBucket.Rate(perSecond: 4, burst: 5))
        var json = Configuration.JSON()
        json.listen = [Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 1)]
        json.proxyProtocolFrom = [try #require(IPPrefix("10.0.0.0/8")), try #require(IPPrefix("::1"))]
        (json.queueBytes, json.queueFrames, json.userTimeout) = (1 << 20, 6, .seconds(7))
        (json.relay.readmeNames, json.relay.payloadEscaping) = (.always, .reference)
        (json.relay.sourcePolicy, json.relay.errorReplies) = (.trust, .reference)
        (json.relay.requireInit, json.relay.maxFrame, json.relay.frameTimeout) = (true, 2 << 20, .seconds(8))
        (json.relay.idleTimeout, json.relay.closeGrace) = (.seconds(9), .seconds(10))
        (json.relay.maxClients, json.relay.messageRate, json.relay.maxStrikes) = (11, 12, 13)
        #expect(read.json == json)
        var netplay = Configuration.Netplay()
        netplay.listen = [Endpoint(address: IPAddress(high: 0, low: 1), port: 2)]
        netplay.proxyProtocolFrom = [try #require(IPPrefix("10.1.1.1"))]
        netplay.userTimeout = .seconds(14)
        (netplay.tunnel.maxSessions, netplay.tunnel.maxClients, netplay.tunnel.maxPendingPerAddress) = (15, 16, 17)
        (netplay.tunnel.handshakeTimeout, netplay.tunnel.linkTimeout) = (.seconds(18), .seconds(19))
        (netplay.tunnel.idleTimeout, netplay.tunnel.halfCloseTimeout) = (.seconds(20), .seconds(21))
        (netplay.tunnel.pingInterval, netplay.tunnel.maxUnansweredPings) = (.seconds(22), 23)
        (netplay.tunnel.maxEarlyBytes, netplay.tunnel.linkFromOwnerOnly) = (24 << 10, true)
        #expect(read.netplay == netplay)
        #expect(read.admin?.listen.map(\.description) == ["0.0.0.0:3"])
        #expect(read.admin?.token == Secret("s3cret"))
    }

    @Test func bansAreRead() throws {
        let read = try configuration(
            """
            json:
            bans:
              - address: 203.0.113.0/24
                reason: floods
                expires: 2030-01-01T00:00:00Z
              - {address: "2001:db8::1"}
            """)
        #expect(read.bans.map(\.address.description) == ["203.0.113.0/24", "2001:db8::1"])
        #expect(read.bans.map(\.reason) == ["floods", ""])
        #expect(read.bans.map(\.expires) == [Timestamp(seconds: 1_893_456_000), nil])
    }

    @Test func bansAreCountedFromTheCallersZeroPoint() throws {
        let yaml = "json:\nbans:\n  - {address: 1.1.1.1, expires: 2030-01-01T00:00:00Z}\n  - {address: 2.2.2.2}\n"
        let read = try configuration(yaml)
        let now = Instant(nanoseconds: 5_000_000_000)
        let bans = read.banList(at: now, date: Timestamp(seconds: 1_893_455_990))
        let limited = try #require(IPAddress("1.1.1.1"))
        #expect(bans.ban(of: limited, at: now)?.until == now + .seconds(10))
        #expect(bans.ban(of: limited, at: now + .seconds(10)) == nil)
        #expect(bans.ban(of: try #require(IPAddress("2.2.2.2")), at: now + .seconds(1_000_000)) != nil)
        let later = read.banList(at: now, date: Timestamp(seconds: 1_893_456_000))
        #expect(later.ban(of: limited, at: .zero) == nil)
    }

    @Test func anchorsAreResolved() throws {
        let read = try configuration("json: {idle_timeout: &long 10m}\nnetplay: {idle_timeout: *long}\n")
        #expect(read.json?.relay.idleTimeout == .seconds(600))
        #expect(read.netplay?.tunnel.idleTimeout == .seconds(600))
    }

    @Test func fileIsLoaded() throws {
        try withFile(holding: "json:\n  max_frame: 2MiB\n") { path in
            let read = try Configuration.load(file: path, environment: [:])
            #expect(read.json?.relay.maxFrame == 2 << 20)
        }
    }

    @Test func developmentServesEverythingOnLoopback() throws {
        let read = try Configuration.development(environment: ["BATON_JSON__LISTEN": "127.0.0.1:0"])
        #expect(read.json?.listen.map(\.description) == ["127.0.0.1:0"])
        #expect(read.netplay?.listen.map(\.description) == ["127.0.0.1:55435"])
        #expect(read.admin?.listen.map(\.description) == ["127.0.0.1:9550"])
    }
}
