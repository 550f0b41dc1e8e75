public import RelayCore

/// What an end of the tunnel tells its user.
public enum LANEndpointEvent: EngineEvent, Equatable {
    case joined(room: String, number: Int, hasGateway: Bool)
    /// The relay did not let it in; it asks again after so long, or never.
    case refused(code: String, sentence: String, again: Duration?)
    case lost(RelayLoss)
    /// The relay gives no sign of life.
    case silent
    case peerJoined(ControlMessage.PeerNotice)
    case peerLeft(ControlMessage.PeerNotice, reason: String)
    /// The first frame within a second that was dropped here for this reason.
    case dropped(DropReason, from: MACAddress, etherType: UInt16, length: Int)
    /// A gateway's own probe came back from the relay, or from the LAN: it forwards nothing until that ends.
    case loopFound(fromRelay: Bool)
    case loopEnded
    /// Another gateway serves this LAN.
    case otherGateway(MACAddress)
    /// A client's address is in use on the LAN too.
    case duplicateOnLAN(MACAddress)

    public var name: String {
        switch self {
        case .joined: "joined"
        case .refused: "refused"
        case .lost: "connection_lost"
        case .silent: "relay_silent"
        case .peerJoined: "peer_joined"
        case .peerLeft: "peer_left"
        case .dropped: "frame_dropped"
        case .loopFound: "loop_found"
        case .loopEnded: "loop_ended"
        case .otherGateway: "other_gateway"
        case .duplicateOnLAN: "duplicate_on_lan"
        }
    }

    public var peer: PeerID? { nil }

    public var message: String {
        switch self {
        case .joined(let room, let number, let hasGateway):
            "joined room \(room) as number \(number)\(hasGateway ? "" : "; it has no gateway yet")"
        case .refused(_, let sentence, let again):
            "not let in: \(sentence)\(again.map { "; asking again in \($0.components.seconds) s" } ?? "")"
        case .lost(let loss): loss.sentence
        case .silent: "the relay gives no sign of life; seeking another way"
        case .peerJoined(let notice): "the \(notice.role.rawValue) \(notice.title) joined"
        case .peerLeft(let notice, let reason): "the \(notice.role.rawValue) \(notice.title) left: \(reason)"
        case .dropped(let reason, let mac, let type, let length):
            "a frame of \(length) bytes from \(mac), type \(String(type, radix: 16)), was dropped: \(reason.sentence)"
        case .loopFound(let fromRelay):
            fromRelay
                ? "a second bridge joins this LAN and the room: the gateway's own probe came back from the relay"
                : "a second bridge joins this LAN and the room: the gateway's own probe came back from the LAN"
        case .loopEnded: "the second bridge is gone; forwarding again"
        case .otherGateway(let mac): "another gateway serves this LAN: \(mac)"
        case .duplicateOnLAN(let mac):
            "a machine on the LAN uses a client's address, \(mac), or a second bridge leads there"
        }
    }
}

extension ControlMessage.PeerNotice {
    /// Its name, or its address if it has none.
    public var title: String { name.isEmpty ? mac.description : name }
}
