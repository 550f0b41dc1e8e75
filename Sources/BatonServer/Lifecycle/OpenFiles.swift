import CLinuxNet

/// The file descriptors this process may have.
enum OpenFiles {
    /// What the server needs beside its connections: listeners, event loops, files, HTTP.
    static let reserve = 64

    /// Raises the limit as far as the system allows and returns it.
    static func raiseLimit() -> Int {
        let limit = clinuxnet_raise_open_files()
        return limit > 0 ? limit : 1024
    }
}
