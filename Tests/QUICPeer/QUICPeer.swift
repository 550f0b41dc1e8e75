import CLinuxNet
import Glibc
import QUICTransport
import RelayCore

/// The transport as a program of its own, for `scripts/interop/quic`.
///
///     QUICPeer serve DIRECTORY [retry] echoes; prints "PORT CERTIFICATE-FILE FINGERPRINT"
///     QUICPeer call PORT FINGERPRINT COUNT    sends a word and so many datagrams, and wants them back
@main
struct QUICPeer {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, arguments.count) {
        case ("serve", 2...3):
            try serve(directory: arguments[arguments.startIndex + 1], retry: arguments.contains("retry"))
        case ("call", 4):
            let values = Array(arguments)
            guard let port = UInt16(values[1]), let pin = CertificateFingerprint(values[2]), let count = Int(values[3])
            else { exit(2) }
            try call(Endpoint(address: loopback, port: port), pin: pin, count: count)
        default: exit(2)
        }
    }

    static let loopback = IPAddress(ipv4: 0x7F00_0001)

    static func serve(directory: String, retry: Bool) throws {
        let certificate = try TLSCertificate.selfSigned(name: "localhost", at: time(nil))
        var configuration = QUICConfiguration(applicationProtocol: "echo/1")
        if retry { configuration.acceptance.retryAbove = 0 }
        let loop = try SocketLoop(configuration, certificate: certificate)
        let file = "\(directory)/certificate.pem"
        guard let stream = fopen(file, "w") else { exit(2) }
        fwrite(certificate.certificatePEM, 1, certificate.certificatePEM.count, stream)
        fclose(stream)
        print(loop.local.port, file, certificate.fingerprint)
        fflush(nil)
        loop.echoes = true
        loop.run { false }
    }

    static func call(_ server: Endpoint, pin: CertificateFingerprint, count: Int) throws {
        let loop = try SocketLoop(QUICConfiguration(applicationProtocol: "echo/1"), certificate: nil)
        let connection = try loop.endpoint.connect(to: server, name: "localhost", trust: .pinned(pin), at: loop.now)
        loop.run { loop.isConnected || loop.closed != nil }
        if let reason = loop.closed {
            print("closed:", reason)
            exit(1)
        }
        let word = Array("hello from baton".utf8)
        guard let stream = loop.endpoint.openStream(bidirectional: true, on: connection) else { exit(1) }
        word.withUnsafeBytes { _ = loop.endpoint.send($0, stream: stream, end: true, to: connection) }
        loop.run { loop.streamEnded || loop.closed != nil }
        var sent = 0
        var wakeups = 0
        loop.run {
            // Ten at each wake-up, as acknowledgements come; what is lost on the way is not sent again.
            while sent < count, sent - loop.datagrams < 10 {
                let bytes = [UInt8(truncatingIfNeeded: sent)] + Array(repeating: UInt8(7), count: 999)
                bytes.withUnsafeBytes {
                    _ = loop.endpoint.send(datagram: $0, priority: .bulk, to: connection, at: loop.now)
                }
                sent += 1
            }
            wakeups += 1
            return loop.datagrams >= count || loop.closed != nil || wakeups > 100 * count + 1000
        }
        loop.endpoint.close(connection, code: 0, reason: "done")
        loop.endpoint.flush(at: loop.now)
        print("stream", loop.stream == word ? "ok" : "wrong", "datagrams", loop.datagrams, "of", count)
        exit(loop.stream == word && loop.datagrams == count ? 0 : 1)
    }
}

/// One socket, one endpoint, one thread.
final class SocketLoop: QUICDelegate {
    let endpoint: QUICEndpoint
    let local: Endpoint
    var echoes = false
    private(set) var isConnected = false
    private(set) var closed: QUICCloseReason?
    private(set) var stream: [UInt8] = []
    private(set) var streamEnded = false
    private(set) var datagrams = 0

    private let socket: Int32
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 2048, alignment: 64)
    private var received = Array(repeating: clinuxnet_datagram(), count: 64)
    private var outgoing: [clinuxnet_datagram] = []

    init(_ configuration: QUICConfiguration, certificate: TLSCertificate?) throws {
        socket = Endpoint(address: QUICPeer.loopback, port: 0).withBytes {
            clinuxnet_datagram_socket($0, 0, 0, 4 << 20)
        }
        var address = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        guard socket >= 0, clinuxnet_local_address(socket, &address, &port) == 0 else { exit(2) }
        // Probes of the path's size must not be fragmented on the way.
        var probe = IP_PMTUDISC_PROBE
        setsockopt(socket, Int32(IPPROTO_IP), IP_MTU_DISCOVER, &probe, socklen_t(MemoryLayout<Int32>.size))
        local = Endpoint(address: QUICPeer.loopback, port: port)
        endpoint = try QUICEndpoint(configuration, local: local, certificate: certificate, at: Self.clock())
        endpoint.delegate = self
    }

    var now: Instant { Self.clock() }

    private static func clock() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    func run(until isDone: () -> Bool) {
        while !isDone() {
            endpoint.flush(at: now)
            let wait = endpoint.nextDeadline.map { max(0, ($0 - now).wholeNanoseconds) } ?? 1_000_000_000
            clinuxnet_wait_readable(socket, min(wait, 1_000_000_000))
            let count = clinuxnet_receive_datagrams(socket, memory.baseAddress, 2048, &received, 64)
            for datagram in received.prefix(Int(max(count, 0))) {
                let start = Int(datagram.start)
                endpoint.receive(
                    UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + Int(datagram.length)]),
                    from: Endpoint(datagram), at: now)
            }
            endpoint.advance(to: now)
        }
    }

    func transmit(_ packets: borrowing PacketBatch) {
        outgoing.removeAll(keepingCapacity: true)
        for group in packets.groups {
            for offset in stride(from: 0, to: group.count, by: group.packetBytes) {
                var datagram = clinuxnet_datagram()
                datagram.start = UInt32(group.start + offset)
                datagram.length = UInt32(min(group.packetBytes, group.count - offset))
                datagram.port = group.remote.port
                group.remote.withBytes { bytes in
                    withUnsafeMutableBytes(of: &datagram.address) {
                        $0.copyMemory(from: .init(start: bytes, count: 16))
                    }
                }
                outgoing.append(datagram)
            }
        }
        _ = clinuxnet_send_datagrams(socket, 0, packets.bytes.baseAddress, outgoing, Int32(outgoing.count))
    }

    func admits(_ remote: Endpoint) -> Bool { true }

    func connected(_ connection: PeerID, remote: Endpoint) { isConnected = true }

    func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID) {
        if echoes {
            _ = endpoint.send(bytes, stream: stream, end: ended, to: connection)
        } else {
            self.stream += Array(bytes)
            if ended { streamEnded = true }
        }
    }

    func reset(stream: Int64, code: UInt64, from connection: PeerID) {}

    func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {
        datagrams += 1
        if echoes { _ = endpoint.send(datagram: datagram, priority: .bulk, to: connection, at: now) }
    }

    func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {}

    func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) {
        closed = reason
        if echoes {
            print("closed:", reason)
            fflush(nil)
        }
    }
}

extension Endpoint {
    init(_ datagram: clinuxnet_datagram) {
        let (high, low) = withUnsafeBytes(of: datagram.address) {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(
            address: IPAddress(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)), port: datagram.port)
    }

    func withBytes<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        let bytes = (address.high.bigEndian, address.low.bigEndian)
        return withUnsafeBytes(of: bytes) { body($0.baseAddress?.assumingMemoryBound(to: UInt8.self)) }
    }
}
