import Glibc

/// The time of day in UTC, as logs write it: `2026-01-31T12:00:00.123Z`.
enum LogTime {
    static var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)]
        let clock = [Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec)]
        let millisecond = padded(time.tv_nsec / 1_000_000, to: 3)
        return date.map { padded($0, to: 2) }.joined(separator: "-") + "T"
            + clock.map { padded($0, to: 2) }.joined(separator: ":") + ".\(millisecond)Z"
    }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
