import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite struct ConfigurationDedicatedTests {
    private func dedicated(_ settings: String) throws -> Configuration.Dedicated {
        try #require(try configuration("netplay: {dedicated: {\(settings)}}").netplay?.dedicated)
    }

    @Test func theSectionTurnsItOn() throws {
        #expect(try configuration("netplay:\n").netplay?.dedicated == nil)
        #expect(try configuration("netplay:\n  dedicated:\n").netplay?.dedicated == Configuration.Dedicated())
        #expect(try Configuration.development(environment: [:]).netplay?.dedicated == nil)
    }

    @Test func everySettingIsRead() throws {
        let section = try dedicated(
            """
            listen: ["127.0.0.1:1", "[::1]:1"], ports: 7000-7010, relay: "relay.example.org:55435", retroarch: /opt/ra, \
            cores: /c, core_info: /i, content: /g, nick: Us, password: pw, lobby: "https://lobby.example.org/x/", \
            max_hosts: 9, max_hosts_per_address: 8, requests_per_second: 7, requests_burst: 6, idle_timeout: 5s, \
            start_timeout: 4s
            """)
        #expect(section.listen.map(\.description) == ["127.0.0.1:1", "[::1]:1"])
        #expect(section.desk.ports == 7000...7010)
        #expect(section.relay == ServerAddress(host: "relay.example.org", port: 55435))
        #expect(
            [section.retroarch, section.cores, section.coreInfo, section.content] == ["/opt/ra", "/c", "/i", "/g"])
        #expect(section.nick == "Us" && section.password == Secret("pw"))
        #expect(section.lobby?.text == "https://lobby.example.org/x")
        #expect(section.desk.maxHosts == 9 && section.desk.maxHostsPerAddress == 8)
        #expect(section.desk.requests == TokenBucket.Rate(perSecond: 7, burst: 6))
        #expect(section.desk.idleTimeout == .seconds(5) && section.desk.startTimeout == .seconds(4))
    }

    @Test func aVariableReachesASectionInASection() throws {
        let read = try configuration("netplay:\n", ["BATON_NETPLAY__DEDICATED__NICK": "Ours"])
        #expect(read.netplay?.dedicated?.nick == "Ours")
        #expect(
            diagnostics(of: "netplay:\n", ["BATON_NETPLAY__DEDICATED__NIKC": "Ours"]) == [
                "environment: BATON_NETPLAY__DEDICATED__NIKC: unknown key 'nikc' in netplay.dedicated; did you mean 'nick'?"
            ])
    }

    @Test(
        "what is wrong",
        arguments: [
            ("ports: 7010-7000", "netplay.dedicated.ports: '7010-7000' is not a range of ports such as 55500-55599"),
            ("ports: 0-5", "netplay.dedicated.ports: '0-5' is not a range of ports such as 55500-55599"),
            ("ports: 1-70000", "netplay.dedicated.ports: '1-70000' is not a range of ports such as 55500-55599"),
            ("relay: example.org", "a port is a number up to 65535"),
            ("relay: \"::1:5\"", "an IPv6 address needs brackets"),
            ("relay: \"a|b:5\"", "is not a host and a port"),
            ("lobby: lobby.libretro.com", "is not an address such as http://lobby.example.org"),
            ("lobby: \"http:///x\"", "is not an address such as http://lobby.example.org"),
            ("nick: 'a\"b'", "up to 26 ASCII characters, no quotation marks"),
            ("nick: abcdefghijklmnopqrstuvwxyzä", "up to 26 ASCII characters"),
            ("password: 'a\"b'", "netplay.dedicated.password: RetroArch cannot have a '\"' in it"),
        ])
    func mistakes(settings: String, words: String) {
        let found = diagnostics(of: "netplay: {dedicated: {\(settings)}}")
        #expect(found.count == 1 && found[0].contains(words), "\(found)")
    }

    @Test func addressesAreWrittenAsTheyAreRead() throws {
        for text in ["relay.example.org:55435", "192.0.2.1:1", "[2001:db8::1]:65535"] {
            #expect(try ServerAddress(setting: text).settingText == text)
        }
        #expect(try PortRange(setting: "7000").settingText == "7000")
        #expect(try PortRange(setting: "7000-7001").settingText == "7000-7001")
    }

    @Test func onlyLimitsAreTakenOverWithoutARestart() throws {
        let old = try configuration("netplay:\n  dedicated:\n")
        let limits = try configuration(
            """
            netplay: {dedicated: {max_hosts: 1, max_hosts_per_address: 1, requests_per_second: 1, requests_burst: 1, \
            idle_timeout: 1s, start_timeout: 1s}}
            """)
        #expect(limits.changesNeedingRestart(from: old) == [])
        let others = try configuration("netplay: {dedicated: {nick: x, content: /x, relay: \"a:1\", ports: 1-2}}")
        #expect(
            others.changesNeedingRestart(from: old) == [
                "netplay.dedicated.ports", "netplay.dedicated.relay", "netplay.dedicated.content",
                "netplay.dedicated.nick",
            ])
        let gone = try configuration("netplay:\n")
        #expect(gone.changesNeedingRestart(from: old) == ["netplay.dedicated"])
    }

    /// The example shows the section commented out; without the marks it is the defaults.
    @Test func theExampleIsTheDefaultsOnceUncommented() throws {
        let lines = Configuration.example().split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "  # dedicated:" })
        let section = lines[start...].prefix { $0.hasPrefix("  #") }.map { "  " + $0.dropFirst(4) }
        let yaml = (["netplay:"] + section).joined(separator: "\n") + "\n"
        #expect(try configuration(yaml).netplay?.dedicated == Configuration.Dedicated())
        let shown = Set(section.compactMap { $0.wholeMatch(of: /\s*(?:# )?([a-z_]+):.*/).map { String($0.1) } })
        var complete = Configuration.complete
        complete.netplay?.dedicated = Configuration.Dedicated()
        let prefix = "netplay.dedicated."
        let paths = SettingRecorder(complete).settings.map(\.path).filter { $0.hasPrefix(prefix) }
        #expect(paths.count > 15)
        #expect(Set(paths.map { String($0.dropFirst(prefix.count)) }).isSubset(of: shown))
    }
}
