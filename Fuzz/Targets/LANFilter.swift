package import LANBridge
package import RelayCore

/// The bytes are a script: frames of two clients and of the LAN's side, and time between them. Whatever passes keeps to
/// what a managed switch promises.
func fuzzLANFilter(_ bytes: [UInt8]) {
    var script = LANScriptBytes(bytes)
    var judge = LANFilterJudge()
    var now = Instant.zero
    while let operation = script.operation() {
        switch operation % 8 {
        case 0: now = now + .milliseconds(Int(script.next()) * Int(operation / 8 + 1) * 20)
        case 1, 2: judge.judge(script.take(script.length(atMost: 2047)), from: 1, at: now)
        case 3...5: judge.judge(script.take(script.length(atMost: 2047)), from: 0, at: now)
        default: judge.judge(script.take(script.length(atMost: 2047)), from: nil, at: now)
        }
    }
}

/// A room with two clients and a LAN, and what must be so of every frame that passes.
package struct LANFilterJudge {
    private var filter: FrameFilter
    private let context: RoomContext

    package init() {
        context = Self.room
        filter = context.filter(at: .zero)
    }

    package init(_ context: RoomContext) {
        self.context = context
        filter = context.filter(at: .zero)
    }

    /// Judges a frame of a client, or (`nil`) of the gateway.
    @discardableResult
    package mutating func judge(_ frame: [UInt8], from client: Int?, at now: Instant) -> FrameVerdict {
        let verdict: FrameVerdict
        if let client {
            verdict = filter.judge(frame.span.bytes, from: ClientPort(index: client), at: now)
        } else {
            verdict = filter.judgeFromGateway(frame.span.bytes, at: now)
        }
        if case .forward(let targets, let limit) = verdict { check(frame, from: client, targets, limit) }
        // 4096 addresses of LAN cards, as many protected ones of each family, and what two clients may hold.
        precondition(filter.rememberedAddresses <= 3 * 4096 + 2 * 9, "addresses are remembered without a bound")
        return verdict
    }

    private func check(_ frame: [UInt8], from client: Int?, _ targets: FrameTargets, _ limit: LimitClass) {
        precondition((14...context.mtu + 14).contains(frame.count), "a frame of \(frame.count) bytes passed")
        let (destination, source) = (MACAddress(frame, at: 0), MACAddress(frame, at: 6))
        let type = Int(frame[12]) << 8 | Int(frame[13])
        precondition(source.isStation && source != destination)
        precondition(!Self.isForSwitches(destination), "a frame for switches passed")
        precondition(type != 0x8100 && type != 0x88A8 && type != 0x8808, "a tag or a pause passed")
        if let client {
            precondition(source == context.clients[client].mac, "a frame of another's passed")
            precondition(targets != .client(ClientPort(index: client)), "a frame came back")
        } else {
            precondition(!context.clients.contains { $0.mac == source }, "the LAN spoke as a client")
            precondition(targets != .gateway, "a frame came back")
        }
        switch targets {
        case .others: precondition(destination.isGroup && limit != .none && limit != .unknownUnicast)
        case .client(let port): precondition(destination == context.clients[port.index].mac)
        case .gateway: precondition(!destination.isGroup && !context.clients.contains { $0.mac == destination })
        }
        if client != nil, type == 0x0806 {
            precondition(frame.count >= 42 && MACAddress(frame, at: 22) == source, "an ARP in another's name passed")
        }
    }

    /// 01:80:C2:00:00:0X, which no bridge passes on.
    private static func isForSwitches(_ address: MACAddress) -> Bool { address.bits >> 4 == 0x0180_C200_000 }

    private static var room: RoomContext {
        var room = RoomContext(
            mtu: 1400,
            clients: (1...2).map { number in
                RoomContext.Client(
                    id: "c\(number)", mac: MACAddress(bits: 0x024C_414E_0100 + UInt64(number)),
                    addresses: [
                        "10.77.0.1\(number)", "fe80::4c:41ff:fe4e:10\(number)", "fd77::1\(number)",
                    ].compactMap { IPAddress($0) })
            })
        room.lanHosts = [MACAddress(bits: 0x024C_414E_0001), MACAddress(bits: 0x024C_414E_00FE)]
        room.protected = ["10.77.0.254", "10.77.0.1", "fe80::fe", "fd77::fe", "fd77::1"].compactMap { IPAddress($0) }
        return room
    }
}
