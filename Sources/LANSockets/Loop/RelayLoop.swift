import CLinuxNet
package import LANBridge
import NIOConcurrencyHelpers
import NIOPosix
package import QUICTransport
import RelayCore

/// The relay's thread: one epoll loop that owns the sockets, the QUIC endpoint and the engine. Control comes in by
/// `perform`, between two turns.
package final class RelayLoop: Sendable {
    private typealias Job = @Sendable (RelayDriver) -> Void

    private struct State {
        /// `nil` once the loop has ended: who asks then gets no answer from it.
        var jobs: [Job]? = []
        var isEnding = false
    }

    private let state = NIOLockedValueBox(State())
    private let thread = NIOThreadPool(numberOfThreads: 1)
    /// Wakes the loop. It is never closed, since somebody might just be waking a loop that ends.
    private let wake: CInt

    private static let wakeNumber: UInt32 = 0
    private static let firstSocket: UInt32 = 1

    package init() throws(NetworkFailure) {
        wake = try NetworkFailure.check(clinuxnet_wake_open(), "make an event counter")
    }

    /// Starts the thread. The sockets are its from now on. Throws `TLSError` or `NetworkFailure`.
    package func start(
        _ sockets: [BoundSocket], relay: LANBridgeConfiguration, transport: QUICConfiguration,
        certificate: TLSCertificate, surroundings: RelayDriver.Surroundings
    ) async throws {
        thread.start()
        try await withCheckedThrowingContinuation { (started: CheckedContinuation<Void, any Error>) in
            thread.submit { _ in
                do {
                    let quic = QUICSockets(sockets)
                    let driver = try RelayDriver(
                        engine: LANRelayEngine(configuration: relay), transport: transport, certificate: certificate,
                        sockets: quic, surroundings: surroundings)
                    let poll = try Poll()
                    try poll.add(self.wake, as: Self.wakeNumber)
                    try quic.watch(by: poll, from: Self.firstSocket)
                    started.resume()
                    self.run(driver, poll)
                } catch {
                    self.end()
                    started.resume(throwing: error)
                }
            }
        }
    }

    /// Does something between two turns and gives its result; `nil` if the loop has ended.
    package func perform<Result: Sendable>(_ body: @escaping @Sendable (RelayDriver) -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            let isTaken = state.withLockedValue { state in
                state.jobs?.append { continuation.resume(returning: body($0)) } != nil
            }
            if isTaken { clinuxnet_wake(wake) } else { continuation.resume(returning: nil) }
        }
    }

    /// Ends the loop and its thread.
    package func stop() async {
        state.withLockedValue { $0.isEnding = true }
        clinuxnet_wake(wake)
        try? await thread.shutdownGracefully()
    }

    private func run(_ driver: RelayDriver, _ poll: borrowing Poll) {
        while !state.withLockedValue({ $0.isEnding }) {
            let ready = poll.wait(until: driver.nextDeadline, now: .now)
            driver.beginTurn()
            for number in ready {
                if number == Self.wakeNumber {
                    clinuxnet_wake_clear(wake)
                    doJobs(driver)
                } else {
                    driver.receive(from: Int(number - Self.firstSocket))
                }
            }
            driver.endTurn()
        }
        doJobs(driver)
        end()
    }

    private func doJobs(_ driver: RelayDriver) {
        let jobs = state.withLockedValue { state in
            let jobs = state.jobs
            if jobs != nil { state.jobs = [] }
            return jobs ?? []
        }
        for job in jobs { job(driver) }
    }

    private func end() {
        state.withLockedValue { $0.jobs = nil }
    }
}
