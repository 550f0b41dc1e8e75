import Foundation
import RelayCore
import RelayTesting
import Testing

@testable import BatonServer

@Suite struct ConfigurationExampleTests {
    private let example = Configuration.example()

    @Test func exampleIsTheDefaults() throws {
        #expect(try configuration(example) == .complete)
    }

    @Test func exampleInTheProjectIsTheOnePrinted() throws {
        let file = Fixtures.root.appending(path: "baton.example.yaml")
        #expect(try String(contentsOf: file, encoding: .utf8) == example)
    }

    @Test func everySettingIsThereWithAComment() {
        let lines = example.split(separator: "\n", omittingEmptySubsequences: false)
        var sections: [Substring] = []
        var found: Set<String> = []
        for (above, line) in zip(lines, lines.dropFirst()) {
            let depth = line.prefix { $0 == " " }.count / 2
            let text = line.drop { $0 == " " || $0 == "#" }
            guard let colon = text.firstIndex(of: ":"),
                text[..<colon].allSatisfy({ $0.isLowercase || $0.isNumber || $0 == "_" }),
                above.drop(while: { $0 == " " }).hasPrefix("# ")
            else { continue }
            sections = sections.prefix(depth) + [text[..<colon]]
            found.insert(sections.joined(separator: "."))
        }
        #expect(Set(SettingRecorder(.complete).settings.map(\.path)).subtracting(found).isEmpty)
    }

    @Test func settingsWithoutDefaultAreRightOnceUncommented() throws {
        try withFile(holding: "abc") { path in
            let yaml = example.replacing("\n  # token_file: /run/secrets/baton_token", with: "\n  token_file: \(path)")
                .replacing("bans: []\n# - address", with: "bans:\n- address").replacing("#   reason", with: "  reason")
                .replacing("\n#   expires", with: "\n  expires")
            let read = try configuration(yaml)
            #expect(read.admin?.token == Secret("abc"))
            #expect(read.bans == [.sample])
        }
    }

    @Test func linesAreNotTooLong() {
        #expect(example.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    /// Whatever an operator's slip makes of the file, the answer is a configuration or diagnostics.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func mutatedExamplesNeverTrap(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let pieces = [
            "", " ", "\t", ":", "- ", "[", "]", "{", "}", "\"", "'", "#", "&a ", "*a", "!!int ", "${", "}", "$${X}",
            "~", "0",
            "-1", "99999999999999999999", "\u{E000}", "é", "\r\n", "\n", "---\n", "? ", "| ", "> ", "%YAML 1.1\n",
            "\u{0}", "<<: ",
        ]
        let lines = example.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.drop(while: { $0 == " " }).hasPrefix("#") && !$0.isEmpty }
        for _ in 0..<25 {
            var mutated = lines.map(Array.init)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: mutated.indices, using: &random)
                let piece = Array(pieces.randomElement(using: &random) ?? "")
                let at = Int.random(in: 0...mutated[index].count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: mutated[index].insert(contentsOf: piece, at: at)
                case 1: mutated[index].replaceSubrange(at..., with: piece)
                case 2: mutated.insert(mutated[index], at: Int.random(in: mutated.indices, using: &random))
                case 3: mutated.remove(at: index)
                default: if at < mutated[index].count { mutated[index].remove(at: at) }
                }
            }
            let yaml = mutated.map { String($0) }.joined(separator: "\n")
            let override = String(mutated.randomElement(using: &random) ?? [])
            let found = diagnostics(of: yaml, ["BATON_JSON__LISTEN": override])
            #expect(found.allSatisfy { $0.hasPrefix("baton.yaml:") || $0.hasPrefix("environment: ") }, "seed \(seed)")
        }
    }
}
