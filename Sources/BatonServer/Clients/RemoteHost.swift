package import RelayCore

/// A machine somebody named: a host name or an IP address, and a port.
package struct RemoteHost: Sendable, Hashable, CustomStringConvertible {
    /// Without brackets, also where it is an IPv6 address.
    package var name: String
    package var port: UInt16

    /// `nil` if `name` is neither a host's name nor an address.
    package init?(name: String, port: UInt16) {
        guard Self.isName(name) || IPAddress(name) != nil else { return nil }
        self.name = name
        self.port = port
    }

    /// Where a client on this machine finds a listener; `nil` while its port is not known.
    init?(nearby listener: Endpoint) {
        guard listener.port != 0 else { return nil }
        switch listener.address {
        case IPAddress(ipv4: 0): self.init(name: "127.0.0.1", port: listener.port)
        case IPAddress(high: 0, low: 0): self.init(name: "::1", port: listener.port)
        default: self.init(name: "\(listener.address)", port: listener.port)
        }
    }

    /// Parses `HOST`, `HOST:PORT`, `ADDRESS` and `[ADDRESS]:PORT`; `nil` for anything else.
    package init?(_ text: String, defaultPort: UInt16) {
        let name: Substring
        let rest: Substring
        if text.hasPrefix("["), let bracket = text.firstIndex(of: "]") {
            name = text[..<bracket].dropFirst()
            rest = text[bracket...].dropFirst()
            guard name.contains(":") else { return nil }
        } else if IPAddress(text) != nil {
            (name, rest) = (text[...], "")
        } else {
            name = text.prefix { $0 != ":" }
            rest = text.dropFirst(name.count)
        }
        guard !rest.isEmpty else {
            self.init(name: String(name), port: defaultPort)
            return
        }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy(\.isASCIIDigit), let port = UInt16(digits) else { return nil }
        self.init(name: String(name), port: port)
    }

    /// Whether this can be a host's name. Nothing that a shell or a command line could take for something else can.
    private static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 253, first.isASCIIDigit || first.isASCIILetter
        else { return false }
        return text.utf8.allSatisfy {
            $0.isASCIIDigit || $0.isASCIILetter
                || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains($0)
        }
    }

    /// `relay.example.org:55435` or `[2001:db8::1]:55435`.
    package var description: String {
        name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
    }

    /// The address and port, where no name needs to be looked up.
    package var endpoint: Endpoint? {
        IPAddress(name).map { Endpoint(address: $0, port: port) }
    }
}

extension UInt8 {
    fileprivate var isASCIILetter: Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20
    }
}
