import Foundation

/// What the kernel says of this process.
struct ProcessFigures {
    var residentBytes: Int
    var openFiles: Int
    var threads: Int

    static var current: ProcessFigures? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        func figure(_ key: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
            return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
        }
        return ProcessFigures(residentBytes: figure("VmRSS") * 1024, openFiles: files.count, threads: figure("Threads"))
    }
}
