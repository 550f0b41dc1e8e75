import NIOCore
import RelayCore
import SOE
import SOESockets

/// Answers each message with itself.
final class Echo: SOEApplication {
    /// Answers there was no room for, in order.
    private var backlog: [PeerID: [(ByteBuffer, SOEChannel)]] = [:]

    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver) {
        if backlog[peer] == nil, driver.send(message, on: channel, to: peer) != .full { return }
        backlog[peer, default: []].append((message, channel))
    }

    func handle(_ event: SOEEvent, by driver: SOEDriver) {
        guard let peer = event.peer, let waiting = backlog.removeValue(forKey: peer) else { return }
        for (message, channel) in waiting { receive(message, on: channel, from: peer, by: driver) }
    }
}

/// Keeps so many messages on their way to an echo, and notes how long each took.
final class Load: SOEApplication {
    struct Result {
        var seconds: Double
        var processorNanoseconds: Int
        var median: Double
        var ninetyNinth: Double
        var sent: SOEStatistics?
    }

    private let message: ByteBuffer
    private let inFlight: Int
    private let warmup: Int
    private let total: Int
    private let done: EventLoopPromise<Result>
    private var sentAt: [UInt64] = []
    private var received = 0
    private var times: [UInt64] = []
    private var began = (clock: UInt64(0), processor: 0)

    init(size: Int, inFlight: Int, messages: Int, done: EventLoopPromise<Result>) {
        message = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) })
        self.inFlight = inFlight
        warmup = max(messages / 10, inFlight)
        total = messages + warmup
        self.done = done
        times.reserveCapacity(total)
        sentAt.reserveCapacity(total + inFlight)
    }

    func handle(_ event: SOEEvent, by driver: SOEDriver) {
        switch event {
        case .opened(let peer, _):
            for _ in 0..<inFlight { send(to: peer, by: driver) }
        case .closed(_, let reason, _, _):
            done.fail(BenchmarkFailure(message: "the session ended: \(reason.word)"))
        case .writable, .remapped:
            break
        }
    }

    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver) {
        guard message.readableBytes == self.message.readableBytes, received < total else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        times.append(now - sentAt[received])
        received += 1
        if received == warmup { began = (now, processorTime()) }
        if received == total { return finish(at: now, driver.engine.session(peer)?.statistics) }
        send(to: peer, by: driver)
    }

    private func send(to peer: PeerID, by driver: SOEDriver) {
        guard sentAt.count < total else { return }
        sentAt.append(NIODeadline.now().uptimeNanoseconds)
        if driver.send(message, to: peer) != .accepted {
            done.fail(BenchmarkFailure(message: "a message was not taken"))
        }
    }

    private func finish(at now: UInt64, _ statistics: SOEStatistics?) {
        let measured = times[warmup...].sorted()
        done.succeed(
            Result(
                seconds: Double(now - began.clock) / 1e9, processorNanoseconds: processorTime() - began.processor,
                median: Double(measured[measured.count / 2]) / 1000,
                ninetyNinth: Double(measured[measured.count * 99 / 100]) / 1000, sent: statistics))
    }
}

struct BenchmarkFailure: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}
