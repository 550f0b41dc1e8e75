import BatonServer
import RelayCore
import Testing

@Suite struct ConfigurationListenTests {
    private static let kind = "is not an address and a port such as 0.0.0.0:5300 or [::]:5300"

    @Test(arguments: ["0.0.0.0:5300", "127.0.0.1:0", "[::]:5300", "[2001:db8::1]:65535", "[::1]:0"])
    func addressesAreRead(text: String) throws {
        #expect(try configuration("json: {listen: \"\(text)\"}").json?.listen.map(\.description) == [text])
    }

    @Test(arguments: [
        ("localhost:5300", "; names of hosts are not looked up"), ("5300", ""), ("127.0.0.1", "; the port is missing"),
        (":5300", "; write 0.0.0.0:5300 for every IPv4 address"), ("*:5300", "; names of hosts are not looked up"),
        ("::1:5300", "; an IPv6 address needs brackets"), ("[127.0.0.1]:1", ""),
        ("[::1]", "; an IPv6 address needs brackets"),
        ("127.0.0.1:65536", "; a port is a number up to 65535"), ("127.0.0.1:+1", "; a port is a number up to 65535"),
        ("127.0.0.1:", "; a port is a number up to 65535"), ("[::1%lo]:1", ""), ("", ""),
    ])
    func otherTextsAreExplained(text: String, advice: String) {
        #expect(
            diagnostics(of: "json: {listen: \"\(text)\"}")
                == ["baton.yaml:1:16: json.listen: '\(text)' \(Self.kind)\(advice)"])
    }

    @Test func addressInTwoSectionsIsReportedOnceWithBoth() {
        let yaml = "json: {listen: 127.0.0.1:9550}\nnetplay: {listen: [127.0.0.1:1, 127.0.0.1:9550]}\n"
        #expect(
            diagnostics(of: yaml)
                == ["baton.yaml:2:33: netplay.listen[1]: 127.0.0.1:9550 is also in json.listen[0]"])
    }

    @Test func addressThatMeetsADefaultIsReportedWhereItWasWritten() {
        #expect(
            diagnostics(of: "json: {listen: 127.0.0.1:9550}\nadmin:\n")
                == ["baton.yaml:1:16: admin.listen[0]: 127.0.0.1:9550 is also in json.listen[0]"])
    }

    @Test func port0AndOtherFamiliesDoNotClash() throws {
        let yaml =
            "json: {listen: [127.0.0.1:0, 127.0.0.1:0, 0.0.0.0:7]}\nnetplay: {listen: [127.0.0.1:0, \"[::]:7\"]}\n"
        #expect(try configuration(yaml).json?.listen.count == 3)
    }

    @Test func adminWithoutTokenMustBeLoopback() throws {
        _ = try configuration("json:\nadmin: {listen: [127.0.0.2:1, \"[::1]:1\"]}")
        _ = try configuration("json:\nadmin: {listen: \"[::]:1\", token: abc}")
        #expect(
            diagnostics(of: "json:\nadmin:\n  listen:\n    - 127.0.0.1:1\n    - 10.0.0.1:1\n") == [
                "baton.yaml:5:7: admin.listen[1]: 10.0.0.1:1 is not loopback, which needs admin.token or admin.token_file"
            ])
    }

    @Test func tokenThatCannotBeReadIsNotAlsoCalledMissing() {
        #expect(
            diagnostics(of: "json:\nadmin: {listen: 10.0.0.1:1, token: \"${NO}\"}")
                == ["baton.yaml:2:36: admin.token: the variable NO is not set"])
    }
}
