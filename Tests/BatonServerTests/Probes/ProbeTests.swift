import Foundation
import RelayCore
import Testing

@testable import BatonServer

/// What is made of the answers that a client gets, whatever its protocol.
@Suite struct ProbeTests {
    /// A client that is told how each exchange ends, per address.
    private struct ScriptedClient: ProbeClient {
        static let name = "scripted"

        var refusal: [IPAddress: ProbeFailure] = [:]
        var exchanges: [ProbeFailure?] = []

        func open(
            _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
        ) async throws(ProbeFailure) -> any ProbeSession {
            if let failure = refusal[endpoint.address] { throw failure }
            return ScriptedSession(exchanges: exchanges)
        }
    }

    private struct ScriptedSession: ProbeSession {
        var exchanges: [ProbeFailure?]
        var details: [String: String] { ["left": "\(exchanges.count)"] }

        mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
            if let failure = exchanges.removeFirst() { throw failure }
        }

        func close() async {}
    }

    private static let silence = ProbeFailure(.silent, "no answer")
    private static let end = ProbeFailure(.hungUp, "the end")

    private static func probe(exchanges: Int) -> Probe {
        var probe = Probe()
        probe.exchanges = exchanges
        probe.interval = .zero
        probe.slow = .seconds(3600)
        return probe
    }

    private func run(_ exchanges: [ProbeFailure?], slow: Duration? = nil) async throws -> ProbeReport.Address {
        var probe = Self.probe(exchanges: exchanges.count)
        if let slow { probe.slow = slow }
        let host = try #require(RemoteHost("192.0.2.1:7", defaultPort: 1))
        let report = await probe.run(ScriptedClient(exchanges: exchanges), at: host)
        let address = try #require(report.addresses.first)
        #expect(report.addresses.count == 1 && report.verdict == address.verdict)
        #expect(address.endpoint.description == "192.0.2.1:7")
        return address
    }

    @Test func allAnswer() async throws {
        let address = try await run([nil, nil, nil])
        #expect((address.verdict, address.word) == (.ok, "answers"))
        #expect((address.sent, address.roundTrips.count, address.loss) == (3, 3, 0))
        #expect(address.handshake != nil && address.details == ["left": "0"])
    }

    @Test func missingAnswersAreLoss() async throws {
        let address = try await run([nil, Self.silence, nil, Self.silence])
        #expect((address.verdict, address.word) == (.degraded, "lossy"))
        #expect((address.sent, address.roundTrips.count, address.loss) == (4, 2, 0.5))
        #expect(address.sentence == "2 of 4 answers are missing")
    }

    @Test func noAnswerAtAllIsAFailure() async throws {
        let address = try await run([Self.silence, Self.silence])
        #expect((address.verdict, address.word, address.loss) == (.failed, "silent", 1))
        #expect(address.handshake != nil)
    }

    @Test func anEndIsAFailureWhateverCameBefore() async throws {
        let address = try await run([nil, Self.end, nil])
        #expect((address.verdict, address.word) == (.failed, "hung_up"))
        #expect((address.sent, address.roundTrips.count) == (2, 1))
        #expect(address.details == ["left": "1"])
    }

    @Test func slownessIsAMatterOfTheThreshold() async throws {
        let address = try await run([nil], slow: .zero)
        #expect((address.verdict, address.word) == (.degraded, "slow"))
    }

    @Test(
        arguments: [
            ([], .ok), (["127.0.0.1"], .degraded), (["127.0.0.1", "::1"], .failed),
        ] as [([String], ProbeReport.Verdict)])
    func oneFailingAddressIsADegradation(_ failing: [String], _ verdict: ProbeReport.Verdict) throws {
        let host = try #require(RemoteHost("localhost:7", defaultPort: 1))
        let addresses = try ["127.0.0.1", "::1"].map { text in
            var address = ProbeReport.Address(Endpoint(address: try #require(IPAddress(text)), port: 7))
            address.roundTrips = [.milliseconds(1)]
            address.sent = 1
            address.judge(slow: .seconds(1))
            if failing.contains(text) { address.fail(ProbeFailure(.unreachable, "no")) }
            return address
        }
        #expect(ProbeReport(protocol: "scripted", host: host, addresses: addresses).verdict == verdict)
    }

    @Test func addressesOfAnotherFamilyAreNotAsked() async throws {
        var probe = Self.probe(exchanges: 1)
        probe.isAsked = { $0.ipv4 == nil }
        let host = try #require(RemoteHost("127.0.0.1:7", defaultPort: 1))
        let report = await probe.run(ScriptedClient(exchanges: [nil]), at: host)
        #expect(report.verdict == .failed && report.failure?.reason == .notFound)
    }

    @Test func reportsAreText() throws {
        let host = try #require(RemoteHost("192.0.2.1:7", defaultPort: 1))
        var address = ProbeReport.Address(try #require(host.endpoint))
        address.handshake = .microseconds(1234)
        address.roundTrips = [.milliseconds(2), .milliseconds(1), .milliseconds(3)]
        address.sent = 4
        address.details = ["rooms": "3"]
        address.judge(slow: .seconds(1))
        let report = ProbeReport(protocol: "lobby", host: host, addresses: [address])
        #expect(
            report.description
                == "lobby 192.0.2.1:7: degraded: 1 of 4 answers are missing; handshake 1.23 ms, "
                + "round trip 1.0/2.0/3.0 ms (least/mean/most), 3 of 4 answered, rooms 3")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(
            String(decoding: try encoder.encode(report), as: UTF8.self)
                == #"{"addresses":[{"address":"192.0.2.1:7","details":{"rooms":"3"},"handshake_ms":1.23,"loss":0.25,"#
                + #""message":"1 of 4 answers are missing","reason":"lossy","received":3,"#
                + #""round_trip_ms":{"least":1,"mean":2,"most":3},"sent":4,"verdict":"degraded"}],"#
                + #""host":"192.0.2.1:7","protocol":"lobby","verdict":"degraded"}"#)
    }
}
