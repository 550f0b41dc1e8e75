import NIOCore
import NIOPosix
import Testing

extension LifecycleTests {
    /// A server that says one and the same to everybody who says something.
    struct Answerer {
        let address: String
        let port: Int

        /// Runs one for as long as `body` takes.
        ///
        /// - Parameters:
        ///   - answer: what it says; nothing if it is empty.
        ///   - hangsUp: whether it hangs up then.
        static func with<Result>(
            _ answer: String, hangsUp: Bool = true, address: String = "127.0.0.1",
            _ body: (Answerer) async throws -> Result
        ) async throws -> Result {
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer, hangsUp: hangsUp))
                    }
                }
                .bind(host: address, port: 0).get()
            do {
                let port = try #require(listener.localAddress?.port)
                let result = try await body(Answerer(address: "\(address):\(port)", port: port))
                try await listener.close()
                return result
            } catch {
                try? await listener.close()
                throw error
            }
        }

        /// Runs a lobby with these rooms, or whatever the text is.
        static func lobby<Result>(
            _ list: String, status: String = "200 OK", _ body: (Answerer) async throws -> Result
        ) async throws -> Result {
            let head = "HTTP/1.1 \(status)\r\nContent-Length: \(list.utf8.count)\r\nConnection: close\r\n\r\n"
            return try await with(head + list, body)
        }
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: String
    private let hangsUp: Bool

    init(_ answer: String, hangsUp: Bool) {
        self.answer = answer
        self.hangsUp = hangsUp
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let said = context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)))
        guard hangsUp else { return }
        let channel = context.channel
        said.whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
