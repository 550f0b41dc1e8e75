import NIOCore
import NIOPosix
package import Netplay
package import RelayCore
import RelayNIO

/// Lets programs that know no tunnel join a session of one: whoever connects here is in the session.
///
/// Each local connection gets one to the tunnel, whose name is looked up anew; it may be the second try after a wrong
/// password, or somebody else's.
package final class TunnelBridge: Sendable {
    /// How a try came to nothing.
    package enum Failure: Sendable, Equatable {
        /// There was no connection to the tunnel; why, in words.
        case unreachable(String)
        /// The tunnel ended the connection before the session's host said anything.
        case unanswered
        /// So many local connections are open already.
        case crowded(Int)
    }

    /// The most local connections at a time.
    private static let mostGuests = 16

    /// Where programs of this machine find it.
    package let endpoint: Endpoint
    private let listener: any Channel
    private let guests: NIOLoopBound<BridgeGuests>

    /// Starts to listen.
    ///
    /// - Parameter onFailure: told of tries that came to nothing; as many as a reader bears, not more.
    /// - Throws: `BatonError` if `endpoint` cannot be had.
    package static func listen(
        on endpoint: Endpoint, joining session: TunnelID, at tunnel: RemoteHost,
        onFailure: @escaping @Sendable (Failure) -> Void
    ) async throws -> TunnelBridge {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let guests = try await eventLoop.submit {
            NIOLoopBound(
                BridgeGuests(
                    session, at: tunnel, atMost: Self.mostGuests, eventLoop: eventLoop, onFailure: onFailure),
                eventLoop: eventLoop
            )
        }.get()
        do {
            let listener = try await ServerBootstrap(group: eventLoop, childGroup: eventLoop)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try guests.value.welcome(channel) }
                }
                .bind(to: SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port)))
                .get()
            let bound = listener.localAddress?.endpoint ?? endpoint
            return TunnelBridge(listener, at: bound.fromThisMachine, guests)
        } catch {
            throw BatonError.binding(endpoint, for: "netplay join", error)
        }
    }

    private init(_ listener: any Channel, at endpoint: Endpoint, _ guests: NIOLoopBound<BridgeGuests>) {
        self.listener = listener
        self.endpoint = endpoint
        self.guests = guests
    }

    /// Stops to listen, gives those who are connected so long to end by themselves, and closes.
    package func close(within grace: Duration) async {
        try? await listener.close().get()
        let guests = guests
        try? await guests.eventLoop.flatSubmit { guests.value.end(within: TimeAmount(grace)) }.get()
    }
}

/// The local connections of a bridge.
private final class BridgeGuests {
    private struct Crowded: Error {}

    private static let connectTimeout = TimeAmount.seconds(10)
    /// Who connects in a loop must not fill a terminal, or a launcher's log.
    private static let failureRate = TokenBucket.Rate(perSecond: 1, burst: 20)

    private let session: TunnelID
    private let tunnel: RemoteHost
    private let limit: Int
    private let eventLoop: any EventLoop
    private let onFailure: @Sendable (TunnelBridge.Failure) -> Void
    private var open: [ObjectIdentifier: any Channel] = [:]
    private var allowance = TokenBucket(at: .now)
    private var end: EventLoopPromise<Void>?

    init(
        _ session: TunnelID, at tunnel: RemoteHost, atMost limit: Int, eventLoop: any EventLoop,
        onFailure: @escaping @Sendable (TunnelBridge.Failure) -> Void
    ) {
        self.session = session
        self.tunnel = tunnel
        self.limit = limit
        self.eventLoop = eventLoop
        self.onFailure = onFailure
    }

    /// Takes in a connection that was just accepted.
    func welcome(_ local: any Channel) throws {
        guard open.count < limit else {
            report(.crowded(limit))
            throw Crowded()
        }
        try Pipe.prepare(local)
        open[ObjectIdentifier(local)] = local
        join(local)
    }

    private func join(_ local: any Channel) {
        let opening = TunnelOpening.join(session).encoded
        let guests = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Pipe.prepare(channel) }
            }
            .connect(host: tunnel.name, port: Int(tunnel.port))
            .flatMap { tunnel in
                tunnel.writeAndFlush(opening, promise: nil)
                return Pipe.connect(local, to: tunnel)
            }
            .whenComplete { guests.value.ended(local, $0) }
    }

    private func ended(_ local: any Channel, _ result: Result<Pipe.Traffic, any Error>) {
        switch result {
        case .success(let traffic):
            if traffic.fromSecond == 0, traffic.endedFirst == .second { report(.unanswered) }
        case .failure(let error):
            report(.unreachable(ConnectFailure.words(for: error)))
            local.close(promise: nil)
        }
        open[ObjectIdentifier(local)] = nil
        if open.isEmpty { end?.succeed() }
    }

    private func report(_ failure: TunnelBridge.Failure) {
        if allowance.take(at: .now, rate: Self.failureRate) { onFailure(failure) }
    }

    /// Waits until nobody is connected, and then no longer.
    func end(within grace: TimeAmount) -> EventLoopFuture<Void> {
        let end = end ?? eventLoop.makePromise(of: Void.self)
        self.end = end
        if open.isEmpty { end.succeed() }
        let guests = NIOLoopBound(self, eventLoop: eventLoop)
        let deadline = eventLoop.scheduleTask(in: grace) {
            for local in guests.value.open.values { local.close(promise: nil) }
            end.succeed()
        }
        end.futureResult.whenComplete { _ in deadline.cancel() }
        return end.futureResult
    }
}

extension Endpoint {
    /// The address by which this machine reaches a listener of its own.
    fileprivate var fromThisMachine: Endpoint {
        guard address == .anyIPv6 || address.ipv4 == 0 else { return self }
        return Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: port)
    }
}
