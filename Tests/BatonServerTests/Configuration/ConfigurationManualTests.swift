import Testing

@testable import BatonServer

@Suite struct ConfigurationManualTests {
    private let manual = Configuration.manual()

    @Test func everySettingIsThereUnderItsSection() {
        var section = ""
        var found: Set<String> = []
        for line in manual.split(separator: "\n") {
            if line.hasPrefix(".Ss ") {
                section = line == ".Ss Settings in no section" ? "" : line.dropFirst(4) + "."
            } else if line.hasPrefix(".It Ic ") {
                found.insert(section + line.dropFirst(7))
            }
        }
        // Sections are headings, not entries.
        let all = SettingRecorder(.complete).settings.map(\.path)
        let settings = all.filter { path in !all.contains { $0.hasPrefix(path + ".") } }
        #expect(settings.count > 50)
        #expect(Set(settings).subtracting(found).filter { !$0.hasPrefix("bans") }.isEmpty)
    }

    @Test func noLineIsTakenForARequest() {
        let macros = ["Dd", "Dt", "Os", "Sh", "Ss", "Nm", "Nd", "Xr", "Pa", "Pp", "Bl", "El", "It", "Li", "Bd", "Ed"]
        for line in manual.split(separator: "\n") where line.hasPrefix(".") {
            #expect(macros.contains(String(line.dropFirst().prefix(2))), "\(line)")
        }
        #expect(!manual.contains("\n'"))
    }

    @Test func listsAreClosed() {
        let count = { (request: String) in manual.split(separator: "\n").count { $0.hasPrefix(request) } }
        #expect(count(".Bl") == count(".El"))
        #expect(count(".Bd") == count(".Ed"))
    }
}
