import NIOCore
import RelayCore
import RelayTesting

@testable import SOE

/// A peer that acts like one of the implementations out there, mistakes included, as `docs` of theirs and runs of them
/// tell: an own, simple stack for one session that only shares the wire with ours.
final class ModelPeer: SimulatedNode {
    /// Whose habits it has.
    enum Habits: CaseIterable {
        /// Never acknowledges twice, ends at the first damage, repeats everything after a timeout, works in ticks.
        case crate
        /// As `crate`, with a timer of its own that never learns.
        case oldCrate
        /// Acknowledges every packet at once, repeats what later acknowledgements pass by.
        case udpLibrary
        /// Acknowledges every packet at once, repeats by a doubling timer.
        case everQuest
        /// Acknowledges by a timer and only news.
        case h1

        var isCrate: Bool { self == .crate || self == .oldCrate }

        var dialect: SOEDialect {
            switch self {
            case .crate, .oldCrate, .h1: .v3
            case .udpLibrary: .udpLibrary
            case .everQuest: .everQuest
            }
        }

        /// How often it looks at its clock, in nanoseconds.
        var tick: Int64 {
            switch self {
            case .crate, .oldCrate: 5_000_000
            case .udpLibrary: 10_000_000
            case .everQuest: 16_000_000
            case .h1: 24_000_000
            }
        }
    }

    let endpoint: Endpoint
    let habits: Habits
    let isServer: Bool
    var remote: Endpoint?
    private(set) var messages: [[UInt8]] = []
    /// Why it ended the session, if it did.
    private(set) var end: DisconnectReason?
    private(set) var isOpen = false
    var echoes = false

    private let protocolName: ProtocolName = "Model"
    private var wireID: UInt32 = 0x1234_5678
    private var coding = PacketCoding(crc: .none)
    private let zlib = ZlibCodec()
    private var nextTick = Instant.zero
    private var requestSentAt: Instant?
    private var now = Instant.zero

    // Receiving.
    private var expected: Int64 = 0
    private var stash: [Int64: (body: [UInt8], isFragment: Bool)] = [:]
    private var partial: [UInt8] = []
    private var total = 0
    private var unacknowledged = 0
    private var lastAcknowledged = Instant(nanoseconds: -1_000_000_000)
    private var saidAcknowledged: Int64 = -1

    // Sending.
    private struct Packet {
        var sequence: Int64
        var isFragment: Bool
        var body: [UInt8]
        var sentAt: Instant?
        var sends = 0
        var isAcknowledged = false
    }
    private var queue: [Packet] = []
    private var nextSequence: Int64 = 0
    private var timeout = Duration.milliseconds(500)
    private var smoothed: Duration?
    private var timerStart = Instant.zero
    private var outgoing: [[UInt8]] = []

    init(_ habits: Habits, _ endpoint: Endpoint, server: Endpoint? = nil) {
        self.habits = habits
        self.endpoint = endpoint
        isServer = server == nil
        remote = server
    }

    /// The parameters with which an engine of ours speaks to it.
    var parameters: SOEParameters {
        var parameters = SOEParameters()
        parameters.dialect = habits.dialect
        parameters.protocolName = protocolName
        return parameters
    }

    var nextDeadline: Instant? { end == nil ? nextTick : nil }

    func receive(_ datagram: ByteBuffer, from: Endpoint, at now: Instant, send: (ByteBuffer, Endpoint) -> Void) {
        self.now = now
        guard end == nil else { return }
        handle(datagram, from: from)
        flush(send)
    }

    func advance(to now: Instant, send: (ByteBuffer, Endpoint) -> Void) {
        self.now = now
        guard end == nil, now >= nextTick else { return }
        nextTick = now + .nanoseconds(habits.tick)
        if !isServer, !isOpen { request() }
        if isOpen {
            tickAcknowledgements()
            tickSending()
        }
        flush(send)
    }

    private func flush(_ send: (ByteBuffer, Endpoint) -> Void) {
        guard let remote else { return }
        for datagram in outgoing { send(ByteBuffer(bytes: datagram), remote) }
        outgoing = []
    }

    private func kill(_ reason: DisconnectReason) {
        if isOpen { say(.disconnect, be(wireID) + be(reason.rawValue)) }
        end = reason
    }

    // MARK: Handshake

    private func request() {
        let interval: Duration = habits == .everQuest ? .milliseconds(500) : .seconds(1)
        if let requestSentAt, habits.isCrate || now < requestSentAt + interval { return }
        requestSentAt = now
        let name = habits.dialect.namesProtocol ? protocolName.octets + [0] : []
        outgoing.append([0, 1] + be(habits.dialect.version) + be(wireID) + be(UInt32(512)) + name)
    }

