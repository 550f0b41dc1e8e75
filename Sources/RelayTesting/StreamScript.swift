import NIOCore
public import RelayCore

/// Any bytes, read as a list of things that happen to a stream engine: what a fuzzer mutates.
///
/// Each step is one byte of operation, one that picks a peer, and what the operation needs. The harness under it checks
/// after each step that the engine keeps its contract; an engine that traps or breaks it ends the process.
public struct StreamScript {
    private var rest: ArraySlice<UInt8>

    public init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// Plays the script, at most `maxSteps` steps of it, and then stops the engine.
    public mutating func run<Engine: StreamEngine>(on engine: Engine, maxSteps: Int = 2000) -> EngineHarness<Engine> {
        var harness = EngineHarness(engine)
        var peers: [PeerID] = []
        var heard: [PeerID: [UInt8]] = [:]
        for _ in 0..<maxSteps {
            guard let operation = rest.popFirst(), let pick = rest.popFirst() else { break }
            let peer = peers.isEmpty ? nil : peers[Int(pick) % peers.count]
            switch (operation % 16, peer) {
            case (0...1, _) where peers.count < 64:
                peers.append(harness.connect(from: "192.0.2.\(pick % 4)"))
            case (2...6, let peer?):
                receive(take(Int(pick)), peer, &harness)
            case (7...9, let peer?):
                // Says back to the engine what the engine said to another peer: how identifiers come into play.
                let prefix = take(4)
                let source = peers[Int(rest.popFirst() ?? 0) % peers.count]
                receive(prefix + (heard[source] ?? []).suffix(12), peer, &harness)
            case (10, let peer?):
                if canTalk(peer, harness) { harness.end(peer) }
            case (11, let peer?):
                harness.disconnect(peer)
            case (12, let peer?):
                if harness.connected.contains(peer) { harness.writability(of: peer, is: pick.isMultiple(of: 2)) }
            case (13, _):
                harness.advance(by: .milliseconds(Int(pick) * Int(pick)))
            case (14, _) where pick == 255:
                harness.beginDrain()
            default:
                break
            }
            for peer in peers {
                let said = harness.take(peer)
                if !said.isEmpty { heard[peer] = said }
            }
        }
        harness.stop()
        return harness
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    private func receive<Engine: StreamEngine>(_ bytes: [UInt8], _ peer: PeerID, _ harness: inout EngineHarness<Engine>)
    {
        guard canTalk(peer, harness), !harness.paused.contains(peer), !bytes.isEmpty else { return }
        harness.receive(bytes, from: peer)
    }

    private func canTalk<Engine: StreamEngine>(_ peer: PeerID, _ harness: EngineHarness<Engine>) -> Bool {
        harness.connected.contains(peer) && !harness.ended.contains(peer)
    }
}
