import RelayCore

/// The life of port mappings at one router: what to ask it, when, and what its answers mean.
///
/// There is one question at a time, since a router takes them one after the other anyway. Whoever drives this asks it
/// and hands the answer in; it calls `advance` when `nextDeadline` has come.
struct PortMappingEngine: Sendable {
    enum Question: Sendable, Equatable {
        /// Look for the router.
        case find
        case add(GatewayEntry)
        case remove(PortMapping.Transport, externalPort: UInt16)
    }

    enum Effect: Sendable, Equatable {
        case ask(Question)
        case emit(PortMappingEvent)
        /// All is done after a stop; nothing follows.
        case finish
    }

    /// The address is the router's external one, after an `add`.
    typealias Answer = Result<IPAddress?, PortMappingFailure>

    /// How long an attempt that failed is followed by none: a lease, at most this.
    static let longestPause = Duration.seconds(60)
    /// How long a stop waits for the router.
    static let farewell = Duration.seconds(5)

    private struct Entry {
        let mapping: PortMapping
        var phase: Phase
        /// Whether the router takes no leases that end.
        var isPermanent = false
        /// Why the last attempt failed, until one succeeds.
        var failure: PortMappingFailure?

        var held: Held? {
            if case .held(let held) = phase { held } else { nil }
        }

        /// When there is something to ask for it.
        var due: Instant? {
            switch phase {
            case .wanted(_, let due): due
            case .held(let held): held.due
            case .gone: nil
            }
        }
    }

    private enum Phase {
        /// Not at the router: the port to ask for next, and when.
        case wanted(UInt16, due: Instant)
        case held(Held)
        case gone
    }

    private struct Held {
        var external: ExternalPort
        /// When to renew.
        var due: Instant
        /// `nil` is never.
        var expires: Instant?
    }

    private struct Asked {
        var question: Question
        /// The mapping it is about; `nil` if it is about the router.
        var index: Int?
        var at: Instant
    }

    private let leaseSeconds: Int64
    private var entries: [Entry] = []
    private var asked: Asked?
    private var isGatewayKnown = false
    private var stopDeadline: Instant?
    private var isFinished = false

    /// - Parameter lease: how long a mapping lasts without renewal, in whole seconds and at least one.
    init(lease: Duration) {
        leaseSeconds = max(1, lease.components.seconds)
    }

    var nextDeadline: Instant? {
        if isFinished { return nil }
        if let stopDeadline { return stopDeadline }
        return asked == nil ? entries.compactMap(\.due).min() : nil
    }

    var statuses: [PortMappingStatus] {
        entries.map { PortMappingStatus(mapping: $0.mapping, external: $0.held?.external, failure: $0.failure) }
    }

    // MARK: Inputs

    /// Wants one more mapping. Returns its index among all; `nil` after a stop.
    mutating func add(_ mapping: PortMapping, at now: Instant, into out: inout [Effect]) -> Int? {
        guard stopDeadline == nil else { return nil }
        entries.append(Entry(mapping: mapping, phase: .wanted(mapping.externalPorts.lowerBound, due: now)))
        proceed(at: now, into: &out)
        return entries.count - 1
    }

    mutating func answered(_ answer: Answer, at now: Instant, into out: inout [Effect]) {
        guard let asked, !isFinished else { return }
        self.asked = nil
        switch asked.question {
        case .find: found(answer, at: now, into: &out)
        case .add(let entry): added(entry, asked, answer, at: now, into: &out)
        case .remove: removed(asked, answer, into: &out)
        }
        proceed(at: now, into: &out)
    }

    mutating func advance(to now: Instant, into out: inout [Effect]) {
        if let stopDeadline, now >= stopDeadline, !isFinished {
            finish(into: &out)
        } else {
            proceed(at: now, into: &out)
        }
    }

    /// Takes everything back. A second call does nothing.
    mutating func stop(at now: Instant, into out: inout [Effect]) {
        guard stopDeadline == nil else { return }
        stopDeadline = now + Self.farewell
        // A search is worth waiting for only where something is to be taken back.
        if asked?.question == .find, !entries.contains(where: { $0.held != nil }) { asked = nil }
        proceed(at: now, into: &out)
    }

    // MARK: Questions

    private mutating func proceed(at now: Instant, into out: inout [Effect]) {
        while asked == nil, !isFinished {
            if stopDeadline != nil {
                guard let index = entries.firstIndex(where: { $0.held != nil }) else { return finish(into: &out) }
                askToRemove(index, at: now, into: &out)
            } else {
                let due = entries.indices.filter { entries[$0].due.map { $0 <= now } ?? false }
                guard let index = due.first else { return }
                if isGatewayKnown { askToAdd(index, at: now, into: &out) } else { ask(.find, nil, at: now, into: &out) }
            }
        }
    }

    private mutating func ask(_ question: Question, _ index: Int?, at now: Instant, into out: inout [Effect]) {
        asked = Asked(question: question, index: index, at: now)
        out.append(.ask(question))
    }

    private mutating func askToAdd(_ index: Int, at now: Instant, into out: inout [Effect]) {
        guard let port = portToAsk(for: index) else { return failed(index, .portTaken, at: now, into: &out) }
        let entry = entries[index]
        let question = Question.add(
            GatewayEntry(
                mapping: entry.mapping, externalPort: port, leaseSeconds: entry.isPermanent ? 0 : leaseSeconds))
        ask(question, index, at: now, into: &out)
    }

