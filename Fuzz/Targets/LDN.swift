import LDN
import NIOCore
import RelayCore
import RelayTesting

/// The first byte says how the rest is cut. However it is, the same frames come out; what they decode to is what its own
/// encoding decodes to.
func fuzzLDNWire(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let stream = Array(bytes.dropFirst())
    let (frames, fault) = read(stream, inPiecesOf: stream.count)
    let (again, faultAgain) = read(stream, inPiecesOf: Int(first) + 1)
    precondition(frames == again && fault == faultAgain)
    for frame in frames {
        if let packet = ProxiedPacket(frame) {
            precondition(
                packet.bytes(from: VirtualAddress(rawValue: 1))?.readableBytes ?? 0 <= frame.bytes.readableBytes)
        }
        guard let packet = try? Packet(frame) else { continue }
        let encoded = packet.encoded
        precondition(encoded.readableBytes <= frame.bytes.readableBytes)
        let (reread, _) = read(Array(encoded.readableBytesView), inPiecesOf: encoded.readableBytes)
        precondition(reread.count == 1 && (try? Packet(reread[0])) == packet)
    }
}

/// Each byte is something that a client of a master does, with the bytes after it for what is free in it.
func fuzzLDNEngine(_ bytes: [UInt8]) {
    var script = LDNScript(bytes)
    let harness = script.run()
    precondition(harness.connected.isEmpty && harness.engine.roomCount == 0)
    precondition(harness.engine.nextDeadline == nil)
}

private func read(_ stream: [UInt8], inPiecesOf length: Int) -> (frames: [Frame], fault: FrameError?) {
    var reader = FrameReader()
    var frames: [Frame] = []
    for start in stride(from: 0, to: stream.count, by: max(1, length)) {
        var piece = ByteBuffer(bytes: stream[start..<min(start + max(1, length), stream.count)])
        do throws(FrameError) {
            while let frame = try reader.next(from: &piece) { frames.append(frame) }
        } catch {
            return (frames, error)
        }
    }
    return (frames, nil)
}

/// Sessions of one master: what a fuzzer mutates. Whole packets are written for it, since it would hardly find one.
private struct LDNScript {
    private var rest: ArraySlice<UInt8>
    private var peers: [PeerID] = []
    private var networks: [SessionID] = []
    private var harness = EngineHarness(LDNEngine(configuration: .init(), random: .seeded(1)))

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// Plays the script, at most `maxSteps` steps of it, and then stops the engine.
    mutating func run(maxSteps: Int = 500) -> EngineHarness<LDNEngine> {
        for _ in 0..<maxSteps {
            guard let operation = rest.popFirst() else { break }
            step(operation)
            check()
        }
        harness.stop()
        return harness
    }

    private mutating func step(_ operation: UInt8) {
        let pick = next()
        guard operation % 24 > 1, let peer = peers.isEmpty ? nil : peers[Int(pick) % peers.count] else {
            if peers.count < 24 { peers.append(harness.connect(from: "192.0.2.\(pick % 3)")) }
            return
        }
        switch operation % 24 {
        case 2, 3: send(.initialize(InitializeMessage()), from: peer)
        case 4: raw(peer)
        case 5: harness.disconnect(peer)
        case 6: if canTalk(peer) { harness.end(peer) }
        case 7: harness.advance(by: .milliseconds(Int(next()) * 50))
        case 8: harness.answerProbe(of: peer, isReachable: next().isMultiple(of: 2))
        case 9: if next() == 255 { harness.beginDrain() }
        default: if let packet = packet(operation % 24) { send(packet, from: peer) }
        }
    }

