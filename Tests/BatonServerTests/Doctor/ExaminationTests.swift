import Foundation
import NIOCore
import RelayCore
import Testing

@testable import BatonServer

@Suite struct ExaminationTests {
    private static let healthy: SystemFacts = {
        var facts = SystemFacts()
        facts.openFiles = 100_000
        facts.clockIsSynchronized = true
        facts.kernel = ["net.core.somaxconn": 4096, "net.core.rmem_max": 4 << 20, "net.core.wmem_max": 4 << 20]
        return facts
    }()

    private func findings(
        _ text: String = "json: {listen: \"127.0.0.1:0\"}", change: (inout SystemFacts) -> Void = { _ in }
    ) throws -> [Finding] {
        var facts = Self.healthy
        change(&facts)
        return facts.findings(for: try configuration(text)).filter { $0.grade != .ok }
    }

    @Test func aHealthyMachineNeedsNothing() throws {
        #expect(try findings().isEmpty)
    }

    @Test func tooFewDescriptors() throws {
        let findings = try findings { $0.openFiles = 1024 }
        #expect(findings.map(\.check) == ["descriptors"])
        #expect(findings.first?.grade == .warning)
        #expect(findings.first?.advice?.contains("LimitNOFILE=10064") == true)
    }

    @Test(arguments: [(true, 0), (nil, 0), (false, 1)] as [(Bool?, Int)])
    func aClockThatFollowsNobody(_ isSynchronized: Bool?, _ count: Int) throws {
        #expect(try findings { $0.clockIsSynchronized = isSynchronized }.count == count)
    }

    @Test func lowPortsNeedAPrivilege() throws {
        let low = "json: {listen: \"127.0.0.1:530\"}"
        let missing = try findings(low)
        #expect(missing.map(\.check) == ["capabilities"] && missing.first?.grade == .problem)
        #expect(missing.first?.message.contains("json 127.0.0.1:530") == true)
        #expect(try findings(low) { $0.capabilities = 1 << 10 }.isEmpty)
        #expect(try findings(low) { $0.firstFreePort = 500 }.isEmpty)
    }

    @Test func smallKernelBuffers() throws {
        let findings = try findings { $0.kernel["net.core.rmem_max"] = 212_992 }
        #expect(findings.map(\.check) == ["kernel"])
        #expect(findings.first?.advice?.contains("sysctl -w net.core.rmem_max=262144") == true)
    }

    @Test func portsThatAreFreeServedOrTaken() async throws {
        let free = try await LifecycleTests.Answerer.with("") { $0.port }
        try await LifecycleTests.Answerer.with("220 mail\r\n") { stranger in
            let json = "json: {listen: [\"127.0.0.1:\(free)\", \"127.0.0.1:\(stranger.port)\"]}"
            let findings = await PortCheck.findings(for: try configuration(json))
            #expect(findings.map(\.grade) == [.ok, .problem])
            #expect(findings.last?.message.contains("in use, and no json works there") == true)
        }
        try await LifecycleTests.withServer { server in
            let port = try #require(try await server.address(of: "netplay").port)
            let findings = await PortCheck.findings(
                for: try configuration("netplay: {listen: \"127.0.0.1:\(port)\"}"))
            #expect(findings.map(\.message) == ["netplay 127.0.0.1:\(port) is served, and works"])
        }
    }

    @Test func anAddressOfAnotherMachine() async throws {
        let findings = await PortCheck.findings(for: try configuration("json: {listen: \"192.0.2.1:5300\"}"))
        #expect(findings.map(\.grade) == [.problem])
        #expect(findings.first?.message == "json: this machine has no address 192.0.2.1")
    }

    @Test func filesThatAreNotThere() throws {
        let text =
            "lobby: {listen: \"127.0.0.1:0\", database: /nowhere/lobby.sqlite, country_database: /nowhere/c.mmdb}"
        let findings = PathCheck.findings(for: try configuration(text))
        #expect(findings.map(\.grade) == [.problem, .problem])
    }

    @Test func theNamePlayersUse() async throws {
        let loopbackOnly = await PublicNameCheck.findings(
            for: try configuration("json: {listen: \"127.0.0.1:5300\"}"), name: "localhost")
        #expect(loopbackOnly.map(\.grade) == [.problem])
        let port = try await LifecycleTests.Answerer.with("") { $0.port }
        let nobody = await PublicNameCheck.findings(
            for: try configuration("json: {listen: \"0.0.0.0:\(port)\"}"), name: "127.0.0.1")
        #expect(nobody.map(\.check) == ["reachable"] && nobody.map(\.grade) == [.problem])
        #expect(nobody.first?.advice?.contains("baton probe json 127.0.0.1:\(port)") == true)
    }
}
