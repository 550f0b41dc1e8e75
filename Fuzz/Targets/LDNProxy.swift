import LDN
import NIOCore
import RelayCore
import RelayTesting

/// Each byte is something that a joiner, the master or the host of a P2P proxy does, with the bytes after it for what is
/// free in it.
func fuzzLDNProxy(_ bytes: [UInt8]) {
    var script = ProxyScript(bytes)
    script.run()
}

/// What a master, or a P2P host, may send to a client: raw bytes, cut anywhere, on either line, while it asks for things.
func fuzzLDNClient(_ bytes: [UInt8]) {
    var rest = bytes[...]
    var client = LDNClient()
    var out: LDNClient.Effects = []
    var now = Instant.zero
    client.opened(.master, at: now, into: &out)
    client.receive(Packet.initialize(InitializeMessage()).encoded, over: .master, at: now, into: &out)
    while let operation = rest.popFirst() {
        switch operation % 8 {
        case 0: try? client.scan(ScanFilter(), at: now, into: &out)
        case 1: try? client.join(NetworkInfo(), at: now, into: &out)
        case 2: try? client.create(NetworkPlan(), at: now, into: &out)
        case 3: try? client.leave(into: &out)
        case 4: client.opened(.proxy, at: now, into: &out)
        case 5:
            now = now + .milliseconds(Int(rest.popFirst() ?? 0) * 20)
            client.advance(to: now, into: &out)
            precondition(client.nextDeadline.map { $0 > now } ?? true)
        default:
            let count = Int(rest.popFirst() ?? 0)
            let piece = ByteBuffer(bytes: rest.prefix(count))
            rest = rest.dropFirst(count)
            client.receive(piece, over: operation % 8 == 6 ? .master : .proxy, at: now, into: &out)
        }
        out.removeAll(keepingCapacity: true)
    }
    client.close(into: &out)
    precondition(client.nextDeadline == nil && client.membership == nil)
}

private struct ProxyScript {
    private var rest: ArraySlice<UInt8>
    private var peers: [PeerID] = []
    private var harness = EngineHarness(P2PProxyEngine())

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func run(maxSteps: Int = 500) {
        for _ in 0..<maxSteps {
            guard let operation = rest.popFirst() else { break }
            step(operation)
            check()
        }
        harness.stop()
        precondition(harness.connected.isEmpty && harness.engine.nextDeadline == nil)
        precondition(harness.engine.waitingTokens == 0 && harness.engine.roomCount == 0)
    }

    private mutating func step(_ operation: UInt8) {
        let pick = next()
        switch operation % 12 {
        case 0: announce(pick)
        case 1: stateChanged(pick)
        case 2:
            let host = address(pick)
            harness.update { engine, _, _ in engine.setHostVirtualIP(host) }
        case 3: sayFromHost(pick)
        case 4: harness.advance(by: .milliseconds(Int(pick) * 10))
        default:
            guard operation % 12 > 5, !peers.isEmpty else {
                if peers.count < 30 { peers.append(harness.connect(from: "192.0.2.\(pick % 3)")) }
                return
            }
            act(peers[Int(pick) % peers.count], operation % 12)
        }
    }

    private mutating func act(_ peer: PeerID, _ operation: UInt8) {
        guard harness.connected.contains(peer), !harness.ended.contains(peer) else { return }
        switch operation {
        case 6: harness.disconnect(peer)
        case 7: harness.end(peer)
        case 8, 9:
            var config = ExternalProxyConfig()
            config.token = ProxyToken(high: 0, low: UInt64(next() % 16))
            harness.receive(Packet.externalProxy(config).encoded, from: peer)
        case 10:
            var header = ProxyDataHeader()
            header.info.sourceIPv4 = address(next())
            header.info.destinationIPv4 = address(next())
            header.dataLength = UInt32(next() % 5)
            harness.receive(
                Packet.proxyData(header, data: ByteBuffer(repeating: 0, count: 3)).encoded, from: peer)
        default:
            let count = Int(next())
            let bytes = Array(rest.prefix(count))
            rest = rest.dropFirst(count)
            if !bytes.isEmpty { harness.receive(bytes, from: peer) }
        }
    }

    private mutating func announce(_ pick: UInt8) {
        var token = ExternalProxyToken()
        token.virtualIP = address(pick % 16)
        token.token = ProxyToken(high: 0, low: UInt64(pick % 16))
        if pick > 127 {
            token.physicalIP = PhysicalAddress(IPAddress(ipv4: 0xC000_0200 | UInt32(pick % 3)))
            token.addressFamily = AddressFamily(rawValue: Int32(next() % 32))
        }
        harness.update { engine, now, out in engine.addWaitingToken(token, at: now, into: &out) }
    }

    private mutating func stateChanged(_ pick: UInt8) {
        var state = ExternalProxyConnectionState()
        state.ipAddress = address(pick % 16)
        state.isConnected = pick > 200
        harness.update { engine, now, out in
            engine.handleExternalProxyStateChange(state, at: now, into: &out)
        }
    }

    private mutating func sayFromHost(_ pick: UInt8) {
        var header = ProxyDataHeader()
        header.info.sourceIPv4 = address(pick)
        header.info.destinationIPv4 = address(next())
        _ = try? harness.update { engine, _, out throws(HostTrafficError) in
            try engine.broadcastFromHost(header, data: ByteBuffer(), into: &out)
        }
    }

    private func address(_ pick: UInt8) -> VirtualAddress {
        switch pick {
        case 250: .broadcast
        case 251: .legacyBroadcast
        case 252...: .any
        default: VirtualAddress(rawValue: VirtualAddress.network.rawValue | UInt32(pick % 16))
        }
    }

    private mutating func next() -> UInt8 { rest.popFirst() ?? 0 }

    /// Bounds hold, and only players hear anything.
    private mutating func check() {
        peers.removeAll { !harness.connected.contains($0) }
        let players = Set(harness.engine.rooms(at: harness.now).flatMap(\.peers).map(\.peer))
        for peer in peers {
            let heard = harness.take(peer)
            precondition(heard.isEmpty || players.contains(peer.description))
        }
        precondition(players.count <= 8 && harness.engine.waitingTokens <= 16)
        precondition(peers.count - players.count <= 16)
    }
}
