import NIOConcurrencyHelpers
import RelayCore

/// The one desk at which connections of all protocols are admitted.
///
/// It is asked when a connection begins and ends, never for a packet, so a lock costs nothing that matters.
final class AdmissionDesk: Sendable {
    private let admission: NIOLockedValueBox<Admission>

    init(limits: Admission.Limits, bans: BanList) {
        var admission = Admission(limits: limits)
        admission.setBans(bans)
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

    /// Whether an address may not be here, for requests that make no connection, or come through a proxy's.
    func isBanned(_ address: IPAddress, at now: Instant) -> Bool { ban(of: address, at: now) != nil }

    /// The ban that keeps an address out now.
    func ban(of address: IPAddress, at now: Instant) -> BanList.Ban? {
        admission.withLockedValue { $0.bans.ban(of: address, at: now) }
    }

    /// Takes new limits and bans for connections to come.
    func reconfigure(limits: Admission.Limits, bans: BanList) {
        admission.withLockedValue { admission in
            admission.limits = limits
            admission.setBans(bans)
        }
    }

    var connections: Int { admission.withLockedValue { $0.connections } }
}
