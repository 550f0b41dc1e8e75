import Foundation
import LANBridge
import LANSockets
import Testing

@Suite("What ends of the tunnel keep in files")
struct KeptFilesTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lan-\(UUID().uuidString)").path

    private func clean() { try? FileManager.default.removeItem(atPath: folder) }

    @Test("an identity is made once, kept, and read by its owner alone")
    func identity() throws {
        defer { clean() }
        let path = folder + "/deep/identity.json"
        let made = try EndIdentity.loadOrMake(path)
        #expect(made.mac.isStation && made.mac.isLocal)
        #expect(made.key.count == 32)
        #expect(try EndIdentity.loadOrMake(path) == made)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try EndIdentity.loadOrMake(folder + "/other.json") != made)
    }

    @Test(
        "a file that is no identity is refused and stays as it is",
        arguments: ["", "{}", #"{"mac": "ff:ff:ff:ff:ff:ff", "key": "k"}"#, #"{"mac": "02:00:00:00:00", "key": "k"}"#])
    func badIdentity(text: String) throws {
        defer { clean() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/identity.json"
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8))
        #expect(throws: EndIdentity.Failure.self) { try EndIdentity.loadOrMake(path) }
        #expect(FileManager.default.contents(atPath: path) == Data(text.utf8))
    }

    @Test("a journal is there as long as there is something to undo, and what runs is left alone")
    func journal() throws {
        defer { clean() }
        let journal = ChangeJournal(folder: folder)
        let files = { try FileManager.default.contentsOfDirectory(atPath: folder) }
        #expect(try files().isEmpty)
        journal.add(.joining, of: Link("no-such-card"))
        #expect(try files().count == 1)
        // This process runs, so its changes are no leftovers.
        #expect(ChangeJournal.undoLeftovers(folder: folder).isEmpty)
        #expect(try files().count == 1)
        journal.restoreOffloads()
        #expect(try files().isEmpty)
    }

    @Test("files that are no journals are passed over")
    func strangeJournals() throws {
        defer { clean() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: folder + "/1.json", contents: Data("{".utf8))
        _ = FileManager.default.createFile(atPath: folder + "/2.json", contents: Data())
        #expect(ChangeJournal.undoLeftovers(folder: folder).isEmpty)
        #expect(ChangeJournal.undoLeftovers(folder: folder + "/nowhere").isEmpty)
    }
}
