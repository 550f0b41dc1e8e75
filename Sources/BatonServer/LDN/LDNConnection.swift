public import LDN
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
public import RelayCore
import RelayNIO

/// A client of an LDN master on sockets: `LDNClient`, its connection to the master and, in P2P networks, the one to the
/// host.
///
/// Every call is safe from any task. Requests of one kind follow one another; a second one at the same time fails.
public final class LDNConnection: Sendable {
    /// A connection did not come about; why, in words.
    public struct NotConnected: Error, CustomStringConvertible {
        public var master: Endpoint
        public var reason: String

        public var description: String { "\(master) cannot be reached: \(reason)" }
    }

    /// This side's address, as the connection to the master has it.
    public let localEndpoint: Endpoint
    private let driver: NIOLoopBound<LDNClientDriver>
    private var eventLoop: any EventLoop { driver.eventLoop }

    /// Connects to a master.
    ///
    /// - Parameter onEvent: told of everything, also of what requests are answered with; on the event loop, must not
    ///   block.
    /// - Throws: `NotConnected`
    public static func connect(
        to master: Endpoint, configuration: LDNClientConfiguration = .init(), connectTimeout: Duration = .seconds(5),
        onEvent: @escaping @Sendable (LDNClientEvent) -> Void = { _ in }
    ) async throws -> LDNConnection {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let driver = try await eventLoop.submit {
            let driver = LDNClientDriver(
                LDNClient(configuration: configuration), eventLoop: eventLoop, onEvent: onEvent)
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
        do {
            let address = try SocketAddress(ipAddress: "\(master.address)", port: Int(master.port))
            let channel = try await LDNClientDriver.bootstrap(
                .master, driver: driver, timeout: TimeAmount(connectTimeout)
            ).connect(to: address).get()
            let local = channel.localAddress?.endpoint ?? Endpoint(address: IPAddress(ipv4: 0), port: 0)
            return LDNConnection(driver, from: local)
        } catch {
            throw NotConnected(master: master, reason: ConnectFailure.words(for: error))
        }
    }

    private init(_ driver: NIOLoopBound<LDNClientDriver>, from local: Endpoint) {
        self.driver = driver
        localEndpoint = local
    }

    /// Waits until the master has said who this is.
    public func ready() async throws -> InitializeMessage {
        try await request { driver, promise in driver.awaitReady(promise) }
    }

    /// All networks that a scan finds.
    public func scan(_ filter: ScanFilter = .init()) async throws -> [NetworkInfo] {
        try await request { driver, promise in
            driver.ask(promise, \.scan) { client, out throws(LDNClientFailure) in
                try client.scan(filter, at: .now, into: &out)
            }
        }
    }

    /// Opens a network.
    public func create(_ plan: NetworkPlan) async throws -> Membership {
        try await request { driver, promise in
            driver.ask(promise, \.entry) { client, out throws(LDNClientFailure) in
                try client.create(plan, at: .now, into: &out)
            }
        }
    }

    /// Joins a network that was found.
    public func join(_ network: NetworkInfo) async throws -> Membership {
        try await request { driver, promise in
            driver.ask(promise, \.entry) { client, out throws(LDNClientFailure) in
                try client.join(network, at: .now, into: &out)
            }
        }
    }

    /// Puts a player out; `false` if the master did not.
    public func reject(nodeID: UInt32) async throws -> Bool {
        try await request { driver, promise in
            driver.ask(promise, \.reject) { client, out throws(LDNClientFailure) in
                try client.reject(nodeID: nodeID, at: .now, into: &out)
            }
        }
    }

    /// Asks the master whether it lives, and waits for the answer.
    public func ping() async throws {
        try await request { (driver, promise: EventLoopPromise<Void>) in
            driver.ask(promise, \.ping) { client, out throws(LDNClientFailure) in
                try client.ping(at: .now, into: &out)
            }
        }
    }

    public func leave() async throws {
        try await tell { client, out throws(LDNClientFailure) in try client.leave(into: &out) }
    }

    public func setAcceptPolicy(_ policy: AcceptPolicy) async throws {
        try await tell { client, out throws(LDNClientFailure) in try client.setAcceptPolicy(policy, into: &out) }
    }

    public func advertise(_ data: ByteBuffer) async throws {
        try await tell { client, out throws(LDNClientFailure) in try client.advertise(data, into: &out) }
    }

    /// For hosts: a player has gone from the P2P proxy. Does not wait.
    public func proxyLeft(_ address: VirtualAddress) {
        let driver = driver
        eventLoop.execute { driver.value.perform { client, out in client.proxyLeft(address, into: &out) } }
    }

    /// Opens a socket in the game's network: see `LDNClient.openSocket`.
    public func openSocket(
        port: UInt16? = nil, transport: TransportProtocol = .udp, hearsBroadcast: Bool = true
    ) async throws -> VirtualSocket {
        try await tell { client, _ throws(LDNClientFailure) in
            try client.openSocket(port: port, transport: transport, hearsBroadcast: hearsBroadcast)
        }
    }

    public func closeSocket(_ socket: VirtualSocket) async throws {
        try await tell { client, _ throws(LDNClientFailure) in client.closeSocket(socket) }
    }

    /// Says something to a player, or to all.
    ///
    /// - Throws: `LDNClientFailure`; `notNow` while too much waits to be sent.
    public func send(
        _ data: ByteBuffer, from socket: VirtualSocket, to destination: VirtualEndpoint
    ) async throws {
        let driver = driver
        try await eventLoop.submit {
            guard driver.value.canSend else { throw LDNClientFailure.notNow }
            try driver.value.perform { client, out throws(LDNClientFailure) in
                try client.send(data, from: socket, to: destination, into: &out)
            }
        }.get()
    }

    /// Ends the connections and waits until they have ended.
    public func close() async {
        let driver = driver
        try? await eventLoop.flatSubmit {
            driver.value.perform { client, out in client.close(into: &out) }
            return driver.value.ended
        }.get()
    }

    /// Waits until the connection to the master has ended.
    public func ended() async {
        let driver = driver
        try? await eventLoop.flatSubmit { driver.value.ended }.get()
    }

    private func request<Answer: Sendable>(
        _ body: @escaping @Sendable (LDNClientDriver, EventLoopPromise<Answer>) -> Void
    ) async throws -> Answer {
        let driver = driver
        let promise = eventLoop.makePromise(of: Answer.self)
        eventLoop.execute { body(driver.value, promise) }
        return try await promise.futureResult.get()
    }

    private func tell<Answer: Sendable>(
        _ input: @escaping @Sendable (inout LDNClient, inout LDNClient.Effects) throws(LDNClientFailure) -> Answer
    ) async throws -> Answer {
        let driver = driver
        return try await eventLoop.submit { try driver.value.perform(input) }.get()
    }
}
