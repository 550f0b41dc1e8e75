public import NIOCore
public import RelayCore

/// From bytes to what is to be done.
extension LDNEngine {
    /// Goes through what came, packet by packet. Behind a request that takes time, the rest is held until it is done.
    mutating func read(_ bytes: ByteBuffer, from session: Session, at now: Instant, into out: inout Outbox) {
        var rest = bytes
        do throws(FrameError) {
            while !session.isGone, session.creation == nil, let frame = try session.frames.next(from: &rest) {
                session.hear(at: now)
                if frame.type.isProxied {
                    relay(frame, from: session, into: &out)
                } else {
                    handle(frame, from: session, at: now, into: &out)
                }
            }
            if session.creation != nil { session.held.writeImmutableBuffer(rest) }
        } catch {
            part(from: session, error.closeReason, at: now, into: &out)
        }
    }

    private mutating func handle(_ frame: Frame, from session: Session, at now: Instant, into out: inout Outbox) {
        do throws(PacketError) {
            switch try Packet(frame) {
            case .initialize(let message): initialize(session, message, at: now, into: &out)
            case .passphrase(let message): session.passphrase = Passphrase(message)
            case .ping(let message): answer(message, from: session, into: &out)
            case .scan(let filter): scan(filter, for: session, at: now, into: &out)
            case .createAccessPoint(let request, let data):
                create(AccessPoint(request, advertiseData: data), for: session, at: now, into: &out)
            case .createAccessPointPrivate(let request, let data):
                create(AccessPoint(request, advertiseData: data), for: session, at: now, into: &out)
            case .connect(let request):
                join(
                    request.networkInfo.networkID.sessionID, as: request.userConfig.userName,
                    version: request.localCommunicationVersion, session, at: now, into: &out)
            case .connectPrivate(let request):
                join(
                    request.securityParameter.sessionID, as: request.userConfig.userName,
                    version: request.localCommunicationVersion, session, at: now, into: &out)
            case .disconnect: leave(session, into: &out)
            case .reject(let request): reject(request, by: session, at: now, into: &out)
            case .setAcceptPolicy(let request):
                setAcceptPolicy(request.stationAcceptPolicy, by: session, at: now, into: &out)
            case .setAdvertiseData(let data): advertise(data, by: session, at: now, into: &out)
            case .externalProxyState(let state): proxyState(state, from: session, into: &out)
            default: dropped.unexpected += 1
            }
        } catch {
            switch error {
            case .unknownType: dropped.unknownType += 1
            case .tooShort: dropped.tooShort += 1
            }
        }
    }

    /// Names the session. Clients do not wait for the answer.
    private mutating func initialize(
        _ session: Session, _ shown: InitializeMessage, at now: Instant, into out: inout Outbox
    ) {
        guard session.identity == nil else {
            dropped.unexpected += 1
            return
        }
        let identity = macs.claim(shown, within: configuration.clientMemory, at: now, random: &random)
        session.identity = identity
        out.send(Packet.initialize(identity).encoded, to: session.peer)
    }

    /// Sends back a client's own ping; its answer to ours has done its work by having come.
    private func answer(_ message: PingMessage, from session: Session, into out: inout Outbox) {
        if message.requester != 0 { out.send(Packet.ping(message).encoded, to: session.peer) }
    }

    /// Does not act upon a request, and tells the operator and the client.
    func refuse(_ refusal: LDNRefusal, to session: Session, into out: inout Outbox) {
        out.emit(LDNEvent.refused(session.peer, refusal))
        guard let error = refusal.error else { return }
        sendError(error, to: session.peer, into: &out)
    }

    /// `NetworkError` 8 for somebody who is banned: a number that no client takes for another error before its handshake.
    public mutating func words(for refusal: Admission.Refusal, because reason: String) -> ByteBuffer? {
        guard refusal == .banned else { return nil }
        var message = NetworkErrorMessage()
        message.error = .connectRejected
        return Packet.networkError(message).encoded
    }

    func sendError(_ error: NetworkError, to peer: PeerID, into out: inout Outbox) {
        var message = NetworkErrorMessage()
        message.error = error
        out.send(Packet.networkError(message).encoded, to: peer)
    }
}
