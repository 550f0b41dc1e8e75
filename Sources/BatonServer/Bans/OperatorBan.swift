import RelayCore

/// Somebody who is kept out, as operators make bans while the server runs.
struct Ban: Sendable, Equatable {
    /// What it is about.
    enum Subject: String, CaseIterable, Codable, Sendable {
        /// An address or a block of them, in every protocol.
        case address
        /// What a protocol calls a peer: an id, a nick. A pattern: `*` and `?` stand for others.
        case name
        /// A room's name in its protocol; a pattern too.
        case room
    }

    /// Two bans of one target are one.
    struct Target: Hashable, Sendable {
        var subject: Subject
        /// An address in its usual form, or a pattern.
        var value: String
        /// `nil` is every protocol.
        var protocolName: String?

        /// `nil` if the value is none of its subject.
        init?(_ subject: Subject, _ value: String, protocolName: String?) {
            self.subject = subject
            self.protocolName = protocolName
            switch subject {
            case .address:
                guard protocolName == nil, let prefix = IPPrefix(value) else { return nil }
                self.value = prefix.description
            case .name, .room:
                let isShort = (1...Ban.longestText).contains(value.utf8.count)
                guard isShort, !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                    return nil
                }
                self.value = value
            }
        }
    }

    static let longestText = 256

    /// 12 hexadecimal digits.
    var id: String
    var target: Target
    var reason: String
    /// The name of the token that made it.
    var author: String
    var created: Timestamp
    /// `nil` is for ever.
    var expires: Timestamp?

    static func newID() -> String {
        let digits = String(UInt64.random(in: 0..<(1 << 48)), radix: 16)
        return String(repeating: "0", count: 12 - digits.count) + digits
    }

    func isOver(at date: Timestamp) -> Bool { expires.map { $0 <= date } ?? false }
}
