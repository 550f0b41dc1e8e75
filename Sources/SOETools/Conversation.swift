import Captures
import NIOCore
import RelayCore
import SOE

/// One session as somebody sees it who listens on the wire.
struct Conversation {
    /// One direction's four reliable channels.
    private struct Direction {
        var receivers: [ReliableReceiver?] = [nil, nil, nil, nil]
        var ciphers: [RC4?] = [nil, nil, nil, nil]
    }

    private static let maxDepth = 4
    private static let longestMessage = 64 << 20

    let number: Int
    private(set) var client: Endpoint
    /// Whether a line about it has been written.
    var hasBegun = false
    private let settings: Transcript.Settings
    /// What the response asked for; `nil` before it, or if it was not captured.
    private var coding: PacketCoding?
    private var fromClient = Direction()
    private var fromServer = Direction()

    init(number: Int, client: Endpoint, settings: Transcript.Settings) {
        self.number = number
        self.client = client
        self.settings = settings
    }

    /// A request: the same session asked for again, or another one.
    mutating func startAnew(from client: Endpoint) {
        guard coding == nil || client != self.client else { return }
        self.client = client
        coding = nil
        fromClient = Direction()
        fromServer = Direction()
    }

    mutating func read(_ datagram: CapturedDatagram, zlib: ZlibCodec, into page: inout Page) {
        if datagram.isCut { page.write("a datagram that the capture has cut") }
        let isFromClient = datagram.source == client
        var body = datagram.payload
        if let start = body.getInteger(at: body.readerIndex, as: UInt16.self), start < 256,
            let code = OpCode(rawValue: UInt8(truncatingIfNeeded: start)), isPlain(code)
        {
            body.moveReaderIndex(forwardBy: 2)
            readPlain(code, &body, isFromClient, into: &page)
            return
        }
        do throws(SOEWireError) {
            switch try open(datagram.payload, zlib: zlib) {
            case .packet(let code, let body): try readPacket(code, body, isFromClient, depth: 0, into: &page)
            case .raw(let data): page.write("Unreliable", Self.unescaped(data))
            }
        } catch {
            page.write("not understood (\(error))", datagram.payload)
        }
    }

    private func isPlain(_ code: OpCode) -> Bool {
        switch code {
        case .netStatusRequest, .netStatusResponse: !settings.dialect.netStatusIsContextual
        default: code.isContextless
        }
    }

    private func open(_ datagram: ByteBuffer, zlib: ZlibCodec) throws(SOEWireError) -> OpenedDatagram {
        if let coding { return try coding.open(datagram, zlib: zlib) }
        // The seed is not known, so nothing can be checked, and a chain of xor not undone.
        var rest = datagram
        guard rest.readableBytes >= settings.crcLength else { throw .truncated }
        rest.moveWriterIndex(to: rest.writerIndex - settings.crcLength)
        let guess = SessionResponse(
            sessionID: 0, crcSeed: 0, crcLength: 0, firstPass: settings.compression ? 1 : 0, udpLength: 0)
        return try PacketCoding(response: guess, dialect: settings.dialect).open(rest, zlib: zlib)
    }

    private mutating func readPlain(
        _ code: OpCode, _ body: inout ByteBuffer, _ isFromClient: Bool, into page: inout Page
    ) {
        switch code {
        case .sessionRequest:
            guard let request = try? SessionRequest.decode(from: &body) else { break }
            page.write(
                "SessionRequest version=\(request.version) session=\(Self.hex(request.sessionID)) "
                    + "udp_length=\(request.udpLength)"
                    + (request.protocolName.map { " protocol=\(Self.printable($0))" } ?? ""))
            return
        case .sessionResponse:
            guard let response = try? SessionResponse.decode(from: &body) else { break }
            page.write(
                "SessionResponse session=\(Self.hex(response.sessionID)) crc_seed=\(Self.hex(response.crcSeed)) "
                    + "crc_length=\(response.crcLength) passes=\(response.firstPass),\(response.secondPass) "
                    + "udp_length=\(response.udpLength)" + (response.version.map { " version=\($0)" } ?? ""))
            if let agreed = try? PacketCoding(response: response, dialect: settings.dialect) {
                coding = agreed
            } else {
                page.write("this response asks for what does not exist")
            }
            return
        case .remapConnection:
            guard let remap = try? RemapConnection.decode(from: &body) else { break }
            page.write(
                "RemapConnection session=\(Self.hex(remap.sessionID)) crc_seed=\(Self.hex(remap.crcSeed))")
            return
        case .netStatusRequest, .netStatusResponse:
            readStatus(code, body, into: &page)
            return
        default:
            page.write(Self.name(code), body)
            return
        }
        page.write("\(Self.name(code)) cut short", body)
    }