    private func handle(_ datagram: ByteBuffer, from: Endpoint) {
        var body = datagram
        guard let start = body.readInteger(as: UInt16.self) else { return }
        switch start {
        case 1 where isServer:
            guard let request = try? SessionRequest.decode(from: &body) else { return kill(.corruptPacket) }
            if isOpen, habits.isCrate { return kill(.connectError) }
            remote = from
            wireID = request.sessionID
            isOpen = true
            var parameters = parameters
            parameters.crcLength = 2
            let response = parameters.response(to: request, crcSeed: 0xDEAD_BEEF)
            coding = (try? PacketCoding(response: response, dialect: habits.dialect)) ?? coding
            var bytes = ByteBuffer()
            response.encode(into: &bytes)
            outgoing.append([0, 2] + bytes.readableBytesView)
        case 2 where !isServer:
            guard let response = try? SessionResponse.decode(from: &body) else { return }
            if isOpen {
                if habits.isCrate { kill(.connectError) }
                return
            }
            isOpen = true
            coding = (try? PacketCoding(response: response, dialect: habits.dialect)) ?? coding
            if habits == .crate { return }
            say(.heartbeat, [])
        case 0x1D:
            if habits.isCrate { kill(.unreachableConnection) }
        case 0x1E, 1, 2:
            break
        default:
            guard isOpen else { return }
            handleContextual(datagram)
        }
    }

    private func handleContextual(_ datagram: ByteBuffer) {
        // Net status is not under the CRC there.
        let start = datagram.getInteger(at: datagram.readerIndex, as: UInt16.self)
        if start == 7 || start == 8, !habits.dialect.netStatusIsContextual { return }
        do throws(SOEWireError) {
            if case .packet(let code, let body) = try coding.open(datagram, zlib: zlib) {
                handle(code, Array(body.readableBytesView))
            }
        } catch {
            if habits.isCrate { kill(.corruptPacket) }
        }
    }

    private func handle(_ code: OpCode, _ body: [UInt8]) {
        switch code {
        case .multiPacket:
            var rest = body[...]
            while let length = rest.popFirst() {
                guard length >= 2, rest.count >= Int(length), rest.first == 0 else { return kill(.corruptPacket) }
                let part = Array(rest.prefix(Int(length)))
                rest = rest.dropFirst(Int(length))
                guard let code = OpCode(rawValue: part[1]) else { return kill(.corruptPacket) }
                handle(code, Array(part.dropFirst(2)))
            }
        case .disconnect:
            end = .otherSideTerminated
        case .heartbeat:
            if isServer, habits != .udpLibrary, habits != .everQuest { say(.heartbeat, []) }
        case .reliableData0: receiveReliable(body, isFragment: false)
        case .fragment0: receiveReliable(body, isFragment: true)
        case .acknowledge0: acknowledged(body, all: false)
        case .acknowledgeAll0: acknowledged(body, all: true)
        default: break
        }
    }

    // MARK: Receiving

    private func receiveReliable(_ body: [UInt8], isFragment: Bool) {
        guard body.count > 2 else { return kill(.corruptPacket) }
        let wire = UInt16(body[0]) << 8 | UInt16(body[1])
        let sequence = SequenceNumber.widen(wire, near: expected)
        let data = Array(body.dropFirst(2))
        if sequence == expected {
            take(data, isFragment)
            while let (data, isFragment) = stash.removeValue(forKey: expected) { take(data, isFragment) }
            if habits == .udpLibrary || habits == .everQuest { sayAcknowledgeAll() }
        } else if sequence < expected {
            switch habits {
            case .udpLibrary, .everQuest: sayAcknowledgeAll()
            // The mistake: only within 2 ms of the last one.
            case .crate, .oldCrate: if now - lastAcknowledged < .milliseconds(2) { sayAcknowledgeAll() }
            case .h1: break
            }
        } else if sequence - expected <= (habits == .udpLibrary ? 400 : 256) {
            stash[sequence] = (data, isFragment)
            say(.acknowledge0, be(wire))
        }
    }

    private func sayAcknowledgeAll() {
        say(.acknowledgeAll0, be(UInt16(truncatingIfNeeded: expected - 1)))
        lastAcknowledged = now
        saidAcknowledged = expected - 1
        unacknowledged = 0
    }

    private func tickAcknowledgements() {
        switch habits {
        case .crate, .oldCrate:
            guard unacknowledged > 0, unacknowledged >= 16 || now - lastAcknowledged > .milliseconds(2) else { return }
            sayAcknowledgeAll()
        case .h1:
            if expected - 1 > saidAcknowledged { sayAcknowledgeAll() }
        case .udpLibrary, .everQuest:
            break
        }
    }

    private func take(_ data: [UInt8], _ isFragment: Bool) {
        expected += 1
        unacknowledged += 1
        guard isFragment else { return deliver(data) }
        var data = data[...]
        if total == 0 {
            total = data.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            data = data.dropFirst(4)
            partial = []
        }
        partial += data
        guard partial.count >= total else { return }
        total = 0
        deliver(partial)
    }

