import BatonServer
import Foundation

/// Reads a configuration that must be right.
func configuration(_ yaml: String, _ environment: [String: String] = [:]) throws -> Configuration {
    try Configuration.parse(yaml: yaml, file: "baton.yaml", environment: environment)
}

/// The diagnostics of a configuration, one a line as they are printed; none if it is right.
func diagnostics(of yaml: String, _ environment: [String: String] = [:]) -> [String] {
    do throws(ConfigurationError) {
        _ = try Configuration.parse(yaml: yaml, file: "baton.yaml", environment: environment)
        return []
    } catch {
        return error.diagnostics.map(\.description)
    }
}

/// Does something with a new file that is gone afterwards.
func withFile<Result>(holding text: String, _ body: (_ path: String) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appending(path: "baton-test-\(UUID().uuidString)")
    try Data(text.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url.path())
}
