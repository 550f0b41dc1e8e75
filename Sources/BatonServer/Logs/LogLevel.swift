package import Logging
import Synchronization

/// The level below which nothing is logged; it can change while the server runs.
package final class LogLevel: Sendable {
    private let level: Mutex<Configuration.Log.Level>

    package init(_ level: Configuration.Log.Level) {
        self.level = Mutex(level)
    }

    package var current: Configuration.Log.Level {
        get { level.withLock { $0 } }
        set { level.withLock { $0 = newValue } }
    }

    package var threshold: Logger.Level { Logger.Level(rawValue: current.rawValue) ?? .info }
}
