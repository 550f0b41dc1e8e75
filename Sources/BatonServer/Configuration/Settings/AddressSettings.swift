import RelayCore

extension Endpoint: SettingValue {
    static var kind: String { "an address and a port such as 0.0.0.0:5300 or [::]:5300" }

    init(setting text: String) throws(BadValue) {
        guard let colon = text.lastIndex(of: ":") else {
            throw BadValue(advice: IPAddress(text) == nil ? nil : "the port is missing")
        }
        let host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !host.isEmpty else { throw BadValue(advice: "write 0.0.0.0\(text) for every IPv4 address") }
        self.init(address: try Endpoint.address(in: host), port: 0)
        guard digits.utf8.allSatisfy(\.isASCIIDigit), let port = UInt16(digits) else {
            throw BadValue(advice: "a port is a number up to 65535")
        }
        self.port = port
    }

    private static func address(in host: Substring) throws(BadValue) -> IPAddress {
        if host.hasPrefix("["), host.hasSuffix("]") {
            guard host.contains(":"), let address = IPAddress(host.dropFirst().dropLast()) else { throw BadValue() }
            return address
        }
        if host.contains(":") { throw BadValue(advice: "an IPv6 address needs brackets") }
        guard let address = IPAddress(host) else { throw BadValue(advice: "names of hosts are not looked up") }
        return address
    }

    var settingText: String { description }
}

extension IPPrefix: SettingValue {
    static var kind: String { "an address or a block of them such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32" }

    init(setting text: String) throws(BadValue) {
        guard let prefix = IPPrefix(text) else { throw BadValue() }
        self = prefix
    }

    var settingText: String { description }
}
