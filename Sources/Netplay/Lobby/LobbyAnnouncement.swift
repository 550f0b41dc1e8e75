/// What a host says of its room in `POST /add`.
public struct LobbyAnnouncement: Sendable, Equatable {
    /// The relay a host says it is reached through.
    public struct RelayChoice: Sendable, Equatable {
        /// A name of the relay table, or `custom`.
        public var name: String
        /// The session's id, as the tunnel gave it: standard Base64.
        public var session: String
        /// Where a relay of the host's own is; only for `custom`.
        public var custom: LobbyRelay?
    }

    public var username: String
    public var coreName: String
    public var coreVersion: String
    public var gameName: String
    /// In upper case.
    public var gameCRC: String
    public var port: UInt16
    public var hasPassword: Bool
    public var hasSpectatePassword: Bool
    public var retroarchVersion: String
    public var frontend: String
    public var subsystemName: String
    /// `nil` for a host that is connected to directly.
    public var relay: RelayChoice?
    /// -1 where the host does not say.
    public var playerCount: Int16
    /// -1 where the host does not say.
    public var spectatorCount: Int16

    /// Reads and checks a form. All that others will see on their screens or in line-based answers is printable: ASCII,
    /// but for the name of the game, whose control characters become spaces.
    public init(_ form: FormFields) throws(LobbyRefusal) {
        let name = try form.ascii(.username, atMost: 32)
        username = name.isEmpty ? "Anonymous" : name
        coreName = try form.ascii(.coreName, atMost: 255)
        coreVersion = try form.ascii(.coreVersion, atMost: 255)
        gameName = try form.text(.gameName, atMost: 255).withoutControls
        gameCRC = try form.ascii(.gameCRC, atMost: 8).uppercased()
        guard gameCRC.utf8.count == 8 else { throw .badField(.gameCRC) }
        port = try form.number(.port, absent: 0)
        guard port > 0 else { throw .badField(.port) }
        hasPassword = try form.flag(.hasPassword)
        hasSpectatePassword = try form.flag(.hasSpectatePassword)
        retroarchVersion = try form.ascii(.retroarchVersion, atMost: 32)
        frontend = try form.ascii(.frontend, atMost: 255)
        subsystemName = try form.ascii(.subsystemName, atMost: 255)
        playerCount = try form.number(.playerCount, absent: -1)
        spectatorCount = try form.number(.spectatorCount, absent: -1)
        relay = try RelayChoice(form)
    }
}

extension LobbyAnnouncement.RelayChoice {
    static let custom = "custom"

    /// `nil` unless the form says that a relay must be used, which one and under which session.
    fileprivate init?(_ form: FormFields) throws(LobbyRefusal) {
        let (isForced, name) = (try form.flag(.forceRelay), try form.ascii(.relayName, atMost: 255))
        let session = try form.ascii(.relaySession, atMost: 32)
        let address = try form.ascii(.customRelayAddress, atMost: 255)
        let port: UInt16 = try form.number(.customRelayPort, absent: 0)
        if !address.isEmpty, !LobbyRelay.isHost(address) { throw .badField(.customRelayAddress) }
        guard isForced, !name.isEmpty, !session.isEmpty else { return nil }
        self.name = name
        self.session = session
        guard name == Self.custom else { return }
        guard !address.isEmpty, port > 0 else { return nil }
        custom = LobbyRelay(host: address, port: port)
    }
}

extension FormFields {
    fileprivate func text(_ field: LobbyField, atMost limit: Int) throws(LobbyRefusal) -> String {
        let text = self[field.rawValue] ?? ""
        guard text.utf8.count <= limit else { throw .badField(field) }
        return text
    }

    fileprivate func ascii(_ field: LobbyField, atMost limit: Int) throws(LobbyRefusal) -> String {
        let text = try text(field, atMost: limit)
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { throw .badField(field) }
        return text
    }

    /// An empty field counts as an absent one.
    fileprivate func number<Number: FixedWidthInteger>(
        _ field: LobbyField, absent: Number
    ) throws(LobbyRefusal) -> Number {
        let text = self[field.rawValue] ?? ""
        if text.isEmpty { return absent }
        guard let number = Number(text) else { throw .badField(field) }
        return number
    }

    fileprivate func flag(_ field: LobbyField) throws(LobbyRefusal) -> Bool {
        switch self[field.rawValue] ?? "" {
        case "1", "t", "T", "true", "True", "TRUE": true
        case "", "0", "f", "F", "false", "False", "FALSE": false
        default: throw .badField(field)
        }
    }
}

extension String {
    /// With spaces instead of characters that would end a line or move a cursor.
    fileprivate var withoutControls: String {
        let scalars = unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: Unicode.Scalar(0x20 as UInt8)
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
