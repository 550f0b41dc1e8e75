import NIOCore
import RelayCore

/// A peer that does not know the session, or seems not to.
extension SOESession {
    mutating func startRemapping(at now: Instant) {
        guard remapping == nil else {
            remapping?.heard += 1
            return
        }
        remapping = Remapping(until: now.after(SessionTiming.remapTimeout), tryAt: now)
        inputAt = inputAt ?? now
    }

    /// Gives the peer a sign of life with the next `advance`.
    mutating func greet(at now: Instant) {
        wantsHeartbeat = true
        inputAt = inputAt ?? now
    }

    /// Asks for the session back, and for any sign that it lives. One packet with its CRC and all is well; if the peer
    /// goes on saying that it does not know the session, that is the end.
    mutating func tryRemapping(at now: Instant, into out: inout DatagramOutbox) {
        guard let doubt = remapping else { return }
        if now >= doubt.until {
            remapping = nil
            if doubt.heard >= 3 {
                end(.unreachableConnection, byPeer: false, tellsPeer: false, at: now, into: &out)
            }
            return
        }
        guard now >= doubt.tryAt else { return }
        remapping?.tryAt = now.after(SessionTiming.remapInterval)
        wantsHeartbeat = true
        wantsNetStatus = true
        guard role == .client else { return }
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.remapConnection)
        RemapConnection(sessionID: wireID, crcSeed: coding.crc.seed).encode(into: &out.bytes)
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }
}
