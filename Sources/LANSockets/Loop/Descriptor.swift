import Glibc

/// Closes what the system opened; its own name, since `close` is a verb of nearly everything here.
enum Descriptor {
    static func close(_ descriptor: CInt) { _ = Glibc.close(descriptor) }
}
