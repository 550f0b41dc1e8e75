import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Netplay

/// A core that may be hosted.
struct CoreFile: Sendable {
    var path: String
    var description: CoreDescription

    var folder: String { (path as NSString).deletingLastPathComponent }
    /// `nestopia_libretro`
    var moduleName: String { ((path as NSString).lastPathComponent as NSString).deletingPathExtension }
}

/// What a request leads to: the files a host runs with.
struct HostPlan: Sendable {
    var core: CoreFile
    var content: ContentFile
    var crc: UInt32
}

/// The cores and games that may be hosted, by name: indexed once, and again on a reload. Requests are looked up in its
/// tables and never reach the file system.
final class HostLibrary: Sendable {
    private struct Tables: Sendable {
        /// By name in lower case, for that is how netplay compares them.
        var cores: [String: CoreFile]
        var content: ContentTable
    }

    /// A file whose checksum is known, as it was then.
    private struct Checked {
        var modified: Date?
        var size: Int?
        var crc: UInt32
    }

    private let tables: NIOLockedValueBox<Tables>
    private let checksums = NIOLockedValueBox<[String: Checked]>([:])

    /// Throws `BatonError` if a folder is missing or cannot be read.
    init(_ section: Configuration.Dedicated, logger: Logger) async throws {
        tables = NIOLockedValueBox(try await Self.index(section, logger))
    }

    /// Looks at the folders again.
    func refresh(_ section: Configuration.Dedicated, logger: Logger) async throws {
        let fresh = try await Self.index(section, logger)
        tables.withLockedValue { $0 = fresh }
        checksums.withLockedValue { $0.removeAll() }
    }

    /// Finds what a request asks for.
    func plan(for request: HostingRequest) async throws(HostEnd) -> HostPlan {
        let tables = tables.withLockedValue { $0 }
        guard let core = tables.cores[request.coreName.lowercased()] else { throw .unknownCore }
        for file in tables.content.files(named: request.fileName, for: core.description) {
            guard let crc = await checksum(of: file.path) else { continue }
            if request.crc == 0 || request.crc == crc { return HostPlan(core: core, content: file, crc: crc) }
        }
        throw .unknownContent
    }

    // MARK: Checksums

    /// `nil` if the file cannot be read.
    private func checksum(of path: String) async -> UInt32? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let modified = attributes?[.modificationDate] as? Date
        let size = (attributes?[.size] as? NSNumber)?.intValue
        let known = checksums.withLockedValue { $0[path] }
        if let known, known.modified == modified, known.size == size { return known.crc }
        let crc = try? await NIOThreadPool.singleton.runIfActive { try Self.read(path) }
        if let crc { checksums.withLockedValue { $0[path] = Checked(modified: modified, size: size, crc: crc) } }
        return crc
    }

    private static func read(_ path: String) throws -> UInt32 {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }
        var checksum = ContentChecksum()
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
            piece.withUnsafeBytes { checksum.add($0) }
        }
        return checksum.value
    }

    // MARK: Folders

    private static func index(_ section: Configuration.Dedicated, _ logger: Logger) async throws -> Tables {
        let cores = try folder(section.cores, or: usualCores, "cores")
        let info = try folder(section.coreInfo, or: ["/usr/share/libretro/info"], "core_info")
        let content = try folder(section.content, or: [], "content")
        let tables = try await NIOThreadPool.singleton.runIfActive {
            let scan = try scan(content, "content")
            if scan.isCut {
                logger.warning(
                    "netplay.dedicated.content holds more, or deeper, than is looked at",
                    metadata: ["event": "content_cut", "files": "\(scan.files.count)"])
            }
            return Tables(
                cores: try coreFiles(in: cores, info: info),
                content: ContentTable(scan.files.compactMap(ContentFile.init)))
        }
        logger.notice(
            "content indexed",
            metadata: [
                "event": "content_indexed", "cores": "\(tables.cores.count)", "files": "\(tables.content.count)",
            ])
        return tables
    }

    private static let usualCores = [
        "/usr/lib/x86_64-linux-gnu/libretro", "/usr/lib/aarch64-linux-gnu/libretro", "/usr/lib/libretro",
    ]

    private static func folder(_ given: String?, or usual: [String], _ key: String) throws -> String {
        let candidates = given.map { [$0] } ?? usual
        for path in candidates {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
                return URL(filePath: path).resolvingSymlinksInPath().path
            }
        }
        throw BatonError(
            .unavailable, "netplay.dedicated.\(key): there is no folder \(candidates.joined(separator: " or "))")
    }

    private static func scan(_ folder: String, _ key: String) throws -> FolderScan {
        do {
            return try FolderScan(folder)
        } catch {
            throw BatonError(.unavailable, "netplay.dedicated.\(key): cannot read \(folder)", cause: error)
        }
    }

    private static func coreFiles(in folder: String, info: String) throws -> [String: CoreFile] {
        let modules = try scan(folder, "cores").files.filter { $0.hasSuffix(".so") }
        var cores: [String: CoreFile] = [:]
        for module in modules.sorted() {
            let name = ((module as NSString).lastPathComponent as NSString).deletingPathExtension
            let file = "\(info)/\(name).info"
            guard let text = try? readText(ofFile: file, atMost: 256 << 10), let description = CoreDescription(text),
                description.hasSavestates, cores[description.name.lowercased()] == nil
            else { continue }
            cores[description.name.lowercased()] = CoreFile(path: module, description: description)
        }
        return cores
    }
}
