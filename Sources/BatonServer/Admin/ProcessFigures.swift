import CLinuxNet
import Foundation
import Glibc

/// What the kernel says of this process.
struct ProcessFigures {
    var residentBytes: Int
    var virtualBytes: Int
    var openFiles: Int
    var mostFiles: Int
    var threads: Int
    /// Processor time of all threads, in seconds.
    var processorSeconds: Double
    /// Seconds since 1970.
    var startTime: Double

    /// When this process began, as far as the first question tells: its age does not change.
    private static let start: Double? = {
        guard let ticks = fields(of: "/proc/self/stat")?.dropFirst(19).first.flatMap(Double.init),
            let uptime = text("/proc/uptime")?.split(separator: " ").first.flatMap({ Double($0) })
        else { return nil }
        return Date.now.timeIntervalSince1970 - uptime + ticks / ticksPerSecond
    }()

    private static var ticksPerSecond: Double { Double(max(1, sysconf(Int32(_SC_CLK_TCK)))) }

    static var current: ProcessFigures? {
        guard let status = text("/proc/self/status"), let stat = fields(of: "/proc/self/stat"), stat.count > 12,
            let openFiles
        else { return nil }
        func figure(_ key: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
            return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // User time and system time are the fields 14 and 15, the state being the third.
        let ticks = [stat[11], stat[12]].reduce(0) { $0 + (Double($1) ?? 0) }
        return ProcessFigures(
            residentBytes: figure("VmRSS") * 1024, virtualBytes: figure("VmSize") * 1024, openFiles: openFiles,
            mostFiles: Int(clamping: limit.rlim_cur), threads: figure("Threads"),
            processorSeconds: ticks / ticksPerSecond, startTime: start ?? 0)
    }

    /// Since Linux 6.2 the folder's size is the number of its entries; to list thousands takes the kernel milliseconds.
    private static var openFiles: Int? {
        var folder = clinuxnet_file_state()
        if clinuxnet_file_state("/proc/self/fd/", &folder) != 0, folder.size > 0 { return Int(folder.size) }
        return (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count
    }

    /// What follows the program's name, which may hold anything.
    private static func fields(of path: String) -> [Substring]? {
        text(path)?.split(separator: ")").last?.split(separator: " ")
    }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
