import LDN
import NIOConcurrencyHelpers
import NIOCore
package import RelayCore

/// Plays a short session against a master, two clients of a test network, and takes the time of each step.
package struct MasterProbe: Sendable {
    /// What was tried.
    package enum Step: String, Sendable, CaseIterable {
        case connect
        case handshake
        /// A ping of the client's own and its return: the round trip. The reference master answers none.
        case ping
        case scan
        case host
        case find
        case join
        /// From one player to the other, and back.
        case play
        case leave
    }

    /// What became of it.
    package struct Outcome: Sendable, Equatable {
        package var step: Step
        package var duration: Duration
        /// What was seen.
        package var detail: String
        /// Why it came to nothing.
        package var failure: String?
    }

    /// Nobody else's scan shows the test network: it is opened under a passphrase of its own.
    private let configuration: LDNClientConfiguration
    private let master: Endpoint
    /// How long a player's words may take.
    private let patience: Duration
    private static let port: UInt16 = 49_999

    /// - Parameter patience: how long a scan may take, and a request to enter a network; `nil` is as long as emulators
    ///   wait.
    package init(_ master: Endpoint, patience: Duration? = nil) {
        self.master = master
        var configuration = LDNClientConfiguration()
        configuration.userName = "baton probe"
        configuration.passphrase = Passphrase(digits: .random(in: 0 ... .max))
        configuration.handshakeTimeout = patience ?? configuration.handshakeTimeout
        configuration.scanTimeout = patience ?? configuration.scanTimeout
        configuration.entryTimeout = patience ?? configuration.entryTimeout
        configuration.pingTimeout = patience ?? configuration.pingTimeout
        self.configuration = configuration
        self.patience = patience ?? .seconds(5)
    }

    /// Tells of each step when it is over. After one that failed the others are not tried, but for `ping`.
    package func run(_ tell: @escaping @Sendable (Outcome) -> Void) async {
        var connections: [LDNConnection] = []
        do {
            try await play(&connections, tell)
        } catch is StepFailed {
        } catch {
            preconditionFailure("a step failed untold: \(error)")
        }
        for connection in connections { await connection.close() }
    }

    private struct StepFailed: Error {}

    private func play(_ connections: inout [LDNConnection], _ tell: (Outcome) -> Void) async throws {
        let (hostEars, guestEars) = (Ears(patience), Ears(patience))
        var watching = configuration
        watching.passphrase = .none
        let watcher = try await step(.connect, tell) {
            let connection = try await LDNConnection.connect(to: master, configuration: watching)
            return (connection, "from \(connection.localEndpoint)")
        }
        connections.append(watcher)
        _ = try await step(.handshake, tell) {
            let identity = try await watcher.ready()
            return ((), "MAC address \(identity.macAddress)")
        }
        _ = try? await step(.ping, tell) { (try await watcher.ping(), "") }
        try await step(.scan, tell) {
            let networks = try await watcher.scan()
            let players = networks.reduce(0) { $0 + Int($1.ldn.nodeCount) }
            return ((), "\(networks.count) public networks, \(players) players")
        }
        let host = try await client(hostEars, .host, &connections, tell)
        let guest = try await client(guestEars, .join, &connections, tell)
        let opened = try await step(.host, tell) {
            var plan = NetworkPlan()
            plan.intentID.localCommunicationID = Int64(bitPattern: .random(in: 1 ... .max))
            plan.places = 2
            return (try await host.create(plan), "at address 10.114.0.1")
        }
        let id = opened.network.networkID.sessionID
        let found = try await step(.find, tell) {
            var filter = ScanFilter()
            filter.networkID = opened.network.networkID
            filter.flag = [.localCommunicationID, .sessionID]
            let found = try await guest.scan(filter)
            guard let network = found.first(where: { $0.networkID.sessionID == id }) else {
                throw Disappointment("a scan does not find the test network")
            }
            return (network, "network \(id)")
        }
        let place = try await step(.join, tell) {
            let place = try await guest.join(found)
            return (place, "at address \(place.address)")
        }
        try await step(.play, tell) {
            try await exchange(host, hostEars, guest, guestEars, guestAt: place.address)
            return ((), "a datagram to the host and one back")
        }
        try await step(.leave, tell) {
            try await guest.leave()
            let left = await hostEars.heard { event in
                if case .networkChanged(let network) = event { network.ldn.nodeCount == 1 } else { false }
            }
            guard left else { throw Disappointment("the host was not told that its player left") }
            return ((), "the host was told")
        }
    }

    /// A client of the test network that has shaken hands.
    private func client(
        _ ears: Ears, _ purpose: Step, _ connections: inout [LDNConnection], _ tell: (Outcome) -> Void
    ) async throws -> LDNConnection {
        do {
            let client = try await LDNConnection.connect(to: master, configuration: configuration) { ears.hear($0) }
            connections.append(client)
            _ = try await client.ready()
            return client
        } catch {
            tell(Outcome(step: purpose, duration: .zero, detail: "", failure: "\(error)"))
            throw StepFailed()
        }
    }

    private func exchange(
        _ host: LDNConnection, _ hostEars: Ears, _ guest: LDNConnection, _ guestEars: Ears, guestAt: VirtualAddress
    ) async throws {
        let sockets = try await (host.openSocket(port: Self.port), guest.openSocket(port: Self.port))
        let (there, back) = (ByteBuffer(string: "there"), ByteBuffer(string: "back"))
        try await guest.send(there, from: sockets.1, to: VirtualEndpoint(address: .host, port: Self.port))
        guard await hostEars.heard({ $0.isDatagram(there) }) else { throw Disappointment("the host heard nothing") }
        try await host.send(back, from: sockets.0, to: VirtualEndpoint(address: guestAt, port: Self.port))
        guard await guestEars.heard({ $0.isDatagram(back) }) else { throw Disappointment("the player heard nothing") }
    }

    @discardableResult
    private func step<Value>(
        _ step: Step, _ tell: (Outcome) -> Void, _ body: () async throws -> (Value, String)
    ) async throws -> Value {
        let began = ContinuousClock.now
        do {
            let (value, detail) = try await body()
            tell(Outcome(step: step, duration: .now - began, detail: detail))
            return value
        } catch {
            tell(Outcome(step: step, duration: .now - began, detail: "", failure: "\(error)"))
            throw StepFailed()
        }
    }
}

private struct Disappointment: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension LDNClientEvent {
    fileprivate func isDatagram(_ data: ByteBuffer) -> Bool {
        if case .datagram(_, _, let heard) = self { heard == data } else { false }
    }
}

/// Waits for something that a client tells.
private final class Ears: Sendable {
    private let events: AsyncStream<LDNClientEvent>
    private let source: AsyncStream<LDNClientEvent>.Continuation
    private let patience: Duration

    init(_ patience: Duration) {
        self.patience = patience
        (events, source) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1000))
    }

    func hear(_ event: LDNClientEvent) { source.yield(event) }

    /// Whether the next events, in bounded time, bring what is waited for.
    func heard(_ isIt: @escaping @Sendable (LDNClientEvent) -> Bool) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { [events] in await events.contains(where: isIt) }
            group.addTask { [patience] in
                try? await Task.sleep(for: patience)
                return false
            }
            let result = await group.next() ?? false
            group.cancelAll()
            return result
        }
    }
}
