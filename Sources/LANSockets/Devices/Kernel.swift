import Glibc

/// Settings of the kernel's, by their path below `/proc/sys`.
enum Kernel {
    /// Returns whether it was taken.
    @discardableResult
    static func set(_ path: String, _ value: String) -> Bool {
        let descriptor = open("/proc/sys/" + path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Descriptor.close(descriptor) }
        return write(descriptor, value, value.utf8.count) == value.utf8.count
    }
}
