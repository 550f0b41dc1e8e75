public import NIOCore
public import NIOPosix
public import RelayCore
public import SOE

/// A UDP port with SOE sessions, for code that is written with `async`: clients and servers alike.
///
/// ```swift
/// let socket = try await SOESocket.bind("0.0.0.0:20260", configuration: configuration)
/// try await withThrowingTaskGroup(of: Void.self) { group in
///     group.addTask { try await socket.run() }
///     for await event in socket.events { ... }
/// }
/// ```
///
/// Packets are handled on an event loop, without tasks, actors or locks (`SOEDriver`); only messages and events cross to
/// the tasks that want them.
public struct SOESocket: Sendable {
    /// Where the socket is bound.
    public let localEndpoint: Endpoint
    /// What happens on the socket, for one reader. While the reader is slow, messages stay with their senders.
    public let events: SOEEvents
    let eventLoop: any EventLoop
    let desk: NIOLoopBound<SocketDesk>

    /// Opens a socket.
    ///
    /// - Parameters:
    ///   - endpoint: port 0 takes any free one.
    ///   - acceptance: who gets a session and on what terms: see `SOEEngine.acceptance`. It is called on the event loop.
    /// - Throws: `SocketFailure`.
    public static func bind(
        _ endpoint: Endpoint, configuration: SOEConfiguration = SOEConfiguration(),
        acceptance: (@Sendable (SessionRequest, Endpoint) -> SOEEngine.Acceptance)? = nil,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> SOESocket {
        try await bind(endpoint, configuration, acceptance, on: group.next(), sharesPort: false)
    }

    /// Opens several sockets on one port, each with its own event loop and its own sessions. The kernel divides peers
    /// among them by address, so all sessions of an address are on one socket, whatever becomes of its ports.
    ///
    /// - Throws: `SocketFailure`.
    public static func bind(
        _ endpoint: Endpoint, shards: Int, configuration: SOEConfiguration = SOEConfiguration(),
        acceptance: (@Sendable (SessionRequest, Endpoint) -> SOEEngine.Acceptance)? = nil,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> [SOESocket] {
        var endpoint = endpoint
        var sockets: [SOESocket] = []
        for _ in 0..<max(shards, 1) {
            let socket = try await bind(endpoint, configuration, acceptance, on: group.next(), sharesPort: true)
            // Port 0 was any free one; the others take the same.
            endpoint.port = socket.localEndpoint.port
            sockets.append(socket)
        }
        let count = sockets.count
        _ = try await sockets[0].withDriver { $0.sharePort(among: count) }
        return sockets
    }

    private static func bind(
        _ endpoint: Endpoint, _ configuration: SOEConfiguration,
        _ acceptance: (@Sendable (SessionRequest, Endpoint) -> SOEEngine.Acceptance)?, on eventLoop: any EventLoop,
        sharesPort: Bool
    ) async throws -> SOESocket {
        let driver = try await SOEDriver.open(
            endpoint, configuration: configuration, on: eventLoop, sharesPort: sharesPort,
            setUp: { $0.acceptance = acceptance },
            application: { SocketDesk(eventLoop: eventLoop) })
        return try await eventLoop.submit {
            guard let desk = driver.value.application as? SocketDesk else { throw SOESocketClosed() }
            return SOESocket(
                localEndpoint: driver.value.localEndpoint, events: SOEEvents(inbox: desk.inbox), eventLoop: eventLoop,
                desk: NIOLoopBound(desk, eventLoop: eventLoop))
        }.get()
    }

    /// Keeps the socket open until the task is cancelled. Then sessions are ended, once what they owe has arrived or after
    /// their `flushTimeout`, and the socket is closed.
    ///
    /// It throws what the system says if the socket is lost.
    public func run() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                onLoop { $0.onEnd(continuation) }
            }
        } onCancel: {
            onLoop { $0.stop() }
        }
    }

    /// Asks a server for a session and waits until it is open.
    ///
    /// - Throws: `SOEConnectFailure`, or `CancellationError` if the task was cancelled while it waited.
    public func connect(to endpoint: Endpoint, parameters: SOEParameters? = nil) async throws -> PeerID {
        let ticket = CallTicket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                onLoop { $0.connect(to: endpoint, parameters, ticket, continuation) }
            }
        } onCancel: {
            onLoop { $0.cancelConnecting(ticket) }
        }
    }

    /// Sends a message: it returns when the message was taken. While too much waits for the peer, it waits as well; messages
    /// that wait are taken in the order of the calls.
    ///
    /// - Throws: `SOESendFailure`, or `CancellationError` if the task was cancelled while it waited.
    public func send(_ message: ByteBuffer, on channel: SOEChannel = .reliable0, to peer: PeerID) async throws {
        let ticket = CallTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                onLoop { $0.send(message, on: channel, to: peer, ticket, continuation) }
            }
        } onCancel: {
            onLoop { $0.cancel(ticket, to: peer) }
        }
    }

    /// Sends a message if there is room for it, and waits for nothing. What is not taken is lost: for data that will be
    /// out of date soon.
    public func post(_ message: ByteBuffer, on channel: SOEChannel = .unreliable, to peer: PeerID) {
        onLoop { $0.driver?.send(message, on: channel, to: peer) }
    }

    /// Ends a session when what was taken for it has arrived, or after its `flushTimeout`. `SOEEvent.closed` follows.
    public func disconnect(_ peer: PeerID, reason: DisconnectReason = .application) {
        onLoop { $0.driver?.disconnect(peer, reason: reason) }
    }

    /// Begins to encrypt a session's messages, or stops: see `SOESession.encrypt`.
    public func encrypt(_ peer: PeerID, with key: RC4Key?, sending: Bool = true, receiving: Bool = true) async throws {
        try await withDriver { $0.encrypt(peer, with: key, sending: sending, receiving: receiving) }
    }

    /// A copy of what a session has counted; `nil` if there is no such session.
    public func statistics(of peer: PeerID) async throws -> SOEStatistics? {
        try await withDriver { $0.engine.session(peer)?.statistics }
    }

    /// Does something with the driver, on its event loop.
    ///
    /// - Throws: `SOESocketClosed` when the socket is closed.
    public func withDriver<Result: Sendable>(
        _ body: @escaping @Sendable (SOEDriver) throws -> Result
    ) async throws -> Result {
        try await eventLoop.submit { [desk] in
            guard let driver = desk.value.driver else { throw SOESocketClosed() }
            return try body(driver)
        }.get()
    }

    private func onLoop(_ body: @escaping @Sendable (SocketDesk) -> Void) {
        eventLoop.execute { [desk] in body(desk.value) }
    }
}

/// The socket is closed.
public struct SOESocketClosed: Error, Hashable, Sendable {}

/// Why there is no session.
public enum SOEConnectFailure: Error, Hashable, Sendable {
    /// There is a session with that address already.
    case addressInUse
    case tooManySessions
    /// The server gave this reason, or never answered (`connectFailed`).
    case refused(DisconnectReason)
    case socketClosed
}

/// Why a message was not taken.
public enum SOESendFailure: Error, Hashable, Sendable {
    /// It is longer than messages may be.
    case tooLong
    /// There is no such session, or it is ending; or, for an unreliable message, it is not open yet.
    case closed
}
