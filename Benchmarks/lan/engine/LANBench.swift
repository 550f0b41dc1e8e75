import Glibc
import LANBridge
import RelayCore

/// What the LAN bridge costs without sockets: see Benchmarks/lan.py.
///
///     lan-bench filter COUNT   the frame filter alone
///     lan-bench relay COUNT    the relay's engine, from datagram to datagram
///
/// Prints one line of JSON.
@main
struct LANBench {
    static func main() {
        let words = CommandLine.arguments.dropFirst()
        guard words.count == 2, let count = words.last.flatMap({ Int($0) }), count > 0 else { return usage() }
        switch words.first {
        case "filter":
            var filter = FilterRun()
            report(count) { filter.judge($0) }
        case "relay":
            var relay = RelayRun()
            report(count) { relay.forward($0) }
        default: usage()
        }
    }

    private static func usage() {
        print("usage: lan-bench filter | relay COUNT")
        exit(64)
    }

    private static func report(_ count: Int, _ run: (Int) -> Int) {
        _ = run(count / 10)
        let start = processorTime()
        let passed = run(count)
        let nanoseconds = processorTime() - start
        precondition(passed == count, "\(count - passed) of \(count) frames did not pass")
        print("{\"frames\": \(count), \"cpu_ns\": \(nanoseconds)}")
    }

    private static func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// Limits that are counted and never reached.
extension FrameLimits {
    static var ample: FrameLimits {
        var limits = FrameLimits()
        limits.arp = .init(perSecond: 1_000_000, burst: 10_000)
        limits.broadcast = limits.arp
        limits.multicast = limits.arp
        limits.unknownUnicast = limits.arp
        limits.bytes = .init(perSecond: 100_000_000, burst: 1_000_000)
        return limits
    }
}
