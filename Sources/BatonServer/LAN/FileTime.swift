import Glibc

/// When a file was changed last, and which file it is.
struct FileTime: Equatable, Sendable {
    private let node: UInt64
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` if there is no such file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        node = UInt64(status.st_ino)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
