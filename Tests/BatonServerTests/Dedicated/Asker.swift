import NIOCore
import NIOPosix
import Netplay
import RelayCore
import Testing

extension LifecycleTests {
    /// A UDP socket that asks for dedicated hosts.
    struct Asker {
        private let channel: any Channel
        private let target: SocketAddress
        let answers = History<[UInt8]>()

        init(to target: SocketAddress, from source: String = "127.0.0.1") async throws {
            self.target = target
            let answers = answers
            channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Mailbox(answers))
                    }
                }
                .bind(to: try SocketAddress(ipAddress: source, port: 0)).get()
        }

        static func request(_ file: String, core: String = "Fake", game: String = "", crc: UInt32 = 0) -> ByteBuffer {
            var bytes = ByteBuffer()
            _ = HostingRequest(coreName: core, gameName: game, fileName: file, crc: crc).encode(into: &bytes)
            return bytes
        }

        func send(_ bytes: ByteBuffer) {
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: target, data: bytes), promise: nil)
        }

        /// Asks, again and again as one does over UDP, and returns what is answered first.
        func ask(_ file: String, core: String = "Fake", game: String = "", crc: UInt32 = 0) async throws
            -> HostingInvitation?
        {
            let request = Self.request(file, core: core, game: game, crc: crc)
            let known = answers.all.count
            for _ in 0..<60 {
                send(request)
                let deadline = ContinuousClock.now + .milliseconds(500)
                while answers.all.count == known, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(10))
                }
                guard answers.all.count > known else { continue }
                let answer = answers.all[known]
                #expect(answer.count <= request.readableBytes)
                return try #require(HostingAnswer.decode(ByteBuffer(bytes: answer))).invitation
            }
            throw TooLate(what: "an answer for \(file)")
        }

        func close() async throws {
            try await channel.close()
        }
    }
}

/// Keeps what arrives.
private final class Mailbox: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let answers: LifecycleTests.History<[UInt8]>

    init(_ answers: LifecycleTests.History<[UInt8]>) {
        self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answers.append(Array(unwrapInboundIn(data).data.readableBytesView))
    }
}
