import Netplay
import Testing

@Suite struct FormTests {
    private func form(_ text: String) throws -> FormFields { try FormFields(text.utf8) }

    @Test func escapesAreUndone() throws {
        let form = try form("a=b+c&d%20e=%2B%2f&f=%C3%A9&empty=&bare&x=1=2")
        #expect(form["a"] == "b c")
        #expect(form["d e"] == "+/")
        #expect(form["f"] == "é")
        #expect(form["empty"] == "")
        #expect(form["bare"] == "")
        #expect(form["x"] == "1=2")
        #expect(form["y"] == nil)
    }

    @Test func ofSeveralTheFirstCounts() throws {
        #expect(try form("a=1&a=2")["a"] == "1")
    }

    @Test(arguments: ["a=%", "a=%4", "a=%4g", "%zz=1", "a=%%41"])
    func brokenEscapesAreRefused(_ text: String) {
        #expect(throws: FormFields.Fault.badEscape) { try form(text) }
    }

    @Test func bytesThatAreNoTextAreReplaced() throws {
        #expect(try form("a=%FF%00")["a"] == "\u{FFFD}\u{0}")
    }

    @Test func fieldsAreBounded() throws {
        let most = (0..<FormFields.maxFields).map { "f\($0)=1" }.joined(separator: "&")
        #expect(try form(most)["f63"] == "1")
        #expect(throws: FormFields.Fault.tooManyFields) { try form(most + "&g=1") }
    }
}
