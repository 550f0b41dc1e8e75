public import RelayCore

/// Why the relay does not let an endpoint in.
public enum HelloRefusal: String, Error, CaseIterable, Sendable {
    case badVersion = "bad_version"
    case badRoom = "bad_room"
    case badMAC = "bad_mac"
    case badBudget = "bad_budget"
    case unknownRoom = "unknown_room"
    case wrongPassword = "wrong_password"
    case tooManyFailures = "too_many_failures"
    case gatewayPresent = "gateway_present"
    case duplicateMAC = "duplicate_mac"
    case roomFull = "room_full"
    case serverFull = "server_full"
    case draining
    /// The operator keeps its address, its name or its room out.
    case banned

    /// After how long an endpoint asks again; `nil` if asking again is of no use.
    var patience: Duration? {
        switch self {
        case .badVersion, .badRoom, .badMAC, .unknownRoom, .wrongPassword, .banned: nil
        case .gatewayPresent, .duplicateMAC, .draining: .seconds(2)
        case .badBudget, .roomFull, .serverFull: .seconds(10)
        case .tooManyFailures: .seconds(60)
        }
    }

    /// What the endpoint is told.
    public var sentence: String {
        switch self {
        case .badVersion: "this relay speaks version \(ControlMessage.version) only"
        case .badRoom: "a room's name has 1 to 64 letters, digits, dashes, dots or underscores"
        case .badMAC: "that is no address of a network card"
        case .badBudget: "datagrams are too small for the frames of a LAN"
        case .unknownRoom: "this relay has no such room"
        case .wrongPassword: "the room has another password"
        case .tooManyFailures: "too many wrong passwords came from this address; wait some minutes"
        case .gatewayPresent: "the room has a gateway already"
        case .duplicateMAC: "somebody in the room has this MAC address"
        case .roomFull: "the room is full"
        case .serverFull: "the relay has no place for another room"
        case .draining: "the relay takes nobody in before it stops"
        case .banned: "the operator has banned this endpoint"
        }
    }
}

extension CloseReason {
    static func refused(_ sentence: String) -> CloseReason { CloseReason("refused", sentence) }
    static func badControl(_ error: ControlError) -> CloseReason { CloseReason("bad_control", error.sentence) }
    static let secondHello = CloseReason("second_hello", "the peer said hello twice")
    static let noHello = CloseReason("no_hello", "the peer did not say hello in time")
    static let notForRelays = CloseReason("not_for_relays", "the peer said what only a relay says")
    static let controlFlood = CloseReason("control_flood", "the peer said more at once than any endpoint has to say")
    static let tooMalformed = CloseReason("malformed", "1,000 malformed datagrams came within 10 seconds")
    static let replaced = CloseReason("replaced", "the same endpoint came back on another connection")
    static let left = CloseReason("left", "the peer said goodbye")
    static let superfluous = CloseReason("superfluous", "another connection is used")
    static let notForEndpoints = CloseReason("not_for_endpoints", "the relay said what only an endpoint says")
    static let badRoomMTU = CloseReason("bad_room_mtu", "the relay named an MTU that no room has")
    static let noWelcome = CloseReason("no_welcome", "the relay did not answer the hello in time")
}

/// What the relay tells the operator of.
public enum LANRelayEvent: EngineEvent {
    case joined(PeerID, room: String, role: FrameSender, mac: MACAddress)
    case left(PeerID, room: String)
    /// An endpoint took its own place back.
    case returned(PeerID, before: PeerID, room: String)
    case refused(PeerID, HelloRefusal)
    /// The first frame within a second that was dropped for this reason.
    case dropped(PeerID, DropReason, from: MACAddress, etherType: UInt16, length: Int)

    public var name: String {
        switch self {
        case .joined: "joined"
        case .left: "left"
        case .returned: "returned"
        case .refused: "refused"
        case .dropped: "frame_dropped"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .joined(let peer, _, _, _), .left(let peer, _), .returned(let peer, _, _), .refused(let peer, _),
            .dropped(let peer, _, _, _, _):
            peer
        }
    }

    public var reason: String? {
        switch self {
        case .joined, .left, .returned: nil
        case .refused(_, let refusal): refusal.rawValue
        case .dropped(_, let reason, _, _, _): reason.word
        }
    }

    public var message: String {
        switch self {
        case .joined(_, let room, let role, let mac): "the \(role.rawValue) \(mac) joined room \(room)"
        case .left(_, let room): "left room \(room)"
        case .returned(_, let before, let room): "came back to room \(room) on another connection, \(before) before"
        case .refused(_, let refusal): "not let in: \(refusal.sentence)"
        case .dropped(_, let reason, let mac, let type, let length):
            "a frame of \(length) bytes from \(mac), type \(String(type, radix: 16)), was dropped: \(reason.sentence)"
        }
    }
}
