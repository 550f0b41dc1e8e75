import Foundation
import Glibc
import NIOConcurrencyHelpers

/// Where lines of the log go: standard error, or a file that is opened anew when asked for, since another program may have
/// moved it away.
package final class LogOutput: Sendable {
    private let file: NIOLockedValueBox<(path: String, descriptor: Int32)?>

    /// - Parameter path: of the file; `nil` is standard error.
    package init(path: String?) throws {
        file = NIOLockedValueBox(try path.map { ($0, try Self.open($0)) })
    }

    deinit {
        if let file = file.withLockedValue({ $0 }) { close(file.descriptor) }
    }

    /// Writes a text in one piece. What the file does not take goes to standard error.
    package func write(_ text: String) {
        let isWritten = file.withLockedValue { file in
            file.map { writeAll(text, to: $0.descriptor) } ?? false
        }
        if !isWritten { StandardError.write(text) }
    }

    /// Opens the file of this path, which may be the one it has; if it cannot, nothing changes.
    func reopen(_ path: String?) throws {
        let next = try path.map { ($0, try Self.open($0)) }
        let last = file.withLockedValue { file in
            defer { file = next }
            return file
        }
        if let last { close(last.descriptor) }
    }

    private static func open(_ path: String) throws -> Int32 {
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw BatonError(.storage, "log.file: \(path) cannot be written to: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
