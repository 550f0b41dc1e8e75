import NIOCore
import RelayCore

/// From bytes to what is to be done: sections 9.3 and 9.4 of the protocol's notes.
extension P2PProxyEngine {
    /// Goes through what came, packet by packet. Behind a token that is not announced yet, the rest is held.
    mutating func read(_ bytes: ByteBuffer, from session: ProxySession, at now: Instant, into out: inout Outbox) {
        var rest = bytes
        do throws(FrameError) {
            while !session.isGone, session.shown == nil, let frame = try session.frames.next(from: &rest) {
                if session.isPlayer {
                    handle(frame, from: session, into: &out)
                } else {
                    authenticate(session, by: frame, at: now, into: &out)
                }
            }
            if session.shown != nil { session.held.writeImmutableBuffer(rest) }
        } catch {
            part(from: session, error.closeReason, into: &out)
        }
    }

    /// Before it has shown a token a connection can say nothing else.
    private mutating func authenticate(
        _ session: ProxySession, by frame: Frame, at now: Instant, into out: inout Outbox
    ) {
        guard frame.type == .externalProxy else {
            dropped.unauthenticated += 1
            return
        }
        guard let shown = ExternalProxyConfig(frame.payload) else {
            dropped.tooShort += 1
            return
        }
        session.shown = shown.token
        if register(session, into: &out) { return }
        out.pause(session.peer)
        deadlines.schedule(session.peer, at: now + configuration.tokenWait)
    }

    /// Lets in a session that has waited, if its token is here now, and hears what it said meanwhile.
    mutating func tryRegister(_ session: ProxySession, at now: Instant, into out: inout Outbox) {
        guard register(session, into: &out) else { return }
        let held = session.held
        session.held = ByteBuffer()
        out.resume(session.peer)
        read(held, from: session, at: now, into: &out)
    }

    /// Makes a session that has shown a token a player; `false` if the token is not here.
    private mutating func register(_ session: ProxySession, into out: inout Outbox) -> Bool {
        guard let shown = session.shown else { return false }
        guard players.count < configuration.maxPlayers else {
            part(from: session, .playersFull, into: &out)
            return true
        }
        let address = configuration.checksPhysicalAddress ? session.endpoint.address : nil
        guard let token = tokens.take(shown, from: address) else { return false }
        session.shown = nil
        session.isPlayer = true
        session.address = token.virtualIP
        deadlines.cancel(session.peer)
        if players.isEmpty, host == nil { setBroadcast(of: token.virtualIP) }
        players.append(session)
        var config = ProxyConfig()
        config.proxyIP = token.virtualIP
        config.proxySubnetMask = .mask
        out.send(Packet.proxyConfig(config).encoded, to: session.peer)
        out.emit(P2PProxyEvent.playerJoined(session.peer, token.virtualIP))
        return true
    }

    mutating func setBroadcast(of address: VirtualAddress) {
        broadcast = VirtualAddress(rawValue: address.rawValue | ~VirtualAddress.mask.rawValue)
    }

    private mutating func handle(_ frame: Frame, from session: ProxySession, into out: inout Outbox) {
        guard frame.type.isProxied else {
            // A second token is never looked at: one connection is one player.
            dropped.unexpected += 1
            return
        }
        guard let packet = ProxiedPacket(frame) else {
            dropped.tooShort += 1
            return
        }
        guard let bytes = packet.bytes(from: session.address) else {
            dropped.spoofed += 1
            return
        }
        let isForAll = isForAll(packet.destination)
        let wasSent = route(bytes, to: packet.destination, isForAll: isForAll, into: &out)
        if frame.type == .proxyData, let host, isForAll || packet.destination == host {
            out.deliver(bytes, from: session.peer)
        } else if !wasSent {
            dropped.noReceiver += 1
        }
    }

    /// Sends a packet to whom it is for, to all including its sender if so; `false` if there is nobody.
    func route(_ bytes: ByteBuffer, to destination: VirtualAddress, isForAll: Bool, into out: inout Outbox) -> Bool {
        if isForAll {
            for player in players { out.forward(bytes, to: player.peer) }
            return !players.isEmpty
        }
        guard let player = players.first(where: { $0.address == destination }) else { return false }
        out.forward(bytes, to: player.peer)
        return true
    }

    func isForAll(_ destination: VirtualAddress) -> Bool {
        destination == .legacyBroadcast || destination == broadcast && broadcast != .any
    }
}

/// How many packets a P2P proxy passed over, and why. Their senders are told nothing, as the protocol has no words for it.
public struct DroppedProxyPackets: Sendable, Equatable {
    /// Shorter than what it must hold.
    public var tooShort: UInt64 = 0
    /// Of a type that players do not say to a proxy.
    public var unexpected: UInt64 = 0
    /// Said before a token was shown.
    public var unauthenticated: UInt64 = 0
    /// Under somebody else's address.
    public var spoofed: UInt64 = 0
    /// For an address that nobody has.
    public var noReceiver: UInt64 = 0

    /// Those that there were, with the word for the reason.
    public var byReason: [(reason: String, count: UInt64)] {
        let all: [(reason: String, count: UInt64)] = [
            ("too_short", tooShort), ("unexpected", unexpected), ("unauthenticated", unauthenticated),
            ("spoofed", spoofed), ("no_receiver", noReceiver),
        ]
        return all.filter { $0.count > 0 }
    }
}
