import BatonServer
import JSONRelay
import Netplay
import RelayCore
import Testing

@Suite struct ConfigurationEnvironmentTests {
    @Test func variableGoesBeforeTheFile() throws {
        let read = try configuration(
            "json: {max_frame: 1MiB}\ndrain_timeout: 5m\n",
            ["BATON_JSON__MAX_FRAME": "2MiB", "BATON_DRAIN_TIMEOUT": "1m", "BATON_LOG__LEVEL": "debug", "HOME": "/"])
        #expect(read.json?.relay.maxFrame == 2 << 20)
        #expect(read.drainTimeout == .seconds(60))
        #expect(read.log.level == .debug)
        #expect(read.warnings.isEmpty)
    }

    @Test func variableGoesBeforeAMistakeInTheFile() throws {
        let read = try configuration("json: {max_frame: nonsense}", ["BATON_JSON__MAX_FRAME": "2MiB"])
        #expect(read.json?.relay.maxFrame == 2 << 20)
    }

    @Test func variableTurnsItsSectionOn() throws {
        let read = try configuration("", ["BATON_NETPLAY__LISTEN": "127.0.0.1:0"])
        #expect(read.netplay?.listen.map(\.description) == ["127.0.0.1:0"])
        #expect(read.json == nil)
    }

    @Test func listsAreYAMLOrOneValue() throws {
        let read = try configuration(
            "json: {proxy_protocol_from: [1.1.1.1]}\nadmin:\n",
            [
                "BATON_JSON__LISTEN": "[\"0.0.0.0:1\", \"[::]:1\"]", "BATON_ADMIN__LISTEN": "[::1]:2",
                "BATON_JSON__PROXY_PROTOCOL_FROM": "", "BATON_BANS": "[{address: 1.1.1.1, reason: x}]",
                "BATON_NETPLAY": "{max_sessions: 3}",
            ])
        #expect(read.json?.listen.map(\.description) == ["0.0.0.0:1", "[::]:1"])
        #expect(read.json?.proxyProtocolFrom == [])
        #expect(read.admin?.listen.map(\.description) == ["[::1]:2"])
        #expect(read.bans.map(\.reason) == ["x"])
        #expect(read.netplay?.tunnel.maxSessions == 3)
    }

    @Test func textOfAVariableIsTakenAsItIs() throws {
        let read = try configuration("json:\n", ["BATON_ADMIN__TOKEN": "${a}:#\"b"])
        #expect(read.admin?.token == Secret("${a}:#\"b"))
    }

    @Test(arguments: [
        (
            "BATON_JSON__MAX_FRAMEE", "2MiB",
            "environment: BATON_JSON__MAX_FRAMEE: unknown key 'max_framee' in json; did you mean 'max_frame'?"
        ),
        (
            "BATON_JSN__MAX_FRAME", "2MiB", "environment: BATON_JSN__MAX_FRAME: unknown key 'jsn'; did you mean 'json'?"
        ),
        (
            "BATON_JSON__MAX_FRAME", "x",
            "environment: BATON_JSON__MAX_FRAME: json.max_frame: 'x' is not a size such as 512, 64KiB, 1MiB or 1MB"
        ),
        (
            "BATON_DRAIN_TIMEOUT__X", "1",
            "environment: BATON_DRAIN_TIMEOUT__X: 'drain_timeout' is not a section that could hold 'x'"
        ),
        (
            "BATON_JSON", "on", "environment: BATON_JSON: json: a single value is not a mapping of keys to values"
        ),
        (
            "BATON_ADMIN__LISTEN", "0.0.0.0:1",
            """
            environment: BATON_ADMIN__LISTEN: admin.listen[0]: 0.0.0.0:1 is not loopback, which needs admin.token or \
            admin.token_file
            """
        ),
    ])
    func mistakeNamesItsVariable(name: String, value: String, expected: String) {
        #expect(diagnostics(of: "json:\ndrain_timeout: 1m\n", [name: value]) == [expected])
    }

    @Test func listThatIsNotYAMLNamesItsVariable() throws {
        let found = diagnostics(of: "json:\n", ["BATON_JSON__LISTEN": "[a, [::]:1]"])
        #expect(found.count == 1)
        #expect(try #require(found.first).hasPrefix("environment: BATON_JSON__LISTEN: not YAML: "))
    }

    @Test func variablesDoNotHideThatTheFileIsNoMapping() {
        let message = "baton.yaml:1:1: the configuration: a list is not a mapping of keys to values"
        #expect(diagnostics(of: "[]", ["BATON_BANS": "[]", "BATON_JSON__MAX_FRAME": "1MiB"]) == [message])
    }

    @Test func mistakesOfTheFileComeFirst() {
        let found = diagnostics(of: "json: {a: 1}\nlog: 1\n", ["BATON_LIMITS__X": "1", "BATON_JSON__AA": "1"])
        let starts = ["baton.yaml:1:8:", "baton.yaml:2:6:", "environment: BATON_JSON", "environment: BATON_LIMITS"]
        #expect(found.count == 4 && zip(found, starts).allSatisfy { $0.hasPrefix($1) }, "\(found)")
    }

    @Test func nameOfNoSettingWithoutSectionIsAWarning() throws {
        let read = try configuration(
            "json:\n",
            ["BATON_PORT": "tcp://10.0.0.1:5300", "BATON_SERVICE_HOST": "10.0.0.1", "BATON_DRAIN_TIMEOU": "1m"])
        #expect(
            read.warnings.map(\.description) == [
                """
                environment: BATON_DRAIN_TIMEOU: names no setting and is ignored; did you mean 'BATON_DRAIN_TIMEOUT'?
                """,
                "environment: BATON_PORT: names no setting and is ignored",
                "environment: BATON_SERVICE_HOST: names no setting and is ignored",
            ])
    }

    @Test func variableThatTheFileUsesIsNoWarning() throws {
        let read = try configuration("json:\nadmin: {token: \"${BATON_TOKEN}\"}", ["BATON_TOKEN": "abc"])
        #expect(read.admin?.token == Secret("abc"))
        #expect(read.warnings.isEmpty)
    }

    @Test func variablesAreReplacedInValues() throws {
        let read = try configuration(
            """
            json:
              max_frame: ${SIZE}MiB
              listen: ["${HOST}:${PORT}"]
            bans:
              - {address: 1.1.1.1, reason: "costs $5, $${not} $$ ${EMPTY}${_X1}"}
            """, ["SIZE": "2", "HOST": "127.0.0.1", "PORT": "80", "EMPTY": "", "_X1": "${SIZE}"])
        #expect(read.json?.relay.maxFrame == 2 << 20)
        #expect(read.json?.listen.map(\.description) == ["127.0.0.1:80"])
        #expect(read.bans.map(\.reason) == ["costs $5, ${not} $$ ${SIZE}"])
    }

    @Test(arguments: [
        ("${NOT_SET}", "the variable NOT_SET is not set"), ("${OPEN", "'${' without '}'"),
        ("${}", "'${}' names no variable"), ("${A-b}", "'${A-b}' names no variable"),
        ("${1}", "'${1}' names no variable"), ("${É}", "'${É}' names no variable"),
    ])
    func badVariableIsAnErrorWithItsLine(text: String, message: String) {
        #expect(diagnostics(of: "json:\n  max_frame: '\(text)'\n") == ["baton.yaml:2:14: json.max_frame: \(message)"])
    }
}
