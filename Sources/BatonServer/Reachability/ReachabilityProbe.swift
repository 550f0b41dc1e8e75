package import NIOCore
import NIOPosix
package import Netplay
package import RelayCore

/// Asks whether a netplay host answers at an address: connects, says `POKE`, reads what comes.
package struct ReachabilityProbe: Sendable {
    package enum Answer: Sendable, Equatable {
        /// A RetroArch that would take a guest, and the highest protocol it speaks; 0 if it did not say.
        case netplay(highestProtocol: UInt32)
        /// A RetroArch without room for one more.
        case full
        /// A RetroArch that has banned the asker.
        case denied
        /// Something took the connection and said nothing.
        case silent
        /// Something took the connection and ended it without a word.
        case hungUp
        /// Something said what no RetroArch says.
        case stranger
        /// No connection came about; why, in words.
        case unreachable(String)
    }

    private let eventLoops: any EventLoopGroup
    private let connectTimeout: Duration
    private let answerTimeout: Duration

    /// The timeouts are those for the connection to come about, and for the answer then.
    package init(
        eventLoops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        connectTimeout: Duration = .seconds(3), answerTimeout: Duration = .seconds(3)
    ) {
        self.eventLoops = eventLoops
        self.connectTimeout = connectTimeout
        self.answerTimeout = answerTimeout
    }

    /// - Parameter session: set, `endpoint` is a tunnel server and the question goes through it to that session's host.
    package func poke(_ endpoint: Endpoint, session: TunnelID? = nil) async -> Answer {
        await ask(session) { bootstrap in
            let address = try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
            return try await bootstrap.connect(to: address).get()
        }
    }

    /// The same through a tunnel server that may have a name instead of an address.
    package func poke(_ session: TunnelID, through relay: LobbyRelay) async -> Answer {
        await ask(session) { try await $0.connect(host: relay.host, port: Int(relay.port)).get() }
    }

    private func ask(
        _ session: TunnelID?, connect: (ClientBootstrap) async throws -> any Channel
    ) async -> Answer {
        let eventLoop = eventLoops.next()
        let answer = eventLoop.makePromise(of: Answer.self)
        let limit = TimeAmount(answerTimeout)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        PokeHandler(session: session, timeout: limit, answer: answer))
                }
            }
        do {
            let channel = try await connect(bootstrap)
            let result = try await answer.futureResult.get()
            channel.close(promise: nil)
            return result
        } catch {
            answer.fail(error)
            return .unreachable(ConnectFailure.words(for: error))
        }
    }
}

/// Says the question once it is connected and makes an answer of what comes back.
private final class PokeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let session: TunnelID?
    private let timeout: TimeAmount
    private let answer: EventLoopPromise<ReachabilityProbe.Answer>
    private var received = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var isDone = false

    init(session: TunnelID?, timeout: TimeAmount, answer: EventLoopPromise<ReachabilityProbe.Answer>) {
        self.session = session
        self.timeout = timeout
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        var question = ByteBuffer()
        if let session { question.writeImmutableBuffer(TunnelOpening.join(session).encoded) }
        question.writeInteger(NetplayHeader.poke)
        context.writeAndFlush(wrapOutboundOut(question), promise: nil)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: timeout) { handler.value.conclude(hearingNothing: .silent) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        do {
            guard let header = try NetplayHeader.decode(from: &received) else { return }
            switch header.magic {
            case .netplay: finish(.netplay(highestProtocol: header.protocolVersion))
            case .full: finish(.full)
            case .denied: finish(.denied)
            }
        } catch {
            finish(.stranger)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        conclude(hearingNothing: .hungUp)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        conclude(hearingNothing: .hungUp)
        context.close(promise: nil)
    }

    /// Makes the best of what came. What begins as a header does is a RetroArch: anything else ended this at once.
    private func conclude(hearingNothing nothing: ReachabilityProbe.Answer) {
        switch received.readableBytes {
        case 0: finish(nothing)
        case 1..<4: finish(.stranger)
        default: finish(.netplay(highestProtocol: 0))
        }
    }

    private func finish(_ result: ReachabilityProbe.Answer) {
        guard !isDone else { return }
        isDone = true
        deadline?.cancel()
        answer.succeed(result)
    }
}
