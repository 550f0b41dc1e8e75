import DequeModule
import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import RelayNIO
import SOE

/// A socket's sessions as its tasks see them: who waits for what, on the event loop.
final class SocketDesk: SOEApplication {
    /// `nil` when the socket is closed.
    private(set) var driver: SOEDriver?
    private(set) lazy var inbox = EventInbox { [desk = NIOLoopBound(self, eventLoop: eventLoop)] in
        desk.eventLoop.execute { desk.value.takeMore() }
    }
    private let eventLoop: any EventLoop
    /// What this turn brought.
    private var gathered: [SOESocketEvent] = []
    private var connecting: [PeerID: (ticket: CallTicket, continuation: CheckedContinuation<PeerID, any Error>)] = [:]
    /// Messages for which there was no room, in order.
    private var waiting: [PeerID: Deque<WaitingMessage>] = [:]
    private var enders: [CheckedContinuation<Void, any Error>] = []
    private var isStopping = false
    private var hasEnded = false
    private var endError: (any Error)?

    private struct WaitingMessage {
        var message: ByteBuffer
        var channel: SOEChannel
        var ticket: CallTicket
        var continuation: CheckedContinuation<Void, any Error>
    }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    // MARK: What tasks want

    func connect(
        to endpoint: Endpoint, _ parameters: SOEParameters?, _ ticket: CallTicket,
        _ continuation: CheckedContinuation<PeerID, any Error>
    ) {
        guard !ticket.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        guard let driver else { return continuation.resume(throwing: SOEConnectFailure.socketClosed) }
        do throws(SOEEngine.ConnectFailure) {
            let peer = try driver.connect(to: endpoint, parameters: parameters)
            connecting[peer] = (ticket, continuation)
        } catch {
            switch error {
            case .addressInUse: continuation.resume(throwing: SOEConnectFailure.addressInUse)
            case .tooManySessions: continuation.resume(throwing: SOEConnectFailure.tooManySessions)
            }
        }
    }

    /// A task that may be waiting for a session does not want it any more.
    func cancelConnecting(_ ticket: CallTicket) {
        ticket.isCancelled = true
        guard let (peer, call) = connecting.first(where: { $0.value.ticket === ticket }) else { return }
        connecting[peer] = nil
        driver?.abort(peer)
        call.continuation.resume(throwing: CancellationError())
    }

    func send(
        _ message: ByteBuffer, on channel: SOEChannel, to peer: PeerID, _ ticket: CallTicket,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let entry = WaitingMessage(message: message, channel: channel, ticket: ticket, continuation: continuation)
        guard !ticket.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        // What waits already goes first.
        if waiting[peer] != nil || !take(entry, for: peer) { waiting[peer, default: []].append(entry) }
    }

    /// A task that may be waiting does not want to any more.
    func cancel(_ ticket: CallTicket, to peer: PeerID) {
        ticket.isCancelled = true
        guard let index = waiting[peer]?.firstIndex(where: { $0.ticket === ticket }),
            let entry = waiting[peer]?.remove(at: index)
        else { return }
        if waiting[peer]?.isEmpty == true { waiting[peer] = nil }
        entry.continuation.resume(throwing: CancellationError())
    }

    /// Whether a message is done with: taken, or never to be taken.
    private func take(_ entry: WaitingMessage, for peer: PeerID) -> Bool {
        switch driver?.send(entry.message, on: entry.channel, to: peer) ?? .closed {
        case .accepted: entry.continuation.resume()
        case .tooLong: entry.continuation.resume(throwing: SOESendFailure.tooLong)
        case .closed: entry.continuation.resume(throwing: SOESendFailure.closed)
        case .full: return false
        }
        return true
    }

    private func sendWaiting(to peer: PeerID) {
        while let entry = waiting[peer]?.first, take(entry, for: peer) {
            _ = waiting[peer]?.popFirst()
        }
        if waiting[peer]?.isEmpty == true { waiting[peer] = nil }
    }

    func stop() {
        isStopping = true
        driver?.stop()
        closeWhenDone()
    }

    func onEnd(_ continuation: CheckedContinuation<Void, any Error>) {
        if hasEnded { finish(continuation) } else { enders.append(continuation) }
    }

    /// The reader has caught up.
    func takeMore() {
        driver?.holdsMessages = false
    }

    // MARK: What the driver tells

    func begin(with driver: SOEDriver) {
        self.driver = driver
    }

    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver) {
        gathered.append(.message(message.compact, from: peer, on: channel))
    }

    func handle(_ event: SOEEvent, by driver: SOEDriver) {
        gathered.append(.session(event))
        switch event {
        case .opened(let peer, _):
            connecting.removeValue(forKey: peer)?.continuation.resume(returning: peer)
        case .closed(let peer, let reason, _, _):
            connecting.removeValue(forKey: peer)?.continuation.resume(throwing: SOEConnectFailure.refused(reason))
            // The session takes nothing any more: all that waits is refused.
            sendWaiting(to: peer)
        case .writable(let peer):
            sendWaiting(to: peer)
        case .remapped:
            break
        }
    }

    func endTurn(of driver: SOEDriver) {
        if !gathered.isEmpty {
            if !inbox.put(gathered) { driver.holdsMessages = true }
            gathered.removeAll(keepingCapacity: gathered.count <= 1024)
        }
        closeWhenDone()
    }

    private func closeWhenDone() {
        if isStopping, let driver, driver.engine.sessionCount == 0 { driver.close() }
    }

    func end(of driver: SOEDriver, error: (any Error)?) {
        self.driver = nil
        hasEnded = true
        if !isStopping { endError = error ?? SOESocketClosed() }
        for call in connecting.values { call.continuation.resume(throwing: SOEConnectFailure.socketClosed) }
        connecting = [:]
        for peer in waiting.keys { sendWaiting(to: peer) }
        for continuation in enders { finish(continuation) }
        enders = []
        inbox.finish()
    }

    private func finish(_ continuation: CheckedContinuation<Void, any Error>) {
        if let endError { continuation.resume(throwing: endError) } else { continuation.resume() }
    }
}

/// Names one call that waits, so that it can be given up.
final class CallTicket: Sendable {
    private let cancelled = NIOLockedValueBox(false)

    var isCancelled: Bool {
        get { cancelled.withLockedValue { $0 } }
        set { cancelled.withLockedValue { $0 = newValue } }
    }
}

extension ByteBuffer {
    /// The same bytes, in memory of their own if they are a small part of much: a slice would keep all of it.
    fileprivate var compact: ByteBuffer {
        storageCapacity <= 2 * readableBytes ? self : ByteBuffer(bytes: readableBytesView)
    }
}
