import BatonServer
import Testing

@Suite struct ConfigurationSecretTests {
    @Test(arguments: ["s3cret", "s3cret\n", "s3cret\r\n"])
    func tokenComesFromAFile(text: String) throws {
        try withFile(holding: text) { path in
            let read = try configuration("json:\nadmin: {listen: 0.0.0.0:1, token_file: \(path)}")
            #expect(read.admin?.token == Secret("s3cret"))
            let overridden = try configuration("json:\n", ["BATON_ADMIN__TOKEN_FILE": path])
            #expect(overridden.admin?.token == Secret("s3cret"))
        }
    }

    @Test func tokenFileThatIsEmptyOrUnreadableIsAnError() throws {
        try withFile(holding: "\n") { path in
            #expect(
                diagnostics(of: "json:\nadmin: {token_file: \(path)}")
                    == ["baton.yaml:2:21: admin.token_file: \(path) is empty"])
        }
        #expect(
            diagnostics(of: "json:\nadmin: {token_file: /nonexistent/token}")
                == ["baton.yaml:2:21: admin.token_file: /nonexistent/token: No such file or directory"])
    }

    @Test func tokenAndTokenFileExcludeEachOther() throws {
        try withFile(holding: "abc") { path in
            let message = "admin.token and admin.token_file are both given; one is enough"
            #expect(
                diagnostics(of: "json:\nadmin:\n  token: abc\n  token_file: \(path)\n")
                    == ["baton.yaml:4:15: \(message)"])
            #expect(
                diagnostics(of: "json:\nadmin: {token_file: \(path)}", ["BATON_ADMIN__TOKEN": "abc"])
                    == ["environment: BATON_ADMIN__TOKEN: \(message)"])
        }
    }

    @Test(arguments: ["\"\"", "\"a b\"", "é"])
    func tokenThatHTTPCannotCarryIsAnErrorThatDoesNotShowIt(text: String) throws {
        let found = diagnostics(of: "json:\nadmin: {token: \(text)}")
        #expect(found.count == 1)
        #expect(try #require(found.first).hasPrefix("baton.yaml:2:16: admin.token "))
        #expect(!found[0].contains("é") && !found[0].contains("a b"))
    }

    @Test func secretIsNeverPrinted() throws {
        let read = try configuration("json:\nadmin: {token: hidden}")
        var dumped = ""
        dump(read, to: &dumped)
        #expect(!"\(read) \(String(reflecting: read)) \(dumped)".contains("hidden"))
    }
}