    private mutating func readPacket(
        _ code: OpCode, _ body: ByteBuffer, _ isFromClient: Bool, depth: Int, into page: inout Page
    ) throws(SOEWireError) {
        guard body.readableBytes >= code.minimumBody else { throw .truncated }
        var body = body
        switch code {
        case .multiPacket:
            guard depth < Self.maxDepth else { throw .nestedTooDeep }
            page.write("MultiPacket")
            var reader = MultiPacketReader(body: body)
            while var part = try reader.next() {
                guard let start = part.getInteger(at: part.readerIndex, as: UInt16.self) else { throw .badSubPacket }
                guard start < 256 else {
                    page.write("Unreliable", part)
                    continue
                }
                guard let code = OpCode(rawValue: UInt8(truncatingIfNeeded: start)) else { throw .unknownOpCode }
                part.moveReaderIndex(forwardBy: 2)
                try readPacket(code, part, isFromClient, depth: depth + 1, into: &page)
            }
        case .disconnect:
            let end = try Disconnect.decode(from: &body)
            page.write(
                "Disconnect session=\(Self.hex(end.sessionID)) reason=\(end.reason.rawValue) (\(end.reason.word))")
        case .netStatusRequest, .netStatusResponse:
            readStatus(code, body, into: &page)
        case .reliableData0, .reliableData1, .reliableData2, .reliableData3, .fragment0, .fragment1, .fragment2,
            .fragment3:
            try readReliable(code, body, isFromClient, into: &page)
        case .acknowledge0, .acknowledge1, .acknowledge2, .acknowledge3, .acknowledgeAll0, .acknowledgeAll1,
            .acknowledgeAll2, .acknowledgeAll3:
            guard let sequence = body.readInteger(as: UInt16.self) else { throw .truncated }
            page.write("\(Self.name(code)) channel=\(Self.channel(code)) sequence=\(sequence)")
        case .ordered, .orderedUnbuffered:
            guard let stamp = body.readInteger(as: UInt16.self) else { throw .truncated }
            page.write("\(Self.name(code)) stamp=\(stamp)", body)
        default:
            page.write(Self.name(code), body)
        }
    }

    private func readStatus(_ code: OpCode, _ body: ByteBuffer, into page: inout Page) {
        var rest = body
        if code == .netStatusRequest, let status = try? NetStatusRequest.decode(from: &rest) {
            page.write(
                "NetStatusRequest tick=\(status.tick) average_round_trip=\(status.averageRoundTrip) "
                    + "sent=\(status.packetsSent) received=\(status.packetsReceived)")
        } else if code == .netStatusResponse, let status = try? NetStatusResponse.decode(from: &rest) {
            page.write(
                "NetStatusResponse tick=\(status.tick) sent=\(status.serverPacketsSent) "
                    + "received=\(status.serverPacketsReceived)")
        } else {
            page.write("\(Self.name(code)) cut short", body)
        }
    }
}

// MARK: Reliable channels

