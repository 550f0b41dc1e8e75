import Glibc
package import NIOCore

/// Two connections of one event loop made into one: what either says goes to the other, as slowly as the other reads.
///
/// The end of a stream crosses behind the bytes before it; the other direction may go on. A connection that is lost
/// gives the other one what it said, and then the end. The pipe is over when both connections are closed.
package enum Pipe {
    /// What went through a pipe that is over.
    package struct Traffic: Sendable, Equatable {
        package enum Side: Sendable { case first, second }

        /// Bytes that the first connection said.
        package var fromFirst = 0
        /// Bytes that the second connection said.
        package var fromSecond = 0
        /// Whose stream ended before the other's.
        package var endedFirst = Side.first
    }

    /// Bytes waiting in a channel at which its writer is told to stop, and to go on.
    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 32 << 10, high: 128 << 10) }

    /// The kernel's receive buffer. All of it is read at once when a peer hangs up, however slow the other is.
    private static var receiveBuffer: SocketOptionValue { 256 << 10 }

    /// Makes a connection fit for a pipe; belongs into its initializer. What it says before it is joined is kept.
    package static func prepare(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { throw ChannelError.ioOnClosedChannel }
        try options.setOption(.allowRemoteHalfClosure, value: true)
        try options.setOption(.writeBufferWaterMark, value: waterMark)
        try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try options.setOption(.socketOption(.so_keepalive), value: 1)
        try options.setOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
        try channel.pipeline.syncOperations.addHandler(PipeHandler())
    }

    /// Joins two prepared connections; if one of them is closed already, closes the other. The result comes when both
    /// are closed, and is never a failure.
    ///
    /// - Parameter halfCloseTimeout: how long one direction may outlive the other's end while nothing moves.
    package static func connect(
        _ first: any Channel, to second: any Channel, halfCloseTimeout: TimeAmount = .seconds(10)
    ) -> EventLoopFuture<Traffic> {
        precondition(first.eventLoop === second.eventLoop, "a pipe has one event loop")
        return first.eventLoop.flatSubmit {
            let channels = [first, second]
            guard channels.allSatisfy(\.isActive) else {
                let traffic = Traffic(endedFirst: first.isActive ? .second : .first)
                for channel in channels { channel.close(promise: nil) }
                return first.eventLoop.makeSucceededFuture(traffic)
            }
            let ends = channels.map { try? $0.pipeline.syncOperations.handler(type: PipeHandler.self) }
            guard let firstEnd = ends[0], let secondEnd = ends[1] else {
                preconditionFailure("a connection was not prepared for a pipe")
            }
            let pipe = JoinedPipe(firstEnd, secondEnd, halfCloseTimeout: halfCloseTimeout, on: first.eventLoop)
            return pipe.start()
        }
    }
}

/// Both ends of a pipe, and its clock.
private final class JoinedPipe {
    private let first: PipeHandler
    private let second: PipeHandler
    private let halfCloseTimeout: TimeAmount
    private let eventLoop: any EventLoop
    private let over: EventLoopPromise<Pipe.Traffic>
    private var endedFirst: Pipe.Traffic.Side?
    private var clock: (task: Scheduled<Void>, moved: [Int])?

    init(_ first: PipeHandler, _ second: PipeHandler, halfCloseTimeout: TimeAmount, on eventLoop: any EventLoop) {
        self.first = first
        self.second = second
        self.halfCloseTimeout = halfCloseTimeout
        self.eventLoop = eventLoop
        over = eventLoop.makePromise()
    }

    func start() -> EventLoopFuture<Pipe.Traffic> {
        first.join(second, in: self)
        second.join(first, in: self)
        first.catchUp()
        second.catchUp()
        return over.futureResult
    }

    /// A stream has ended: from now on the pipe must move, or be closed.
    func ended(_ end: PipeHandler) {
        guard endedFirst == nil else { return }
        endedFirst = end === first ? .first : .second
        restartClock()
    }

    func closed() {
        guard first.isClosed, second.isClosed, let endedFirst else { return }
        clock?.task.cancel()
        clock = nil
        first.part()
        second.part()
        over.succeed(
            Pipe.Traffic(fromFirst: first.received, fromSecond: second.received, endedFirst: endedFirst))
    }

    private func restartClock() {
        let pipe = NIOLoopBound(self, eventLoop: eventLoop)
        let task = eventLoop.scheduleTask(in: halfCloseTimeout) { pipe.value.clockFired() }
        clock = (task, moved)
    }

    private func clockFired() {
        guard let clock else { return }
        if clock.moved != moved { return restartClock() }
        first.abort()
        second.abort()
    }

    /// Differs from what it was before if anything was read, or left, since.
    private var moved: [Int] {
        [first.received, second.received, first.queuedBytes, second.queuedBytes]
    }
}

/// One end of a pipe.
private final class PipeHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var received = 0
    private(set) var isClosed = false
    private var context: ChannelHandlerContext?
    private var pipe: JoinedPipe?
    private var other: PipeHandler?
    /// What came before there was another end: a peer that hangs up is read to its end, asked for or not.
    private var early = ByteBuffer()
    private var wantsRead = false
    private var inputEnded = false
    private var isFinishing = false
    private var outputEnded = false

    var queuedBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        // Nobody is there to hear it, and to talk on must not keep the pipe alive.
        if let other, other.isClosed { return }
        received += bytes.readableBytes
        if let other {
            other.context?.write(wrapOutboundOut(bytes), promise: nil)
        } else {
            early.writeImmutableBuffer(bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        other?.context?.flush()
    }

    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            wantsRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        other?.readIfWanted()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        endInput()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        endInput()
        // What the other end still says has nowhere to go: it is read to its end and thrown away.
        other?.readIfWanted()
        pipe?.closed()
    }

    // MARK: From the pipe

    func join(_ other: PipeHandler, in pipe: JoinedPipe) {
        self.other = other
        self.pipe = pipe
    }

    /// Passes on what happened before there was another end.
    func catchUp() {
        if early.readableBytes > 0 {
            other?.context?.writeAndFlush(wrapOutboundOut(early), promise: nil)
            early = ByteBuffer()
        }
        if inputEnded {
            pipe?.ended(self)
            other?.finish()
        }
        if isClosed { pipe?.closed() }
        readIfWanted()
    }

    func part() {
        pipe = nil
        other = nil
    }

    func abort() {
        context?.close(promise: nil)
    }

    // MARK: Within

    private var mayRead: Bool {
        guard let other else { return false }
        return other.isClosed || other.context?.channel.isWritable == true
    }

    private func readIfWanted() {
        guard wantsRead, mayRead else { return }
        wantsRead = false
        context?.read()
    }

    private func endInput() {
        guard !inputEnded else { return }
        inputEnded = true
        pipe?.ended(self)
        other?.finish()
        closeIfDone()
    }

    /// Ends the stream behind what was sent.
    private func finish() {
        guard !isFinishing, let context else { return }
        isFinishing = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        let end = NIOLoopBound(self, eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { end.value.endOutput() }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    private func endOutput() {
        outputEnded = true
        if inputEnded { closeIfDone() } else { context?.close(mode: .output, promise: nil) }
    }

    /// With both directions over nothing is pending and nothing unread, so that closing loses nothing.
    private func closeIfDone() {
        if inputEnded, outputEnded { context?.close(promise: nil) }
    }
}
