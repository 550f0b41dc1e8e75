import LANBridge
import RelayCore
import RelayTesting
import Testing

@Suite("Golden frames")
struct FrameFilterVectorTests {
    private let vectors: FrameVectors

    init() throws {
        vectors = try FrameVectors.load()
    }

    @Test func everyFrameHasItsVerdictReasonTargetsAndLimit() throws {
        #expect(vectors.frames.count == 127)
        for frame in vectors.frames {
            var room = vectors.room()
            let verdict = room.judge(frame.octets, as: frame.role)
            #expect(room.text(of: verdict, as: frame.role) == frame.expected, "\(frame.name)")
        }
    }

    /// Cutting never makes a bad frame a good one, but for those that were too long.
    @Test func everyFrameCutAnywhereIsSurvivedAndNoDropIsForwarded() throws {
        for frame in vectors.frames {
            let octets = frame.octets
            for length in 0..<octets.count {
                var room = vectors.room()
                let verdict = room.judge(Array(octets[..<length]), as: frame.role)
                guard frame.verdict == "drop", frame.reason != "oversize", case .forward = verdict else { continue }
                Issue.record("\(frame.name) is forwarded when cut to \(length)")
            }
        }
    }

    @Test func everySequenceOfOneFrameIsLimited() throws {
        for sequence in vectors.sequences {
            guard let name = sequence.frame, let count = sequence.count, let gap = sequence.gapMicroseconds else {
                continue
            }
            let frame = try vectors.frame(name)
            var room = vectors.room()
            var forwarded = 0
            for index in 0..<count {
                let now = Instant(nanoseconds: Int64(index) * gap * 1000)
                switch room.judge(frame.octets, as: frame.role, at: now) {
                case .forward: forwarded += 1
                case .drop(let reason): #expect(reason.word == sequence.reasonAfter, "\(sequence.name)")
                }
            }
            #expect((sequence.forwardedMin ?? 0)...(sequence.forwardedMax ?? 0) ~= forwarded, "\(sequence.name)")
        }
    }

    @Test func aStormDoesNotStarveAnotherClient() throws {
        let storm = try vectors.frame("source-engine-discovery").octets
        var other = storm
        // The second client's MAC and IPv4 address.
        other[11] = 2
        other[29] = 12
        var room = vectors.room()
        for index in 0..<5000 {
            let now = Instant(nanoseconds: Int64(index) * 200_000)
            _ = room.judge(storm, as: "client", at: now)
            guard index % 500 == 0 else { continue }
            let verdict = room.judge(other, as: "client", client: 1, at: now)
            #expect(verdict == .forward(.others, .broadcast))
        }
    }

    @Test func aSpoofedAddressOfTheLANMovesNothing() throws {
        let spoof = try vectors.frame("mac-spoof-host").octets
        var room = vectors.room()
        let fromHost = try vectors.frame("dhcp-offer-from-lan").octets
        let toHost = try vectors.frame("tcp-syn-to-host").octets
        for index in 0..<100 {
            let now = Instant(nanoseconds: Int64(index) * 1_000_000)
            #expect(room.judge(fromHost, as: "gateway", at: now) == .forward(.client(ClientPort(index: 0)), .none))
            #expect(room.judge(spoof, as: "client", at: now) == .drop(.macSpoof))
            #expect(room.judge(toHost, as: "client", at: now) == .forward(.gateway, .none))
        }
    }
}
