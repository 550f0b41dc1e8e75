import NIOCore
import RelayCore
import Testing

@testable import Netplay

/// Plays the world for a desk of dedicated hosts, in virtual time, and remembers what the desk wanted.
struct DedicatedDesk {
    var engine: DedicatedEngine
    private(set) var now = Instant.zero
    private(set) var wanted: [DedicatedEffect] = []

    init(_ change: (inout DedicatedConfiguration) -> Void = { _ in }) {
        var configuration = DedicatedConfiguration()
        change(&configuration)
        engine = DedicatedEngine(configuration: configuration)
    }

    static func request(_ file: String = "loop", game: String = "") -> HostingRequest {
        HostingRequest(coreName: "Nestopia", gameName: game, fileName: file)
    }

    // MARK: What happens

    mutating func input(_ body: (inout DedicatedEngine, Instant, inout [DedicatedEffect]) -> Void) {
        body(&engine, now, &wanted)
    }

    mutating func ask(
        _ request: HostingRequest = Self.request(), from address: String = "192.0.2.1", port: UInt16 = 40_000
    ) {
        var bytes = ByteBuffer()
        _ = request.encode(into: &bytes)
        send(bytes, from: address, port: port)
    }

    mutating func send(_ bytes: ByteBuffer, from address: String = "192.0.2.1", port: UInt16 = 40_000) {
        let endpoint = Endpoint(address: IPAddress(address) ?? IPAddress(ipv4: 0), port: port)
        input { $0.receive(bytes, from: endpoint, at: $1, into: &$2) }
    }

    /// Lets time pass, stopping at each deadline on the way.
    mutating func advance(by duration: Duration) {
        let end = now + duration
        while let deadline = engine.nextDeadline, deadline <= end {
            now = max(now, deadline)
            engine.advance(to: now, into: &wanted)
            precondition(engine.nextDeadline.map { $0 > now } ?? true, "the desk left something due undone")
        }
        now = end
    }

    /// Asks for a host and lets everything go well until it is open.
    mutating func openHost(
        _ request: HostingRequest = Self.request(), from address: String = "192.0.2.1"
    ) throws -> PeerID {
        ask(request, from: address)
        let id = try #require(found.last)
        input { $0.found(id, at: $1, into: &$2) }
        openDoor(id)
        input { $0.probed(id, answered: true, at: $1, into: &$2) }
        return id
    }

    /// The door that was last wanted for a host opens.
    mutating func openDoor(_ id: PeerID) {
        let port = doors.last { $0.id == id }?.port ?? 0
        input { $0.doorOpened(id, HostingInvitation(port: port), at: $1, into: &$2) }
    }

    mutating func join(_ id: PeerID) {
        let guest = Endpoint(address: IPAddress(ipv4: 0x0102_0304), port: 5)
        input { $0.guestJoined(id, from: guest, at: $1, into: &$2) }
    }

    mutating func leave(_ id: PeerID) {
        input { $0.guestLeft(id, at: $1, into: &$2) }
    }

    mutating func exit(_ id: PeerID) {
        input { $0.exited(id, at: $1, into: &$2) }
    }

    // MARK: What was wanted

    /// Forgets what was wanted so far.
    mutating func clear() { wanted.removeAll() }

    /// The port of each answer, 0 for a no; and the port it went to.
    var answers: [(port: UInt16, to: UInt16)] {
        wanted.compactMap { effect in
            guard case .answer(let bytes, to: let asker) = effect else { return nil }
            return (HostingAnswer.decode(bytes)?.invitation?.port ?? 0, asker.endpoint.port)
        }
    }

    var found: [PeerID] {
        wanted.compactMap { if case .find(let id, _) = $0 { id } else { nil } }
    }

    var doors: [(id: PeerID, port: UInt16?)] {
        wanted.compactMap { if case .openDoor(let id, let port) = $0 { (id, port) } else { nil } }
    }

    var refusals: [HostingRefusal] {
        wanted.compactMap { if case .refuse(let refusal, _) = $0 { refusal } else { nil } }
    }

    var ends: [HostEnd] {
        wanted.compactMap { if case .emit(.ended(_, let end)) = $0 { end } else { nil } }
    }

    func count(_ effect: DedicatedEffect) -> Int { wanted.count { $0 == effect } }

    func state(_ id: PeerID) -> String? { engine.snapshot(of: id, at: now)?.state }
}
