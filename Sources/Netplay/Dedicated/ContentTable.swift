/// A file that a core can load.
public struct ContentFile: Hashable, Sendable {
    public var path: String
    /// Its name without folder and extension.
    public var baseName: String
    /// In lower case, without the dot.
    public var pathExtension: String

    /// `nil` for a name without an extension.
    public init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex, dot != name.index(before: name.endIndex) else {
            return nil
        }
        self.path = path
        baseName = String(name[..<dot])
        pathExtension = name[name.index(after: dot)...].lowercased()
    }
}

/// The files that may be hosted, by name. A request finds an entry of this table or nothing: no part of what it says
/// ever becomes a path.
public struct ContentTable: Sendable {
    private var files: [String: [ContentFile]] = [:]

    public init(_ all: some Sequence<ContentFile>) {
        for file in all.sorted(by: { $0.path < $1.path }) { files[file.baseName, default: []].append(file) }
    }

    public var count: Int { files.values.reduce(0) { $0 + $1.count } }

    /// The files of a name that a core loads, in the order of their paths.
    public func files(named baseName: String, for core: CoreDescription) -> [ContentFile] {
        (files[baseName] ?? []).filter { core.extensions.contains($0.pathExtension) }
    }
}
