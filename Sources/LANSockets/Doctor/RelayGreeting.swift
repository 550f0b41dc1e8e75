import Glibc
import LANBridge
import NIOCore
package import QUICTransport
package import RelayCore

/// Says hello to a relay, hears what it answers, and goes: whether it is there, and how long that takes.
///
/// `run` blocks until it is over. Confined to the thread that calls it.
package final class RelayGreeting: QUICDelegate {
    /// What the relay says to somebody new.
    package struct Answer: Sendable {
        /// `welcome`, or the word of its refusal.
        package var code: String
        package var sentence: String
        /// As the transport has measured it.
        package var roundTrip: Duration?
    }

    /// Why there is no answer.
    package enum Failure: Error, Sendable {
        case network(NetworkFailure)
        /// Nothing was heard.
        case silent
        /// It took the connection and said nothing, or ended it.
        case ended(String)
        /// Its certificate is not the one that was expected.
        case untrusted(String)
        /// What answers is no relay.
        case stranger(String)
    }

    private let endpoint: QUICEndpoint
    private let sockets: QUICSockets
    private let hello: ControlMessage.Hello
    private var reader = ControlReader()
    private var control: Int64?
    private var connection: PeerID?
    private var result: Result<Answer, Failure>?
    private var now: Instant

    private static let firstSocket: UInt32 = 0
    /// Behind it stands a number.
    private static let room = "baton-probe"

    private init(_ hello: ControlMessage.Hello, to address: IPAddress) throws(Failure) {
        self.hello = hello
        now = .now
        do {
            let socket = try BoundSocket(
                Endpoint(address: address.ipv4 == nil ? .anyIPv6 : IPAddress(ipv4: 0), port: 0))
            sockets = QUICSockets([socket])
            endpoint = try QUICEndpoint(.lan, local: socket.local, at: now)
        } catch let failure as NetworkFailure {
            throw .network(failure)
        } catch {
            throw .ended("\(error)")
        }
        endpoint.delegate = self
    }

    /// - Parameters:
    ///   - number: makes the room's name one that nobody is in.
    ///   - limit: how long it may take.
    package static func run(
        _ relay: RelayTarget, at address: Endpoint, number: UInt64, within limit: Duration
    ) throws(Failure) -> Answer {
        let mac = MACAddress(bits: 0x0200_0000_0000 | (number & 0xFF_FFFF_FFFF))
        let hello = ControlMessage.Hello(
            role: .client, room: "\(room)-\(String(number, radix: 16))", mac: mac, datagram: 1200)
        let greeting = try RelayGreeting(splitting(hello), to: address.address)
        return try greeting.greet(relay, at: address, until: .now + limit)
    }

    private static func splitting(_ hello: ControlMessage.Hello) -> ControlMessage.Hello {
        var hello = hello
        hello.splits = true
        return hello
    }

    private func greet(_ relay: RelayTarget, at address: Endpoint, until end: Instant) throws(Failure) -> Answer {
        do {
            let poll = try Poll()
            try sockets.watch(by: poll, from: Self.firstSocket)
            connection = try endpoint.connect(to: address, name: relay.name, trust: relay.trust, at: now)
            endpoint.flush(at: now)
            while result == nil, now < end {
                let ready = poll.wait(until: min(end, endpoint.nextDeadline ?? end), now: .now)
                now = .now
                for _ in ready {
                    sockets.receive(0) { packet, remote in endpoint.receive(packet, from: remote, at: now) }
                }
                endpoint.advance(to: now)
                endpoint.flush(at: now)
            }
        } catch let failure as NetworkFailure {
            throw .network(failure)
        } catch {
            throw .ended("\(error)")
        }
        leave()
        guard let result else { throw control == nil ? .silent : .ended("it takes the connection and says nothing") }
        return try result.get()
    }

    private func leave() {
        guard let connection else { return }
        if let control { send(.disconnect(code: "left", sentence: "the probe is over"), on: control, to: connection) }
        endpoint.flush(at: now)
        endpoint.close(connection, code: 0, reason: "")
        endpoint.flush(at: now)
    }

    private func send(_ message: ControlMessage, on stream: Int64, to connection: PeerID) {
        message.frame().withUnsafeReadableBytes { _ = endpoint.send($0, stream: stream, to: connection) }
    }

    // MARK: What the transport tells

    package func transmit(_ packets: borrowing PacketBatch) { sockets.send(packets) }

    package func admits(_ remote: Endpoint) -> Bool { false }

    package func connected(_ connection: PeerID, remote: Endpoint) {
        guard let stream = endpoint.openStream(bidirectional: true, on: connection) else {
            result = result ?? .failure(.stranger("it takes no stream"))
            return
        }
        control = stream
        send(.hello(hello), on: stream, to: connection)
    }

    package func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID) {
        guard stream == control, result == nil else { return }
        reader.append(ByteBuffer(bytes: bytes))
        do throws(ControlError) {
            switch try reader.next() {
            case .welcome: answer("welcome", "", connection)
            case .reject(let code, let sentence), .disconnect(let code, let sentence):
                answer(code, sentence, connection)
            case nil where !ended: break
            default: result = .failure(.stranger("it says what no relay says"))
            }
        } catch {
            result = .failure(.stranger(error.sentence))
        }
    }

    private func answer(_ code: String, _ sentence: String, _ connection: PeerID) {
        let roundTrip = endpoint.path(of: connection)?.roundTrip
        result = .success(Answer(code: code, sentence: sentence, roundTrip: roundTrip))
    }

    package func reset(stream: Int64, code: UInt64, from connection: PeerID) {
        if stream == control { result = result ?? .failure(.ended("it ended the conversation")) }
    }

    package func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {}

    package func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {}

    package func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) {
        self.connection = nil
        guard result == nil else { return }
        switch reason {
        case .certificate(let words): result = .failure(.untrusted(words))
        case .handshakeTimeout, .idle: result = .failure(.silent)
        case .version: result = .failure(.stranger("it speaks another version of QUIC"))
        case .failed(let words): result = .failure(.stranger(words))
        case .transport, .application, .reset, .local: result = .failure(.ended("\(reason)"))
        }
    }
}
