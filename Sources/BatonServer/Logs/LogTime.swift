import Foundation

/// The time of day in UTC, as logs write it: `2026-01-31T12:00:00.123Z`.
enum LogTime {
    static var now: String {
        Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true)) + "Z"
    }
}
