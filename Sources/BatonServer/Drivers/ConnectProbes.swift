import NIOCore
import NIOPosix
import RelayCore

/// Tries whether TCP connections come about: few at a time, each for a short while. Nothing is said on them.
///
/// Confined to its event loop.
final class ConnectProbes {
    private let eventLoop: any EventLoop
    private let timeout: Duration
    private let limit: Int
    private var running: Set<PeerID> = []

    /// - Parameter limit: how many run at once; who asks for more is told that nothing can be reached.
    init(eventLoop: any EventLoop, timeout: Duration, limit: Int) {
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.limit = limit
    }

    /// Tries one address for a peer, and answers once: at once if it cannot be tried.
    func probe(_ endpoint: Endpoint, for peer: PeerID, answer: @escaping (Bool) -> Void) {
        guard running.count < limit, !running.contains(peer),
            let address = try? SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
        else { return answer(false) }
        running.insert(peer)
        let bound = NIOLoopBound((probes: self, answer: answer), eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(timeout)).connect(to: address)
            .whenComplete { result in
                bound.value.probes.running.remove(peer)
                let channel = try? result.get()
                // A socket that connects to a free port of its own machine can meet itself.
                bound.value.answer(channel.map { $0.localAddress != $0.remoteAddress } ?? false)
                channel?.close(promise: nil)
            }
    }
}
