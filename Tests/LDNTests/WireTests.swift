import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("LDN wire")
struct WireTests {
    @Test(
        "a golden packet decodes to the fields it has and encodes to the same bytes", arguments: try PacketVector.all())
    func vectors(_ vector: PacketVector) throws {
        let (packet, type) = try Self.decodeOne(vector.bytes)
        #expect(type.rawValue == vector.id)
        #expect(Array(packet.encoded.readableBytesView) == vector.bytes)
        let (fields, rest) = packet.content
        let expected = vector.nonzeroFields.map { name, value in
            (vector.packet.hasPrefix("ProxyConnect") ? String(name.dropFirst("Info.".count)) : name, value)
        }
        #expect(fields?.nonzero ?? [:] == Dictionary(uniqueKeysWithValues: expected))
        #expect((fields == nil) == (vector.payloadStruct == nil))
        #expect(rest.readableBytes == vector.trailingSize)
        #expect(rest.readableBytesView.elementsEqual(vector.bytes.suffix(vector.trailingSize)))
    }

    @Test("there is a golden packet of each kind, and each kind has the number it must have")
    func kinds() throws {
        let layouts = try Layouts.load()
        let vectors = try PacketVector.all()
        #expect(Set(vectors.map(\.packet)) == Set(layouts.packets.keys))
        #expect(layouts.packets.count == 26)
        for vector in vectors { #expect(layouts.packets[vector.packet]?.id == vector.id) }
    }

    @Test("structs have the size, and their fields the places, names and types, that were printed from real programs")
    func layouts() throws {
        let layouts = try Layouts.load()
        var known: Set<String> = []
        func check(_ value: some WireStruct, _ name: String, prefix: String = "") {
            known.insert(name)
            #expect(value.size == layouts.structs[name]?.size, "\(name)")
            #expect(FieldList(of: value).leaves == layouts.leaves(of: name), "\(name)")
        }
        check(IntentID(), "IntentId")
        check(NetworkID(), "NetworkId")
        check(SSID(), "Ssid")
        check(NodeInfo(), "NodeInfo")
        check(CommonNetworkInfo(), "CommonNetworkInfo")
        check(LdnNetworkInfo(), "LdnNetworkInfo")
        check(NetworkInfo(), "NetworkInfo")
        check(SecurityConfig(), "SecurityConfig")
        check(SecurityParameter(), "SecurityParameter")
        check(UserConfig(), "UserConfig")
        check(NetworkConfig(), "NetworkConfig")
        check(AddressEntry(), "AddressEntry")
        check(AddressList(), "AddressList")
        check(RyuNetworkConfig(), "RyuNetworkConfig")
        check(ProxyInfo(), "ProxyInfo")
        check(InitializeMessage(), "InitializeMessage")
        check(PassphraseMessage(), "PassphraseMessage")
        check(CreateAccessPointRequest(), "CreateAccessPointRequest")
        check(CreateAccessPointPrivateRequest(), "CreateAccessPointPrivateRequest")
        check(ExternalProxyConfig(), "ExternalProxyConfig")
        check(ExternalProxyToken(), "ExternalProxyToken")
        check(ExternalProxyConnectionState(), "ExternalProxyConnectionState")
        check(RejectRequest(), "RejectRequest")
        check(ScanFilter(), "ScanFilter")
        check(ConnectRequest(), "ConnectRequest")
        check(ConnectPrivateRequest(), "ConnectPrivateRequest")
        check(ConnectPrivateRequest(payloadLength: 0xBC), "ConnectPrivateRequestPacked")
        check(DisconnectMessage(), "DisconnectMessage")
        check(ProxyConfig(), "ProxyConfig")
        check(ProxyDataHeader(), "ProxyDataHeader")
        check(ProxyDisconnectMessage(), "ProxyDisconnectMessage")
        check(SetAcceptPolicyRequest(), "SetAcceptPolicyRequest")
        check(PingMessage(), "PingMessage")
        check(NetworkErrorMessage(), "NetworkErrorMessage")
        // These two are a ProxyInfo and nothing else.
        for name in ["ProxyConnectRequest", "ProxyConnectResponse"] {
            known.insert(name)
            let leaves = FieldList(of: ProxyInfo()).leaves.map { $0.split(separator: " ") }
            let expected = layouts.leaves(of: name).map { $0.split(separator: " ") }
            #expect(leaves.map(\.first) == expected.map(\.first))
        }
        #expect(Set(layouts.structs.keys) == known)
    }

    @Test("a Connect without its padding is the same request")
    func packedConnect() throws {
        var bytes = try PacketVector.bytes(of: "connect")
        let (aligned, _) = try Self.decodeOne(bytes)
        bytes.removeSubrange(12 + 0x7C..<12 + 0x80)
        bytes.replaceSubrange(8..<12, with: [0xFC, 0x04, 0, 0])
        let (packed, _) = try Self.decodeOne(bytes)
        guard case .connect(var request) = packed, case .connect(let original) = aligned else {
            Issue.record("no Connect")
            return
        }
        #expect(request.isPacked)
        #expect(Array(packed.encoded.readableBytesView) == bytes)
        request.isPacked = false
        #expect(request == original)
    }

    @Test(
        "every payload that is too short is passed over, one that is too long is not", arguments: try PacketVector.all()
    )
    func truncated(_ vector: PacketVector) throws {
        let payload = vector.bytes.dropFirst(12)
        let shortForms = ["Connect": 0x4FC, "ConnectPrivate": 0xBC]
        let least = shortForms[vector.packet] ?? (vector.payloadStruct == nil ? 0 : payload.count - vector.trailingSize)
        for length in 0..<payload.count {
            let packet = try? Self.decodeOne(Self.frame(vector.id, Array(payload.prefix(length)))).packet
            #expect((packet == nil) == (length < least))
        }
        _ = try Self.decodeOne(Self.frame(vector.id, Array(payload) + [1, 2, 3]))
    }

    @Test("a stream is cut into the same frames however it arrives")
    func framing() throws {
        let vectors = try PacketVector.all()
        let stream = vectors.flatMap(\.bytes)
        for length in [1, 7, 11, 12, 13, 1000, stream.count] {
            var reader = FrameReader()
            var frames: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: length) {
                var piece = ByteBuffer(bytes: stream[start..<min(start + length, stream.count)])
                while let frame = try reader.next(from: &piece) { frames.append(Array(frame.bytes.readableBytesView)) }
                #expect(piece.readableBytes == 0)
            }
            #expect(frames == vectors.map(\.bytes))
        }
    }

