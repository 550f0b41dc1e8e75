import NIOCore
import RelayCore
import SOE

/// Two engines that hand each other their datagrams: the protocol without sockets, both ends on one thread.
struct Alone {
    private var server: SOEEngine
    private var client: SOEEngine
    private var serverOut = DatagramOutbox()
    private var clientOut = DatagramOutbox()
    private var clientHeard = DatagramOutbox()
    private let serverPlace = Endpoint(address: IPAddress(ipv4: 0x0A00_0001), port: 20_260)
    private let clientPlace = Endpoint(address: IPAddress(ipv4: 0x0A00_0002), port: 40_000)
    private var now = Instant.zero
    private(set) var delivered = 0

    init(_ configuration: SOEConfiguration) {
        server = SOEEngine(configuration: configuration)
        client = SOEEngine(configuration: configuration)
    }

    /// Sends so many messages from one engine to the other and waits for the last.
    mutating func run(size: Int, messages: Int) throws {
        let message = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) })
        let peer: PeerID
        if let existing = client.session(at: serverPlace)?.id {
            peer = existing
        } else {
            peer = try client.connect(to: serverPlace, at: now, into: &clientOut)
        }
        let goal = delivered + messages
        var left = messages
        while delivered < goal {
            var batch = max(1, min(64, 65_536 / max(size, 1)))
            while left > 0, batch > 0, client.enqueue(message, on: .reliable0, to: peer, at: now) == .accepted {
                left -= 1
                batch -= 1
            }
            client.advance(to: now, into: &clientOut)
            for index in 0..<clientOut.datagramCount {
                server.receive(clientOut.datagram(at: index).bytes, from: clientPlace, at: now, into: &serverOut)
            }
            server.advance(to: now, into: &serverOut)
            for index in 0..<serverOut.effectCount {
                if case .deliver(let bytes, _, _) = serverOut.effect(at: index), bytes.readableBytes == size {
                    delivered += 1
                }
            }
            for index in 0..<serverOut.datagramCount {
                client.receive(serverOut.datagram(at: index).bytes, from: serverPlace, at: now, into: &clientHeard)
            }
            // What was delivered is part of what was sent.
            serverOut.removeAll()
            clientOut.removeAll()
            swap(&clientOut, &clientHeard)
            now = now.after(50_000)
        }
    }
}
