import NIOCore
import NIOPosix
import RelayCore
import RelayNIO

/// A UDP socket that requests come to.
final class RequestSocket: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// Longer than any request; what is longer still arrives cut, and is none.
    private static let longestDatagram = 2048

    private let driver: DedicatedDriver
    private let index: Int

    private init(driver: DedicatedDriver, index: Int) {
        self.driver = driver
        self.index = index
    }

    /// Starts to listen.
    static func bind(
        _ address: SocketAddress, driver: NIOLoopBound<DedicatedDriver>, eventLoop: any EventLoop, index: Int
    )
        async throws -> any Channel
    {
        var bootstrap = DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: longestDatagram))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = RequestSocket(driver: driver.value, index: index)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        if case .v6 = address {
            let only6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.channelOption(only6, value: 1)
        }
        return try await bootstrap.bind(to: address).get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let endpoint = envelope.remoteAddress.endpoint else { return }
        driver.receive(envelope.data, from: endpoint, socket: index)
    }

    /// An answer that could not be delivered is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
