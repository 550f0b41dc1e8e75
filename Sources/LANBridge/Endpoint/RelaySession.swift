import NIOCore
import RelayCore

/// What both ends of the tunnel have in common: a place in a room of the relay, kept over connections that come and go.
///
/// The connection it is in by is kept until another one is welcomed, so that a path that was dead for a while only goes on.
struct RelaySession {
    let role: FrameSender
    let configuration: LANEndpointConfiguration
    private var random: RandomSource

    /// The connection by which it is in.
    private(set) var current: PeerID?
    /// The connection on which it has said hello.
    private var candidate: PeerID?
    private var greetingEnds: Instant?
    private var attempts: ReconnectSchedule
    private var isStarted = false
    private(set) var isFinished = false
    private var isSilent = false
    private var reconnects = 0
    private var hasJoined = false

    /// The largest datagrams to `current` and to `candidate`.
    private var datagram = 0
    private var candidateDatagram = 0
    private var reader = ControlReader()
    private var candidateReader = ControlReader()

    private(set) var welcome: ControlMessage.Welcome?
    private(set) var peers: [Int: ControlMessage.PeerNotice] = [:]
    private var reassembler = FrameReassembler(slots: 8)
    private var frameNumber: UInt16 = 0
    private var ledger = FrameLedger()
    private var relayStats: TunnelStats?
    private var relayDrops: [DropReason: Int] = [:]
    private var pulse: Pulse

    private static let greetingTimeout = Duration.seconds(5)
    private static let maxPeers = 4096

    init(role: FrameSender, configuration: LANEndpointConfiguration, random: RandomSource, at now: Instant) {
        self.role = role
        self.configuration = configuration
        self.random = random
        attempts = ReconnectSchedule()
        pulse = Pulse(interval: configuration.pingInterval, silence: configuration.silence, at: now)
    }

    // MARK: Connections

    mutating func start(at now: Instant, into out: inout LANOutbox) {
        guard !isStarted, !isFinished else { return }
        isStarted = true
        seek(at: now, into: &out)
    }

    mutating func connect(_ relay: PeerID, datagram: Int, at now: Instant, into out: inout LANOutbox) {
        attempts.answered()
        guard isStarted, !isFinished, candidate == nil, current == nil || isSilent else {
            return out.append(.close(relay, .superfluous))
        }
        candidate = relay
        candidateDatagram = datagram
        candidateReader = ControlReader()
        greetingEnds = now + Self.greetingTimeout
        var hello = ControlMessage.Hello(
            role: role, room: configuration.room, mac: configuration.mac,
            datagram: FrameReassembler.maxFrame + OverlayHeader.length)
        hello.password = configuration.password
        hello.name = configuration.name
        hello.key = configuration.key
        out.send(.hello(hello), to: relay)
    }

    mutating func setDatagram(_ size: Int, of relay: PeerID) {
        if relay == current { datagram = size }
        if relay == candidate { candidateDatagram = size }
    }

    mutating func disconnect(_ relay: PeerID?, _ loss: RelayLoss, at now: Instant, into out: inout LANOutbox) {
        guard isStarted, !isFinished else { return }
        if relay == nil { attempts.answered() }
        guard relay == nil || relay == current || relay == candidate else { return }
        if case .untrusted(let words) = loss, !hasJoined { return finish(CloseReason("untrusted", words), into: &out) }
        if let relay, relay == current {
            out.append(.emit(LANEndpointEvent.lost(loss)))
            loseCurrent()
        } else if let relay, relay == candidate {
            candidate = nil
            greetingEnds = nil
        } else {
            // Attempts overlap: one that comes to nothing while another has been answered is no news.
            if isSeeking, candidate == nil { attempts.tell(loss, into: &out) }
            return
        }
        seek(at: now, into: &out)
    }

    mutating func networkChanged(at now: Instant, into out: inout LANOutbox) {
        guard isStarted, !isFinished else { return }
        if let current { pulse.ping(current, at: now, into: &out) }
        if isSeeking, candidate == nil { seek(at: now, into: &out) }
    }

