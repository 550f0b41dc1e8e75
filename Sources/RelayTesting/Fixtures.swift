public import Foundation

/// The golden files in `Tests/Fixtures`.
public enum Fixtures {
    /// The root of the package.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Decodes one fixture file, named by its path under `Tests/Fixtures`.
    ///
    /// - Parameter snakeCase: whether its `some_key` is our `someKey`.
    public static func load<Content: Decodable>(
        _ type: Content.Type, from path: String, snakeCase: Bool = false
    ) throws -> Content {
        let decoder = JSONDecoder()
        if snakeCase { decoder.keyDecodingStrategy = .convertFromSnakeCase }
        return try decoder.decode(
            type, from: Data(contentsOf: root.appending(path: "Tests/Fixtures").appending(path: path)))
    }
}
