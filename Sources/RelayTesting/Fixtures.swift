public import Foundation

/// The golden files in `Tests/Fixtures`.
public enum Fixtures {
    /// The root of the package.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Decodes one fixture file, named by its path under `Tests/Fixtures`.
    public static func load<Content: Decodable>(_ type: Content.Type, from path: String) throws -> Content {
        try JSONDecoder().decode(
            type, from: Data(contentsOf: root.appending(path: "Tests/Fixtures").appending(path: path)))
    }
}
