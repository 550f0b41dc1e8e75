import Glibc
import RelayCore

/// What it costs to ask whether somebody is banned: see Benchmarks/ops.py.
///
///     ops-bench addresses|ranges|names|patterns BANS COUNT
///
/// - `addresses`: single addresses are banned, four in five IPv4.
/// - `ranges`: as in public block lists, prefixes of every length from /8 and, of IPv6, /16 on.
/// - `names`: names without `*` and `?`.
/// - `patterns`: names with a `*` in front and at the end.
///
/// Asks for strangers and for the banned, so often each, and prints one line of JSON.
@main
struct OpsBench {
    static func main() {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.dropFirst().compactMap { Int($0) }
        guard let kind = words.first, numbers.count == 2, numbers.allSatisfy({ $0 > 0 }) else { return usage() }
        let (bans, count) = (numbers[0], numbers[1])
        switch kind {
        case "addresses": report(AddressRun(.addresses, bans), count)
        case "ranges": report(AddressRun(.ranges, bans), count)
        case "names": report(NameRun(.names, bans), count)
        case "patterns": report(NameRun(.patterns, bans), count)
        default: usage()
        }
    }

    private static func usage() {
        print("usage: ops-bench addresses|ranges|names|patterns BANS COUNT")
        exit(64)
    }

    private static func report(_ run: some BanRun, _ count: Int) {
        let strangers = time(count) { run.look(for: $0, ofBanned: false) }
        let banned = time(count) { run.look(for: $0, ofBanned: true) }
        print("{\"count\": \(count), \"strangers_ns\": \(strangers), \"banned_ns\": \(banned)}")
    }

    private static func time(_ count: Int, _ look: (Int) -> Void) -> Int {
        look(count / 10)
        let start = processorTime()
        look(count)
        return processorTime() - start
    }

    private static func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// Somebody's bans, and people who come.
protocol BanRun {
    /// Looks so often, and ends the program if somebody is let in who may not be, or the other way round.
    func look(for count: Int, ofBanned: Bool)
}
