import RelayCore

/// One connection, as the relay knows it.
///
/// A class, because looking one up in a table and changing it there would copy much for every message. Nobody but the
/// engine that made it may hold one.
final class Client {
    enum Phase {
        /// It has no id: nothing can be sent to it but answers.
        case unnamed
        /// It is reached under an id.
        case named(ClientID)
        /// It said CLOSE, and nothing since.
        case leaving(since: Instant)
    }

    let peer: PeerID
    let endpoint: Endpoint
    let connectedAt: Instant
    var phase = Phase.unnamed
    /// The id it has while it has taken none; made when it is first needed.
    var connectionID: ClientID?
    /// Whether the relay has parted from it, and nothing it sent counts any more.
    var isGone = false
    var frames = FrameReader()
    /// Whether it has used `payloadContent`.
    var usesReadmeName = false
    /// When the deadline heap will ask after it.
    var watchedUntil: Instant?
    private var heardAt: Instant
    /// When the frame that has not ended began.
    private var frameBeganAt: Instant?
    private var allowance: TokenBucket
    private var strikes: StrikeCounter?

    init(_ peer: PeerID, from endpoint: Endpoint, maxStrikes: Int, at now: Instant) {
        self.peer = peer
        self.endpoint = endpoint
        connectedAt = now
        heardAt = now
        allowance = TokenBucket(at: now)
        strikes = maxStrikes > 0 ? StrikeCounter(limit: maxStrikes, forgivenPerSecond: 1, at: now) : nil
    }

    /// The id it took; `nil` if it has none.
    var id: ClientID? {
        if case .named(let id) = phase { id } else { nil }
    }

    /// Notes that bytes arrived.
    func hear(at now: Instant) {
        heardAt = now
    }

    /// Counts a whole frame; `false` if it is one too many for the rate.
    func takeFrame(perSecond: Int, at now: Instant) -> Bool {
        if case .leaving = phase { phase = .unnamed }
        frameBeganAt = nil
        return allowance.take(at: now, rate: TokenBucket.Rate(perSecond: perSecond, burst: perSecond))
    }

    /// Notes that the frames of a read are done; `true` if another has begun and not ended.
    func endRead(at now: Instant) -> Bool {
        guard frames.isInsideFrame, frameBeganAt == nil else { return false }
        frameBeganAt = now
        return true
    }

    /// Counts a fault; `true` when it was one too many.
    func strike(at now: Instant) -> Bool {
        strikes?.strike(at: now) ?? false
    }

    /// When the connection ends if nothing more is heard, and why.
    func end(_ configuration: JSONRelayConfiguration) -> (at: Instant, reason: CloseReason)? {
        var end: (at: Instant, reason: CloseReason)?
        func consider(_ at: Instant, _ reason: CloseReason) {
            if end.map({ at < $0.at }) ?? true { end = (at, reason) }
        }
        if case .leaving(let since) = phase { consider(since + configuration.closeGrace, .left) }
        if let frameBeganAt, configuration.frameTimeout > .zero {
            consider(frameBeganAt + configuration.frameTimeout, .frameTimeout)
        }
        if configuration.idleTimeout > .zero { consider(heardAt + configuration.idleTimeout, .idle) }
        return end
    }
}
