import NIOCore
import Netplay
import RelayCore

/// Stands before a host and looks at the first word of each connection: a netplay header makes a guest, `POKE` asks
/// whether the host is there, and whatever else begins otherwise, or not in time, is none of the host's business.
///
/// After that it only counts what passes.
final class GuestGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a connection wants of the host.
    enum Visitor {
        case guest
        case inquirer
    }

    private enum Stage {
        case waiting(ByteBuffer, deadline: Scheduled<Void>?)
        case open
        case closed
    }

    /// RetroArch says its header at once; nobody waits for it longer than this.
    private static let timeout = TimeAmount.seconds(10)

    private let driver: DedicatedDriver
    private let host: PeerID
    private let visitor: PeerID
    private var stage = Stage.waiting(ByteBuffer(), deadline: nil)

    init(driver: DedicatedDriver, host: PeerID, visitor: PeerID) {
        self.driver = driver
        self.host = host
        self.visitor = visitor
    }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((gate: self, context: context), eventLoop: context.eventLoop)
        let deadline = context.eventLoop.scheduleTask(in: Self.timeout) {
            let (gate, context) = bound.value
            gate.close(context, .openingTimeout)
        }
        stage = .waiting(ByteBuffer(), deadline: deadline)
        context.fireChannelActive()
        // The pipe behind does not read before it is joined.
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        driver.counters.bytesReceived &+= UInt64(bytes.readableBytes)
        switch stage {
        case .waiting(var received, let deadline):
            received.writeImmutableBuffer(bytes)
            stage = .waiting(received, deadline: deadline)
        case .open:
            countRelayed(bytes)
            context.fireChannelRead(data)
        case .closed:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard case .waiting(let received, let deadline) = stage else { return context.fireChannelReadComplete() }
        guard let word = received.getInteger(at: received.readerIndex, as: UInt32.self) else { return context.read() }
        guard let kind = Self.visitor(for: word) else { return close(context, .noNetplay) }
        deadline?.cancel()
        stage = .open
        countRelayed(received)
        context.fireChannelRead(wrapInboundOut(received))
        context.fireChannelReadComplete()
        driver.admit(visitor, as: kind, to: host)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        countRelayed(unwrapOutboundIn(data))
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .waiting = stage, case .inputClosed? = event as? ChannelEvent { return close(context, .peerClosed) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .waiting(_, let deadline) = stage { deadline?.cancel() }
        stage = .closed
        context.fireChannelInactive()
    }

    private func countRelayed(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        driver.counters.bytesRelayed &+= UInt64(bytes.readableBytes)
        driver.counters.messagesRelayed &+= 1
    }

    private func close(_ context: ChannelHandlerContext, _ reason: CloseReason) {
        guard case .waiting(_, let deadline) = stage else { return }
        deadline?.cancel()
        stage = .closed
        driver.part(from: visitor, of: host, reason)
    }

    private static func visitor(for word: UInt32) -> Visitor? {
        switch word {
        case NetplayHeader.Magic.netplay.rawValue: .guest
        case NetplayHeader.poke: .inquirer
        default: nil
        }
    }
}
