import Foundation
import LDN

/// How titles are called, from a file: `[{"id": "0x0100152000022000", "name": "..."}]`.
struct GameList: Sendable, Equatable {
    private(set) var names: [TitleID: String] = [:]

    private struct Entry: Decodable {
        var id: String
        var name: String
    }

    /// The largest file, in bytes.
    private static let maxSize = 32 << 20

    /// Knows no title.
    init() {}

    /// Throws `BatonError` that says what is wrong with the file.
    init(path: String) throws {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            try self.init(json: try file.read(upToCount: Self.maxSize + 1) ?? Data())
        } catch let error as BatonError {
            throw BatonError(.storage, "ldn.api.game_list: \(path) \(error.message)")
        } catch {
            throw BatonError(.storage, "ldn.api.game_list: \(path) cannot be read", cause: error)
        }
    }

    /// Throws `BatonError` that goes on after the name of what it was read from. Of two names of a title, the last counts.
    init(json: Data) throws {
        guard json.count <= Self.maxSize else { throw BatonError(.storage, "is larger than 32MiB") }
        guard let entries = try? JSONDecoder().decode([Entry].self, from: json) else {
            throw BatonError(.storage, #"is no JSON list of {"id": "0x...", "name": "..."}"#)
        }
        for (number, entry) in entries.enumerated() {
            guard let title = Self.title(entry.id) else {
                throw BatonError(.storage, "has no number of a title in entry \(number + 1): '\(entry.id)'")
            }
            names[title] = entry.name
        }
    }

    /// Hexadecimal digits, with `0x` or without.
    private static func title(_ text: String) -> TitleID? {
        let digits = text.lowercased().hasPrefix("0x") ? text.dropFirst(2) : text[...]
        guard digits.count <= 16, digits.allSatisfy(\.isHexDigit) else { return nil }
        return UInt64(digits, radix: 16).map { TitleID($0) }
    }
}
