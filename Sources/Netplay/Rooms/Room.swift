import NIOCore
import RelayCore

/// How a room is found.
enum RoomName: Hashable {
    /// By an id that its guests agreed on.
    case id(TunnelID)
    /// By what is played: the core's name in lower case and the CRC-32 of the content.
    case content(core: String, crc: UInt32)
}

extension RoomName: CustomStringConvertible {
    var description: String {
        switch self {
        case .id(let id): return id.description
        case .content(let core, let crc):
            let digits = String(crc, radix: 16, uppercase: true)
            return "\(core)/\(String(repeating: "0", count: 8 - digits.count))\(digits)"
        }
    }
}

/// Guests that play one game, with nobody as their host.
final class Room {
    static let deviceCount = 16

    let name: RoomName
    /// Names its timer.
    let slot: PeerID
    /// What everybody plays with.
    let device: NetplayDevice
    /// What is played, as the first guest said.
    var content: NetplayInfo?
    /// What a later guest sees as the host's machine and version: the first guest's.
    var platform: UInt32 = 0
    var implementation: UInt32 = 0
    /// Guests on their way in.
    var arriving: [Guest] = []
    /// Guests that are in step, in the order they came.
    var members: [Guest] = []
    /// The frame that comes next: the host, if there were one, would be in it.
    var frame: UInt32 = 0
    /// The player whose frames are the room's.
    var pacemaker: Guest?
    var shareModes = [UInt8](repeating: 0, count: Room.deviceCount)
    /// When the room last went on by a frame, or had a reason not to.
    var progressAt: Instant
    var request: StateRequest?
    /// Somebody needs a savestate, or the room has gone apart.
    var wantsState = false
    /// How often a state is given to everybody.
    var states: TokenBucket
    /// How long the room's states are. RetroArch parts from who sends it one of another length.
    var stateSize: UInt32?

    init(_ name: RoomName, slot: PeerID, device: NetplayDevice, at now: Instant) {
        self.name = name
        self.slot = slot
        self.device = device
        progressAt = now
        states = TokenBucket(at: now)
    }

    /// A savestate that was asked for.
    struct StateRequest {
        let source: Guest
        var tries = 1
    }

    var guestCount: Int { arriving.count + members.count }
    var isEmpty: Bool { arriving.isEmpty && members.isEmpty }

    /// Who is sending a savestate that everybody waits for.
    var stateSender: Guest? {
        [request?.source, pacemaker].compactMap { $0 }.first { $0.sendsStateSince != nil }
    }

    var players: [Guest] { members.filter(\.isPlaying) }

    /// Of each device a bitmap of the clients that play with it.
    var deviceClients: [UInt32] {
        var clients = [UInt32](repeating: 0, count: Self.deviceCount)
        for player in players {
            for device in 0..<Self.deviceCount where player.devices >> UInt32(device) & 1 == 1 {
                clients[device] |= 1 << player.client
            }
        }
        return clients
    }

    /// The lowest number nobody has.
    var freeClient: UInt32? {
        (1...31).first { number in !members.contains { $0.client == number } }
    }

    func send(_ bytes: ByteBuffer, except sender: Guest? = nil, into out: inout Outbox) {
        for member in members where member !== sender { out.send(bytes, to: member.peer) }
    }

    func forward(_ bytes: ByteBuffer, from sender: Guest, into out: inout Outbox) {
        for member in members where member !== sender { out.forward(bytes, to: member.peer) }
    }
}
