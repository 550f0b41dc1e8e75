import BatonServer
import Testing

@Suite struct ConfigurationErrorTests {
    @Test func allMistakesAreReportedAtOnceInOrder() {
        let yaml = """
            log:
              level: loud
            json:
              max_framee: 1MiB
              idle_timeout: 30
              require_init: yes
              queue_frames: 5
              queue_frames: 6
            admin:
              listen: 0.0.0.0:9550
            """
        #expect(
            diagnostics(of: yaml) == [
                "baton.yaml:2:10: log.level: 'loud' is not one of trace, debug, info, notice, warning, error, critical",
                "baton.yaml:4:3: unknown key 'max_framee' in json; did you mean 'max_frame'?",
                """
                baton.yaml:5:17: json.idle_timeout: '30' is not a duration such as 500ms, 30s, 1m30s, 2h or 1d; \
                a number needs a unit
                """,
                "baton.yaml:6:17: json.require_init: 'yes' is not true or false",
                "baton.yaml:8:3: 'json.queue_frames' is there twice, also on line 7",
                """
                baton.yaml:10:11: admin.listen[0]: 0.0.0.0:9550 is not loopback, which needs admin.token or \
                admin.token_file
                """,
            ])
    }

    @Test func errorPrintsOneDiagnosticALine() throws {
        let error = #expect(throws: ConfigurationError.self) { try configuration("log: {level: 1, format: 2}") }
        #expect(error?.description.split(separator: "\n").count == 3)
    }

    @Test(arguments: [
        ("jsno: {}", "baton.yaml:1:1: unknown key 'jsno'; did you mean 'json'?"),
        (
            "json: {error_reply: readme}",
            "baton.yaml:1:8: unknown key 'error_reply' in json; did you mean 'error_replies'?"
        ),
        (
            "json:\nxyzzy:\n",
            """
            baton.yaml:2:1: unknown key 'xyzzy'; it takes log, drain_timeout, limits, bans, port_mapping, \
            port_mapping_lease, json, netplay, lobby, ldn, soe, lan, admin
            """
        ),
        ("json: 5", "baton.yaml:1:7: json: a single value is not a mapping of keys to values"),
        ("json:\n- a", "baton.yaml:2:1: json: a list is not a mapping of keys to values"),
        ("- json", "baton.yaml:1:1: the configuration: a list is not a mapping of keys to values"),
        (
            "json: {max_frame: [1]}",
            "baton.yaml:1:19: json.max_frame: a list is not a size such as 512, 64KiB, 1MiB or 1MB"
        ),
        (
            "json: {queue_frames: {a: 1}}", "baton.yaml:1:22: json.queue_frames: a mapping is not a whole number"
        ),
        ("json:\n  require_init:\n", "baton.yaml:2:16: json.require_init has no value; it takes true or false"),
        ("json: {require_init: True}", "baton.yaml:1:22: json.require_init: 'True' is not true or false"),
        ("json: {queue_frames: -1}", "baton.yaml:1:22: json.queue_frames: '-1' is not a whole number"),
        ("json: {queue_frames: 0}", "baton.yaml:1:22: json.queue_frames: '0' is not between 1 and 1000000"),
        ("json: {max_frame: 65MiB}", "baton.yaml:1:19: json.max_frame: '65MiB' is not between 1KiB and 64MiB"),
        ("json: {max_frame: 1023}", "baton.yaml:1:19: json.max_frame: '1023' is not between 1KiB and 64MiB"),
        ("json: {frame_timeout: 0}", "baton.yaml:1:23: json.frame_timeout: '0' is not between 1ms and 1d"),
        ("netplay: {idle_timeout: 0}", "baton.yaml:1:25: netplay.idle_timeout: '0' is not between 1ms and 7d"),
        ("json:\nport_mapping: on", "baton.yaml:2:15: port_mapping: 'on' is not one of off, upnp"),
        ("json:\nport_mapping_lease: 4s", "baton.yaml:2:21: port_mapping_lease: '4s' is not between 5s and 7d"),
        (
            "json: {listen: []}",
            """
            baton.yaml:1:16: json.listen: at least one is needed: an address and a port such as 0.0.0.0:5300 or \
            [::]:5300
            """
        ),
        (
            "json:\nlog: {level: wraning}",
            """
            baton.yaml:2:14: log.level: 'wraning' is not one of trace, debug, info, notice, warning, error, critical; \
            did you mean 'warning'?
            """
        ),
        ("json:\nbans: [{reason: x}]", "baton.yaml:2:8: 'bans[0].address' is missing"),
        (
            "json:\nbans: [{address: 1.1.1.1, until: x}]",
            "baton.yaml:2:27: unknown key 'until' in bans[0]; it takes address, reason, expires"
        ),
        ("json:\nbans: [1.1.1.1]", "baton.yaml:2:8: bans[0]: a single value is not a mapping of keys to values"),
        ("json:\n? [a]\n: b\n", "baton.yaml:2:3: a key must be a plain word"),
        ("json:\nlog: {level: debug}\njson:\n", "baton.yaml:3:1: 'json' is there twice, also on line 1"),
        ("json:\n---\njson:\n", "baton.yaml:2:1: a second document starts here; one is allowed"),
        (
            "",
            "baton.yaml: no protocol is enabled: add a section 'json:', 'netplay:', 'lobby:', 'ldn:', 'soe:' or 'lan:'"
        ),
        (
            "# nothing\n",
            "baton.yaml: no protocol is enabled: add a section 'json:', 'netplay:', 'lobby:', 'ldn:', 'soe:' or 'lan:'"
        ),
        (
            "admin:\n",
            "baton.yaml: no protocol is enabled: add a section 'json:', 'netplay:', 'lobby:', 'ldn:', 'soe:' or 'lan:'"
        ),
    ])
    func oneMistake(yaml: String, expected: String) {
        #expect(diagnostics(of: yaml) == [expected])
    }

    @Test(arguments: [
        ("json:\n  listen: \"x\n", 3), ("json:\n\tlisten: x\n", 2), ("json: {\n", 2), ("json: *none\n", 1),
        ("json:\n  a: b: c\n", 2), ("json:\n# \u{1}\n", 2),
    ])
    func syntaxErrorNamesItsLine(yaml: String, line: Int) throws {
        let found = diagnostics(of: yaml)
        #expect(found.count == 1)
        #expect(try #require(found.first).hasPrefix("baton.yaml:\(line):"), "\(found)")
        #expect(try #require(found.first).contains("not YAML: "))
    }

    @Test func unquotedIPv6AddressIsExplained() throws {
        for yaml in ["json:\n  listen: [::]:5300\nadmin:\n", "json:\n  listen:\n    - [::]:5300\n"] {
            #expect(try #require(diagnostics(of: yaml).first).hasSuffix("needs quotes: \"[::]:5300\""))
        }
    }

    @Test func doubledKeysAreAllFoundWhereverTheyAre() {
        let lines = [
            "json:", "  max_frame: 1MiB", "  max_frame: 1MiB", "  max_frame: 2MiB",
            "log: {\"level\": info, level: debug, 'level': info}",
        ]
        #expect(
            diagnostics(of: lines.joined(separator: "\r\n")) == [
                "baton.yaml:3:3: 'json.max_frame' is there twice, also on line 2",
                "baton.yaml:4:3: 'json.max_frame' is there twice, also on line 3",
                "baton.yaml:5:22: 'log.level' is there twice, also on line 5",
                "baton.yaml:5:36: 'log.level' is there twice, also on line 5",
            ])
    }

    @Test func treeThatGrowsOutOfItsTextIsRefused() {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            yaml += "a\(level): &a\(level) [\((0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", "))]\n"
        }
        #expect(diagnostics(of: yaml).first?.hasSuffix("this is too large for a configuration") == true)
        #expect(diagnostics(of: String(repeating: "[", count: 200_000)).count == 1)
        #expect(diagnostics(of: String(repeating: "[", count: 500) + String(repeating: "]", count: 500)).count == 1)
    }

    @Test func fileThatCannotBeReadIsADiagnostic() throws {
        func message(_ path: String) -> String? {
            do throws(ConfigurationError) {
                _ = try Configuration.load(file: path, environment: [:])
                return nil
            } catch {
                return error.description
            }
        }
        #expect(message("/nonexistent/baton.yaml") == "/nonexistent/baton.yaml: No such file or directory")
        #expect(message("/") == "/: Is a directory")
        #expect(message("/dev/zero") == "/dev/zero: is larger than 1MiB")
        try withFile(holding: "") { path in
            #expect(
                message(path)
                    == "\(path): no protocol is enabled: add a section 'json:', 'netplay:', 'lobby:', 'ldn:', 'soe:' or 'lan:'"
            )
        }
    }
}
