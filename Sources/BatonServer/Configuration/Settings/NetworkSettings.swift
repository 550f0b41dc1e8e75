/// A server by name or address, and its port.
package struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ServerAddress: SettingValue {
    static var kind: String { "a host and a port such as relay.example.org:55435 or [2001:db8::1]:55435" }

    init(setting text: String) throws(BadValue) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw BadValue(advice: "a port is a number up to 65535")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw BadValue(advice: "an IPv6 address needs brackets")
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2F && $0 != 0x7C }) else {
            throw BadValue()
        }
        self.init(host: String(host), port: port)
    }

    var settingText: String { description }
}

/// Where a lobby's pages are.
package struct LobbyAddress: Sendable, Hashable {
    /// Without a slash at its end.
    package var text: String

    package init(text: String) {
        self.text = text
    }
}

extension LobbyAddress: SettingValue {
    static var kind: String { "an address such as http://lobby.example.org" }

    init(setting text: String) throws(BadValue) {
        let scheme = ["http://", "https://"].first { text.hasPrefix($0) }
        let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"?#\"".utf8.contains($0) }
        guard let scheme, isPlain, text.dropFirst(scheme.count).first.map({ $0 != "/" }) == true else {
            throw BadValue()
        }
        self.init(text: String(text.reversed().drop { $0 == "/" }.reversed()))
    }

    var settingText: String { text }
}

/// Ports that follow each other.
struct PortRange: Equatable {
    var ports: ClosedRange<UInt16>
}

extension PortRange: SettingValue {
    static var kind: String { "a range of ports such as 55500-55599" }

    init(setting text: String) throws(BadValue) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard ends.count == 1 || ends.count == 2, let low = ends[0], let high = ends[ends.count - 1], low > 0,
            low <= high
        else { throw BadValue() }
        ports = low...high
    }

    var settingText: String {
        ports.lowerBound == ports.upperBound ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }
}

extension ClosedRange<UInt16> {
    /// The range as a setting.
    var asPortRange: PortRange {
        get { PortRange(ports: self) }
        set { self = newValue.ports }
    }
}
