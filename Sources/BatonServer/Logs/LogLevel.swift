package import Logging
import NIOConcurrencyHelpers

/// The level below which nothing is logged; it can change while the server runs.
package final class LogLevel: Sendable {
    private let level: NIOLockedValueBox<Configuration.Log.Level>

    package init(_ level: Configuration.Log.Level) {
        self.level = NIOLockedValueBox(level)
    }

    package var current: Configuration.Log.Level {
        get { level.withLockedValue { $0 } }
        set { level.withLockedValue { $0 = newValue } }
    }

    package var threshold: Logger.Level { Logger.Level(rawValue: current.rawValue) ?? .info }
}
