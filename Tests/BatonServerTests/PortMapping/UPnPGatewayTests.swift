import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

/// The C library against a router of ours, which can answer what no real one would on demand.
@Suite(.timeLimit(.minutes(5))) struct UPnPGatewayTests {
    private static let entry = GatewayEntry(mapping: .sample(), externalPort: 55436, leaseSeconds: 60)

    /// Connected, and granting everything but what `exception` says.
    private static func router(
        connected: String = "WANIPConnection:1",
        _ exception: @escaping @Sendable (HTTPRouter.Call) -> HTTPRouter.Reply? = { _ in nil }
    ) -> @Sendable (HTTPRouter.Call) -> HTTPRouter.Reply {
        { call in
            if let reply = exception(call) { return reply }
            switch call.action {
            case "GetStatusInfo":
                let state = call.service == connected ? "Connected" : "Disconnected"
                return .done(["NewConnectionStatus": state, "NewLastConnectionError": "ERROR_NONE", "NewUptime": "1"])
            case "GetExternalIPAddress": return .done(["NewExternalIPAddress": "203.0.113.7"])
            case "GetSpecificPortMappingEntry": return .fault(714)
            default: return .done()
            }
        }
    }

    /// The calls block, which tests must not.
    private static func offThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws(PortMappingFailure) -> Value
    ) async throws -> Result<Value, PortMappingFailure> {
        try await NIOThreadPool.singleton.runIfActive { Result(catching: body) }
    }

    private static func gateway(_ router: HTTPRouter) async throws -> UPnPGateway {
        let description = router.description
        return try await offThread { () throws(PortMappingFailure) in try UPnPGateway(describedAt: description) }.get()
    }

    @Test func anEntryIsAddedAndRemoved() async throws {
        try await HTTPRouter.with(Self.router()) { router in
            let gateway = try await Self.gateway(router)
            let address = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
            #expect(address == .success(ExternalPort.sampleAddress))
            let removed = try await Self.offThread { () throws(PortMappingFailure) in
                try gateway.remove(.udp, externalPort: 20260)
            }
            #expect(throws: Never.self) { try removed.get() }
            #expect(
                router.asked == [
                    HTTPRouter.Call(
                        action: "AddPortMapping", service: "WANIPConnection:1",
                        arguments: [
                            "NewRemoteHost": "", "NewExternalPort": "55436", "NewProtocol": "TCP",
                            "NewInternalPort": "55435", "NewInternalClient": "127.0.0.1", "NewEnabled": "1",
                            "NewPortMappingDescription": "Baton netplay", "NewLeaseDuration": "60",
                        ]),
                    HTTPRouter.Call(
                        action: "DeletePortMapping", service: "WANIPConnection:1",
                        arguments: ["NewRemoteHost": "", "NewExternalPort": "20260", "NewProtocol": "UDP"]),
                ])
        }
    }

    @Test func aListenersOwnAddressIsMapped() async throws {
        try await HTTPRouter.with(Self.router()) { router in
            let gateway = try await Self.gateway(router)
            var entry = Self.entry
            entry.mapping.target.address = IPAddress(ipv4: 0x7F00_0009)
            let asked = entry
            _ = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(asked) }
            #expect(router.asked.first?.arguments["NewInternalClient"] == "127.0.0.9")
        }
    }

    @Test(arguments: [
        (402, PortMappingFailure.refused(code: 402, meaning: "Invalid Args")), (606, nil), (714, .noSuchEntry),
        (718, .portTaken), (725, .onlyPermanentLeases), (729, .portTaken),
        (999, .refused(code: 999, meaning: "UnknownError")),
    ])
    func errorsOfTheProtocol(_ code: Int, _ expected: PortMappingFailure?) async throws {
        let refuse = Self.router { call in call.action.hasPrefix("Get") ? nil : .fault(code) }
        try await HTTPRouter.with(refuse) { router in
            let gateway = try await Self.gateway(router)
            let added = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
            let failure = expected ?? .refused(code: 606, meaning: "Action not authorized")
            #expect(added == .failure(failure))
        }
    }

    @Test func aRouterThatHangsUp() async throws {
        let refuse = Self.router { call in call.action == "AddPortMapping" ? .hangUp : nil }
        try await HTTPRouter.with(refuse) { router in
            let gateway = try await Self.gateway(router)
            let added = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
            #expect(added == .failure(.noAnswer))
        }
    }

    @Test func aRouterThatIsGone() async throws {
        var gateway: UPnPGateway?
        try await HTTPRouter.with(Self.router()) { gateway = try await Self.gateway($0) }
        let gone = try #require(gateway)
        let added = try await Self.offThread { () throws(PortMappingFailure) in try gone.add(Self.entry) }
        #expect(added == .failure(.noAnswer))
        let removed = try await Self.offThread { () throws(PortMappingFailure) in
            try gone.remove(.tcp, externalPort: 55436)
        }
        #expect(throws: PortMappingFailure.noAnswer) { try removed.get() }
    }

    @Test func aRouterMayKeepItsAddressToItself() async throws {
        let silent = Self.router { call in call.action == "GetExternalIPAddress" ? .fault(501) : nil }
        try await HTTPRouter.with(silent) { router in
            let gateway = try await Self.gateway(router)
            let added = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
            #expect(added == .success(nil))
        }
    }

    /// Many routers would overwrite it, if it is this machine's.
    @Test(arguments: [("127.0.0.1", "2222"), ("127.0.0.9", "55435"), ("127.0.0.1", "55435")])
    func anotherProgramsEntryIsLeftAlone(_ address: String, _ port: String) async throws {
        let held = Self.router { call in
            guard call.action == "GetSpecificPortMappingEntry" else { return nil }
            #expect(call.arguments["NewExternalPort"] == "55436" && call.arguments["NewProtocol"] == "TCP")
            return .done([
                "NewInternalClient": address, "NewInternalPort": port, "NewEnabled": "1",
                "NewPortMappingDescription": "x", "NewLeaseDuration": "0",
            ])
        }
        let isOurs = address == "127.0.0.1" && port == "55435"
        try await HTTPRouter.with(held) { router in
            let gateway = try await Self.gateway(router)
            let added = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
            #expect(added == (isOurs ? .success(ExternalPort.sampleAddress) : .failure(.portTaken)))
            #expect(router.asked.count == (isOurs ? 1 : 0))
        }
    }

    /// Over DSL the other service may be the one in use.
    @Test func theConnectedServiceIsTaken() async throws {
        let services = ["WANIPConnection:1", "WANPPPConnection:1"]
        for connected in services {
            try await HTTPRouter.with(services: services, Self.router(connected: connected)) { router in
                let gateway = try await Self.gateway(router)
                _ = try await Self.offThread { () throws(PortMappingFailure) in try gateway.add(Self.entry) }
                #expect(router.asked.map(\.service) == [connected])
            }
        }
    }

    @Test func whoIsNoRouterOrNotConnected() async throws {
        try await HTTPRouter.with(Self.router(connected: "nothing")) { router in
            await #expect(throws: PortMappingFailure.notConnected) { try await Self.gateway(router) }
        }
        try await HTTPRouter.with(services: ["Printer:1"], Self.router()) { router in
            await #expect(throws: PortMappingFailure.noGateway) { try await Self.gateway(router) }
        }
        try await HTTPRouter.with(services: [], Self.router()) { router in
            await #expect(throws: PortMappingFailure.noGateway) { try await Self.gateway(router) }
        }
    }
}
