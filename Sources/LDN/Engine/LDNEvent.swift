public import RelayCore

/// What an operator may want to know of a master; never one per packet that was relayed.
public enum LDNEvent: Hashable, EngineEvent {
    case networkOpened(PeerID, SessionID, title: TitleID, isP2P: Bool, name: String)
    case playerJoined(PeerID, SessionID, nodeID: Int, name: String)
    /// A player left, or its connection ended.
    case playerLeft(PeerID, SessionID)
    /// The host put a player out.
    case playerRejected(PeerID, SessionID)
    /// The host told that a player left its P2P proxy.
    case proxyLeft(PeerID, SessionID)
    case networkClosed(SessionID)
    /// A host's P2P proxy cannot be reached: the master relays.
    case portUnreachable(PeerID, Endpoint)
    /// A request was not acted upon.
    case refused(PeerID, LDNRefusal)

    public var name: String {
        switch self {
        case .networkOpened: "network_opened"
        case .playerJoined: "player_joined"
        case .playerLeft: "player_left"
        case .playerRejected: "player_rejected"
        case .proxyLeft: "proxy_left"
        case .networkClosed: "network_closed"
        case .portUnreachable: "port_unreachable"
        case .refused(_, let refusal): refusal.rawValue
        }
    }

    public var peer: PeerID? {
        switch self {
        case .networkOpened(let peer, _, _, _, _), .playerJoined(let peer, _, _, _), .playerLeft(let peer, _),
            .playerRejected(let peer, _), .proxyLeft(let peer, _), .portUnreachable(let peer, _), .refused(let peer, _):
            peer
        case .networkClosed:
            nil
        }
    }

    public var naming: PeerNaming? {
        switch self {
        case .networkOpened(_, let id, _, _, let name), .playerJoined(_, let id, _, let name):
            PeerNaming(name: name, room: id.description)
        default: nil
        }
    }

    public var message: String {
        switch self {
        case .networkOpened(_, let id, let title, let isP2P, _):
            "a host opened network \(id) of title \(title), \(isP2P ? "P2P" : "relayed")"
        case .playerJoined(_, let id, let nodeID, _): "a player took place \(nodeID) of network \(id)"
        case .playerLeft(_, let id): "a player left network \(id)"
        case .playerRejected(_, let id): "the host of network \(id) put a player out"
        case .proxyLeft(_, let id): "a player left the P2P proxy of network \(id)"
        case .networkClosed(let id): "network \(id) ended"
        case .portUnreachable(_, let endpoint): "the P2P proxy at port \(endpoint.port) cannot be reached"
        case .refused(_, let refusal): "a request was refused: \(refusal.sentence)"
        }
    }
}

/// Why a request is not acted upon. The raw value is the word that is counted.
public enum LDNRefusal: String, Error, CaseIterable {
    case createUninitialized = "create_uninitialized"
    case alreadyInNetwork = "already_in_network"
    case goingDown = "going_down"
    case networksFull = "networks_full"
    case createTooFast = "create_too_fast"
    case idTaken = "id_taken"
    case advertiseDataTooLong = "advertise_data_too_long"
    case joinUninitialized = "join_uninitialized"
    case joinTooFast = "join_too_fast"
    case networkUnknown = "network_unknown"
    case versionTooLow = "version_too_low"
    case versionTooHigh = "version_too_high"
    case networkFull = "network_full"
    case networkRejectsAll = "network_rejects_all"
    case rejectFailed = "reject_failed"
    case scanTooFast = "scan_too_fast"

    /// What the client is told; `nil` if it is told in another way.
    public var error: NetworkError? {
        switch self {
        case .createUninitialized, .alreadyInNetwork, .goingDown, .networksFull, .createTooFast, .idTaken,
            .advertiseDataTooLong:
            .unknown
        case .joinUninitialized, .joinTooFast: .connectFailure
        case .networkUnknown: .connectNotFound
        case .versionTooLow: .versionTooLow
        case .versionTooHigh: .versionTooHigh
        case .networkFull: .tooManyPlayers
        case .networkRejectsAll: .connectRejected
        case .rejectFailed: .rejectFailed
        case .scanTooFast: nil
        }
    }

    var sentence: String {
        switch self {
        case .createUninitialized: "to open a network before its Initialize"
        case .alreadyInNetwork: "to open a network while it is in one"
        case .goingDown: "to open a network while the server drains"
        case .networksFull: "to open a network beyond the most that are allowed"
        case .createTooFast: "to open networks so fast"
        case .idTaken: "to open a network under an id that another host uses"
        case .advertiseDataTooLong: "to open a network that advertises more than 384 bytes"
        case .joinUninitialized: "to join before its Initialize"
        case .joinTooFast: "to join so often"
        case .networkUnknown: "to join a network that there is not, or not under its passphrase"
        case .versionTooLow: "to join with an older version of the game"
        case .versionTooHigh: "to join with a newer version of the game"
        case .networkFull: "to join a network that is full"
        case .networkRejectsAll: "to join a network whose host rejects all"
        case .rejectFailed: "to put out a player that is not there, or not its own"
        case .scanTooFast: "to scan so often"
        }
    }
}

/// A game's number, shown as 16 upper-case hexadecimal digits.
public struct TitleID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    /// From the wire, where it is signed.
    public init(localCommunicationID: Int64) {
        rawValue = UInt64(bitPattern: localCommunicationID)
    }

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
