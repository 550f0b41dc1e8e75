public import NIOCore
public import RelayCore
public import SOE

/// A server that sends every message back, on the channel it came on.
///
/// A client that does not read what it is sent is not heard either: what waits for one is bounded by one session's queue,
/// and one datagram's messages.
public struct EchoEngine: DatagramEngine {
    /// What a client has not been sent yet, because its session takes no more.
    private struct Backlog {
        var messages: [(message: ByteBuffer, channel: SOEChannel)] = []
    }

    public private(set) var sessions: SOEEngine
    private var backlogs: [PeerID: Backlog] = [:]
    public private(set) var echoed: UInt64 = 0

    public init(parameters: SOEParameters, random: RandomSource = .system) {
        var configuration = SOEConfiguration()
        configuration.parameters = parameters
        configuration.limits.connectionsPerAddress = 0
        configuration.limits.connectionsPerPrefix = 0
        configuration.limits.newConnections = .unlimited
        sessions = SOEEngine(configuration: configuration, random: random)
    }

    public mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        let first = out.effectCount
        sessions.receive(datagram, from: endpoint, at: now, into: &out)
        answer(out, from: first, at: now)
    }

    public mutating func advance(to now: Instant, into out: inout DatagramOutbox) {
        let first = out.effectCount
        sessions.advance(to: now, into: &out)
        answer(out, from: first, at: now)
    }

    public var nextDeadline: Instant? { sessions.nextDeadline }

    /// Ends all sessions; `sessions.sessionCount` says when that is done.
    public mutating func stop(at now: Instant, into out: inout DatagramOutbox) {
        sessions.stop(at: now, into: &out)
    }

    private mutating func answer(_ out: DatagramOutbox, from first: Int, at now: Instant) {
        for index in first..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let message, from: let peer, channel: let number):
                guard let channel = SOEChannel(rawValue: number) else { continue }
                echo(message, on: channel, to: peer, at: now)
            case .emit(let event):
                switch event as? SOEEvent {
                case .writable(let peer): catchUp(with: peer, at: now)
                case .closed(let peer, _, _, _): backlogs[peer] = nil
                case .opened, .remapped, nil: break
                }
            }
        }
    }

    private mutating func echo(_ message: ByteBuffer, on channel: SOEChannel, to peer: PeerID, at now: Instant) {
        if backlogs[peer] == nil {
            switch sessions.enqueue(message, on: channel, to: peer, at: now) {
            case .accepted:
                echoed &+= 1
                return
            case .full:
                guard channel.isReliable else { return }
                sessions.pauseDelivery(from: peer, true)
            case .tooLong, .closed:
                return
            }
        }
        // A copy of its own: the slice would keep the whole read in memory.
        backlogs[peer, default: Backlog()].messages.append((ByteBuffer(bytes: message.readableBytesView), channel))
    }

    private mutating func catchUp(with peer: PeerID, at now: Instant) {
        guard let backlog = backlogs.removeValue(forKey: peer) else { return }
        for (index, (message, channel)) in backlog.messages.enumerated() {
            guard sessions.enqueue(message, on: channel, to: peer, at: now) == .full else {
                echoed &+= 1
                continue
            }
            backlogs[peer] = Backlog(messages: Array(backlog.messages[index...]))
            return
        }
        sessions.pauseDelivery(from: peer, false)
    }
}
