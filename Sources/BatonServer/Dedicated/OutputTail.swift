import Logging
import NIOConcurrencyHelpers
import RelayCore
import RelayNIO

/// What a program writes, line by line: the last lines are kept, and a bounded number is logged at debug.
final class OutputTail: Sendable {
    private static let keptLines = 12
    private static let longestLine = 300
    private static let rate = TokenBucket.Rate(perSecond: 20, burst: 200)

    private struct State {
        var line: [UInt8] = []
        var lines: [String] = []
        var allowance = TokenBucket(at: .now)
    }

    private let state = NIOLockedValueBox(State())
    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// The last lines, oldest first; one that has not ended yet is the last.
    var lines: [String] {
        state.withLockedValue { state in
            let unfinished = state.line.isEmpty ? [] : [String(decoding: state.line, as: UTF8.self)]
            return (state.lines + unfinished).suffix(Self.keptLines)
        }
    }

    func add(_ bytes: UnsafeRawBufferPointer) {
        let isLogged = logger.logLevel <= .debug
        let logged = state.withLockedValue { state in
            var logged: [String] = []
            for byte in bytes {
                guard byte == UInt8(ascii: "\n") else {
                    if state.line.count < Self.longestLine { state.line.append(byte) }
                    continue
                }
                let line = String(decoding: state.line, as: UTF8.self)
                state.line.removeAll(keepingCapacity: true)
                state.lines.append(line)
                if state.lines.count > 2 * Self.keptLines { state.lines.removeFirst(Self.keptLines) }
                if isLogged, state.allowance.take(at: .now, rate: Self.rate) { logged.append(line) }
            }
            return logged
        }
        for line in logged { logger.debug("\(line)", metadata: ["event": "host_output"]) }
    }
}
