import Foundation
import NIOCore
import NIOPosix
import QUICTransport
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

    @Test func portsOfUDPAreLookedAtToo() async throws {
        let identity = FileManager.default.temporaryDirectory.appending(path: "identity-\(UUID().uuidString).pem").path
        defer { try? FileManager.default.removeItem(atPath: identity) }
        let text = "lan: {listen: \"127.0.0.1:%\", identity: \"\(identity)\"}"
        func findings(_ port: some CustomStringConvertible) async throws -> [Finding] {
            let lan = try configuration(text.replacing("%", with: "\(port)"))
            return CertificateCheck.findings(for: lan, at: .now()) + (await PortCheck.findings(for: lan))
        }
        try await LifecycleTests.withServer(text.replacing("%", with: "0")) { server in
            let port = try #require(try await server.address(of: "lan").port)
            let served = try await findings(port)
            #expect(served.map(\.grade) == [.ok, .ok])
            #expect(served.first?.message.hasPrefix("lan: players compare ") == true)
            #expect(served.last?.message == "lan 127.0.0.1:\(port) is served, and works")
        }
        let stranger = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(stranger.localAddress?.port)
        let taken = try await findings(port)
        #expect(taken.last?.grade == .problem)
        #expect(taken.last?.message.contains("in use, and no lan works there") == true)
        try await stranger.close()
        #expect(try await findings(port).last?.message == "lan 127.0.0.1:\(port) is free")
    }

    @Test func certificatesEnd() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "certificate-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lan = try configuration("lan: {certificate: \"\(folder)/chain.pem\", key: \"\(folder)/key.pem\"}")
        let now = Timestamp(seconds: 1_800_000_000)
        func finding() throws -> Finding {
            let findings = CertificateCheck.findings(for: lan, at: now)
            #expect(findings.map(\.check) == ["certificate"])
            return try #require(findings.first)
        }
        #expect(try finding().message.hasPrefix("lan: cannot read \(folder)/chain.pem"))
        for (days, grade) in [(90, .ok), (10, .warning), (0, .problem)] as [(Int, Finding.Grade)] {
            let certificate = try TLSCertificate.selfSigned(name: "relay", at: Int(now.seconds), days: days)
            try Data(certificate.certificatePEM).write(to: URL(filePath: "\(folder)/chain.pem"))
            try Data(certificate.keyPEM).write(to: URL(filePath: "\(folder)/key.pem"))
            #expect(try finding().grade == grade)
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
