import Glibc
import NIOCore
import NIOPosix

/// The TCP connection from a gateway to its backend. What happens on it is the driver's to know.
final class BackendLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let driver: GatewayDriver
    private var end = "the backend closed the connection"

    init(driver: GatewayDriver) {
        self.driver = driver
    }

    /// Bytes waiting to be sent at which clients must wait, and at which they may go on.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
    private static let connectTimeout = TimeAmount.seconds(5)

    /// Tries to connect.
    static func connect(
        to backend: ServerAddress, driver: NIOLoopBound<GatewayDriver>, eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 10)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 5)
            .channelOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: 30_000)
            .channelOption(.writeBufferWaterMark, value: waterMark)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16 << 10, maximum: 1 << 18)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BackendLink(driver: driver.value))
                }
            }
            .connect(host: backend.host, port: Int(backend.port))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        driver.receiveFromBackend(unwrapInboundIn(data), on: context.channel)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        driver.endTurn()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        driver.backendWritability(is: context.channel.isWritable, on: context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end = "\(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.backendDisconnected(end, from: context.channel)
    }
}
