import Foundation
import FuzzTargets
import RelayTesting
import Testing

@Suite("Fuzz corpus")
struct ReplayTests {
    /// Inputs that a fuzzer found to reach new code, and those that once broke something.
    @Test(arguments: FuzzTarget.allCases)
    func everyInputIsSurvived(_ target: FuzzTarget) throws {
        let corpus = Self.inputs("corpus/\(target.rawValue)")
        #expect(!corpus.isEmpty, "no corpus for \(target.rawValue)")
        for input in corpus + Self.inputs("crashes/\(target.rawValue)") {
            target.run(Array(try Data(contentsOf: input)))
        }
    }

    private static func inputs(_ folder: String) -> [URL] {
        let url = Fixtures.root.appending(path: "Fuzz").appending(path: folder)
        return (try? FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)) ?? []
    }
}