    private mutating func askToRemove(_ index: Int, at now: Instant, into out: inout [Effect]) {
        guard let held = entries[index].held else { return }
        let transport = entries[index].mapping.transport
        ask(.remove(transport, externalPort: held.external.port), index, at: now, into: &out)
    }

    /// The port held, or else the next one that is no other mapping's of ours: some routers would not say so.
    private func portToAsk(for index: Int) -> UInt16? {
        let mapping = entries[index].mapping
        switch entries[index].phase {
        case .held(let held): return held.external.port
        case .gone: return nil
        case .wanted(let first, _):
            guard first <= mapping.externalPorts.upperBound else { return nil }
            return (first...mapping.externalPorts.upperBound).first { port in
                !entries.contains { $0.mapping.transport == mapping.transport && $0.held?.external.port == port }
            }
        }
    }

    // MARK: Answers

    private mutating func found(_ answer: Answer, at now: Instant, into out: inout [Effect]) {
        switch answer {
        case .success:
            isGatewayKnown = true
        case .failure(let failure):
            guard stopDeadline == nil else { return }
            for index in entries.indices where entries[index].due.map({ $0 <= now }) ?? false {
                failed(index, failure, at: now, into: &out)
            }
        }
    }

    private mutating func added(
        _ added: GatewayEntry, _ asked: Asked, _ answer: Answer, at now: Instant, into out: inout [Effect]
    ) {
        guard let index = asked.index else { return }
        switch answer {
        case .success(let address):
            let external = ExternalPort(address: address, port: added.externalPort)
            let isRenewal = entries[index].held?.external == external
            // The router's clock started some time after the question: counting from there is on the safe side.
            let lease = Duration.seconds(leaseSeconds)
            let expires = added.leaseSeconds == 0 ? nil : asked.at + lease
            entries[index].phase = .held(
                Held(external: external, due: asked.at + (lease - lease / 6), expires: expires))
            entries[index].failure = nil
            emit(index, isRenewal ? .renewed(external) : .mapped(external), into: &out)
        case .failure(.onlyPermanentLeases) where !entries[index].isPermanent:
            entries[index].isPermanent = true
        case .failure(.portTaken):
            lostPort(added.externalPort, index, at: now, into: &out)
        case .failure(let failure):
            // It may have come back with other addresses.
            if failure == .noAnswer { isGatewayKnown = false }
            failed(index, failure, at: now, into: &out)
        }
    }

    private mutating func lostPort(_ port: UInt16, _ index: Int, at now: Instant, into out: inout [Effect]) {
        let ports = entries[index].mapping.externalPorts
        if let held = entries[index].held {
            entries[index].phase = .wanted(ports.lowerBound, due: now)
            emit(index, .lost(held.external, .portTaken), into: &out)
        } else if port < ports.upperBound {
            entries[index].phase = .wanted(port + 1, due: now)
        } else {
            failed(index, .portTaken, at: now, into: &out)
        }
    }

    private mutating func removed(_ asked: Asked, _ answer: Answer, into out: inout [Effect]) {
        guard let index = asked.index, let held = entries[index].held else { return }
        entries[index].phase = .gone
        switch answer {
        case .success, .failure(.noSuchEntry): emit(index, .removed(held.external), into: &out)
        case .failure(let failure): left(index, held, failure, into: &out)
        }
    }

    /// An attempt failed for good or for now; the next is a minute away, or soon if a lease is about to end.
    private mutating func failed(
        _ index: Int, _ failure: PortMappingFailure, at now: Instant, into out: inout [Effect]
    ) {
        let isNews = entries[index].failure != failure
        entries[index].failure = failure
        let later = now + min(.seconds(leaseSeconds), Self.longestPause)
        guard var held = entries[index].held else {
            entries[index].phase = .wanted(entries[index].mapping.externalPorts.lowerBound, due: later)
            return emit(index, .failed(failure, isNews: isNews), into: &out)
        }
        guard let expires = held.expires else {
            held.due = later
            entries[index].phase = .held(held)
            return emit(index, .notRenewed(held.external, failure, isNews: isNews), into: &out)
        }
        guard now < expires else {
            // Those who know the port had better find it again.
            entries[index].phase = .wanted(held.external.port, due: later)
            return emit(index, .lost(held.external, failure), into: &out)
        }
        held.due = min(now + .seconds(leaseSeconds) / 30, expires)
        entries[index].phase = .held(held)
        emit(index, .notRenewed(held.external, failure, isNews: isNews), into: &out)
    }

    private mutating func finish(into out: inout [Effect]) {
        for index in entries.indices {
            guard let held = entries[index].held else { continue }
            entries[index].phase = .gone
            left(index, held, .noAnswer, into: &out)
        }
        isFinished = true
        out.append(.finish)
    }

    private func left(_ index: Int, _ held: Held, _ failure: PortMappingFailure, into out: inout [Effect]) {
        emit(index, .left(held.external, failure, isPermanent: held.expires == nil), into: &out)
    }

    private func emit(_ index: Int, _ outcome: PortMappingEvent.Outcome, into out: inout [Effect]) {
        out.append(.emit(PortMappingEvent(index: index, mapping: entries[index].mapping, outcome: outcome)))
    }
}
