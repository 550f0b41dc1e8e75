import Crypto
package import Logging
import NIOConcurrencyHelpers

/// How the log is written, as far as that can change while the server runs.
package final class LogSettings: Sendable {
    private let state: NIOLockedValueBox<(level: Configuration.Log.Level, addresses: Configuration.Log.Addresses)>
    private let output: LogOutput?
    /// Addresses are hashed with it. Nobody learns it, so that nobody can try out all addresses there are.
    private let key = SymmetricKey(size: .bits256)

    /// - Parameter output: what is opened anew when settings are taken over.
    package init(_ log: Configuration.Log, output: LogOutput? = nil) {
        state = NIOLockedValueBox((log.level, log.addresses))
        self.output = output
    }

    /// The level below which nothing is logged.
    package var level: Configuration.Log.Level {
        get { state.withLockedValue { $0.level } }
        set { state.withLockedValue { $0.level = newValue } }
    }

    package var threshold: Logger.Level { Logger.Level(rawValue: level.rawValue) ?? .info }

    /// Takes over what can change. The file is opened anew, whatever its name: another program may have moved it away.
    func take(_ log: Configuration.Log) throws {
        try output?.reopen(log.file)
        state.withLockedValue { $0 = (log.level, log.addresses) }
    }

    /// A stranger's address as the log may have it.
    func text(of address: StrangerAddress) -> String {
        switch state.withLockedValue({ $0.addresses }) {
        case .plain: address.description
        case .hashed: address.hashed(with: key)
        }
    }
}
