import Dispatch
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

@Suite(.timeLimit(.minutes(5))) struct PortMapperTests {
    private static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

    private struct Stop: Error {}

    @Test func aPortIsMappedRenewedAndTakenBack() async throws {
        let router = ScriptedRouter()
        let (events, continuation) = AsyncStream.makeStream(of: PortMappingEvent.Outcome.self)
        let mapper = PortMapper(lease: .seconds(1), eventLoop: Self.eventLoop, finder: router) {
            continuation.yield($0.outcome)
        }
        #expect(try await mapper.map(.sample()) == .sample(55435))
        #expect(await mapper.statuses().map(\.external) == [.sample(55435)])
        var renewals = 0
        for await event in events {
            if event == .renewed(.sample(55435)) { renewals += 1 }
            if renewals == 2 { break }
        }
        await mapper.stop()
        #expect(router.ports.isEmpty)
        let adds = router.asked.filter { if case .add = $0 { true } else { false } }
        #expect(adds.count >= 3)
    }

    @Test func aTakenPortLeadsToTheNext() async throws {
        let router = ScriptedRouter(.init(taken: [39990, 39991]))
        let mapper = PortMapper(eventLoop: Self.eventLoop, finder: router)
        let mapping = PortMapping.sample("ldn", port: 40123, external: 39990...39999)
        #expect(try await mapper.map(mapping) == .sample(39992))
        #expect(router.state.withLockedValue { $0.entries[39992]?.mapping.target.port } == 40123)
        await mapper.stop()
        #expect(router.ports.isEmpty)
    }

    @Test(arguments: [PortMappingFailure.noGateway, .notConnected])
    func withoutARouterTheReasonIsTold(_ failure: PortMappingFailure) async throws {
        let mapper = PortMapper(eventLoop: Self.eventLoop, finder: ScriptedRouter(.init(findFailure: failure)))
        await #expect(throws: failure) { try await mapper.map(.sample()) }
        #expect(await mapper.statuses().map(\.failure) == [failure])
        await mapper.stop()
    }

    @Test func aStopCanComeFromEverywhereAndTwice() async throws {
        let router = ScriptedRouter()
        let mapper = PortMapper(eventLoop: Self.eventLoop, finder: router)
        _ = try await mapper.map(.sample())
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    await mapper.stop()
                    #expect(router.ports.isEmpty)
                }
            }
        }
        await mapper.stop()
        #expect(router.asked.last == .remove(.tcp, externalPort: 55435))
        #expect(router.asked.count == 3)
        await #expect(throws: PortMappingFailure.stopping) { try await mapper.map(.sample()) }
    }

    /// What was never used can be stopped too.
    @Test func aStopWithoutMappings() async {
        let router = ScriptedRouter()
        await PortMapper(eventLoop: Self.eventLoop, finder: router).stop()
        #expect(router.asked.isEmpty)
    }

    @Test func aTaskHasItsMappingForAsLongAsItRuns() async throws {
        let router = ScriptedRouter()
        let port = try await PortMapper.withMapping(.sample(), eventLoop: Self.eventLoop, finder: router) { first in
            #expect(router.ports == [55435])
            return try first.get().port
        }
        #expect(port == 55435)
        #expect(router.ports.isEmpty)
        await #expect(throws: Stop.self) {
            try await PortMapper.withMapping(.sample(), eventLoop: Self.eventLoop, finder: router) { _ in
                #expect(router.ports == [55435])
                throw Stop()
            }
        }
        #expect(router.ports.isEmpty)
    }

    @Test func aCancelledTaskTakesItsMappingBack() async throws {
        let router = ScriptedRouter()
        let (mapped, continuation) = AsyncStream.makeStream(of: Void.self)
        let eventLoop = Self.eventLoop
        let task = Task {
            try await PortMapper.withMapping(.sample(), eventLoop: eventLoop, finder: router) { _ in
                continuation.yield()
                try await Task.sleep(for: .seconds(1000))
            }
        }
        for await _ in mapped { break }
        #expect(router.ports == [55435])
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(router.ports.isEmpty)
    }

    /// The library is in the middle of a call that cannot be interrupted.
    @Test func aSearchHoldsNobodyUp() async throws {
        let (began, searching) = AsyncStream.makeStream(of: Void.self)
        let gate = DispatchSemaphore(value: 0)
        let router = ScriptedRouter {
            searching.yield()
            gate.wait()
        }
        let eventLoop = Self.eventLoop
        let task = Task {
            await PortMapper.withMapping(.sample(), eventLoop: eventLoop, finder: router) { first in first }
        }
        for await _ in began { break }
        task.cancel()
        #expect(await task.value == .failure(.stopping))
        gate.signal()
    }
}
