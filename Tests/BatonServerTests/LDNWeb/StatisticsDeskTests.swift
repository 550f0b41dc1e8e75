import LDN
import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import Testing

@testable import BatonServer

@Suite("LDN's documents", .timeLimit(.minutes(5))) struct StatisticsDeskTests {
    private struct Gone: Error {}

    /// A desk over a master that counts how often it is asked.
    private func desk(lifetime: Duration, _ answer: @escaping @Sendable (Int) throws -> Void = { _ in }) -> (
        StatisticsDesk, NIOLockedValueBox<Int>
    ) {
        let asked = NIOLockedValueBox(0)
        let desk = StatisticsDesk(gameList: GameList(), lifetime: lifetime) {
            try answer(
                asked.withLockedValue { asked in
                    asked += 1
                    return asked
                })
            return []
        }
        return (desk, asked)
    }

    @Test func manyWhoAskCostOneLook() async throws {
        let (desk, asked) = desk(lifetime: .seconds(3600))
        try await withThrowingTaskGroup { group in
            for _ in 0..<100 { group.addTask { _ = try await desk.documents() } }
            try await group.waitForAll()
        }
        #expect(asked.withLockedValue { $0 } == 1)
        // Other names make other documents.
        await desk.use(GameList())
        #expect(String(buffer: try await desk.documents().publicGames) == "[]")
        #expect(asked.withLockedValue { $0 } == 2)
    }

    @Test func whatIsOldIsMadeAgain() async throws {
        let (desk, asked) = desk(lifetime: .zero)
        for _ in 0..<3 { _ = try await desk.documents() }
        #expect(asked.withLockedValue { $0 } == 3)
    }

    @Test func aMasterThatDoesNotAnswerIsAskedAgain() async throws {
        let (desk, _) = desk(lifetime: .seconds(3600)) { if $0 == 1 { throw Gone() } }
        await #expect(throws: Gone.self) { _ = try await desk.documents() }
        #expect(String(buffer: try await desk.documents().games) == "{}")
    }
}
