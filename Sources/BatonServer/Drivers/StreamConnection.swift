import NIOCore
import RelayCore
import RelayNIO

/// One TCP connection: the only handler in its pipeline.
///
/// awaiting a PROXY header (if its source is a trusted proxy) -> open -> closing -> closed
final class StreamConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Indirect where thousands of open connections should not carry the room that a few others need.
    private enum Stage {
        case connecting
        indirect case awaitingProxyHeader(ByteBuffer, timeout: Scheduled<Void>)
        case open(PeerID)
        /// The engine has parted from it: what was sent still leaves, what comes is thrown away.
        indirect case closing(deadline: Scheduled<Void>?)
        case closed
    }

    // Small things stand together, without gaps: there are thousands of connections.
    private(set) var endpoint: Endpoint
    private(set) var openedAt = Instant.zero
    private(set) var bytesReceived: UInt64 = 0
    /// What it was given to send, queued or not.
    private var bytesWritten: UInt64 = 0
    private var isAdmitted = false
    private var isChannelWritable = true
    private var isWritable = true
    private var isUnflushed = false
    private var isPaused = false
    private var wantsRead = false
    private var inputEnded = false
    private var finishes = false
    private var stage = Stage.connecting
    private let driver: StreamDriver
    private var context: ChannelHandlerContext?
    private var queue = SendQueue()
    /// Only of those that were sent many small pieces at once.
    private var gathering: Gathering?

    init(driver: StreamDriver, from endpoint: Endpoint) {
        self.driver = driver
        self.endpoint = endpoint
    }

    var queuedBytes: Int { queue.bytes }

    var bytesSent: UInt64 { bytesWritten &- UInt64(queue.bytes) }

    /// Its number, while the engine knows it.
    var peer: PeerID? {
        if case .open(let peer) = stage { peer } else { nil }
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        if driver.settings.proxySources.contains(where: { $0.contains(endpoint.address) }) {
            let connection = NIOLoopBound(self, eventLoop: driver.eventLoop)
            let timeout = driver.eventLoop.scheduleTask(in: TimeAmount(driver.settings.proxyHeaderTimeout)) {
                connection.value.refuseProxy(.proxyHeaderTimeout)
            }
            stage = .awaitingProxyHeader(ByteBuffer(), timeout: timeout)
        } else {
            open()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        bytesReceived &+= UInt64(bytes.readableBytes)
        switch stage {
        case .open(let peer): driver.receive(bytes, from: peer)
        case .awaitingProxyHeader(let before, let timeout): receiveProxyHeader(bytes, after: before, timeout)
        case .connecting, .closing, .closed: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if isPaused {
            wantsRead = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isChannelWritable = context.channel.isWritable
        if isChannelWritable { sendQueued() }
        updateWritability()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        inputEnded = true
        switch stage {
        case .open(let peer): driver.receiveEnd(from: peer)
        case .awaitingProxyHeader: refuseProxy(.proxyHeaderInvalid)
        case .closing: if queue.isEmpty { endClosing() }
        case .connecting, .closed: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .open(let peer) = stage {
            stage = .closing(deadline: nil)
            driver.disconnect(peer, .connectionLost(error))
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let last = stage
        stage = .closed
        queue = SendQueue()
        gathering = nil
        if isAdmitted { driver.release(endpoint) }
        switch last {
        case .open(let peer): driver.disconnect(peer, .peerClosed)
        case .awaitingProxyHeader(_, let timeout): timeout.cancel()
        case .closing(let deadline): deadline?.cancel()
        case .connecting, .closed: break
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: From the driver

    /// Sends or queues bytes; `false` if the queue is full.
    func write(_ bytes: ByteBuffer) -> Bool {
        guard isChannelWritable, queue.isEmpty else {
            guard queue.append(bytes, limits: driver.settings.queue) else { return false }
            bytesWritten &+= UInt64(bytes.readableBytes)
            updateWritability()
            return true
        }
        bytesWritten &+= UInt64(bytes.readableBytes)
        pass(bytes)
        return true
    }

    func flush() {
        isUnflushed = false
        passGathered()
        context?.flush()
    }

    func pauseReading() {
        isPaused = true
    }

    func resumeReading() {
        isPaused = false
        guard wantsRead else { return }
        wantsRead = false
        context?.read()
    }

    /// Ends the stream behind what was sent; the peer may go on talking.
    func finish() {
        finishes = true
        if queue.isEmpty { afterLastByte { $0.endOutput() } }
    }

    /// Sends what is queued, then closes so that the peer gets all of it: a socket closed with unread data in it
    /// would make the kernel throw away what was just sent.
    func close() {
        guard case .open = stage else { return }
        let connection = NIOLoopBound(self, eventLoop: driver.eventLoop)
        let deadline = driver.eventLoop.scheduleTask(in: TimeAmount(driver.settings.lingerTimeout)) {
            connection.value.abort()
        }
        stage = .closing(deadline: deadline)
        if queue.isEmpty { endClosing() }
        resumeReading()
    }

    /// Closes at once; what was queued is lost.
    func abort() {
        switch stage {
        case .closed: return
        case .closing: break
        case .connecting, .awaitingProxyHeader, .open: stage = .closing(deadline: nil)
        }
        context?.close(promise: nil)
    }

    // MARK: Within

    private func open() {
        do throws(Admission.Refusal) {
            let peer = try driver.admit(self, from: endpoint)
            isAdmitted = true
            openedAt = .now
            stage = .open(peer)
            driver.connect(peer, from: endpoint)
        } catch {
            // Said and gone: waiting for its end would let a flood hold the sockets that it was refused.
            if let words = driver.words(for: error, to: endpoint) {
                context?.writeAndFlush(wrapOutboundOut(words), promise: nil)
            }
            abort()
        }
    }

    private func receiveProxyHeader(_ bytes: ByteBuffer, after before: ByteBuffer, _ timeout: Scheduled<Void>) {
        var all = before
        all.writeImmutableBuffer(bytes)
        do throws(ProxyHeaderError) {
            guard let header = try ProxyHeader.decode(from: &all) else {
                stage = .awaitingProxyHeader(all, timeout: timeout)
                return
            }
            timeout.cancel()
            if let source = header.source { endpoint = source }
            open()
            if case .open(let peer) = stage, all.readableBytes > 0 { driver.receive(all, from: peer) }
        } catch {
            refuseProxy(.proxyHeaderInvalid)
        }
    }

    private func refuseProxy(_ reason: CloseReason) {
        guard case .awaitingProxyHeader(_, let timeout) = stage else { return }
        timeout.cancel()
        driver.refuse(reason, from: endpoint)
        abort()
    }

    /// Hands bytes to the channel. Small ones that come behind others before the next flush leave in one piece: a copy costs
    /// less than a write of their own.
    private func pass(_ bytes: ByteBuffer) {
        if isUnflushed, bytes.readableBytes <= Gathering.largestPiece {
            let gathering = gathering ?? Gathering()
            self.gathering = gathering
            if gathering.add(bytes) >= Gathering.enough { passGathered() }
        } else {
            passGathered()
            context?.write(wrapOutboundOut(bytes), promise: nil)
        }
        if !isUnflushed {
            isUnflushed = true
            driver.needsFlush(self)
        }
    }

    private func passGathered() {
        guard let bytes = gathering?.take() else { return }
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    private func sendQueued() {
        guard !queue.isEmpty else { return }
        passGathered()
        while isChannelWritable, let bytes = queue.popFirst() {
            context?.write(wrapOutboundOut(bytes), promise: nil)
        }
        context?.flush()
        guard queue.isEmpty else { return }
        if case .closing = stage {
            endClosing()
        } else if finishes {
            afterLastByte { $0.endOutput() }
        }
    }

    private func updateWritability() {
        let writable = isChannelWritable && queue.isEmpty
        guard writable != isWritable else { return }
        isWritable = writable
        if case .open(let peer) = stage { driver.writability(of: peer, is: writable) }
    }

    private func endClosing() {
        afterLastByte { connection in
            if connection.inputEnded {
                connection.abort()
            } else {
                connection.endOutput()
            }
        }
    }

    private func endOutput() {
        // With the input ended too this would close the channel, pending bytes and all; here none are pending.
        context?.close(mode: .output, promise: nil)
    }

    /// Runs `body` once everything written so far is in the kernel's hands.
    private func afterLastByte(_ body: @escaping (StreamConnection) -> Void) {
        passGathered()
        guard let context else { return }
        let promise = driver.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((connection: self, body: body), eventLoop: driver.eventLoop)
        promise.futureResult.whenSuccess { bound.value.body(bound.value.connection) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }
}

extension CloseReason {
    static let proxyHeaderTimeout = CloseReason("proxy_header_timeout", "the proxy sent no PROXY protocol header")
    static let proxyHeaderInvalid = CloseReason("proxy_header_invalid", "the proxy sent no valid PROXY protocol header")
}
