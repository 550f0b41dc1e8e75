import NIOCore
import Netplay
import RelayCore

/// The control connection of a host to its tunnel server: opens a session, hears of guests, answers pings.
final class TunnelControl: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let driver: DedicatedDriver
    private let host: PeerID
    private var received = ByteBuffer()
    private var session: TunnelID?

    init(driver: DedicatedDriver, host: PeerID) {
        self.driver = driver
        self.host = host
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(TunnelOpening.openSession.encoded), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        do {
            while let reply = try TunnelReply.decode(from: &received) { try heed(reply, context) }
        } catch {
            context.close(promise: nil)
        }
        received.discardReadBytes()
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.tunnelLost(host, hadSession: session != nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func heed(_ reply: TunnelReply, _ context: ChannelHandlerContext) throws(TunnelWireError) {
        switch reply {
        case .sessionOpened(let id) where session == nil && id != .none:
            session = id
            driver.tunnelOpened(host, session: id)
        case .guestWaits(let guest) where session != nil:
            // As RetroArch does: first whose guest it is, then the link.
            context.writeAndFlush(wrapOutboundOut(OwnerMessage.addressQuery(guest).encoded), promise: nil)
        case .address(let guest, let address) where session != nil:
            // Of a guest that has gone meanwhile nothing is known.
            guard guest != .none, let address else { return }
            driver.openLink(for: guest, at: address, to: host)
        case .ping:
            context.writeAndFlush(wrapOutboundOut(OwnerMessage.ping.encoded), promise: nil)
        case .sessionOpened, .guestWaits, .address, .bareNetplayRefusal:
            throw .unknownWord
        }
    }
}
