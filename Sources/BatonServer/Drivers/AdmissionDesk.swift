import NIOConcurrencyHelpers
import RelayCore
import RelayNIO

/// The one desk at which connections of all protocols are admitted.
///
/// It is asked when a connection begins and ends and when a peer takes a name, never for a packet, so a lock costs nothing
/// that matters.
final class AdmissionDesk: Sendable {
    private let admission: NIOLockedValueBox<Admission>
    private let names = NIOLockedValueBox(NameBans())

    init(limits: Admission.Limits, bans: BanList) {
        var admission = Admission(limits: limits)
        admission.configuredBans = bans
        self.admission = NIOLockedValueBox(admission)
    }

    /// `evenIfBanned` as in `Admission.admit`.
    func admit(_ address: IPAddress, evenIfBanned: Bool = false, at now: Instant) throws(Admission.Refusal) {
        let refusal = admission.withLockedValue { admission -> Admission.Refusal? in
            do throws(Admission.Refusal) {
                try admission.admit(address, evenIfBanned: evenIfBanned, at: now)
                return nil
            } catch {
                return error
            }
        }
        if let refusal { throw refusal }
    }

    func release(_ address: IPAddress, at now: Instant) {
        admission.withLockedValue { $0.release(address, at: now) }
    }

    // MARK: Bans

    /// Whether an address may not be here, for requests that make no connection, or come through a proxy's.
    func isBanned(_ address: IPAddress, at now: Instant) -> Bool { ban(of: address, at: now) != nil }

    func ban(of address: IPAddress, at now: Instant) -> BanList.Ban? {
        admission.withLockedValue { $0.ban(of: address, at: now) }
    }

    /// Why a peer may not go by this name, or be in this room; `nil` if it may.
    func removal(of naming: PeerNaming, in protocolName: String, at now: Instant = .now) -> Removal? {
        names.withLockedValue { names in
            guard !names.isEmpty else { return nil }
            let byName = naming.name.flatMap { names.reason(against: $0, .name, in: protocolName, at: now) }
            let reason = byName ?? naming.room.flatMap { names.reason(against: $0, .room, in: protocolName, at: now) }
            return reason.map { .banned(reason: $0) }
        }
    }

    /// Why a peer that is here may not be, by its address and its names; `nil` if it may.
    func removal(of peer: PeerDetail, in protocolName: String, at now: Instant = .now) -> Removal? {
        if let ban = ban(of: peer.address, at: now) { return .banned(reason: ban.reason) }
        return peer.membership.flatMap { member in
            removal(of: PeerNaming(name: member.name, room: member.room), in: protocolName, at: now)
        }
    }

    /// Changes the bans that were made while the server runs.
    func changeBans(_ change: (_ addresses: inout BanList, _ names: inout NameBans) -> Void) {
        admission.withLockedValue { admission in
            names.withLockedValue { change(&admission.madeBans, &$0) }
        }
    }

    /// Takes new limits and bans of the configuration, for connections to come.
    func reconfigure(limits: Admission.Limits, bans: BanList) {
        admission.withLockedValue { admission in
            admission.limits = limits
            admission.configuredBans = bans
        }
    }

    var connections: Int { admission.withLockedValue { $0.connections } }
}