    /// Whether another connection is wanted.
    private var isSeeking: Bool { isStarted && !isFinished && (current == nil || isSilent) }

    /// Begins to look for a connection, at once.
    private mutating func seek(at now: Instant, into out: inout LANOutbox) {
        guard isSeeking, candidate == nil else { return }
        attempts.restart(at: now)
        attempts.advance(to: now, &random, into: &out)
    }

    private mutating func loseCurrent() {
        current = nil
        isSilent = false
        pulse.stop()
    }

    private mutating func finish(_ reason: CloseReason, into out: inout LANOutbox) {
        guard !isFinished else { return }
        isFinished = true
        for relay in [current, candidate].compactMap({ $0 }) { out.append(.close(relay, reason)) }
        current = nil
        candidate = nil
        greetingEnds = nil
        attempts.stop()
        pulse.stop()
        out.append(.finish(reason))
    }

    mutating func leave(at now: Instant, into out: inout LANOutbox) {
        if let current, !isFinished {
            out.send(.disconnect(code: "left", sentence: "the endpoint leaves"), to: current)
        }
        finish(CloseReason("left", "left the room"), into: &out)
    }

    // MARK: Control

    /// Takes in bytes of a control stream, and returns what is news of the room.
    mutating func receiveControl(
        _ bytes: ByteBuffer, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) -> [ControlMessage] {
        var news: [ControlMessage] = []
        if relay == current {
            hear(at: now)
            reader.append(bytes)
        } else if relay == candidate {
            candidateReader.append(bytes)
        }
        do throws(ControlError) {
            while relay == current || relay == candidate {
                let next = relay == current ? try reader.next() : try candidateReader.next()
                guard let next else { break }
                receive(next, from: relay, at: now, &news, into: &out)
            }
        } catch {
            out.send(.disconnect(code: error.rawValue, sentence: error.sentence), to: relay)
            part(from: relay, .badControl(error), hold: .seconds(2), at: now, into: &out)
        }
        return news
    }

    private mutating func receive(
        _ message: ControlMessage, from relay: PeerID, at now: Instant, _ news: inout [ControlMessage],
        into out: inout LANOutbox
    ) {
        switch message {
        case .welcome(let welcome) where relay == candidate: join(welcome, relay, at: now, &news, into: &out)
        case .reject(let code, let sentence) where relay == candidate:
            refused(code, sentence, relay, at: now, into: &out)
        case .disconnect(let code, let sentence): parted(code, sentence, relay, at: now, into: &out)
        case .peerJoined(let notice) where relay == current: add(notice, &news, into: &out)
        case .peerLeft(let number, let reason) where relay == current:
            guard let notice = peers.removeValue(forKey: number) else { return }
            out.append(.emit(LANEndpointEvent.peerLeft(notice, reason: reason)))
            news.append(message)
        case .stats(let stats, let drops) where relay == current:
            relayStats = stats
            relayDrops = drops
        case .unknown: break
        case .hello, .welcome, .reject, .peerJoined, .peerLeft, .stats, .getStats:
            part(from: relay, .notForEndpoints, hold: .seconds(2), at: now, into: &out)
        }
    }

    private mutating func join(
        _ welcome: ControlMessage.Welcome, _ relay: PeerID, at now: Instant, _ news: inout [ControlMessage],
        into out: inout LANOutbox
    ) {
        guard (FrameBudget.leastMTU...FrameBudget.fullMTU).contains(welcome.mtu),
            (FrameBudget.leastMTU...welcome.mtu).contains(welcome.tapMTU)
        else { return part(from: relay, .badRoomMTU, hold: .seconds(10), at: now, into: &out) }
        if let old = current { out.append(.close(old, .superfluous)) }
        if hasJoined { reconnects += 1 }
        hasJoined = true
        isSilent = false
        current = relay
        datagram = candidateDatagram
        reader = candidateReader
        candidate = nil
        candidateReader = ControlReader()
        greetingEnds = nil
        attempts.stop()
        reassembler = FrameReassembler(slots: 8)
        self.welcome = welcome
        peers.removeAll()
        pulse.start(relay, at: now, into: &out)
        out.append(.join(welcome))
        let hasGateway = welcome.hasGateway
        out.append(
            .emit(LANEndpointEvent.joined(room: configuration.room, number: welcome.peer, hasGateway: hasGateway)))
        news.append(.welcome(welcome))
    }

