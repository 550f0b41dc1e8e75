import LANBridge
import RelayCore
import RelayTesting
import Testing

/// A golden frame with what the filter must say of it.
struct FrameVector: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var role: String
    var hex: String
    var verdict: String
    var reason: String
    var limit: String?
    var targets: [String]?

    var octets: [UInt8] { bytes(hex: hex) ?? [] }
    var testDescription: String { name }
    var expected: String {
        verdict == "drop" ? "drop \(reason)" : "forward \((targets ?? []).sorted()) \(limit ?? "")"
    }
}

/// The golden frames and the room they are sent in.
struct FrameVectors: Decodable, Sendable {
    struct Sequence: Decodable, Sendable {
        var name: String
        var frame: String?
        var count: Int?
        var gapMicroseconds: Int64?
        var forwardedMin: Int?
        var forwardedMax: Int?
        var reasonAfter: String?

        private enum CodingKeys: String, CodingKey {
            case name, frame, count
            case gapMicroseconds = "gap_us"
            case forwardedMin = "forwarded_min"
            case forwardedMax = "forwarded_max"
            case reasonAfter = "reason_after"
        }
    }

    var context: RoomContext
    var frames: [FrameVector]
    var sequences: [Sequence]

    static func load() throws -> FrameVectors { try Fixtures.load(FrameVectors.self, from: "lan/frames.json") }

    func frame(_ name: String) throws -> FrameVector { try #require(frames.first { $0.name == name }) }

    /// The room as it is before each frame.
    func room() -> FilteredRoom {
        FilteredRoom(filter: context.filter(at: .zero), names: context.clients.map(\.id))
    }
}

/// A filter with names for its ports, the first of which is the client that speaks.
struct FilteredRoom {
    var filter: FrameFilter
    var names: [String]

    mutating func judge(
        _ frame: [UInt8], as role: String, client: Int = 0, at now: Instant = .zero
    ) -> FrameVerdict {
        role == "client"
            ? filter.judge(frame.span.bytes, from: ClientPort(index: client), at: now)
            : filter.judgeFromGateway(frame.span.bytes, at: now)
    }

    /// In the words of the golden file.
    func text(of verdict: FrameVerdict, as role: String) -> String {
        switch verdict {
        case .drop(let reason): return "drop \(reason.word)"
        case .forward(let targets, let limit):
            let who: [String] =
                switch targets {
                case .gateway: ["gw"]
                case .client(let port): [names[port.index]]
                case .others: role == "client" ? ["gw"] + names.dropFirst() : names
                }
            return "forward \(who.sorted()) \(limit.word)"
        }
    }
}
