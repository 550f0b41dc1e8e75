import Logging
import NIOConcurrencyHelpers

/// The latest that the log says, for whoever follows it over the API: every line that names its event.
package final class EventFeed: Sendable {
    /// One line of the log.
    struct Entry: Sendable {
        /// They count up from 1.
        var id: UInt64
        var time: String
        var level: String
        var message: String
        /// `event` and whatever else stands there.
        var fields: [String: String]
    }

    /// Those who follow.
    private struct State {
        var entries: [Entry] = []
        var lastID: UInt64 = 0
        var readers: [UInt64: AsyncStream<Entry>.Continuation] = [:]
        var nextReader: UInt64 = 0
        var isClosed = false
    }

    /// How many lines are kept, and how many wait for a reader that is slow; it misses those before.
    private static let kept = 1000
    private static let mostReaders = 32

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// Notes a line of the log.
    func note(_ level: Logger.Level, _ message: String, _ fields: [(String, String)]) {
        let fields = Dictionary(fields) { _, new in new }
        guard fields["event"] != nil else { return }
        let time = LogTime.now
        state.withLockedValue { state in
            state.lastID += 1
            let entry = Entry(
                id: state.lastID, time: time, level: level.rawValue, message: message, fields: fields)
            // In chunks, so that it costs nothing most of the time.
            if state.entries.count >= 2 * Self.kept { state.entries.removeFirst(Self.kept) }
            state.entries.append(entry)
            for reader in state.readers.values { reader.yield(entry) }
        }
    }

    /// What was said after an entry, as far as it is kept, and then whatever is said; `nil` if there are enough readers.
    ///
    /// A number that was never given out is one of an earlier run: all that is kept is new then.
    func entries(after id: UInt64) -> AsyncStream<Entry>? {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Entry.self, bufferingPolicy: .bufferingNewest(Self.kept))
        let reader = state.withLockedValue { state -> UInt64? in
            guard state.readers.count < Self.mostReaders, !state.isClosed else { return nil }
            let id = id > state.lastID ? 0 : id
            for entry in state.entries.suffix(Self.kept) where entry.id > id { continuation.yield(entry) }
            state.nextReader += 1
            state.readers[state.nextReader] = continuation
            return state.nextReader
        }
        guard let reader else { return nil }
        continuation.onTermination = { [state] _ in state.withLockedValue { _ = $0.readers.removeValue(forKey: reader) }
        }
        return stream
    }

    /// Ends all streams: the server stops.
    func close() {
        let readers = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.readers.values)
        }
        for reader in readers { reader.finish() }
    }
}
