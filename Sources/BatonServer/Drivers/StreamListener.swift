import Glibc
import NIOCore
import NIOPosix
import RelayCore
import RelayNIO

/// Binds a listening TCP socket whose connections belong to a driver.
struct StreamListener {
    /// Bytes waiting in a channel at which its writer is told to stop, and to go on.
    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 32 << 10, high: 128 << 10) }

    /// Small at first, since most connections say little at a time and each keeps one for its next read; what fills it
    /// makes it grow.
    private static var receiveAllocator: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 32, initial: 32, maximum: 64 << 10)
    }

    let driver: NIOLoopBound<StreamDriver>
    let eventLoop: any EventLoop
    let settings: StreamSettings
    let log: ListenerLog

    /// Starts to listen. The options of the listening socket are inherited by what it accepts, which saves a handful
    /// of system calls per connection.
    func bind(_ address: SocketAddress) async throws -> any Channel {
        let (driver, log) = (driver, log)
        var bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(settings.receiveBuffer))
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
            .serverChannelOption(
                .tcpOption(.init(rawValue: TCP_USER_TIMEOUT)),
                value: SocketOptionValue(clamping: settings.userTimeout.wholeNanoseconds / 1_000_000)
            )
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptFailureHandler(log: log))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let endpoint = channel.remoteAddress?.endpoint, let options = channel.syncOptions else {
                        throw ChannelError.ioOnClosedChannel
                    }
                    try options.setOption(.allowRemoteHalfClosure, value: true)
                    try options.setOption(.recvAllocator, value: Self.receiveAllocator)
                    try options.setOption(.maxMessagesPerRead, value: 2)
                    try options.setOption(.writeBufferWaterMark, value: Self.waterMark)
                    try channel.pipeline.syncOperations.addHandler(
                        StreamConnection(driver: driver.value, from: endpoint)
                    )
                }
            }
        if case .v6 = address {
            let only6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(only6, value: 1)
        }
        return try await bootstrap.bind(to: address).get()
    }
}
