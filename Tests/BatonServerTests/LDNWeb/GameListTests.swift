import Foundation
import LDN
import Testing

@testable import BatonServer

@Suite("LDN's list of games") struct GameListTests {
    @Test func titlesAreHexadecimalInAnyForm() throws {
        let json = """
            [{"id": "0x0100152000022000", "name": "One"}, {"id": "0100ABCD0000abcd", "name": "Two", "more": 1},
            {"id": "0XFFFFFFFFFFFFFFFF", "name": "Old"}, {"id": "ffffffffffffffff", "name": "Last"}]
            """
        let names = try GameList(json: Data(json.utf8)).names
        #expect(
            names == [
                TitleID(0x0100_1520_0002_2000): "One", TitleID(0x0100_ABCD_0000_ABCD): "Two", TitleID(.max): "Last",
            ])
        #expect(try GameList(json: Data("[]".utf8)) == GameList())
    }

    @Test(arguments: [
        ("", "is no JSON list"), ("{}", "is no JSON list"), (#"[{"id": 5, "name": "x"}]"#, "is no JSON list"),
        (#"[{"id": "0x1"}]"#, "is no JSON list"),
        (#"[{"id": "0x1", "name": "x"}, {"id": "0x", "name": "y"}]"#, "in entry 2: '0x'"),
        (#"[{"id": "-1", "name": "x"}]"#, "in entry 1: '-1'"),
        (#"[{"id": "0x10000000000000000", "name": "x"}]"#, "in entry 1"),
    ])
    func whatIsWrongIsSaid(json: String, expected: String) {
        let error = #expect(throws: BatonError.self) { try GameList(json: Data(json.utf8)) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test func aFileThatIsMissingIsNamed() {
        let error = #expect(throws: BatonError.self) { try GameList(path: "/nowhere/gamelist.json") }
        #expect(error?.description.hasPrefix("ldn.api.game_list: /nowhere/gamelist.json cannot be read") == true)
    }
}
