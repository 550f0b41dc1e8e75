import LANBridge

/// Frames of an evening: from a client to the LAN, and from there back.
enum Frames {
    static let client = MACAddress(bits: 0x0200_0000_0001)
    static let station = MACAddress(bits: 0x0200_0000_0002)
    static let gateway = MACAddress(bits: 0x0200_0000_0003)
    private static let clientIPv4: [UInt8] = [10, 77, 0, 11]
    private static let stationIPv4: [UInt8] = [10, 77, 0, 1]

    /// What a game says, a question to everybody, a full segment of TCP, the same by IPv6.
    static let fromClient: [[UInt8]] = [
        frame(from: client, to: station, udp(from: clientIPv4, to: stationIPv4, 92)),
        frame(from: client, to: station, udp(from: clientIPv4, to: stationIPv4, 92)),
        frame(from: client, to: .broadcast, udp(from: clientIPv4, to: [10, 77, 0, 255], 60)),
        frame(from: client, to: station, tcp(from: clientIPv4, to: stationIPv4, 1350)),
        frame(from: client, to: station, ipv6(udp: 92, from: 11, to: 1)),
    ]

    static let fromLAN: [[UInt8]] = [
        frame(from: station, to: client, udp(from: stationIPv4, to: clientIPv4, 92)),
        frame(from: station, to: client, udp(from: stationIPv4, to: clientIPv4, 92)),
        frame(from: station, to: .broadcast, udp(from: stationIPv4, to: [10, 77, 0, 255], 60)),
        frame(from: station, to: client, tcp(from: stationIPv4, to: clientIPv4, 1350)),
        frame(from: station, to: client, ipv6(udp: 92, from: 1, to: 11)),
    ]

    /// A frame in a datagram.
    static func datagram(_ frame: [UInt8]) -> [UInt8] {
        bytes(OverlayHeader(whole: frame.count).bits, 8) + frame
    }

    private static func bytes(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - $0))) }
    }

    private static func frame(
        from source: MACAddress, to destination: MACAddress, _ packet: (type: [UInt8], bytes: [UInt8])
    ) -> [UInt8] {
        bytes(destination.bits, 6) + bytes(source.bits, 6) + packet.type + packet.bytes
    }

    private static func ipv4(_ number: UInt8, from: [UInt8], to: [UInt8], _ payload: [UInt8]) -> ([UInt8], [UInt8]) {
        (
            [8, 0],
            [0x45, 0] + bytes(UInt64(20 + payload.count), 2) + [0, 0, 0x40, 0, 64, number, 0, 0] + from + to + payload
        )
    }

    private static func udpHeader(_ count: Int) -> [UInt8] {
        bytes(27_015, 2) + bytes(27_005, 2) + bytes(UInt64(8 + count), 2) + [0, 0]
    }

    private static func udp(from: [UInt8], to: [UInt8], _ count: Int) -> ([UInt8], [UInt8]) {
        ipv4(17, from: from, to: to, udpHeader(count) + [UInt8](repeating: 7, count: count))
    }

    private static func tcp(from: [UInt8], to: [UInt8], _ count: Int) -> ([UInt8], [UInt8]) {
        let header =
            bytes(50_000, 2) + bytes(5201, 2) + bytes(1, 4) + bytes(1, 4) + [0x50, 0x10, 0xFF, 0xFF, 0, 0, 0, 0]
        return ipv4(6, from: from, to: to, header + [UInt8](repeating: 7, count: count))
    }

    private static func ipv6(udp count: Int, from: UInt8, to: UInt8) -> ([UInt8], [UInt8]) {
        let prefix: [UInt8] = [0xFD, 0x77] + [UInt8](repeating: 0, count: 13)
        let header: [UInt8] = [0x60, 0, 0, 0] + bytes(UInt64(8 + count), 2) + [17, 64]
        return (
            [0x86, 0xDD],
            header + prefix + [from] + prefix + [to] + udpHeader(count) + [UInt8](repeating: 7, count: count)
        )
    }
}
