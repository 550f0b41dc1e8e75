import Logging
import NIOCore
import NIOPosix
import RelayCore
import RelayNIO
import SOE
import SOEGateway
import SOESockets
import Testing

@testable import BatonServer

/// The gateway on free ports of loopback, its backend, and clients that do something only while the test waits.
final class GatewayLoopback {
    let service: SOEService
    /// Where it listens.
    let endpoints: [Endpoint]
    /// Where its backend is to be found.
    let backendPort: Int
    private(set) var backend: GameBackend
    private var clients: [GameClient] = []

    private init(service: SOEService, backend: GameBackend) async throws {
        self.service = service
        self.backend = backend
        backendPort = backend.port
        endpoints = try await service.status().listeners.map {
            try #require(SocketAddress(listener: $0)?.endpoint)
        }
    }

    /// Starts a gateway and a backend, hands them to `body`, and stops them.
    ///
    /// - Parameters:
    ///   - settings: of section `soe`, as YAML between braces.
    ///   - waits: whether to wait until they have found each other.
    static func with(
        listen: [String] = ["127.0.0.1:0"], _ settings: String = "", limits: Admission.Limits = .init(),
        bans: BanList = BanList(), greets: Bool = true, waits: Bool = true,
        _ body: (GatewayLoopback) async throws -> Void
    ) async throws {
        let backend = try await GameBackend.start(greets: greets)
        let context = RelayContext(
            eventLoops: MultiThreadedEventLoopGroup.singleton, desk: AdmissionDesk(limits: limits, bans: bans),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let yaml = Self.yaml(listen: listen, backendPort: backend.port, settings)
        let service = try #require(try await SOEService(configuration(yaml), context: context))
        try await service.start()
        let gateway = try await GatewayLoopback(service: service, backend: backend)
        do {
            if waits { try await gateway.until { try await $0.figure("backend_connected") == 1 } }
            try await body(gateway)
        } catch {
            try await gateway.stop()
            throw error
        }
        try await gateway.stop()
    }

    private func stop() async throws {
        try await service.stop()
        try await backend.stop()
    }

    static func yaml(listen: [String] = ["127.0.0.1:0"], backendPort: Int, _ settings: String) -> String {
        let addresses = listen.map { "\"\($0)\"" }.joined(separator: ", ")
        return "soe: {listen: [\(addresses)], backend: \"127.0.0.1:\(backendPort)\", \(settings)}"
    }

    /// Has the service take over other settings, as a reload does.
    func reconfigure(_ settings: String) async throws {
        try await service.reconfigure(configuration(Self.yaml(backendPort: backendPort, settings)))
    }

    /// The backend comes back where it was.
    func restartBackend() async throws {
        try await backend.stop()
        backend = try await GameBackend.start(port: backendPort)
    }

    /// A client that asks for a session.
    func connect(
        to endpoint: Endpoint? = nil, from source: String = "127.0.0.1",
        _ change: (inout SOEParameters) -> Void = { _ in }
    ) throws -> GameClient {
        var parameters = SOEParameters()
        parameters.protocolName = "LoginUdp_9"
        change(&parameters)
        let client = try GameClient(from: source, to: endpoint ?? endpoints[0], parameters: parameters)
        clients.append(client)
        return client
    }

    /// A client whose session the backend knows of, and its number.
    func join(
        to endpoint: Endpoint? = nil, from source: String = "127.0.0.1",
        _ change: (inout SOEParameters) -> Void = { _ in }
    ) async throws -> (client: GameClient, number: SessionNumber) {
        let client = try connect(to: endpoint, from: source, change)
        // A session is open for a server when its client has said something.
        client.say("hello")
        try await until { _ in client.session.map { id in backend.opened.contains { $0.session.wireID == id } } ?? false
        }
        let id = try #require(client.session)
        let number = try #require(backend.opened.last { $0.session.wireID == id }?.number)
        try await until { $0.backend.messages(of: number).count == 1 }
        return (client, number)
    }

    /// Moves the clients until something is so; the suite's time limit bounds it.
    func until(_ condition: (GatewayLoopback) async throws -> Bool) async throws {
        while true {
            for client in clients where !client.isAsleep { client.step() }
            if try await condition(self) { return }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Moves the clients until many looks in a row have found nothing more relayed.
    func untilQuiet() async throws {
        var (relayed, looks) = (UInt64(0), 0)
        try await until { gateway in
            let now = try await gateway.service.status().counters.messagesRelayed
            looks = now > relayed ? 0 : looks + 1
            relayed = now
            return looks > 300
        }
    }

    func figure(_ name: String) async throws -> UInt64 {
        let figures = try await service.status().figures
        return UInt64(try #require(figures.first { $0.name == name }).value)
    }
}

/// A game's client.
final class GameClient {
    private let socket: SOESteppingSocket
    let peer: PeerID
    private(set) var messages: [(channel: SOEChannel, message: ByteBuffer)] = []
    private(set) var isOpen = false
    /// Why the session has ended.
    private(set) var end: DisconnectReason?
    private(set) var endedByGateway = false
    /// Whether it does nothing, as one that the network has lost.
    var isAsleep = false

    init(from source: String, to endpoint: Endpoint, parameters: SOEParameters) throws {
        var configuration = SOEConfiguration()
        configuration.acceptsSessions = false
        configuration.parameters = parameters
        let own = Endpoint(address: try #require(IPAddress(source)), port: 0)
        socket = try SOESteppingSocket(binding: own, configuration: configuration)
        peer = try socket.connect(to: endpoint, parameters: parameters)
        socket.flush()
    }

    var endpoint: Endpoint { socket.localEndpoint }

    /// The session id it chose.
    var session: UInt32? { socket.engine.session(peer)?.wireID }

    var queuedBytes: Int { socket.engine.queuedBytes(for: peer) }

    func texts(on channel: SOEChannel = .reliable0) -> [String] {
        messages.filter { $0.channel == channel }.map { String(buffer: $0.message) }
    }

    func say(_ text: String, on channel: SOEChannel = .reliable0) {
        say(ByteBuffer(string: text), on: channel)
    }

    @discardableResult
    func say(_ message: ByteBuffer, on channel: SOEChannel = .reliable0) -> EnqueueResult {
        defer { socket.flush() }
        return socket.send(message, on: channel, to: peer)
    }

    func encrypt(_ key: RC4Key) {
        socket.encrypt(peer, with: key)
    }

    func disconnect() {
        socket.disconnect(peer)
        socket.flush()
    }

    func step() {
        for event in socket.step() {
            switch event {
            case .message(let message, from: _, on: let channel): messages.append((channel, message))
            case .session(.opened): isOpen = true
            case .session(.closed(_, let reason, let byPeer, undelivered: _)):
                (end, endedByGateway) = (reason, byPeer)
            case .session: break
            }
        }
    }
}
