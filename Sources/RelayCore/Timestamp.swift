/// A date and a time of day, to the second.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Seconds since the start of 1970 UTC.
    public var seconds: Int64

    public init(seconds: Int64) {
        self.seconds = seconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.seconds < right.seconds }

    /// Its parts in UTC.
    public struct Parts: Sendable, Equatable {
        public var year: Int64
        /// From 1.
        public var month: Int
        /// From 1.
        public var day: Int
        public var hour: Int
        public var minute: Int
        public var second: Int
        /// From 0, which is Sunday.
        public var weekday: Int
    }

    public var parts: Parts {
        let days = seconds.floored(by: 86_400)
        let time = Int(seconds - days * 86_400)
        // Eras of 400 years repeat. Years are counted from March here, which puts the leap day last.
        let dayFromMarch0 = days + 719_468
        let era = dayFromMarch0.floored(by: 146_097)
        let dayOfEra = dayFromMarch0 - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        return Parts(
            year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month: month,
            day: Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1), hour: time / 3600, minute: time / 60 % 60,
            second: time % 60, weekday: Int(days + 4 - (days + 4).floored(by: 7) * 7)
        )
    }
}

extension Timestamp: CustomStringConvertible {
    /// As in RFC 3339: `2030-01-31T12:00:00Z`.
    public var description: String {
        let parts = parts
        return [parts.year.digits(4), Int64(parts.month).digits(2), Int64(parts.day).digits(2)].joined(separator: "-")
            + "T" + parts.time + "Z"
    }

    /// As headers of HTTP have it: `Thu, 31 Jan 2030 12:00:00 GMT`.
    public var httpDate: String {
        let parts = parts
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][parts.weekday]
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][
            parts.month - 1]
        return "\(weekday), \(Int64(parts.day).digits(2)) \(month) \(parts.year.digits(4)) \(parts.time) GMT"
    }
}

extension Timestamp.Parts {
    /// `12:00:00`.
    fileprivate var time: String {
        [hour, minute, second].map { Int64($0).digits(2) }.joined(separator: ":")
    }
}

extension Int64 {
    /// The quotient, rounded down also below zero.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : (self - divisor + 1) / divisor
    }

    fileprivate func digits(_ width: Int) -> String {
        let text = String(self)
        return String(repeating: "0", count: Swift.max(0, width - text.utf8.count)) + text
    }
}
