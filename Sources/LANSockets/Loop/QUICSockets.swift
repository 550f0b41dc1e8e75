import CLinuxNet
import QUICTransport
package import RelayCore

/// A bound UDP socket, not yet anybody's. It must be closed or given to a loop.
package struct BoundSocket: Sendable {
    let descriptor: CInt
    /// Where it is bound, with the port in use.
    package let local: Endpoint

    private static let bufferBytes: CInt = 4 << 20

    package init(_ endpoint: Endpoint) throws(NetworkFailure) {
        let what = "listen on \(endpoint)/udp"
        let opened = endpoint.address.withOctets { clinuxnet_datagram_socket($0, endpoint.port, 0, Self.bufferBytes) }
        descriptor = try NetworkFailure.check(opened, what)
        clinuxnet_prefer_bursts(descriptor, endpoint.address.ipv4 == nil ? 1 : 0)
        var address = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        let result = clinuxnet_local_address(descriptor, &address, &port)
        guard result == 0 else {
            Descriptor.close(descriptor)
            throw NetworkFailure(-result, what)
        }
        local = Endpoint(address: endpoint.address, port: port)
    }

    package func close() { Descriptor.close(descriptor) }
}

/// The UDP sockets of one QUIC endpoint: reads and writes whole bursts (UDP_GRO, UDP_SEGMENT).
///
/// Confined to its loop.
final class QUICSockets {
    private let sockets: [BoundSocket]
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: slots * slotBytes, alignment: 64)
    private let bursts = UnsafeMutableBufferPointer<clinuxnet_burst>.allocate(capacity: slots)
    private let outgoing = UnsafeMutableBufferPointer<clinuxnet_burst>.allocate(capacity: 64)
    /// Which socket heard of an address last, where several could: a cache, which begins anew when it is full.
    private var routes: [Endpoint: Int] = [:]
    /// Packets that the system did not take.
    private(set) var dropped: UInt64 = 0

    private static let slots = 16
    private static let slotBytes = 65_536
    private static let roundsAtOnce = 4
    private static let maxRoutes = 65_536

    init(_ sockets: [BoundSocket]) {
        self.sockets = sockets
        bursts.initialize(repeating: clinuxnet_burst())
        outgoing.initialize(repeating: clinuxnet_burst())
    }

    deinit {
        for socket in sockets { socket.close() }
        memory.deallocate()
        bursts.deallocate()
        outgoing.deallocate()
    }

    var locals: [Endpoint] { sockets.map(\.local) }

    /// Has the sockets watched, known by numbers from `first` on.
    func watch(by poll: borrowing Poll, from first: UInt32) throws(NetworkFailure) {
        for (index, socket) in sockets.enumerated() {
            try poll.add(socket.descriptor, as: first + UInt32(index))
        }
    }

    /// Hands over what one socket has received, packet by packet; not more than a bounded number at once.
    func receive(_ index: Int, _ body: (UnsafeMutableRawBufferPointer, Endpoint) -> Void) {
        let remembers = sockets.count > 1
        for _ in 0..<Self.roundsAtOnce {
            let count = clinuxnet_receive_bursts(
                sockets[index].descriptor, memory.baseAddress, UInt32(Self.slotBytes), bursts.baseAddress,
                CInt(Self.slots))
            guard count > 0 else { return }
            for burst in bursts[0..<Int(count)] where burst.port != 0 && burst.segment > 0 {
                let remote = Endpoint(address: IPAddress(octets: burst.address), port: burst.port)
                if remembers { remember(remote, index) }
                var start = Int(burst.start)
                let end = start + Int(burst.length)
                while start < end {
                    let next = min(end, start + Int(burst.segment))
                    body(UnsafeMutableRawBufferPointer(rebasing: memory[start..<next]), remote)
                    start = next
                }
            }
            if count < Self.slots { return }
        }
    }

    /// Sends a batch.
    func send(_ packets: borrowing PacketBatch) {
        var count = 0
        var last = 0
        for index in packets.groups.indices {
            let group = packets.groups[index]
            let socket = socket(for: group.remote)
            if count == outgoing.count || (count > 0 && socket != last) {
                send(count, from: packets.bytes.baseAddress, through: last)
                count = 0
            }
            last = socket
            outgoing[count] = clinuxnet_burst(
                start: UInt32(group.start), length: UInt32(group.count), segment: UInt16(group.packetBytes),
                port: group.remote.port, address: group.remote.address.octets)
            count += 1
        }
        send(count, from: packets.bytes.baseAddress, through: last)
    }

    private func send(_ count: Int, from bytes: UnsafeMutableRawPointer?, through index: Int) {
        guard count > 0 else { return }
        let isIPv6: CInt = sockets[index].local.address.ipv4 == nil ? 1 : 0
        let failed = clinuxnet_send_bursts(
            sockets[index].descriptor, isIPv6, bytes, outgoing.baseAddress, CInt(count))
        dropped &+= UInt64(max(failed, 0))
    }

    private func remember(_ remote: Endpoint, _ index: Int) {
        if routes[remote] == index { return }
        if routes.count >= Self.maxRoutes { routes.removeAll(keepingCapacity: true) }
        routes[remote] = index
    }

    private func socket(for remote: Endpoint) -> Int {
        if sockets.count == 1 { return 0 }
        if let known = routes[remote] { return known }
        let isIPv4 = remote.address.ipv4 != nil
        return sockets.firstIndex { ($0.local.address.ipv4 != nil) == isIPv4 } ?? 0
    }
}

typealias Octets = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
)

extension IPAddress {
    /// The sixteen octets in network order.
    var octets: Octets {
        unsafeBitCast((high.bigEndian, low.bigEndian), to: Octets.self)
    }

    init(octets: Octets) {
        let (high, low) = unsafeBitCast(octets, to: (UInt64, UInt64).self)
        self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }

    func withOctets<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        withUnsafeBytes(of: octets) { body($0.baseAddress?.assumingMemoryBound(to: UInt8.self)) }
    }
}
