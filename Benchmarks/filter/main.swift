import Glibc
import LANBridge
import RelayCore

/// What the filter costs a frame: a UDP datagram of 1200 bytes from a client to a machine of the LAN, in a room of 200.
@main
struct FilterBenchmark {
    static func main() {
        var filter = FrameFilter(mtu: 1500, at: .zero)
        filter.clientLimits = unlimited
        let sender = MACAddress(bits: 0x024C_414E_0001)
        let host = MACAddress(bits: 0x024C_414E_FF01)
        guard let port = filter.addClient(sender, at: .zero) else { return }
        for index in 2...200 { _ = filter.addClient(MACAddress(bits: 0x024C_414E_0000 + UInt64(index)), at: .zero) }
        filter.noteLAN(host, at: .zero)
        let toHost = frame(from: sender, to: host, source: 11, destination: 1)
        let fromHost = frame(from: host, to: sender, source: 1, destination: 11)
        measure("client to LAN") { filter.judge(toHost.span.bytes, from: port, at: $0) }
        measure("LAN to client") { filter.judgeFromGateway(fromHost.span.bytes, at: $0) }
    }

    private static var unlimited: FrameLimits {
        var limits = FrameLimits()
        limits.bytes = .unlimited
        return limits
    }

    private static func measure(_ name: String, _ judge: (Instant) -> FrameVerdict) {
        let rounds = 5
        let frames: Int64 = 2_000_000
        var best = Int64.max
        var forwarded = 0
        let mallocs = mallinfo2().uordblks
        for round in 0..<rounds {
            let start = cpuNanoseconds()
            for index in 0..<frames {
                let now = Instant(nanoseconds: (Int64(round) * frames + index) * 1000)
                if case .forward = judge(now) { forwarded += 1 }
            }
            best = min(best, cpuNanoseconds() - start)
        }
        let grown = Int64(mallinfo2().uordblks) - Int64(mallocs)
        print("\(name): \(best / frames) ns a frame, \(forwarded) forwarded, heap grew by \(grown) bytes")
    }

    /// Of this thread: a busy machine does not count.
    private static func cpuNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func frame(
        from source: MACAddress, to destination: MACAddress, source from: UInt8, destination to: UInt8
    ) -> [UInt8] {
        var frame = [UInt8]()
        for mac in [destination, source] {
            frame += (0..<6).map { UInt8(truncatingIfNeeded: mac.bits >> UInt64(40 - 8 * $0)) }
        }
        frame += [0x08, 0x00, 0x45, 0, 0x04, 0xCC, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, from, 10, 77, 0, to]
        frame += [0x1E, 0x61, 0x1E, 0x61, 0x04, 0xB8, 0, 0]
        return frame + [UInt8](repeating: 0, count: 1200)
    }
}