extension Conversation {
    private mutating func readReliable(
        _ code: OpCode, _ body: ByteBuffer, _ isFromClient: Bool, into page: inout Page
    ) throws(SOEWireError) {
        var body = body
        guard let sequence = body.readInteger(as: UInt16.self), body.readableBytes > 0 else { throw .truncated }
        let isFragment = code.rawValue >= OpCode.fragment0.rawValue
        let channel = Self.channel(code)
        var direction = isFromClient ? fromClient : fromServer
        var receiver =
            direction.receivers[channel]
            ?? ReliableReceiver(stashLimit: 16 << 20, acknowledgesEach: false, maxDelay: .zero)
        let arrival = receiver.receive(sequence, body: body, isFragment: isFragment, at: .zero)
        let note =
            switch arrival {
            case .next: ""
            case .stashed: " (ahead of its turn)"
            case .repeated: " (again)"
            case .tooFarAhead: " (far ahead: what is between was not captured)"
            }
        page.write("\(Self.name(code)) channel=\(channel) sequence=\(sequence) bytes=\(body.readableBytes)\(note)")
        if case .next = arrival {
            do throws(ChannelFault) {
                var unit = try receiver.assemble(body, isFragment: isFragment, limit: Self.longestMessage)
                write(unit, channel, &direction, into: &page)
                while let stashed = receiver.popStashed(at: .zero) {
                    unit = try receiver.assemble(
                        stashed.body, isFragment: stashed.isFragment, limit: Self.longestMessage)
                    write(unit, channel, &direction, into: &page)
                }
            } catch {
                page.write("the channel cannot be read any further: \(error)")
            }
        }
        // Nobody acknowledges anything here.
        while receiver.takeSingle() != nil {}
        direction.receivers[channel] = receiver
        if isFromClient { fromClient = direction } else { fromServer = direction }
    }

    private func write(_ unit: ByteBuffer?, _ channel: Int, _ direction: inout Direction, into page: inout Page) {
        guard let unit else { return }
        guard DataBundleReader.isBundle(unit) else {
            writeMessage(unit, channel, &direction, into: &page)
            return
        }
        var body = unit
        body.moveReaderIndex(forwardBy: 2)
        var reader = DataBundleReader(body: body)
        while let message = reader.next() { writeMessage(message, channel, &direction, into: &page) }
        if reader.isTruncated { page.write("a bundle that is cut short") }
    }

    private func writeMessage(
        _ message: ByteBuffer, _ channel: Int, _ direction: inout Direction, into page: inout Page
    ) {
        var message = message
        if settings.key != nil || settings.dialect.escapesLeadingZero { message = Self.unescaped(message) }
        if let key = settings.key {
            var cipher = direction.ciphers[channel] ?? RC4(key: key)
            message.withUnsafeMutableReadableBytes { cipher.apply(to: $0) }
            direction.ciphers[channel] = cipher
        }
        page.write("message channel=\(channel)", message)
    }

    /// Data that begins with 0 has one 0 more in front.
    private static func unescaped(_ data: ByteBuffer) -> ByteBuffer {
        var data = data
        if data.readableBytes > 1, data.getInteger(at: data.readerIndex, as: UInt8.self) == 0 {
            data.moveReaderIndex(forwardBy: 1)
        }
        return data
    }

    private static func hex(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// A stranger's name must not reach a terminal's control sequences.
    private static func printable(_ name: ProtocolName) -> String {
        name.octets.prefix(64).map { (0x21...0x7E).contains($0) ? String(UnicodeScalar($0)) : "?" }.joined()
    }

    private static func channel(_ code: OpCode) -> Int {
        Int((code.rawValue &- OpCode.reliableData0.rawValue) & 3)
    }

    private static func name(_ code: OpCode) -> String {
        switch code {
        case .reliableData0, .reliableData1, .reliableData2, .reliableData3: "ReliableData"
        case .fragment0, .fragment1, .fragment2, .fragment3: "ReliableDataFragment"
        case .acknowledge0, .acknowledge1, .acknowledge2, .acknowledge3: "Acknowledge"
        case .acknowledgeAll0, .acknowledgeAll1, .acknowledgeAll2, .acknowledgeAll3: "AcknowledgeAll"
        case .sessionRequest: "SessionRequest"
        case .sessionResponse: "SessionResponse"
        case .multiPacket: "MultiPacket"
        case .disconnect: "Disconnect"
        case .heartbeat: "Heartbeat"
        case .netStatusRequest: "NetStatusRequest"
        case .netStatusResponse: "NetStatusResponse"
        case .zeroEscape: "Unreliable (after an escaped 0)"
        case .big: "Big"
        case .dataBundle: "DataBundle"
        case .ordered: "Ordered"
        case .orderedUnbuffered: "Ordered2"
        case .portAlive: "PortAlive"
        case .unknownSender: "UnknownSender"
        case .remapConnection: "RemapConnection"
        case .unassigned1F: "op code 1F"
        case .serverStatus: "ServerStatus"
        }
    }
}
