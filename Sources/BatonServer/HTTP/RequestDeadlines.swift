import NIOCore
import NIOHTTP1

/// Closes a connection of HTTP whose client takes too long: to say all of a request, counted from the connection's start
/// or from the answer before, or to take all of an answer.
final class RequestDeadlines: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart

    struct Limits: Sendable {
        var read = Duration.seconds(30)
        var write = Duration.seconds(30)
    }

    private let limits: Limits
    /// Requests read to their end, less those answered.
    private var unanswered = 0
    /// Whether the answer tells of events for as long as it is listened to.
    private var isStream = false
    private var reading: Scheduled<Void>?
    private var writing: Scheduled<Void>?

    init(limits: Limits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        reading = schedule(limits.read, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        reading?.cancel()
        writing?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) {
            unanswered += 1
            restartReading(context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.code >= 200:
            isStream = head.headers.first(name: "content-type") == "text/event-stream"
            writing?.cancel()
            writing = schedule(limits.write, context)
            context.write(data, promise: promise)
        case .end:
            let written = promise ?? context.eventLoop.makePromise()
            let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in
                let (handler, context) = handler.value
                handler.answered(context)
            }
            context.write(data, promise: written)
        case .body where isStream:
            // What is sent piece by piece has no end; a piece that is not taken is one too many.
            writing?.cancel()
            writing = schedule(limits.write, context)
            context.write(data, promise: promise)
        case .head, .body:
            context.write(data, promise: promise)
        }
    }

    private func answered(_ context: ChannelHandlerContext) {
        writing?.cancel()
        writing = nil
        unanswered -= 1
        if context.channel.isActive { restartReading(context) }
    }

    /// Nothing need come while a request is being answered.
    private func restartReading(_ context: ChannelHandlerContext) {
        reading?.cancel()
        reading = unanswered > 0 ? nil : schedule(limits.read, context)
    }

    private func schedule(_ limit: Duration, _ context: ChannelHandlerContext) -> Scheduled<Void> {
        let channel = context.channel
        return context.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(promise: nil) }
    }
}