    private mutating func packet(_ kind: UInt8) -> Packet? {
        switch kind {
        case 10, 11:
            var request = CreateAccessPointRequest()
            request.networkConfig.nodeCountMax = next()
            request.networkConfig.intentID.localCommunicationID = Int64(next() % 4)
            request.ryuNetworkConfig.externalProxyPort = UInt16(next()) << 8
            return .createAccessPoint(request, advertiseData: ByteBuffer(repeating: 1, count: Int(next()) * 2))
        case 12:
            var request = CreateAccessPointPrivateRequest()
            request.networkConfig.nodeCountMax = next()
            request.securityParameter.sessionID = SessionID(high: 0, low: UInt64(next() % 4))
            var entry = AddressEntry()
            entry.ipv4Address = address()
            request.addressList.addresses = [entry]
            return .createAccessPointPrivate(request, advertiseData: ByteBuffer())
        case 13, 14:
            var request = ConnectRequest()
            request.isPacked = kind == 13
            request.networkInfo.networkID.sessionID = network()
            request.localCommunicationVersion = UInt32(next() / 128)
            return .connect(request)
        case 15:
            var request = ConnectPrivateRequest()
            request.securityParameter.sessionID = network()
            return .connectPrivate(request)
        case 16:
            var filter = ScanFilter()
            filter.flag = ScanFilterFlag(rawValue: next())
            filter.networkID.sessionID = network()
            filter.ssid.length = next()
            filter.networkType = UInt32(next())
            return .scan(filter)
        case 17: return .disconnect(DisconnectMessage())
        case 18:
            var request = RejectRequest()
            request.nodeID = UInt32(next())
            return .reject(request)
        case 19:
            var request = SetAcceptPolicyRequest()
            request.stationAcceptPolicy = AcceptPolicy(rawValue: next() % 5)
            return .setAcceptPolicy(request)
        case 20: return .setAdvertiseData(ByteBuffer(repeating: next(), count: Int(next()) * 2))
        case 21:
            var state = ExternalProxyConnectionState()
            state.ipAddress = address()
            state.isConnected = next() > 250
            return .externalProxyState(state)
        case 22:
            var header = ProxyDataHeader()
            header.info.sourceIPv4 = address()
            header.info.destinationIPv4 = address()
            header.dataLength = UInt32(next())
            return .proxyData(header, data: ByteBuffer(repeating: 0, count: 3))
        default:
            var message = PassphraseMessage()
            message.passphrase = ByteBuffer(string: next().isMultiple(of: 2) ? "" : "Ryujinx-0badf00d")
            return .passphrase(message)
        }
    }

    private mutating func network() -> SessionID {
        let pick = next()
        return networks.isEmpty ? SessionID(high: 0, low: UInt64(pick % 4)) : networks[Int(pick) % networks.count]
    }

    private mutating func address() -> VirtualAddress {
        switch next() % 16 {
        case 13: .broadcast
        case 14: .legacyBroadcast
        case 15: .any
        case let last: VirtualAddress(rawValue: VirtualAddress.network.rawValue | UInt32(last))
        }
    }

    private mutating func raw(_ peer: PeerID) {
        let count = Int(next())
        let bytes = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        if canTalk(peer), !bytes.isEmpty { harness.receive(bytes, from: peer) }
    }

    private mutating func send(_ packet: Packet, from peer: PeerID) {
        if canTalk(peer) { harness.receive(packet.encoded, from: peer) }
    }

    private mutating func next() -> UInt8 { rest.popFirst() ?? 0 }

    private func canTalk(_ peer: PeerID) -> Bool {
        harness.connected.contains(peer) && !harness.ended.contains(peer) && !harness.paused.contains(peer)
    }

    /// Nobody is in two networks, none is empty or has more than eight, and its host is in it.
    private mutating func check() {
        peers.removeAll { !harness.connected.contains($0) }
        for peer in peers { _ = harness.take(peer) }
        let rooms = harness.engine.rooms(at: harness.now)
        let players = rooms.flatMap(\.peers).map(\.peer)
        precondition(Set(players).count == players.count)
        for room in rooms {
            precondition((1...8).contains(room.peers.count))
            precondition(room.peers.filter { $0.role == "host" }.count == 1)
        }
        networks = rooms.compactMap { bytes(hex: $0.id).map { SessionID(octets: ByteBuffer(bytes: $0)) } }
        networks.sort { ($0.high, $0.low) < ($1.high, $1.low) }
    }
}