    @Test("a whole frame shares the storage of the bytes it came in")
    func slices() throws {
        let bytes = try PacketVector.bytes(of: "proxydata-1500")
        var input = ByteBuffer(bytes: bytes + bytes)
        let start = input.withUnsafeReadableBytes { $0.baseAddress }
        var reader = FrameReader()
        let frame = try #require(try reader.next(from: &input))
        #expect(frame.bytes.withUnsafeReadableBytes { $0.baseAddress } == start)
    }

    @Test(
        "a header that cannot be ends the stream as soon as it is there",
        arguments: [
            ("584c444e0a01000000000000", FrameError.badMagic), ("4e444c520a01000000000000", .badMagic),
            ("524c444e0a02000000000000", .badVersion), ("524c444e0a00000000000000", .badVersion),
            ("524c444e0a010000fbffffff", .negativeSize), ("524c444e0a01000000000080", .negativeSize),
            ("524c444e14010000f4ff0100", .tooLarge), ("524c444e14010000ffffff7f", .tooLarge),
        ])
    func badHeaders(hex: String, error: FrameError) throws {
        let header = try #require(bytes(hex: hex))
        for cut in 0..<header.count {
            var reader = FrameReader()
            var (first, second) = (ByteBuffer(bytes: header.prefix(cut)), ByteBuffer(bytes: header.dropFirst(cut)))
            #expect(try reader.next(from: &first) == nil)
            #expect(throws: error) { try reader.next(from: &second) }
        }
    }

    @Test("the largest frame there may be is read, its memory growing with what has come")
    func largest() throws {
        var reader = FrameReader()
        var input = ByteBuffer(bytes: Self.header(20, Frame.maxPayload))
        #expect(try reader.next(from: &input) == nil)
        input = ByteBuffer(repeating: 7, count: Frame.maxPayload)
        #expect(try reader.next(from: &input)?.bytes.readableBytes == 131_071)
    }