    private mutating func add(
        _ notice: ControlMessage.PeerNotice, _ news: inout [ControlMessage], into out: inout LANOutbox
    ) {
        guard peers[notice.peer] != nil || peers.count < Self.maxPeers else { return }
        peers[notice.peer] = notice
        out.append(.emit(LANEndpointEvent.peerJoined(notice)))
        news.append(.peerJoined(notice))
    }

    private mutating func refused(
        _ code: String, _ sentence: String, _ relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        let again = HelloRefusal(rawValue: code).map(\.patience) ?? .seconds(10)
        out.append(.emit(LANEndpointEvent.refused(code: code, sentence: sentence, again: again)))
        guard let again else { return finish(CloseReason("refused", sentence), into: &out) }
        part(from: relay, CloseReason("refused", sentence), hold: again, at: now, into: &out)
    }

    /// The relay ends the connection.
    private mutating func parted(
        _ code: String, _ sentence: String, _ relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        switch code {
        case "kicked", "banned":
            finish(CloseReason("kicked", sentence), into: &out)
        case "replaced" where relay == current && candidate == nil:
            finish(CloseReason("replaced", "another program took this place with the same key"), into: &out)
        case "replaced", "server_stopping":
            if relay == current { out.append(.emit(LANEndpointEvent.lost(.unreachable(sentence)))) }
            part(from: relay, CloseReason("parted", sentence), hold: .zero, at: now, into: &out)
        default:
            if relay == current { out.append(.emit(LANEndpointEvent.lost(.unreachable(sentence)))) }
            part(from: relay, CloseReason("parted", sentence), hold: .seconds(5), at: now, into: &out)
        }
    }

    /// Gives up a connection, and seeks another after a while.
    private mutating func part(
        from relay: PeerID, _ reason: CloseReason, hold: Duration, at now: Instant, into out: inout LANOutbox
    ) {
        out.append(.close(relay, reason))
        if relay == current { loseCurrent() }
        if relay == candidate {
            candidate = nil
            greetingEnds = nil
        }
        guard isSeeking, candidate == nil else { return }
        if hold > .zero { attempts.hold(until: now + hold) } else { seek(at: now, into: &out) }
    }

    mutating func askForStats(into out: inout LANOutbox) {
        if let current { out.send(.getStats, to: current) }
    }
}

// MARK: Frames

extension RelaySession {
    var maxFrame: Int { (welcome?.mtu ?? FrameBudget.fullMTU) + LinkRules.headerLength }

    /// The largest IP packet that needs no splitting on the way to the relay. Both ends of a TCP connection lower its
    /// segments to their own, so it need not be known what the others have.
    private var unsplitMTU: Int { min(maxFrame - LinkRules.headerLength, FrameBudget.mtu(datagram: datagram)) }

    /// The frame that a datagram holds, or completes; `nil` if none.
    @inline(__always)
    mutating func unwrap(
        _ bytes: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) -> FrameBytes? {
        guard relay == current else { return nil }
        hear(at: now)
        guard let header = OverlayHeader(bytes) else {
            drop(.badLength, DroppedFrame(bytes), at: now, into: &out)
            return nil
        }
        switch header.kind {
        case .whole:
            ledger.received(header.frameLength)
            return .input(OverlayHeader.length..<bytes.byteCount)
        case .part:
            if header.frameLength > FrameReassembler.maxFrame {
                drop(.oversize, DroppedFrame(bytes), at: now, into: &out)
                return nil
            }
            guard let range = reassembler.add(header, bytes, at: now, { frame in out.copy(frame) }) else { return nil }
            ledger.received(header.frameLength)
            return .scratch(range)
        case .ping:
            out.append(.datagram(OverlayHeader(pong: header.number), .input(0..<0), to: relay, isUrgent: true))
        case .pong: pulse.answered(header.number, at: now)
        }
        return nil
    }

