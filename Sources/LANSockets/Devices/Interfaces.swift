import Glibc

/// What the system says of all interfaces together.
enum Interfaces {
    /// Whether an interface has an IPv4 address.
    static func hasIPv4(_ name: String) -> Bool {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return false }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            let isIPv4 = entry.pointee.ifa_addr.map { Int32($0.pointee.sa_family) == AF_INET } ?? false
            if isIPv4, String(cString: entry.pointee.ifa_name) == name { return true }
            next = entry.pointee.ifa_next
        }
        return false
    }
}
