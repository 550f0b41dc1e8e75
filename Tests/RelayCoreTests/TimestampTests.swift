import Foundation
import RelayCore
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_893_456_000, "2030-01-01T00:00:00Z", "Tue, 01 Jan 2030 00:00:00 GMT"),
            (951_782_399, "2000-02-28T23:59:59Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_868_799, "2000-02-29T23:59:59Z", "Tue, 29 Feb 2000 23:59:59 GMT"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] as [(Int64, String, String)])
    func isWrittenAsDocumented(seconds: Int64, text: String, http: String) {
        #expect(Timestamp(seconds: seconds).description == text)
        #expect(Timestamp(seconds: seconds).httpDate == http)
    }

    @Test func agreesWithTheCalendarOfFoundation() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        var random = RandomSource.seeded(7)
        for _ in 0..<2000 {
            let seconds = Int64.random(in: -2_000_000_000...10_000_000_000, using: &random)
            let parts = Timestamp(seconds: seconds).parts
            let date = Date(timeIntervalSince1970: TimeInterval(seconds))
            let wanted = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
            #expect(parts.year == wanted.year.map(Int64.init) && parts.month == wanted.month, "\(seconds)")
            #expect(parts.day == wanted.day && parts.hour == wanted.hour && parts.minute == wanted.minute, "\(seconds)")
            #expect(parts.second == wanted.second && parts.weekday + 1 == wanted.weekday, "\(seconds)")
        }
    }
}
