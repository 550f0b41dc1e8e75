import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite(.timeLimit(.minutes(5))) struct ReachabilityTests {
    private static let header: [UInt8] = [0x52, 0x41, 0x4E, 0x50] + Array(repeating: 0, count: 20)

    private func desk(
        allowsPrivateTargets: Bool = true, answerTimeout: Duration = .seconds(20)
    ) -> ReachabilityDesk {
        let desk = ReachabilityDesk(
            probe: ReachabilityProbe(
                eventLoops: MultiThreadedEventLoopGroup.singleton, connectTimeout: .seconds(20),
                answerTimeout: answerTimeout))
        desk.reconfigure(allowsPrivateTargets: allowsPrivateTargets)
        return desk
    }

    private func verdict(
        on port: UInt16, by desk: ReachabilityDesk, for caller: IPAddress = LobbyFixture.here
    ) async -> ReachabilityVerdict {
        await ReachabilityQuestion.port(port).verdict(for: caller, by: desk)
    }

    @Test(arguments: [
        (
            FakeHost.Manner.says(header), ReachabilityVerdict.Word.reachable,
            "Your room can be reached from the internet."
        ),
        (.saysAndHangsUp(Array("SSH-2.0\r\n".utf8)), .stranger, "Something answers on port N that is not RetroArch."),
        (
            .silent, .silent,
            "Something answers on port N that is not RetroArch, or is a RetroArch that is paused."
        ),
    ])
    func playersAreToldPlainly(
        _ manner: FakeHost.Manner, _ word: ReachabilityVerdict.Word, _ sentence: String
    ) async throws {
        try await FakeHost.with(manner) { host in
            let patience = word == .silent ? Duration.milliseconds(100) : .seconds(20)
            let verdict = await verdict(on: host.port, by: desk(answerTimeout: patience))
            #expect(verdict.word == word)
            #expect(verdict.sentence == sentence.replacing("port N", with: "port \(host.port)"))
        }
    }

    @Test func nobodyIsToldPlainly() async throws {
        let port = try await FakeHost.with(.silent) { $0.port }
        let verdict = await verdict(on: port, by: desk())
        #expect(verdict.word == .unreachable && verdict.sentence == "Nobody answers on port \(port).")
    }

    @Test func aPrivateAddressIsNotAsked() async throws {
        try await FakeHost.with(.says(Self.header)) { host in
            let verdict = await verdict(on: host.port, by: desk(allowsPrivateTargets: false))
            #expect(verdict.word == .privateAddress)
            #expect(host.visits.withLockedValue { $0 } == 0)
        }
    }

    @Test func aCallerAsksSeldom() async throws {
        try await FakeHost.with(.says(Self.header)) { host in
            let desk = desk()
            let start = ContinuousClock.now
            var words: [ReachabilityVerdict.Word] = []
            // As many as it takes to ask faster than one may.
            repeat { words.append(await verdict(on: host.port, by: desk).word) } while words.last != .tooOften
            let passed = Int((ContinuousClock.now - start).components.seconds) + 1
            #expect(words.prefix(5).allSatisfy { $0 == .reachable })
            #expect(host.visits.withLockedValue { $0 } <= 5 + passed)
            // Others are not concerned.
            let neighbour = try #require(IPAddress("127.0.0.9"))
            #expect(await verdict(on: 9, by: desk, for: neighbour).word == .unreachable)
        }
    }

    @Test func questionsAreBoundedInAll() async throws {
        try await FakeHost.with(.silent) { host in
            let desk = ReachabilityDesk(
                probe: ReachabilityProbe(
                    eventLoops: MultiThreadedEventLoopGroup.singleton, answerTimeout: .seconds(600)))
            desk.reconfigure(allowsPrivateTargets: true)
            for index in 0..<ReachabilityDesk.maxQuestions {
                // Each for another caller and another session, for these have bounds of their own.
                Task { [port = host.port] in
                    let session = try #require(TunnelID(String(repeating: "A", count: 14) + Self.digits(index)))
                    let relay = LobbyRelay(host: "127.0.0.1", port: port)
                    let caller = IPAddress(ipv4: 0x7F01_0000 + UInt32(index))
                    _ = try await desk.ask(session, through: relay, for: caller)
                }
            }
            while host.visits.withLockedValue({ $0 }) < ReachabilityDesk.maxQuestions {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(await verdict(on: host.port, by: desk).word == .busy)
        }
    }

    private static func digits(_ number: Int) -> String {
        let alphabet = Array("BCDEFGHIJKLMNOPQ")
        return String([alphabet[number / 16], alphabet[number % 16]])
    }

    /// Through a real tunnel, with a host that answers as RetroArch does.
    @Test func aHostIsAskedThroughItsRelay() async throws {
        try await Loopback.tunnel { tunnel in
            let (owner, id) = try await tunnel.host()
            var reply = ByteBuffer(bytes: Array("RATS".utf8) + id)
            guard case .sessionOpened(let session) = try TunnelReply.decode(from: &reply) else {
                Issue.record("no session: \(id)")
                return
            }
            let relay = LobbyRelay(host: "localhost", port: tunnel.endpoint.port)
            let desk = desk()
            async let answer = ReachabilityQuestion.session(session, relay).verdict(for: LobbyFixture.here, by: desk)
            let waits = try await owner.read(16)
            let link = try await tunnel.connect()
            try await link.send(waits)
            let question = try await link.read(4)
            #expect(question == Array("POKE".utf8))
            try await link.send(Self.header)
            #expect(await answer.word == .reachable)
            try await owner.close()
            let gone = await ReachabilityQuestion.session(session, relay).verdict(for: LobbyFixture.here, by: desk)
            #expect(gone.word == .silent && gone.sentence.hasPrefix("Nobody answers through this session"))
        }
    }
}
