import NIOCore
import NIOPosix
import RelayCore
import RelayNIO
import Testing

@testable import BatonServer

@Suite("Pipe between two connections", .timeLimit(.minutes(5)))
struct PipeTests {
    @Test func whatWasSaidBeforeTheyWereJoinedIsPassedOn() async throws {
        try await withEnds { first, second in
            let bulk = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
            try await first.client.send(bulk)
            try await first.client.end()
            // Its end is known, although nobody reads it.
            try await first.inputEnd.get()
            let over = Pipe.connect(first.channel, to: second.channel)
            #expect(try await second.client.readToEnd() == bulk)
            try await second.client.send([1, 2, 3])
            #expect(try await first.client.read(3) == [1, 2, 3])
            try await second.client.end()
            let traffic = try await over.get()
            #expect(traffic == Pipe.Traffic(fromFirst: bulk.count, fromSecond: 3, endedFirst: .first))
        }
    }

    @Test func oneThatHasLeftBeforeTheyWereJoinedEndsTheOther() async throws {
        try await withEnds { first, second in
            try await second.channel.close()
            let traffic = try await Pipe.connect(first.channel, to: second.channel).get()
            #expect(traffic.endedFirst == .second)
            #expect(try await first.client.readToEnd().isEmpty)
        }
    }

    @Test func directionThatIsSilentAfterTheOthersEndIsClosed() async throws {
        try await withEnds { first, second in
            let over = Pipe.connect(first.channel, to: second.channel, halfCloseTimeout: .milliseconds(50))
            try await first.client.end()
            #expect(try await second.client.readToEnd().isEmpty)
            // The second keeps its stream open and says nothing.
            let traffic = try await over.get()
            #expect(traffic == Pipe.Traffic(fromFirst: 0, fromSecond: 0, endedFirst: .first))
            #expect(try await first.client.readToEnd().isEmpty)
        }
    }

    /// One who talks on to nobody is no reason to keep the pipe.
    @Test func talkingToNobodyKeepsNothingOpen() async throws {
        try await withEnds { first, second in
            let over = Pipe.connect(first.channel, to: second.channel, halfCloseTimeout: .milliseconds(50))
            try? await first.channel.close()
            let talk = Task { while (try? await second.client.send([1])) != nil {} }
            let traffic = try await over.get()
            #expect(traffic.endedFirst == .first)
            await talk.value
        }
    }

    // MARK: Support

    /// A prepared connection, and who is at its other end.
    private struct End {
        var listener: any Channel
        var channel: any Channel
        var client: TestClient
        var inputEnd: EventLoopFuture<Void>
    }

    private func withEnds(_ body: (End, End) async throws -> Void) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let ends = [try await end(on: eventLoop), try await end(on: eventLoop)]
        do {
            try await body(ends[0], ends[1])
        } catch {
            await close(ends)
            throw error
        }
        await close(ends)
    }

    private func close(_ ends: [End]) async {
        for end in ends {
            for channel in [end.client.channel, end.channel, end.listener] { try? await channel.close() }
        }
    }

    private func end(on eventLoop: any EventLoop) async throws -> End {
        let accepted = eventLoop.makePromise(of: (any Channel).self)
        let inputEnd = eventLoop.makePromise(of: Void.self)
        let listener = try await ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EndWatcher(inputEnd))
                    try Pipe.prepare(channel)
                    accepted.succeed(channel)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await TestClient.connect(to: try #require(listener.localAddress?.endpoint))
        return End(
            listener: listener, channel: try await accepted.futureResult.get(), client: client,
            inputEnd: inputEnd.futureResult)
    }
}

/// Tells when the peer's stream has been read to its end.
private final class EndWatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let end: EventLoopPromise<Void>

    init(_ end: EventLoopPromise<Void>) {
        self.end = end
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { end.succeed() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end.succeed()
        context.fireChannelInactive()
    }
}
