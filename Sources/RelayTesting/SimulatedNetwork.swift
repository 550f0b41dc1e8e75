import HeapModule
public import NIOCore
public import RelayCore

/// A network of datagrams in virtual time: it loses, repeats, delays and reorders them, cuts links, and changes the ports
/// of who sits behind a NAT. What happens is drawn from a seeded source: a failure is repeated by its seed.
public struct SimulatedNetwork {
    /// How a link treats datagrams. Each is lost, doubled or held up by chance, apart from the others.
    public struct Conditions: Sendable {
        /// The part that is lost, 0...1.
        public var loss = 0.0
        /// The part that comes twice.
        public var duplication = 0.0
        public var delay = Duration.milliseconds(10)
        /// Up to so much more, by chance: more than the time between datagrams puts them out of order.
        public var jitter = Duration.zero
        /// The part that is held up for ten times the delay.
        public var stragglers = 0.0

        public init(
            loss: Double = 0, duplication: Double = 0, delay: Duration = .milliseconds(10), jitter: Duration = .zero,
            stragglers: Double = 0
        ) {
            self.loss = loss
            self.duplication = duplication
            self.delay = delay
            self.jitter = jitter
            self.stragglers = stragglers
        }
    }

    /// A datagram as it arrives.
    public struct Arrival {
        public var bytes: ByteBuffer
        public var from: Endpoint
        public var to: Endpoint
    }

    private struct Flight: Comparable {
        var at: Instant
        var serial: Int
        var arrival: Arrival

        static func < (left: Flight, right: Flight) -> Bool { (left.at, left.serial) < (right.at, right.serial) }
        static func == (left: Flight, right: Flight) -> Bool { left.serial == right.serial }
    }

    private struct Link: Hashable {
        var from: Endpoint
        var to: Endpoint
    }

    /// What holds where nothing else is set.
    public var conditions: Conditions
    private var ownConditions: [Link: Conditions] = [:]
    private var cuts: Set<Link> = []
    /// Who is seen at which endpoint, and the reverse.
    private var outside: [Endpoint: Endpoint] = [:]
    private var inside: [Endpoint: Endpoint] = [:]
    private var flights = Heap<Flight>()
    private var random: RandomSource
    private var serial = 0
    public private(set) var sent = 0
    public private(set) var lost = 0

    public init(_ conditions: Conditions = Conditions(), seed: UInt64) {
        self.conditions = conditions
        random = .seeded(seed)
    }

    /// Sets how one direction between two endpoints is.
    public mutating func set(_ conditions: Conditions, from: Endpoint, to: Endpoint) {
        ownConditions[Link(from: from, to: to)] = conditions
    }

    /// Lets nothing pass in one direction, or everything again.
    public mutating func cut(_ isCut: Bool, from: Endpoint, to: Endpoint) {
        if isCut { cuts.insert(Link(from: from, to: to)) } else { cuts.remove(Link(from: from, to: to)) }
    }

    /// From now on everybody sees an endpoint as another one; what is sent to the one before goes nowhere.
    public mutating func translate(_ endpoint: Endpoint, to seen: Endpoint) {
        if let before = outside[endpoint] { inside[before] = nil }
        outside[endpoint] = seen
        inside[seen] = endpoint
    }

    public mutating func send(_ bytes: ByteBuffer, from: Endpoint, to: Endpoint, at now: Instant) {
        sent += 1
        let target = inside[to] ?? (outside[to] == nil ? to : nil)
        guard let target, !cuts.contains(Link(from: from, to: target)) else {
            lost += 1
            return
        }
        let conditions = ownConditions[Link(from: from, to: target)] ?? conditions
        let arrival = Arrival(bytes: bytes, from: outside[from] ?? from, to: target)
        if chance(conditions.loss) { lost += 1 } else { fly(arrival, conditions, at: now) }
        if chance(conditions.duplication) { fly(arrival, conditions, at: now) }
    }

    /// When the next datagram arrives.
    public var nextArrival: Instant? { flights.min?.at }

    /// Takes a datagram that has arrived.
    public mutating func popDue(at now: Instant) -> Arrival? {
        guard let first = flights.min, first.at <= now else { return nil }
        return flights.removeMin().arrival
    }

    private mutating func fly(_ arrival: Arrival, _ conditions: Conditions, at now: Instant) {
        var delay = conditions.delay
        let jitter = conditions.jitter.wholeNanoseconds
        if jitter > 0 { delay += .nanoseconds(Int64.random(in: 0...jitter, using: &random)) }
        if chance(conditions.stragglers) { delay += conditions.delay * 9 }
        serial += 1
        flights.insert(Flight(at: now + delay, serial: serial, arrival: arrival))
    }

    private mutating func chance(_ part: Double) -> Bool {
        part > 0 && Double.random(in: 0..<1, using: &random) < part
    }
}
