import Foundation

/// The files below a folder, by absolute path.
///
/// Folders are entered so many levels deep, and so many files taken. A link is taken for the file it leads to if that is
/// below the folder too; links to folders are not followed, for they can go round.
struct FolderScan {
    private(set) var files: [String] = []
    /// Whether there was more than is taken.
    private(set) var isCut = false
    private let root: String
    private let maxDepth: Int
    private let maxFiles: Int

    /// Throws if the folder itself cannot be read.
    init(_ folder: String, maxDepth: Int = 8, maxFiles: Int = 100_000) throws {
        root = URL(filePath: folder).resolvingSymlinksInPath().path
        self.maxDepth = maxDepth
        self.maxFiles = maxFiles
        try scan(root, depth: 0)
    }

    private mutating func scan(_ folder: String, depth: Int) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            // No request can name it, and no log should show it.
            guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { continue }
            let path = "\(folder)/\(name)"
            let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            switch type {
            case .typeRegular:
                guard take(path) else { return }
            case .typeSymbolicLink where leadsToFileBelowRoot(path):
                guard take(path) else { return }
            case .typeDirectory:
                if depth + 1 < maxDepth { try? scan(path, depth: depth + 1) } else { isCut = true }
            default:
                break
            }
        }
    }

    private mutating func take(_ path: String) -> Bool {
        guard files.count < maxFiles else {
            isCut = true
            return false
        }
        files.append(path)
        return true
    }

    private func leadsToFileBelowRoot(_ link: String) -> Bool {
        let target = URL(filePath: link).resolvingSymlinksInPath().path
        let type = try? FileManager.default.attributesOfItem(atPath: target)[.type] as? FileAttributeType
        return target.hasPrefix(root + "/") && type == .typeRegular
    }
}
