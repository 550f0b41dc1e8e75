/// What the `.info` file of a libretro core says of it: lines of `key = "value"`.
public struct CoreDescription: Equatable, Sendable {
    /// What both ends of netplay must agree on, whatever the case of its letters.
    public var name: String
    /// The version it had when the file was written.
    public var version: String
    /// The extensions of the files it loads, in lower case, without dots.
    public var extensions: Set<String>
    /// Whether it can save and load its whole state, without which there is no netplay.
    public var hasSavestates: Bool
    private var lines: [String]

    /// `nil` if no name is in it.
    public init?(_ text: String) {
        lines = text.split(whereSeparator: \.isNewline).map(String.init)
        let settings = Dictionary(lines.compactMap(Self.setting), uniquingKeysWith: { first, _ in first })
        guard let name = settings["corename"], !name.isEmpty else { return nil }
        self.name = name
        version = settings["display_version"] ?? ""
        extensions = Set((settings["supported_extensions"] ?? "").lowercased().split(separator: "|").map(String.init))
        hasSavestates = settings["savestate"] != "false" && settings[Self.levelKey] != "basic"
    }

    /// The file with which RetroArch agrees to host. It demands "deterministic", but files of distributions lag behind
    /// the cores and say less; whoever offers a core for hosting has decided that.
    public var textForHosting: String {
        let others = lines.filter { Self.setting($0)?.0 != Self.levelKey }
        return (others + ["\(Self.levelKey) = \"deterministic\"", ""]).joined(separator: "\n")
    }

    private static let levelKey = "savestate_features"

    private static func setting(_ line: String) -> (String, String)? {
        let parts = line.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, !line.hasPrefix("#") else { return nil }
        let value = parts[1].drop { $0 != "\"" }.dropFirst().prefix { $0 != "\"" }
        return (String(parts[0].filter { !$0.isWhitespace }), String(value))
    }
}
