// Numbers with a meaning. All are open: a client may send any value, and it is passed on as it came.

/// How a game protects its network; the relay only passes it on.
public struct SecurityMode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    public static let all = SecurityMode(rawValue: 0)
    public static let retail = SecurityMode(rawValue: 1)
    public static let debug = SecurityMode(rawValue: 2)
}

/// Whom a host lets in.
public struct AcceptPolicy: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let acceptAll = AcceptPolicy(rawValue: 0)
    public static let rejectAll = AcceptPolicy(rawValue: 1)
    public static let blackList = AcceptPolicy(rawValue: 2)
    public static let whiteList = AcceptPolicy(rawValue: 3)
}

/// What a scan compares.
public struct ScanFilterFlag: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let localCommunicationID = ScanFilterFlag(rawValue: 0x01)
    public static let sessionID = ScanFilterFlag(rawValue: 0x02)
    public static let networkType = ScanFilterFlag(rawValue: 0x04)
    public static let macAddress = ScanFilterFlag(rawValue: 0x08)
    public static let ssid = ScanFilterFlag(rawValue: 0x10)
    public static let sceneID = ScanFilterFlag(rawValue: 0x20)
}

/// Why a player had to go.
public struct DisconnectReason: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let none = DisconnectReason(rawValue: 0)
    public static let disconnectedByUser = DisconnectReason(rawValue: 1)
    public static let disconnectedBySystem = DisconnectReason(rawValue: 2)
    public static let destroyedByUser = DisconnectReason(rawValue: 3)
    public static let destroyedBySystem = DisconnectReason(rawValue: 4)
    public static let rejected = DisconnectReason(rawValue: 5)
    public static let signalLost = DisconnectReason(rawValue: 6)
}

/// Why the master does not do what was asked.
public struct NetworkError: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let none = NetworkError(rawValue: 0)
    public static let portUnreachable = NetworkError(rawValue: 1)
    public static let tooManyPlayers = NetworkError(rawValue: 2)
    public static let versionTooLow = NetworkError(rawValue: 3)
    public static let versionTooHigh = NetworkError(rawValue: 4)
    public static let connectFailure = NetworkError(rawValue: 5)
    public static let connectNotFound = NetworkError(rawValue: 6)
    public static let connectTimeout = NetworkError(rawValue: 7)
    public static let connectRejected = NetworkError(rawValue: 8)
    public static let rejectFailed = NetworkError(rawValue: 9)
    public static let unknown = NetworkError(rawValue: -1)
}

/// What a game's socket speaks: IANA's numbers.
public struct TransportProtocol: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let tcp = TransportProtocol(rawValue: 6)
    public static let udp = TransportProtocol(rawValue: 17)
}
