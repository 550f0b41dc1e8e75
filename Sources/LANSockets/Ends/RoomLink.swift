import LANBridge
package import QUICTransport

/// All that somebody needs to join a room, as one word: `baton://[SECRET@]HOST[:PORT]/ROOM[#FINGERPRINT]`.
///
/// Without a fingerprint the relay's certificate must be signed by an authority that the system trusts.
package struct RoomLink: Sendable, Equatable, CustomStringConvertible {
    package static let defaultPort: UInt16 = 4443
    private static let scheme = "baton://"

    /// A name, an IPv4 address, or an IPv6 address without brackets.
    package var host: String
    package var port: UInt16
    package var room: String
    /// The room's password, or a token.
    package var secret: String?
    package var fingerprint: CertificateFingerprint?

    package init(
        host: String, port: UInt16 = RoomLink.defaultPort, room: String, secret: String? = nil,
        fingerprint: CertificateFingerprint? = nil
    ) {
        self.host = host
        self.port = port
        self.room = room
        self.secret = secret
        self.fingerprint = fingerprint
    }

    /// `nil` if it is no such link.
    package init?(_ text: String) {
        guard text.lowercased().hasPrefix(Self.scheme) else { return nil }
        var rest = text.dropFirst(Self.scheme.count)
        var fingerprint: CertificateFingerprint?
        if let hash = rest.firstIndex(of: "#") {
            guard let pin = CertificateFingerprint(rest[rest.index(after: hash)...]) else { return nil }
            fingerprint = pin
            rest = rest[..<hash]
        }
        guard let slash = rest.lastIndex(of: "/") else { return nil }
        let room = String(rest[rest.index(after: slash)...])
        guard LANRelayEngine.isRoomName(room) else { return nil }
        rest = rest[..<slash]
        var secret: String?
        if let at = rest.lastIndex(of: "@") {
            guard let decoded = Self.decoded(rest[..<at]), !decoded.isEmpty else { return nil }
            secret = decoded
            rest = rest[rest.index(after: at)...]
        }
        guard let (host, port) = Self.place(rest) else { return nil }
        self.init(host: host, port: port, room: room, secret: secret, fingerprint: fingerprint)
    }

    /// Parses `HOST`, `HOST:PORT`, `ADDRESS` and `[ADDRESS]:PORT`.
    package static func place(_ text: Substring) -> (host: String, port: UInt16)? {
        var host = text
        var port = defaultPort
        if text.hasPrefix("["), let bracket = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()) else { return nil }
                port = number
            }
        } else if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") {
            guard let number = UInt16(text[text.index(after: colon)...]) else { return nil }
            host = text[..<colon]
            port = number
        }
        let isPlain = host.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: ".:-_".utf8.contains(octet)
            }
        }
        return isPlain && !host.isEmpty && port > 0 ? (String(host), port) : nil
    }

    package var description: String {
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let before = secret.map { Self.encoded($0) + "@" } ?? ""
        return Self.scheme + before + place + "/" + room + (fingerprint.map { "#\($0)" } ?? "")
    }

    /// As in URLs (RFC 3986, section 2.1).
    private static func encoded(_ text: String) -> String {
        text.utf8.map { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: return String(UnicodeScalar(octet))
            default: return "%" + (octet < 16 ? "0" : "") + String(octet, radix: 16)
            }
        }.joined()
    }

    private static func decoded(_ text: Substring) -> String? {
        var octets: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let octet = rest.popFirst() {
            guard octet == UInt8(ascii: "%") else {
                octets.append(octet)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            octets.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: octets, as: UTF8.self)
    }
}