    @Test("the two orders of addresses")
    func addresses() throws {
        #expect(VirtualAddress(rawValue: 0x0A72_0001).description == "10.114.0.1")
        let host = try #require(IPAddress("192.168.1.20"))
        #expect(PhysicalAddress(host).description == "c0a80114000000000000000000000000")
        #expect(PhysicalAddress(host).address(.ipv4) == host)
        let mapped = try #require(IPAddress("::ffff:192.168.1.20"))
        #expect(PhysicalAddress(mapped) == PhysicalAddress(host))
        #expect(mapped.family == .ipv4)
        let six = try #require(IPAddress("2001:db8::1"))
        #expect(PhysicalAddress(six).description == "20010db8000000000000000000000001")
        #expect(PhysicalAddress(six).address(.ipv6) == six)
        #expect(six.family.rawValue == 23)
        #expect(PhysicalAddress(six).address(AddressFamily(rawValue: 10)) == nil)
    }

    @Test("made-up hardware addresses are local ones of one station, and random names differ")
    func randomness() {
        var random = RandomSource.seeded(1)
        let addresses = (0..<1000).map { _ in MACAddress.local(from: &random) }
        #expect(addresses.allSatisfy { $0.octet(0) & 3 == 2 })
        #expect(Set(addresses).count == 1000)
        #expect(Set((0..<1000).map { _ in ProxyToken.random(from: &random) }).count == 1000)
        #expect(MACAddress.random(from: &random).description.count == 12)
        #expect(SessionID(high: 0x0011_2233_4455_6677, low: 1).description == "00112233445566770000000000000001")
    }

    @Test(
        "names that strangers chose become text, whatever they are",
        arguments: [
            ("Bob", [0x42, 0x6F, 0x62, 0, 0]), ("Bob", [0x42, 0x6F, 0x62]), ("", []), ("", [0, 0x42]),
            ("a\u{FFFD}b", [0x61, 0xFF, 0x62, 0]), ("\u{FFFD}", [0xE3, 0x81]),
        ] as [(String, [UInt8])])
    func names(text: String, bytes: [UInt8]) {
        #expect(ByteBuffer(bytes: bytes).nulTerminatedText == text)
    }

    // MARK: Means

    static func decodeOne(_ bytes: [UInt8]) throws -> (packet: Packet, type: PacketType) {
        var input = ByteBuffer(bytes: bytes)
        var reader = FrameReader()
        let frame = try #require(try reader.next(from: &input))
        #expect(input.readableBytes == 0)
        return (try Packet(frame), frame.type)
    }

    static func frame(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
        header(type, payload.count) + payload
    }

    static func header(_ type: UInt8, _ length: Int) -> [UInt8] {
        var bytes = ByteBuffer()
        Frame.writeHeader(PacketType(rawValue: type), payloadLength: length, into: &bytes)
        return Array(bytes.readableBytesView)
    }
}

extension Packet {
    /// The fields of its struct, `nil` if it has none, and what follows them.
    fileprivate var content: (fields: FieldList?, rest: ByteBuffer) {
        switch self {
        case .initialize(let value): (FieldList(of: value), ByteBuffer())
        case .passphrase(let value): (FieldList(of: value), ByteBuffer())
        case .createAccessPoint(let value, let data): (FieldList(of: value), data)
        case .createAccessPointPrivate(let value, let data): (FieldList(of: value), data)
        case .externalProxy(let value): (FieldList(of: value), ByteBuffer())
        case .externalProxyToken(let value): (FieldList(of: value), ByteBuffer())
        case .externalProxyState(let value): (FieldList(of: value), ByteBuffer())
        case .syncNetwork(let value), .scanReply(let value), .connected(let value):
            (FieldList(of: value), ByteBuffer())
        case .reject(let value): (FieldList(of: value), ByteBuffer())
        case .rejectReply, .scanReplyEnd: (nil, ByteBuffer())
        case .scan(let value): (FieldList(of: value), ByteBuffer())
        case .connect(let value): (FieldList(of: value), ByteBuffer())
        case .connectPrivate(let value): (FieldList(of: value), ByteBuffer())
        case .disconnect(let value): (FieldList(of: value), ByteBuffer())
        case .proxyConfig(let value): (FieldList(of: value), ByteBuffer())
        case .proxyConnect(let value), .proxyConnectReply(let value): (FieldList(of: value), ByteBuffer())
        case .proxyData(let value, let data): (FieldList(of: value), data)
        case .proxyDisconnect(let value): (FieldList(of: value), ByteBuffer())
        case .setAcceptPolicy(let value): (FieldList(of: value), ByteBuffer())
        case .setAdvertiseData(let data): (nil, data)
        case .ping(let value): (FieldList(of: value), ByteBuffer())
        case .networkError(let value): (FieldList(of: value), ByteBuffer())
        }
    }
}
