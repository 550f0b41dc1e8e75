import NIOCore
import RelayCore
import SOE
import Testing

@testable import SOEGateway

/// A gateway with its clients and a backend, in virtual time and without any network between them.
final class GatewayDesk {
    static let server = Endpoint(address: IPAddress(ipv4: 0x0A00_0001), port: 20260)

    /// One client and what it has heard.
    final class Client {
        let endpoint: Endpoint
        var engine: SOEEngine
        var peer: PeerID?
        var messages: [(channel: UInt8, message: ByteBuffer)] = []
        var events: [SOEEvent] = []
        /// Whether what is sent to it, and what it sends, gets lost.
        var isUnreachable = false

        var texts: [String] { messages.map { String(buffer: $0.message) } }

        init(_ number: Int, parameters: SOEParameters) {
            endpoint = Endpoint(address: IPAddress(ipv4: 0xC000_0200 + UInt32(number)), port: 5000)
            var configuration = SOEConfiguration()
            configuration.parameters = parameters
            configuration.acceptsSessions = false
            engine = SOEEngine(configuration: configuration, random: .seeded(UInt64(number)))
        }
    }

    var gateway: GatewayEngine
    var now = Instant.zero
    private(set) var clients: [Client] = []
    /// What the backend has heard, and not been asked for yet.
    private(set) var frames: [BackendFrame] = []
    private(set) var events: [any EngineEvent] = []
    private(set) var commands: [GatewayOutbox.BackendCommand] = []
    private var reader = BackendFrameReader()
    /// Whether a backend answers a gateway that asks for it.
    var backendAnswers = true
    private(set) var isConnected = false

    init(door: GatewayEngine.Door = .open, _ change: (inout GatewayConfiguration) -> Void = { _ in }) {
        var configuration = GatewayConfiguration()
        change(&configuration)
        gateway = GatewayEngine(configuration: configuration, door: door, random: .seeded(7))
    }

    // MARK: Clients

    func addClient(_ change: (inout SOEParameters) -> Void = { _ in }) throws -> Client {
        var parameters = SOEParameters()
        parameters.protocolName = "LoginUdp_9"
        change(&parameters)
        let client = Client(clients.count + 1, parameters: parameters)
        clients.append(client)
        var out = DatagramOutbox()
        client.peer = try client.engine.connect(to: Self.server, at: now, into: &out)
        return client
    }

    func say(_ text: String, _ client: Client, on channel: SOEChannel = .reliable0) throws {
        let peer = try #require(client.peer)
        #expect(client.engine.enqueue(ByteBuffer(string: text), on: channel, to: peer, at: now) == .accepted)
    }

    // MARK: The backend

    /// Takes what the backend has heard.
    func takeFrames() -> [BackendFrame] {
        defer { frames = [] }
        return frames
    }

    func backendSays(_ frames: BackendFrame...) {
        let bytes = frames.reduce(into: ByteBuffer()) { $1.encode(into: &$0) }
        backendSays(bytes: bytes)
    }

    func backendSays(bytes: ByteBuffer) {
        act { gateway, out in gateway.receiveFromBackend(bytes, at: now, into: &out) }
    }

    func backendGoes() {
        isConnected = false
        act { gateway, out in gateway.backendDisconnected("gone", at: now, into: &out) }
    }

    func backendReads(_ isReading: Bool) {
        act { gateway, out in gateway.backendWritability(is: isReading, at: now, into: &out) }
    }

    // MARK: Time

    func act(_ change: (inout GatewayEngine, inout GatewayOutbox) -> Void) {
        var out = GatewayOutbox()
        change(&gateway, &out)
        drain(&out)
    }

    /// Lets time pass, from one deadline to the next.
    func run(for duration: Duration) {
        let end = now + duration
        while settle() {
            let deadlines = [gateway.nextDeadline] + clients.map { $0.engine.nextDeadline }
            guard let next = deadlines.compactMap({ $0 }).min(), next <= end else { break }
            now = max(next, now.after(1))
        }
        now = end
    }

    /// Does everything that is due at this moment; `false` if there is no end to it.
    private func settle() -> Bool {
        for _ in 0..<1000 {
            var isQuiet = true
            for client in clients where (client.engine.nextDeadline ?? .never) <= now {
                isQuiet = false
                var out = DatagramOutbox()
                client.engine.advance(to: now, into: &out)
                pass(out, from: client)
            }
            if (gateway.nextDeadline ?? .never) <= now {
                isQuiet = false
                act { gateway, out in gateway.advance(to: now, into: &out) }
            }
            if isQuiet { return true }
        }
        let deadlines = clients.map { $0.engine.nextDeadline }
        Issue.record("no rest at \(now): gateway \(String(describing: gateway.nextDeadline)), clients \(deadlines)")
        return false
    }

    private func pass(_ out: DatagramOutbox, from client: Client) {
        note(out, client)
        guard !client.isUnreachable else { return }
        for index in 0..<out.datagramCount {
            let datagram = out.datagram(at: index).bytes
            act { gateway, out in gateway.receive(datagram, from: client.endpoint, at: now, into: &out) }
        }
    }

    private func note(_ out: DatagramOutbox, _ client: Client) {
        for index in 0..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let message, from: _, channel: let channel): client.messages.append((channel, message))
            case .emit(let event): if let event = event as? SOEEvent { client.events.append(event) }
            }
        }
    }

    private func drain(_ out: inout GatewayOutbox) {
        for index in 0..<out.datagrams.effectCount {
            guard case .emit(let event) = out.datagrams.effect(at: index) else {
                Issue.record("a message was left among the events")
                continue
            }
            events.append(event)
        }
        reader.append(out.backendBytes)
        while let frame = try? reader.next() { frames.append(frame) }
        #expect(reader.heldBytes == 0)
        let command = out.command
        for index in 0..<out.datagrams.datagramCount {
            let (datagram, endpoint) = out.datagrams.datagram(at: index)
            guard let client = clients.first(where: { $0.endpoint == endpoint }), !client.isUnreachable else {
                continue
            }
            var answer = DatagramOutbox()
            client.engine.receive(datagram, from: Self.server, at: now, into: &answer)
            note(answer, client)
            #expect(answer.datagramCount == 0 || client.engine.nextDeadline != nil)
        }
        out.removeAll()
        guard let command else { return }
        commands.append(command)
        switch command {
        case .connect: answerConnect()
        case .close: isConnected = false
        }
    }

    private func answerConnect() {
        guard backendAnswers else {
            act { gateway, out in gateway.backendDisconnected("refused", at: now, into: &out) }
            return
        }
        isConnected = true
        act { gateway, out in gateway.backendConnected(at: now, into: &out) }
    }

    /// A backend that is there and has said hello.
    func start() {
        run(for: .milliseconds(1))
        backendSays(.hello(version: BackendFrame.version))
    }

    var eventNames: [String] { events.map(\.name) }
}
