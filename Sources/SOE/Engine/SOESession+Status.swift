import NIOCore
import RelayCore

/// What is said when there is nothing else to say.
extension SOESession {
    mutating func writeStatus(at now: Instant, _ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        if let asked = netStatusAsked {
            netStatusAsked = nil
            let answer = NetStatusResponse(
                answering: asked, serverTick: UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000),
                packetsSent: counted.datagramsSent &+ 1, packetsReceived: counted.datagramsReceived)
            beginStatus(.netStatusResponse, &writer, into: &out)
            answer.encode(into: &out.bytes)
            endStatus(&writer, into: &out)
        }
        if wantsNetStatus {
            wantsNetStatus = false
            beginStatus(.netStatusRequest, &writer, into: &out)
            netStatus(at: now).encode(into: &out.bytes)
            endStatus(&writer, into: &out)
        }
        if wantsHeartbeat {
            wantsHeartbeat = false
            // Anything else is as good a sign of life.
            guard writer.isEmpty else { return }
            writer.begin(2, coding: coding, zlib: zlib, to: remote, &out)
            out.bytes.writeOpCode(.heartbeat)
        }
    }

    private mutating func beginStatus(_ code: OpCode, _ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        if parameters.dialect.netStatusIsContextual {
            writer.begin(2 + NetStatusRequest.bodySize, coding: coding, zlib: zlib, to: remote, &out)
        } else {
            writer.finish(coding: coding, zlib: zlib, to: remote, &out)
        }
        out.bytes.writeOpCode(code)
    }

    private mutating func endStatus(_ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        guard !parameters.dialect.netStatusIsContextual else { return }
        // Both bodies have the same size.
        let start = out.bytes.writerIndex - 2 - NetStatusRequest.bodySize
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }

    private func netStatus(at now: Instant) -> NetStatusRequest {
        func milliseconds(_ time: Int64?) -> UInt32 { UInt32(clamping: (time ?? 0) / 1_000_000) }
        var status = NetStatusRequest(tick: UInt16(truncatingIfNeeded: now.nanoseconds / 1_000_000))
        let roundTrip = path.roundTrip
        status.averageRoundTrip = milliseconds(roundTrip.smoothed)
        status.lowestRoundTrip = milliseconds(roundTrip.smoothed.map { _ in roundTrip.lowest })
        status.highestRoundTrip = milliseconds(roundTrip.highest)
        status.lastRoundTrip = milliseconds(roundTrip.latest)
        status.packetsSent = counted.datagramsSent &+ 1
        status.packetsReceived = counted.datagramsReceived
        return status
    }
}
