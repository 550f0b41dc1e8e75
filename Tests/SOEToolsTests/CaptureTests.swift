import Captures
import NIOCore
import RelayCore
import Testing

@Suite("Capture files")
struct CaptureTests {
    static let datagram = CapturedDatagram(
        time: 1_700_000_000_123_456_000, source: Endpoint(address: IPAddress(ipv4: 0xC000_0201), port: 5000),
        destination: Endpoint(address: IPAddress(ipv4: 0xC000_0202), port: 20260),
        payload: ByteBuffer(string: "payload"), isCut: false)

    private func datagrams(in file: ByteBuffer, step: Int) throws -> [CapturedDatagram] {
        var file = file
        var reader = CaptureReader()
        var found: [CapturedDatagram] = []
        while let piece = file.readSlice(length: min(step, file.readableBytes)), piece.readableBytes > 0 {
            reader.append(piece)
            while let frame = try reader.next() {
                if case .datagram(let datagram) = CapturedDatagram.content(of: frame) { found.append(datagram) }
            }
        }
        try reader.finish()
        return found
    }

    @Test("Both formats, in both byte orders, cut anywhere", arguments: CaptureFile.allCases, [1, 5, 1000])
    func formats(format: CaptureFile, step: Int) throws {
        let frame = Frames.ethernet(Frames.ipv4(Self.datagram))
        let file = format.file(
            of: [frame, Frames.ethernet(ByteBuffer(string: "no IP")), frame], at: Self.datagram.time)
        #expect(try datagrams(in: file, step: step) == [Self.datagram, Self.datagram])
    }

    @Test("A file that ends early says so, wherever it ends", arguments: CaptureFile.allCases)
    func prefixes(format: CaptureFile) throws {
        let file = format.file(of: [Frames.ethernet(Frames.ipv4(Self.datagram))], at: 0)
        for count in 0..<file.readableBytes {
            let cut = try #require(file.getSlice(at: 0, length: count))
            do {
                // What is left whole is read: blocks before the frame.
                let found = try datagrams(in: cut, step: 64)
                #expect(found.isEmpty)
            } catch let error as CaptureError {
                #expect(error == .truncated || error == .unknownFormat)
            }
        }
    }

    @Test("What is no capture is refused")
    func refused() {
        for bytes in [Array("no capture at all".utf8), [0x0A, 0x0D, 0x0D, 0x0A, 0, 0, 0, 28, 1, 2, 3, 4, 0, 0, 0, 0]] {
            var reader = CaptureReader()
            reader.append(ByteBuffer(bytes: bytes))
            #expect(throws: CaptureError.unknownFormat) { try reader.next() }
        }
        #expect(throws: CaptureError.unknownFormat) { try CaptureReader().finish() }
    }

    @Test("Lengths that cannot be are refused before anything is kept for them")
    func badLengths() throws {
        var pcap = CaptureFile.pcapLittle.file(of: [], at: 0)
        pcap.writeMultipleIntegers(0, 0, 0x7FFF_FFFF, 0, endianness: .little, as: (UInt32, UInt32, UInt32, UInt32).self)
        var reader = CaptureReader()
        reader.append(pcap)
        #expect(throws: CaptureError.badLength) { try reader.next() }
        for length in [UInt32(8), 13, 0xFFFF_FFFC] {
            var pcapng = CaptureFile.pcapngBig.file(of: [], at: 0)
            pcapng.writeMultipleIntegers(UInt32(6), length)
            reader = CaptureReader()
            reader.append(pcapng)
            #expect(throws: CaptureError.badLength) { while try reader.next() != nil {} }
        }
    }

    @Test("Time stamps in other units, with an offset")
    func timeStamps() throws {
        let frame = Frames.ethernet(Frames.ipv4(Self.datagram))
        for (option, ticks) in [(UInt8(9), Int64(1_500_000_000)), (0x80 | 1, 3), (3, 1500), (0, 1)] {
            let file = CaptureFile.pcapng(
                .little, frames: [frame], ticks: UInt64(ticks), resolution: option, offset: 100)
            let time = try datagrams(in: file, step: 1000).first?.time
            #expect(time == 100_000_000_000 + (option == 0 ? 1_000_000_000 : 1_500_000_000))
        }
    }

