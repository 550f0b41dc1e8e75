import NIOCore
import Netplay
import RelayCore
import RelayTesting

/// A guest and its link, of which any may have zlib: the first byte says which, the others what happens to them. What
/// arrives is what the oracle says, all of it unless somebody was lost or broke a rule.
func fuzzTranscodedPair(_ input: [UInt8]) {
    var script = MessageScript(input)
    guard let kinds = script.next() else { return }
    var pair = PairPlayer(guestHasZlib: kinds & 1 == 1, linkHasZlib: kinds & 2 == 2, early: Int(kinds >> 2))
    for _ in 0..<2000 {
        guard let operation = script.next(), let pick = script.next() else { break }
        let side = Int(operation) % 2
        switch operation / 2 % 8 {
        case 0...1: if let message = script.message(zlib: pair.hasZlib[side]) { pair.write(message, from: side) }
        case 2...4: pair.deliver(Int(pick) * Int(pick) + 1, from: side)
        case 5: pair.harness.writability(of: pair.peers[side], is: pick.isMultiple(of: 2))
        case 6 where pick > 250: pair.lose(side)
        case 6 where pick > 220: pair.end(side)
        default: pair.harness.advance(by: .milliseconds(Int(pick)))
        }
    }
    pair.settle()
    pair.check()
    pair.harness.stop()
    precondition(pair.harness.connected.isEmpty && pair.harness.engine.roomCount == 0)
    precondition(pair.harness.engine.nextDeadline == nil)
}

/// Index 0 is the guest, 1 the link.
private struct PairPlayer {
    var harness: EngineHarness<NetplayEngine>
    let hasZlib: [Bool]
    let peers: [PeerID]
    private var unsent: [[UInt8]]
    /// What came of each side's messages, and what the other side got.
    private var sent: [[UInt8]] = [[], []]
    private var received: [[UInt8]] = [[], []]
    private var isLost = false
    private let maxStateBytes = 1 << 20

    init(guestHasZlib: Bool, linkHasZlib: Bool, early: Int) {
        var configuration = NetplayConfiguration()
        configuration.maxStateBytes = maxStateBytes
        harness = EngineHarness(NetplayEngine(configuration: configuration, random: .seeded(1)))
        hasZlib = [guestHasZlib, linkHasZlib]
        let headers = hasZlib.map {
            Array("RANP".utf8) + bytes(8) + bytes($0 ? 1 : 0) + [UInt8](repeating: 9, count: 12)
        }
        let host = harness.connect()
        harness.receive(Array("RATS".utf8) + [UInt8](repeating: 0, count: 12), from: host)
        let session = harness.take(host)
        let guest = harness.connect()
        harness.receive(session + headers[0].prefix(early), from: guest)
        let link = harness.connect()
        harness.receive(harness.take(host), from: link)
        peers = [guest, link]
        unsent = [Array(headers[0].dropFirst(early)), headers[1]]
        sent[0] = Array(headers[0].prefix(early))
        collect()
    }

    mutating func write(_ bytes: [UInt8], from side: Int) {
        if unsent[side].count < 1 << 19 { unsent[side] += bytes }
    }

    mutating func deliver(_ count: Int, from side: Int) {
        guard canTalk(side), !unsent[side].isEmpty else { return }
        let piece = Array(unsent[side].prefix(count))
        unsent[side].removeFirst(piece.count)
        sent[side] += piece
        harness.receive(piece, from: peers[side])
        collect()
    }

    mutating func end(_ side: Int) {
        if canTalk(side) { harness.end(peers[side]) }
        collect()
    }

    mutating func lose(_ side: Int) {
        isLost = isLost || harness.connected.contains(peers[side])
        harness.disconnect(peers[side])
        collect()
    }

    /// Everybody reads on, and all work is done.
    mutating func settle() {
        for peer in peers where harness.connected.contains(peer) { harness.writability(of: peer, is: true) }
        for _ in 0..<200 { harness.advance(by: .nanoseconds(1)) }
        collect()
    }

    /// What each side got is what the other one's messages must become.
    func check() {
        let reasons = Set(peers.compactMap { harness.closed[$0]?.word })
        let isBroken = !reasons.isDisjoint(with: ["bad_savestate", "savestate_too_large", "idle", "half_closed"])
        // As long as a header is missing, nothing goes past a savestate.
        let isDecided = sent.allSatisfy { $0.count >= 12 }
        for side in 0...1 {
            let conversion: Transcoder.Conversion? =
                isDecided && hasZlib[0] != hasZlib[1] ? (hasZlib[side] ? .inflate : .deflate) : nil
            let oracle = TranscodingOracle(Array(sent[side].dropFirst(24)), conversion, maxStateBytes: maxStateBytes)
            let messages = Array(received[1 - side].dropFirst(24))
            precondition(isLost || received[1 - side].count >= min(24, sent[side].count))
            guard oracle.error == nil, !oracle.isCutShort else {
                precondition(messages.starts(with: oracle.output) || oracle.output.starts(with: messages))
                continue
            }
            precondition(oracle.output.starts(with: messages))
            // Of an unfinished message as much as its head and a savestate's numbers may wait.
            let waiting = harness.ended.contains(peers[side]) ? 0 : 15
            precondition(isLost || isBroken || !isDecided || oracle.output.count - messages.count <= waiting)
        }
    }

    private func canTalk(_ side: Int) -> Bool {
        let peer = peers[side]
        return harness.connected.contains(peer) && !harness.paused.contains(peer) && !harness.ended.contains(peer)
    }

    private mutating func collect() {
        for side in 0...1 { received[side] += harness.take(peers[side]) }
    }
}
