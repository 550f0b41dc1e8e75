import NIOCore
import RelayCore

/// What games say to each other, where the master relays.
extension LDNEngine {
    /// Passes a packet to the player it is for, or to all, the sender included: the very bytes that came, to each.
    mutating func relay(_ frame: Frame, from session: Session, into out: inout Outbox) {
        guard let network = session.network, network.proxy == nil else {
            dropped.notRelayed += 1
            return
        }
        guard let packet = ProxiedPacket(frame) else {
            dropped.tooShort += 1
            return
        }
        guard let bytes = packet.bytes(from: session.address) else {
            dropped.spoofed += 1
            return
        }
        if packet.destination.isBroadcast {
            for member in network.members { out.forward(bytes, to: member.peer) }
        } else if let member = network.member(of: packet.destination) {
            out.forward(bytes, to: member.peer)
        } else {
            dropped.noReceiver += 1
        }
    }
}

/// How many packets were passed over, and why. Their senders are told nothing, as the protocol has no words for it.
public struct DroppedPackets: Sendable, Equatable {
    /// Of a type that there is not.
    public var unknownType: UInt64 = 0
    /// Shorter than what it must hold.
    public var tooShort: UInt64 = 0
    /// Of a type that clients do not send, or not then.
    public var unexpected: UInt64 = 0
    /// A change of a network by somebody who is not its host.
    public var notHost: UInt64 = 0
    public var advertiseDataTooLong: UInt64 = 0
    /// Game data of somebody who is in no network, or in one whose host relays.
    public var notRelayed: UInt64 = 0
    /// Game data under somebody else's address.
    public var spoofed: UInt64 = 0
    /// Game data for an address that nobody has.
    public var noReceiver: UInt64 = 0

    /// Those that there were, with the word for the reason.
    public var byReason: [(reason: String, count: UInt64)] {
        let all: [(reason: String, count: UInt64)] = [
            ("unknown_type", unknownType), ("too_short", tooShort), ("unexpected", unexpected), ("not_host", notHost),
            ("advertise_data_too_long", advertiseDataTooLong), ("not_relayed", notRelayed), ("spoofed", spoofed),
            ("no_receiver", noReceiver),
        ]
        return all.filter { $0.count > 0 }
    }
}
