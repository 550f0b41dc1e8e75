import NIOConcurrencyHelpers

extension LifecycleTests {
    /// Things that happen one after the other, kept for those who ask later and told to those who wait.
    final class History<Element: Sendable>: Sendable {
        private struct State {
            var elements: [Element] = []
            var isFinished = false
            var followers: [AsyncStream<Element>.Continuation] = []
        }

        private let state = NIOLockedValueBox(State())

        var all: [Element] { state.withLockedValue { $0.elements } }

        var isFinished: Bool { state.withLockedValue { $0.isFinished } }

        func append(_ element: Element) {
            state.withLockedValue { state in
                state.elements.append(element)
                for follower in state.followers { follower.yield(element) }
            }
        }

        /// Nothing more will happen.
        func finish() {
            state.withLockedValue { state in
                state.isFinished = true
                for follower in state.followers { follower.finish() }
                state.followers = []
            }
        }

        /// Everything so far, then everything to come.
        func follow() -> AsyncStream<Element> {
            let (stream, continuation) = AsyncStream.makeStream(of: Element.self)
            state.withLockedValue { state in
                for element in state.elements { continuation.yield(element) }
                if state.isFinished { continuation.finish() } else { state.followers.append(continuation) }
            }
            return stream
        }

        /// The first of which `condition` is true, whether it has happened or is to come.
        func first(
            _ what: String, within limit: Duration = .seconds(30),
            where condition: @escaping @Sendable (Element) -> Bool
        ) async throws -> Element {
            let stream = follow()
            return try await LifecycleTests.within(limit, what) {
                for await element in stream where condition(element) { return element }
                throw NeverHappened(what: what)
            }
        }

        /// Waits until nothing more can happen, and returns all that has.
        func complete(_ what: String, within limit: Duration = .seconds(30)) async throws -> [Element] {
            let stream = follow()
            return try await LifecycleTests.within(limit, what) {
                var all: [Element] = []
                for await element in stream { all.append(element) }
                return all
            }
        }
    }

    /// It can no longer happen.
    struct NeverHappened: Error, CustomStringConvertible {
        var what: String
        var description: String { "never happened: \(what)" }
    }

    /// It did not happen in time.
    struct TooLate: Error, CustomStringConvertible {
        var what: String
        var description: String { "did not happen in time: \(what)" }
    }

    /// Does something that heeds cancellation, or throws when it takes too long.
    static func within<Result: Sendable>(
        _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask(operation: body)
            group.addTask {
                try await Task.sleep(for: limit)
                throw TooLate(what: what)
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw TooLate(what: what) }
            return result
        }
    }

    /// Asks again and again, for what nobody announces.
    static func eventually(
        _ what: String, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while try await !condition() {
            guard ContinuousClock.now < deadline else { throw TooLate(what: what) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
