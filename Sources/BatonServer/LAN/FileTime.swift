import CLinuxNet

/// When a file was changed last, and which file it is.
struct FileTime: Equatable, Sendable {
    private let node: UInt64
    private let seconds: Int64
    private let nanoseconds: Int64

    /// `nil` if there is no such file.
    init?(of path: String) {
        var state = clinuxnet_file_state()
        guard clinuxnet_file_state(path, &state) == 1 else { return nil }
        node = state.node
        seconds = state.seconds
        nanoseconds = state.nanoseconds
    }
}
