import Glibc

/// The process's standard output stream, for what somebody may wait for: nothing of it stays in a buffer.
package enum StandardOutput {
    /// Writes a text in one piece; what nobody reads any more is lost.
    package static func write(_ text: String) {
        writeAll(text, to: STDOUT_FILENO)
    }
}

/// The process's standard error stream.
package enum StandardError {
    /// Writes a text in one piece; what cannot be written is lost, as nobody is left to tell.
    package static func write(_ text: String) {
        writeAll(text, to: STDERR_FILENO)
    }
}

/// Whether all of it was written.
@discardableResult
func writeAll(_ text: String, to stream: Int32) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
        var rest = UnsafeRawBufferPointer(bytes)
        while !rest.isEmpty {
            let count = Glibc.write(stream, rest.baseAddress, rest.count)
            guard count > 0 || errno == EINTR else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(0, count)))
        }
        return true
    }
}
