import NIOCore
import RelayCore
import RelayTesting

@testable import JSONRelay

/// A relay with clients, spoken to in JSON bodies.
final class Conversation {
    /// Whose behaviour is asked for.
    enum Profile: String, CaseIterable, Sendable {
        case ours, reference

        var configuration: JSONRelayConfiguration {
            var configuration = JSONRelayConfiguration()
            if self == .reference {
                configuration.payloadEscaping = .reference
                configuration.sourcePolicy = .trust
                configuration.errorReplies = .reference
                configuration.readmeNames = .never
            }
            return configuration
        }
    }

    private var harness: EngineHarness<JSONRelayEngine>

    init(_ configuration: JSONRelayConfiguration = JSONRelayConfiguration(), seed: UInt64 = 1) {
        harness = EngineHarness(JSONRelayEngine(configuration: configuration, random: .seeded(seed)))
    }

    convenience init(_ change: (inout JSONRelayConfiguration) -> Void) {
        var configuration = JSONRelayConfiguration()
        change(&configuration)
        self.init(configuration)
    }

    var events: [JSONRelayEvent] { harness.events.compactMap { $0 as? JSONRelayEvent } }
    var refusals: [String] { events.compactMap { if case .refused(_, let refusal) = $0 { refusal.word } else { nil } } }
    var rooms: [RoomSnapshot] { harness.engine.rooms(at: harness.now) }
    var roomCount: Int { harness.engine.roomCount }
    var ids: [String] { rooms.flatMap(\.peers).map(\.name).sorted() }
    var nextDeadline: Instant? { harness.engine.nextDeadline }

    func connect() -> PeerID { harness.connect() }

    /// A connection that has done INIT and has read the answer.
    func join(_ id: String) -> PeerID {
        let peer = connect()
        say(#"{"payloadType":"INIT","source":"\#(id)"}"#, from: peer)
        let answer = heard(peer)
        precondition(answer == [#"{"payloadType":"INIT","destination":"\#(id)"}"#], "\(id) was answered \(answer)")
        return peer
    }

    func say(_ body: String, from peer: PeerID) { send(frame(body), from: peer) }
    func send(_ bytes: some Sequence<UInt8>, from peer: PeerID) { harness.receive(bytes, from: peer) }
    func end(_ peer: PeerID) { harness.end(peer) }
    func disconnect(_ peer: PeerID) { harness.disconnect(peer) }
    func pass(_ duration: Duration) { harness.advance(by: duration) }
    func drain() { harness.beginDrain() }
    func stop() { harness.stop() }
    func kick(_ peer: PeerID) { harness.kick(peer) }
    func reconfigure(_ change: (inout JSONRelayConfiguration) -> Void) {
        var configuration = harness.engine.configuration
        change(&configuration)
        harness.engine.reconfigure(configuration)
    }

    /// Why the relay parted from a peer; `nil` while it has not.
    func closed(_ peer: PeerID) -> String? { harness.closed[peer]?.word }

    func heardBytes(_ peer: PeerID) -> [UInt8] { harness.take(peer) }

    /// The bodies of the frames a peer received since it was last asked.
    func heard(_ peer: PeerID) -> [String] { bodies(heardBytes(peer)) }
}

/// The octets of a frame.
func frame(_ body: String) -> [UInt8] { frame(Array(body.utf8)) }

func frame(_ body: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init) + body
}

/// The bodies of whole frames, to be read; a rest that is no frame shows as such.
func bodies(_ bytes: [UInt8]) -> [String] {
    var buffer = ByteBuffer(bytes: bytes)
    var bodies: [String] = []
    while let body = buffer.readLengthPrefixedSlice(as: UInt32.self) { bodies.append(String(buffer: body)) }
    if buffer.readableBytes > 0 { bodies.append("\(buffer.readableBytes) octets that are no frame") }
    return bodies
}

/// An ERROR of the relay itself.
func error(_ text: String, to id: String) -> String {
    #"{"payloadType":"ERROR","destination":"\#(id)","payload":"\#(text)"}"#
}

func message(from source: String, to destination: String, _ payload: String) -> String {
    #"{"payloadType":"MESSAGE","source":"\#(source)","destination":"\#(destination)","payload":"\#(payload)"}"#
}

/// The first id that a relay of that seed makes.
func firstID(seed: UInt64 = 1) -> String {
    var random = RandomSource.seeded(seed)
    return ClientID(from: &random).description
}
