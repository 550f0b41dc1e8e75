import NIOCore

/// Lets a listener rest for a moment when it cannot accept (no file descriptors are left), instead of failing as fast
/// as it can. Connections that exist are not touched; those that wait are served when there is room again.
final class AcceptFailureHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let rest = TimeAmount.seconds(1)

    private let log: ListenerLog
    private var isResting = false

    init(log: ListenerLog) {
        self.log = log
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isResting else { return }
        isResting = true
        log.acceptFailed(error)
        // Reading on demand is no way to rest: a listener stays registered after an accept that failed.
        setReading(false, context.channel)
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.rest) {
            let (handler, context) = handler.value
            handler.isResting = false
            handler.setReading(true, context.channel)
        }
    }

    private func setReading(_ isReading: Bool, _ channel: any Channel) {
        try? channel.syncOptions?.setOption(.autoRead, value: isReading)
    }
}
