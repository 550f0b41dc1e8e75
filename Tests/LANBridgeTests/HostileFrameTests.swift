import Foundation
import FuzzTargets
import LANBridge
import RelayCore
import RelayTesting
import Testing

/// Frames that no card makes. What must be so of every frame that passes, `LANFilterJudge` checks: its source is the
/// sender's own, it is none that bridges keep to themselves, it goes to whom it names, and not back.
@Suite("Hostile frames")
struct HostileFrameTests {
    private let vectors: FrameVectors

    init() throws {
        vectors = try FrameVectors.load()
    }

    private static func client(_ frame: FrameVector) -> Int? { frame.role == "client" ? 0 : nil }

    /// One room sees all frames, each of them cut everywhere: what was learnt from one does not let the next one pass.
    @Test func everyFrameCutAnywhereInOneRoomIsSurvived() {
        var judge = LANFilterJudge(vectors.context)
        var now = Instant.zero
        for frame in vectors.frames {
            let octets = frame.octets
            for length in 0...octets.count {
                now = now + .seconds(2)
                judge.judge(Array(octets.prefix(length)), from: Self.client(frame), at: now)
            }
        }
    }

    @Test func everySequenceCutAnywhereIsSurvivedAndStaysWithinItsLimit() throws {
        for sequence in vectors.sequences {
            guard let name = sequence.frame, let count = sequence.count, let gap = sequence.gapMicroseconds else {
                continue
            }
            let frame = try vectors.frame(name)
            let octets = frame.octets
            var judge = LANFilterJudge(vectors.context)
            var forwarded = 0
            for index in 0..<count {
                let now = Instant(nanoseconds: Int64(index) * gap * 1000)
                // A rate that counts frames does not ask whether they are whole.
                let cut = Array(octets.prefix(octets.count - index % 16))
                if case .forward = judge.judge(cut, from: Self.client(frame), at: now) { forwarded += 1 }
            }
            #expect(forwarded <= sequence.forwardedMax ?? 0, "\(sequence.name)")
        }
    }

    /// Short frames are padded on their way, and somebody might hide behind that.
    @Test func paddingMakesNoBadFrameAGoodOne() {
        let aboutLength: Set<DropReason> = [.runt, .badLength, .badARP, .badIP, .badND, .tinyFragment]
        for frame in vectors.frames where frame.verdict == "drop" {
            guard !aboutLength.contains(where: { $0.word == frame.reason }) else { continue }
            for count in [1, 2, 8, 46, 200] {
                var judge = LANFilterJudge(vectors.context)
                let padded = frame.octets + [UInt8](repeating: 0, count: count)
                guard case .forward = judge.judge(padded, from: Self.client(frame), at: .zero) else { continue }
                Issue.record("\(frame.name) passes with \(count) bytes of padding")
            }
        }
    }

    /// Millions in all for the sanitizers.
    private static let mutations = ProcessInfo.processInfo.environment["SANITIZED"] == nil ? 60_000 : 600_000

    /// The golden frames with octets changed, cut out, put in, and halves of two put together.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func mutatedFramesAreSurvived(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var judge = LANFilterJudge(vectors.context)
        let frames = vectors.frames.map { (octets: $0.octets, client: Self.client($0)) }
        var now = Instant.zero
        var passed = 0
        var reasons: Set<DropReason> = []
        for _ in 0..<Self.mutations {
            now = now + .milliseconds(Int.random(in: 0...200, using: &random))
            let frame = frames[Int.random(in: frames.indices, using: &random)]
            var octets = frame.octets
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let other = frames[Int.random(in: frames.indices, using: &random)].octets
                Self.mutate(&octets, with: other, &random)
            }
            let isOther = frame.client != nil && Int.random(in: 0..<8, using: &random) == 0
            switch judge.judge(octets, from: isOther ? 1 : frame.client, at: now) {
            case .forward: passed += 1
            case .drop(let reason): reasons.insert(reason)
            }
        }
        #expect(passed > 1000 && reasons.count > 25, "the mutations reach few rules: \(passed) passed, \(reasons)")
    }

    private static func mutate(_ frame: inout [UInt8], with other: [UInt8], _ random: inout RandomSource) {
        guard !frame.isEmpty else {
            frame = other
            return
        }
        let index = Int.random(in: frame.indices, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: frame[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: frame[index] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF].randomElement(using: &random) ?? 0
        case 2: frame[index] = UInt8.random(in: 0...255, using: &random)
        case 3: frame.removeLast(Int.random(in: 0..<frame.count, using: &random) / 4)
        case 4: frame.remove(at: index)
        case 5: frame.insert(UInt8.random(in: 0...255, using: &random), at: index)
        case 6: frame.replaceSubrange(index..., with: other.dropFirst(index))
        default: frame.append(contentsOf: other.suffix(Int.random(in: 0...other.count, using: &random)).prefix(64))
        }
    }

    /// A relay is sent datagrams of which no honest end makes one: every golden frame, cut behind a header that says how
    /// long it was, and with every header changed a little. Nothing of it reaches anybody.
    @Test func framesThatDoNotFitTheirHeadersGoNowhere() {
        for frame in vectors.frames where frame.octets.count > 1 {
            var desk = RelayDesk()
            let other = desk.join(0x024C_414E_0102)
            let speaker = desk.join(vectors.context.clients[0].mac.bits)
            let whole = RelayDesk.bytes(OverlayHeader(whole: frame.octets.count)) + frame.octets
            for length in stride(from: 0, to: whole.count, by: max(1, whole.count / 60)) {
                desk.send(Array(whole.prefix(length)), from: speaker)
            }
            for index in 0..<8 {
                var changed = whole
                changed[index] ^= 0x55
                desk.send(changed, from: speaker)
            }
            #expect(desk.takeFrames(other).isEmpty && desk.closed[speaker] == nil, "\(frame.name)")
            let total = desk.engine.drops(of: speaker)[.badLength] ?? 0
            #expect(total >= 60 || frame.octets.count < 60, "\(frame.name): \(total) were counted")
        }
    }
}