    private func deliver(_ unit: [UInt8]) {
        let escapes = habits.dialect.escapesLeadingZero
        if unit.count > 2, unit.starts(with: [0, 0x19]) {
            var rest = unit.dropFirst(2)
            while let first = rest.popFirst() {
                var length = Int(first)
                if first == 255 {
                    guard rest.count >= 2 else {
                        // A length that is cut off: quietly dropped there, corrupt here.
                        if habits == .udpLibrary || habits == .everQuest { kill(.corruptPacket) }
                        return
                    }
                    length = rest.prefix(2).reduce(0) { $0 << 8 | Int($1) }
                    rest = rest.dropFirst(2)
                }
                guard rest.count >= length else { return kill(.corruptPacket) }
                deliverMessage(Array(rest.prefix(length)), escapes)
                rest = rest.dropFirst(length)
            }
        } else {
            deliverMessage(unit, escapes)
        }
    }

    private func deliverMessage(_ message: [UInt8], _ escapes: Bool) {
        let message = escapes && message.count > 1 && message[0] == 0 ? Array(message.dropFirst()) : message
        messages.append(message)
        if echoes { enqueue(message) }
    }

    // MARK: Sending

    func enqueue(_ message: [UInt8]) {
        let message = habits.dialect.escapesLeadingZero && message.first == 0 ? [0] + message : message
        let size = 512 - 4 - coding.overhead
        if message.count <= size {
            append(message.isEmpty ? [0, 0x19, 0] : message, isFragment: false)
            return
        }
        var rest = (be(UInt32(message.count)) + message)[...]
        while !rest.isEmpty {
            append(Array(rest.prefix(size)), isFragment: true)
            rest = rest.dropFirst(size)
        }
    }

    private func append(_ body: [UInt8], isFragment: Bool) {
        queue.append(Packet(sequence: nextSequence, isFragment: isFragment, body: body))
        nextSequence += 1
    }

    private func acknowledged(_ body: [UInt8], all: Bool) {
        guard body.count >= 2, let first = queue.first else { return }
        let wire = UInt16(body[0]) << 8 | UInt16(body[1])
        let sequence = SequenceNumber.widen(wire, near: first.sequence + 100)
        var sample: Duration?
        for index in queue.indices where all ? queue[index].sequence <= sequence : queue[index].sequence == sequence {
            queue[index].isAcknowledged = true
            if queue[index].sends == 1, let sentAt = queue[index].sentAt { sample = now - sentAt }
        }
        guard queue.contains(where: \.isAcknowledged) else { return }
        timerStart = now
        if habits == .udpLibrary {
            // What went before something that has arrived is lost.
            for index in queue.indices where queue[index].sequence < sequence - 2 && !queue[index].isAcknowledged {
                if let sentAt = queue[index].sentAt, now - sentAt > timeout / 2 { queue[index].sentAt = nil }
            }
        }
        queue.removeAll(where: \.isAcknowledged)
        guard let sample else { return }
        let mean = smoothed.map { ($0 * 3 + sample) / 4 } ?? sample
        smoothed = mean
        switch habits {
        case .oldCrate: timeout = .milliseconds(500)
        case .crate: timeout = min(max(mean + .milliseconds(100), .milliseconds(200)), .seconds(8))
        case .udpLibrary: timeout = mean * 5 / 4 + .milliseconds(300)
        case .everQuest: timeout = max(mean * 5 / 4 + .milliseconds(30), .milliseconds(150))
        case .h1: timeout = mean + .milliseconds(250)
        }
    }

    private func tickSending() {
        let window = habits.isCrate ? 196 : 300
        if let first = queue.first, first.sentAt != nil, now - timerStart > timeout {
            // Everything again.
            for index in queue.indices.prefix(window) { queue[index].sentAt = nil }
            if habits != .oldCrate { timeout = min(timeout * 2, .seconds(habits.isCrate ? 8 : 5)) }
            timerStart = now
        }
        if queue.first?.sentAt == nil { timerStart = now }
        for index in queue.indices.prefix(window) where queue[index].sentAt == nil {
            queue[index].sentAt = now
            queue[index].sends += 1
            let packet = queue[index]
            let sequence = be(UInt16(truncatingIfNeeded: packet.sequence))
            say(packet.isFragment ? .fragment0 : .reliableData0, sequence + packet.body)
        }
    }

    private func say(_ code: OpCode, _ body: [UInt8]) {
        var bytes = ByteBuffer(bytes: [0, code.rawValue])
        bytes.writeRepeatingByte(0, count: coding.gap)
        bytes.writeBytes(body)
        coding.seal(&bytes, from: 0, isRaw: false, zlib: zlib)
        outgoing.append(Array(bytes.readableBytesView))
    }

    private func be(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
