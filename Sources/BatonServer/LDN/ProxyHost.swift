package import LDN
package import Logging
import NIOConcurrencyHelpers
import NIOCore
package import RelayCore

/// A host that does nothing but relay: it opens a network at a master and runs the P2P proxy of it.
package struct ProxyHost: Sendable {
    package var master: RemoteHost
    /// The port that is listened on and announced as it is; `nil` takes the first free of 39990 to 39999 and has the
    /// router map it.
    package var port: UInt16?
    package var client = LDNClientConfiguration()
    package var plan = NetworkPlan()
    package var proxy = P2PProxyConfiguration()
    package var logger: Logger
    var finder: any GatewayFinder = UPnPFinder()

    package init(master: RemoteHost, logger: Logger) {
        self.master = master
        self.logger = logger
    }

    /// What has come about.
    package struct Hosting: Sendable {
        package var network: NetworkInfo
        /// By which the internet reaches the proxy.
        package var externalPort: UInt16
        /// Where this machine's network does.
        package var internalEndpoint: Endpoint
    }

    /// Hosts until the task is cancelled or the master has gone. When this returns, the proxy has stopped, its mapping is
    /// taken back, and its players and the master have been parted from.
    ///
    /// - Throws: `BatonError`, with the reason for which there is no network, or no more.
    package func run(onHosting: @Sendable (Hosting) -> Void = { _ in }) async throws {
        let scene = ProxyScene()
        let connection = try await connect(scene)
        do {
            try await host(connection, scene, onHosting)
            await end(connection, scene)
        } catch {
            await end(connection, scene)
            throw error
        }
    }

    private func host(
        _ connection: LDNConnection, _ scene: ProxyScene, _ onHosting: @Sendable (Hosting) -> Void
    ) async throws {
        _ = try await orBatonError("the master does not shake hands") { try await connection.ready() }
        let server = try await P2PProxyServer(
            configuration: proxy, logger: logger, finder: finder,
            onPlayerLeft: { connection.proxyLeft($0) })
        scene.set(server)
        try Task.checkCancellation()
        let anyAddress = connection.localEndpoint.address.ipv4 == nil ? IPAddress.anyIPv6 : IPAddress(ipv4: 0)
        let inside = try await server.start(ports: port.map { $0...$0 } ?? P2PProxyConfiguration.ports, on: anyAddress)
        let outside = port == nil ? await server.natPunch() : inside
        try Task.checkCancellation()
        guard outside > 0 else {
            throw BatonError(
                .unavailable,
                "no router maps a port (the log says why): forward a TCP port to this machine yourself, and give it "
                    + "by --port")
        }
        var plan = plan
        let place = Endpoint(address: connection.localEndpoint.address, port: inside)
        plan.proxy = NetworkPlan.OwnProxy(externalPort: outside, internalEndpoint: place)
        let membership = try await orBatonError("the master opens no network") { try await connection.create(plan) }
        guard membership.route == .ownProxy else {
            throw BatonError(
                .unavailable,
                "the master cannot reach this machine's port \(outside), or allows no P2P: it would relay itself. Is "
                    + "the port forwarded, and open in the firewall?")
        }
        server.setHostVirtualIP(membership.address)
        let hosting = Hosting(network: membership.network, externalPort: outside, internalEndpoint: place)
        logger.notice(
            "hosting",
            metadata: [
                "event": "hosting", "protocol": "ldn-proxy", "network": "\(membership.network.networkID.sessionID)",
                "external_port": "\(outside)", "address": "\(place)",
            ])
        onHosting(hosting)
        await withTaskCancellationHandler {
            await connection.ended()
        } onCancel: {
            Task { await connection.close() }
        }
        try Task.checkCancellation()
        throw BatonError(.unavailable, "the connection to the master has ended, and with it the network")
    }

    private func connect(_ scene: ProxyScene) async throws -> LDNConnection {
        let addresses: [Endpoint]
        do {
            addresses = try await master.addresses()
        } catch {
            throw BatonError(.unavailable, "\(error)")
        }
        // Routers map ports of IPv4, and by that address the master is to reach the proxy.
        let ordered = addresses.filter { $0.address.ipv4 != nil } + addresses.filter { $0.address.ipv4 == nil }
        var reason = "no address of \(master.name) is known"
        for address in ordered {
            do {
                return try await LDNConnection.connect(to: address, configuration: client) { scene.hear($0) }
            } catch {
                reason = "\(error)"
            }
        }
        throw BatonError(.unavailable, reason)
    }

    private func end(_ connection: LDNConnection, _ scene: ProxyScene) async {
        // What is to be taken back takes its time also where the task has been cancelled.
        await Task {
            await connection.close()
            await scene.server?.stop()
        }.value
    }

    private func orBatonError<Value: Sendable>(
        _ what: String, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as LDNClientFailure {
            throw BatonError(.unavailable, "\(what): \(error)")
        }
    }
}

/// Leads what the master says to the proxy.
private final class ProxyScene: Sendable {
    private struct State {
        var server: P2PProxyServer?
    }

    private let state = NIOLockedValueBox(State())

    var server: P2PProxyServer? { state.withLockedValue { $0.server } }

    func set(_ server: P2PProxyServer) { state.withLockedValue { $0.server = server } }

    func hear(_ event: LDNClientEvent) {
        switch event {
        case .proxyToken(let token): server?.addWaitingToken(token)
        case .proxyState(let state): server?.handleExternalProxyStateChange(state)
        default: break
        }
    }
}