    /// Sends a frame of the card or of the LAN; it has been judged.
    @inline(__always)
    mutating func send(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox) {
        let bytes = clamp(.input(0..<frame.byteCount), frame, into: &out)
        guard send(bytes, into: &out) else {
            return drop(current == nil ? .noRelay : .oversize, DroppedFrame(frame), at: now, into: &out)
        }
    }

    /// Sends bytes that lie in the outbox's memory or in the input; `false` if they cannot go.
    @inline(__always)
    mutating func send(_ bytes: FrameBytes, into out: inout LANOutbox) -> Bool {
        guard let current else { return false }
        let number = frameNumber &+ 1
        guard out.send(bytes, to: current, datagram: datagram, number: { number }) else { return false }
        frameNumber = number
        ledger.sent(bytes.range.count)
        return true
    }

    /// The same frame, in the outbox's memory if TCP had to be told of smaller segments.
    @inline(__always)
    func clamp(_ bytes: FrameBytes, _ input: RawSpan, into out: inout LANOutbox) -> FrameBytes {
        let mtu = unsplitMTU
        guard configuration.clampsSegments, bytes.read(input, out, { SegmentClamp.isNeeded($0, mtu: mtu) }) else {
            return bytes
        }
        let range =
            switch bytes {
            case .input(let range): out.copy(input.extracting(range))
            case .scratch(let range): range
            }
        out.clamp(range, mtu: mtu)
        return .scratch(range)
    }

    /// Why a frame that came from the relay has no place on any card.
    @inline(__always)
    func shapeFault(
        of bytes: FrameBytes, _ input: RawSpan, _ out: borrowing LANOutbox
    ) -> (DropReason, DroppedFrame)? {
        let maxFrame = maxFrame
        return bytes.read(input, out) { frame in
            LinkRules.checkShape(frame, maxFrame: maxFrame).map { ($0, DroppedFrame(frame)) }
        }
    }

    /// Counts a dropped frame, and tells of the first within a second.
    mutating func drop(
        _ reason: DropReason, _ frame: DroppedFrame, isTold: Bool = true, at now: Instant, into out: inout LANOutbox
    ) {
        guard ledger.dropped(reason, at: now), isTold else { return }
        out.append(
            .emit(
                LANEndpointEvent.dropped(reason, from: frame.mac, etherType: frame.etherType, length: frame.length)))
    }

    /// A sign of life.
    @inline(__always)
    private mutating func hear(at now: Instant) {
        pulse.heard(at: now)
        guard isSilent else { return }
        isSilent = false
        if candidate == nil { attempts.stop() }
    }
}

// MARK: Time

extension RelaySession {
    var nextDeadline: Instant? {
        guard !isFinished else { return nil }
        let attempt = isSeeking && candidate == nil ? attempts.next : nil
        return Instant.earlier(Instant.earlier(attempt, greetingEnds), pulse.next(isSilent: isSilent))
    }

    mutating func advance(to now: Instant, into out: inout LANOutbox) {
        guard isStarted, !isFinished else { return }
        if let relay = candidate, let ends = greetingEnds, ends <= now {
            part(from: relay, .noWelcome, hold: .zero, at: now, into: &out)
        }
        if let current {
            pulse.advance(current, at: now, into: &out)
            if !isSilent, pulse.isSilent(at: now) {
                isSilent = true
                out.append(.emit(LANEndpointEvent.silent))
                seek(at: now, into: &out)
            }
        }
        if isSeeking, candidate == nil { attempts.advance(to: now, &random, into: &out) }
    }

    var status: TunnelStatus {
        let phase: TunnelStatus.Phase =
            isFinished ? .ended : current == nil ? .connecting : isSilent ? .silent : .joined
        let others = peers.values.sorted { $0.peer < $1.peer }
        return TunnelStatus(
            phase: phase, connection: current, welcome: welcome, peers: others,
            hasGateway: role == .gateway || others.contains { $0.role == .gateway }, roundTrip: pulse.roundTrip,
            stats: ledger.stats, drops: ledger.counts, relayStats: relayStats, relayDrops: relayDrops,
            reconnects: reconnects)
    }
}
