import Glibc
package import RelayCore

extension Timestamp {
    package static func now() -> Timestamp {
        Timestamp(seconds: Int64(time(nil)))
    }
}

/// Read and written as in RFC 3339.
extension Timestamp: SettingValue {
    static var kind: String { "a date and time such as 2030-01-31T12:00:00Z or 2030-01-31T12:00:00+01:00" }

    init(setting text: String) throws(BadValue) {
        guard let seconds = Timestamp.seconds(in: Array(text.utf8)) else { throw BadValue() }
        self.init(seconds: seconds)
    }

    /// Fractions of a second are read and dropped.
    private static func seconds(in text: [UInt8]) -> Int64? {
        var rest = text[...]
        guard let year = number(4, from: &rest), skip("-", in: &rest),
            let month = number(2, from: &rest), (1...12).contains(month), skip("-", in: &rest),
            let day = number(2, from: &rest), (1...days(in: month, of: year)).contains(day), skip("Tt ", in: &rest),
            let hour = number(2, from: &rest), hour < 24, skip(":", in: &rest),
            let minute = number(2, from: &rest), minute < 60, skip(":", in: &rest),
            let second = number(2, from: &rest), second <= 60
        else { return nil }
        if skip(".", in: &rest) {
            let fraction = rest.prefix(while: \.isASCIIDigit)
            guard !fraction.isEmpty else { return nil }
            rest = rest.dropFirst(fraction.count)
        }
        guard let offset = offset(from: &rest), rest.isEmpty else { return nil }
        return ((dayNumber(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
    }

    /// Minutes east of UTC.
    private static func offset(from rest: inout ArraySlice<UInt8>) -> Int64? {
        if skip("Zz", in: &rest) { return 0 }
        let isWest = rest.first == UInt8(ascii: "-")
        guard skip("+-", in: &rest), let hours = number(2, from: &rest), hours < 24, skip(":", in: &rest),
            let minutes = number(2, from: &rest), minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }

    private static func number(_ count: Int, from rest: inout ArraySlice<UInt8>) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(\.isASCIIDigit) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    private static func skip(_ characters: String, in rest: inout ArraySlice<UInt8>) -> Bool {
        guard let first = rest.first, characters.utf8.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    var settingText: String { description }
}

private func days(in month: Int64, of year: Int64) -> Int64 {
    let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
}

/// Days since the start of 1970. Years are counted from March here, which puts the leap day last.
private func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let monthFromMarch = (month + 9) % 12
    let leapDays = (shifted + 400) / 4 - (shifted + 400) / 100 + (shifted + 400) / 400 - 97
    return shifted * 365 + leapDays + (monthFromMarch * 153 + 2) / 5 + day - 1 - 719_468
}