    struct Wrapping: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var link: LinkType
        var bytes: ByteBuffer
    }

    static let wrappings: [Wrapping] = {
        let ip = Frames.ipv4(datagram)
        func join(_ head: [UInt8]) -> ByteBuffer {
            var bytes = ByteBuffer(bytes: head)
            bytes.writeImmutableBuffer(ip)
            return bytes
        }
        let zeros12 = [UInt8](repeating: 0, count: 12)
        return [
            Wrapping(testDescription: "raw", link: .raw, bytes: ip),
            Wrapping(testDescription: "loopback", link: .loopback, bytes: join([2, 0, 0, 0])),
            Wrapping(testDescription: "VLAN", link: .ethernet, bytes: join(zeros12 + [0x81, 0, 0, 5, 8, 0])),
            Wrapping(
                testDescription: "cooked", link: .linuxCooked, bytes: join([UInt8](repeating: 0, count: 14) + [8, 0])),
            Wrapping(
                testDescription: "cooked 2", link: .linuxCooked2,
                bytes: join([8, 0] + [UInt8](repeating: 0, count: 18))),
            Wrapping(
                testDescription: "padded", link: .ethernet,
                bytes: {
                    var bytes = join(zeros12 + [8, 0])
                    bytes.writeRepeatingByte(0, count: 30)
                    return bytes
                }()),
        ]
    }()

    @Test("Under every link layer", arguments: wrappings)
    func links(wrapping: Wrapping) {
        let frame = CapturedFrame(time: Self.datagram.time, link: wrapping.link, bytes: wrapping.bytes)
        #expect(CapturedDatagram.content(of: frame) == .datagram(Self.datagram))
        for count in 0..<wrapping.bytes.readableBytes {
            guard let cut = wrapping.bytes.getSlice(at: 0, length: count) else { continue }
            // It may find a datagram that is cut, or none.
            if case .datagram(let found) = CapturedDatagram.content(
                of: CapturedFrame(time: 0, link: wrapping.link, bytes: cut))
            {
                #expect(found.isCut || wrapping.testDescription == "padded")
            }
        }
    }

    @Test("IPv6, with options before the datagram")
    func ipv6() {
        var datagram = Self.datagram
        datagram.source.address = IPAddress(high: 0x2001_0DB8_0000_0000, low: 1)
        datagram.destination.address = IPAddress(high: 0x2001_0DB8_0000_0000, low: 2)
        for hasOptions in [false, true] {
            let frame = CapturedFrame(
                time: datagram.time, link: .raw, bytes: Frames.ipv6(datagram, hasOptions: hasOptions))
            #expect(CapturedDatagram.content(of: frame) == .datagram(datagram))
        }
    }

    @Test("Parts of datagrams are told apart from what is no datagram")
    func fragments() {
        var bytes = Frames.ipv4(Self.datagram)
        bytes.setInteger(UInt16(0x2000), at: 6)
        #expect(CapturedDatagram.content(of: CapturedFrame(time: 0, link: .raw, bytes: bytes)) == .fragment)
        bytes.setInteger(UInt8(6), at: 9)
        #expect(CapturedDatagram.content(of: CapturedFrame(time: 0, link: .raw, bytes: bytes)) == .other)
        #expect(CapturedDatagram.content(of: CapturedFrame(time: 0, link: .other(9), bytes: bytes)) == .other)
    }
}

/// Frames made by hand.
enum Frames {
    static func udp(_ datagram: CapturedDatagram) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(
            datagram.source.port, datagram.destination.port, UInt16(8 + datagram.payload.readableBytes), UInt16(0))
        bytes.writeImmutableBuffer(datagram.payload)
        return bytes
    }

    static func ipv4(_ datagram: CapturedDatagram) -> ByteBuffer {
        let udp = udp(datagram)
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(
            UInt16(0x4500), UInt16(20 + udp.readableBytes), UInt32(0x4000), UInt8(64), UInt8(17), UInt16(0))
        bytes.writeMultipleIntegers(datagram.source.address.ipv4 ?? 0, datagram.destination.address.ipv4 ?? 0)
        bytes.writeImmutableBuffer(udp)
        return bytes
    }

    static func ipv6(_ datagram: CapturedDatagram, hasOptions: Bool) -> ByteBuffer {
        let udp = udp(datagram)
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(
            UInt32(0x6000_0000), UInt16(udp.readableBytes + (hasOptions ? 8 : 0)), UInt8(hasOptions ? 0 : 17), UInt8(64)
        )
        bytes.writeMultipleIntegers(
            datagram.source.address.high, datagram.source.address.low, datagram.destination.address.high,
            datagram.destination.address.low)
        if hasOptions { bytes.writeBytes([17, 0, 1, 4, 0, 0, 0, 0]) }
        bytes.writeImmutableBuffer(udp)
        return bytes
    }

    static func ethernet(_ packet: ByteBuffer) -> ByteBuffer {
        var bytes = ByteBuffer(repeating: 0, count: 12)
        bytes.writeInteger(UInt16(0x0800))
        bytes.writeImmutableBuffer(packet)
        return bytes
    }
}

/// Capture files made by hand.
enum CaptureFile: CaseIterable, Sendable {
    case pcapLittle, pcapBig, pcapNanoseconds, pcapngLittle, pcapngBig

    func file(of frames: [ByteBuffer], at time: Int64) -> ByteBuffer {
        switch self {
        case .pcapLittle: Self.pcap(.little, 0xA1B2_C3D4, frames: frames, time: time, unit: 1000)
        case .pcapBig: Self.pcap(.big, 0xA1B2_C3D4, frames: frames, time: time, unit: 1000)
        case .pcapNanoseconds: Self.pcap(.little, 0xA1B2_3C4D, frames: frames, time: time, unit: 1)
        case .pcapngLittle: Self.pcapng(.little, frames: frames, ticks: UInt64(time / 1000))
        case .pcapngBig: Self.pcapng(.big, frames: frames, ticks: UInt64(time / 1000))
        }
    }

    private static func pcap(
        _ order: Endianness, _ magic: UInt32, frames: [ByteBuffer], time: Int64, unit: Int64
    ) -> ByteBuffer {
        var file = ByteBuffer()
        file.writeMultipleIntegers(
            magic, 2, 4, 0, 0, 65535, 1, endianness: order,
            as: (UInt32, UInt16, UInt16, UInt32, UInt32, UInt32, UInt32).self)
        for frame in frames {
            let length = UInt32(frame.readableBytes)
            file.writeMultipleIntegers(
                UInt32(time / 1_000_000_000), UInt32(time % 1_000_000_000 / unit), length, length, endianness: order,
                as: (UInt32, UInt32, UInt32, UInt32).self)
            file.writeImmutableBuffer(frame)
        }
        return file
    }

    static func pcapng(
        _ order: Endianness, frames: [ByteBuffer], ticks: UInt64, resolution: UInt8? = nil, offset: Int64 = 0
    ) -> ByteBuffer {
        var file = ByteBuffer()
        func block(_ type: UInt32, _ body: ByteBuffer) {
            var body = body
            body.writeRepeatingByte(0, count: (4 - body.readableBytes % 4) % 4)
            let length = UInt32(12 + body.readableBytes)
            file.writeMultipleIntegers(type, length, endianness: order, as: (UInt32, UInt32).self)
            file.writeImmutableBuffer(body)
            file.writeInteger(length, endianness: order)
        }
        var body = ByteBuffer()
        body.writeMultipleIntegers(
            0x1A2B_3C4D, 1, 0, -1, endianness: order, as: (UInt32, UInt16, UInt16, Int64).self)
        block(0x0A0D_0D0A, body)
        body.clear()
        body.writeMultipleIntegers(1, 0, 0, endianness: order, as: (UInt16, UInt16, UInt32).self)
        if let resolution {
            body.writeMultipleIntegers(9, 1, endianness: order, as: (UInt16, UInt16).self)
            body.writeBytes([resolution, 0, 0, 0])
            body.writeMultipleIntegers(14, 8, offset, endianness: order, as: (UInt16, UInt16, Int64).self)
        }
        block(1, body)
        // A block that nobody knows is passed over.
        block(0xBAD, ByteBuffer(string: "whatever"))
        for frame in frames {
            body.clear()
            let length = UInt32(frame.readableBytes)
            body.writeMultipleIntegers(
                0, UInt32(ticks >> 32), UInt32(truncatingIfNeeded: ticks), length, length, endianness: order,
                as: (UInt32, UInt32, UInt32, UInt32, UInt32).self)
            body.writeImmutableBuffer(frame)
            block(6, body)
        }
        return file
    }
}
