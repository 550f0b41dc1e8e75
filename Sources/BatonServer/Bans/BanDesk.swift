import Logging
import NIOConcurrencyHelpers
import RelayCore
import RelayNIO
import ServiceLifecycle

/// The bans that operators make while the server runs: in force for all protocols at once, and written down.
///
/// A database that cannot be used takes nothing away: what it does not take is kept in memory and tried again.
final class BanDesk: Service {
    /// What becomes of what is made.
    enum Keeping: Equatable {
        /// There is no database: a restart forgets.
        case memory
        case database
        /// The database cannot be used; why.
        case failing(String)
    }

    private struct State {
        var bans: [String: Ban] = [:]
        var ids: [Ban.Target: String] = [:]
        var unsaved: Set<String> = []
        var removed: Set<String> = []
        var store: BanStore?
        var fault: String?
        var patterns = 0
        var made: UInt64 = 0
        var lifted: UInt64 = 0
    }

    /// Why a ban is not made.
    enum Refusal: Error {
        case tooMany
        case tooManyPatterns
    }

    /// More would only be somebody's mistake.
    static let most = 200_000
    /// Each of these is looked at for each name.
    static let mostPatterns = 1000

    private let admission: AdmissionDesk
    private let path: String?
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private let relays = NIOLockedValueBox<[any Relay]>([])
    private let order = OneAtATime()

    /// - Parameter path: of the database; without one, a restart forgets all bans.
    init(path: String?, admission: AdmissionDesk, logger: Logger) {
        self.path = path
        self.admission = admission
        self.logger = logger
        guard let path else { return }
        do {
            let store = try BanStore(path: path)
            take(try store.load())
            state.withLockedValue { $0.store = store }
        } catch {
            // Who was banned stays so, even if nobody new can be.
            if let bans = try? BanStore.read(path: path) { take(bans) }
            failed(error)
        }
    }

    /// Whose peers are looked at when a ban is made.
    func watch(_ relays: [any Relay]) {
        self.relays.withLockedValue { $0 = relays }
    }

    /// Forgets bans that are over, and tries again what a database has not taken.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(5))) != nil { await self.keepUp() }
        }
        await save()
        try? state.withLockedValue { $0.store }?.close()
    }

    private func keepUp() async {
        let now = Timestamp.now()
        let over = state.withLockedValue { state in state.bans.values.filter { $0.isOver(at: now) }.map(\.id) }
        for id in over { forget(id) }
        await save()
    }

    // MARK: What is banned

    /// All bans, the oldest first.
    var all: [Ban] {
        let now = Timestamp.now()
        return state.withLockedValue { $0.bans.values.filter { !$0.isOver(at: now) } }
            .sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    var count: Int { state.withLockedValue { $0.bans.count } }

    /// How many bans there are, by what they are about.
    var counts: [(subject: String, count: Int)] {
        let bans = state.withLockedValue { Array($0.ids.keys) }
        return Ban.Subject.allCases.map { subject in
            (subject.rawValue, bans.count { $0.subject == subject })
        }
    }

    /// How often bans were made and lifted, those that ended by themselves included.
    var changes: (made: UInt64, lifted: UInt64) { state.withLockedValue { ($0.made, $0.lifted) } }

    func ban(_ id: String) -> Ban? { state.withLockedValue { $0.bans[id] } }

    var keeping: Keeping {
        guard path != nil else { return .memory }
        return state.withLockedValue { $0.fault }.map { .failing($0) } ?? .database
    }

    /// Bans, each in place of one of the same target, and parts from whom they are about. All or none are made.
    func add(_ bans: [Ban]) async throws {
        try state.withLockedValue { state in
            let new = bans.filter { state.ids[$0.target] == nil }
            guard state.bans.count + new.count <= Self.most else { throw Refusal.tooMany }
            let patterns = new.count { $0.isPattern }
            guard state.patterns + patterns <= Self.mostPatterns else { throw Refusal.tooManyPatterns }
        }
        take(bans)
        state.withLockedValue { state in
            state.unsaved.formUnion(bans.map(\.id))
            state.made &+= UInt64(bans.count)
        }
        for ban in bans.prefix(Self.mostLogged) {
            logger.notice(
                "a ban was made",
                metadata: [
                    "event": "banned", "subject": "\(ban.target.subject.rawValue)", "value": "\(ban.target.value)",
                    "author": "\(ban.author)", "ban": "\(ban.id)",
                ])
        }
        await enforce()
        await save()
    }

    /// Lifts a ban; `false` if there is none of that number.
    func remove(_ id: String) async -> Bool {
        guard let ban = forget(id) else { return false }
        logger.notice(
            "a ban was lifted",
            metadata: [
                "event": "ban_lifted", "subject": "\(ban.target.subject.rawValue)", "value": "\(ban.target.value)",
                "ban": "\(id)",
            ])
        await save()
        return true
    }

    /// Parts from everybody who may not be here.
    func enforce() async {
        for relay in relays.withLockedValue({ $0 }) { _ = try? await relay.enforceBans(of: admission) }
    }

    /// An import writes no more lines than this.
    private static let mostLogged = 20

    private func take(_ bans: [Ban]) {
        let (now, date) = (Instant.now, Timestamp.now())
        state.withLockedValue { state in
            admission.changeBans { addresses, names in
                for ban in bans where !ban.isOver(at: date) {
                    if let old = state.ids[ban.target], old != ban.id {
                        state.bans[old] = nil
                        state.unsaved.remove(old)
                        state.removed.insert(old)
                    } else if state.ids[ban.target] == nil, ban.isPattern {
                        state.patterns += 1
                    }
                    state.bans[ban.id] = ban
                    state.ids[ban.target] = ban.id
                    let until = ban.expires.map { now + .seconds($0.seconds - date.seconds) }
                    ban.target.add(until: until, reason: ban.reason, &addresses, &names)
                }
            }
        }
    }

    @discardableResult
    private func forget(_ id: String) -> Ban? {
        state.withLockedValue { state in
            guard let ban = state.bans.removeValue(forKey: id) else { return nil }
            state.ids[ban.target] = nil
            state.unsaved.remove(id)
            state.removed.insert(id)
            state.lifted &+= 1
            if ban.isPattern { state.patterns -= 1 }
            admission.changeBans { ban.target.remove(from: &$0, &$1) }
            return ban
        }
    }

    // MARK: Writing down

    private func save() async {
        _ = try? await order.run { [self] in await saveNow() }
    }

    private func saveNow() async {
        guard let path else { return }
        let (bans, removed, isFailing) = state.withLockedValue { state in
            defer { (state.unsaved, state.removed) = ([], []) }
            return (state.unsaved.compactMap { state.bans[$0] }, state.removed, state.fault != nil)
        }
        guard isFailing || !bans.isEmpty || !removed.isEmpty else { return }
        do {
            try await openStore(path).save(bans, removing: removed)
            recovered()
        } catch {
            state.withLockedValue { state in
                state.unsaved.formUnion(bans.map(\.id).filter { state.bans[$0] != nil })
                state.removed.formUnion(removed)
                state.store = nil
            }
            failed(error)
        }
    }

    private func openStore(_ path: String) throws -> BanStore {
        if let store = state.withLockedValue({ $0.store }) { return store }
        let store = try BanStore(path: path)
        // What it holds may be new to us; what was lifted meanwhile is not.
        let known = state.withLockedValue { state in (Set(state.bans.keys).union(state.removed), state.ids) }
        take(try store.load().filter { !known.0.contains($0.id) && known.1[$0.target] == nil })
        state.withLockedValue { $0.store = store }
        return store
    }

    private func failed(_ error: any Error) {
        let words = "admin.bans_database: \(path ?? "") \(DatabaseFault.words(for: error))"
        let isNew = state.withLockedValue { state in
            defer { state.fault = words }
            return state.fault != words
        }
        guard isNew else { return }
        logger.error(
            "bans are kept in memory only, and it is tried again: \(words)", metadata: ["event": "ban_database_failed"])
    }

    private func recovered() {
        let wasFailing = state.withLockedValue { state in
            defer { state.fault = nil }
            return state.fault != nil
        }
        guard wasFailing else { return }
        logger.notice("bans are written down again", metadata: ["event": "ban_database_works"])
    }
}

extension Ban {
    fileprivate var isPattern: Bool { target.subject != .address && !NamePattern(target.value).isPlain }
}

extension Ban.Target {
    fileprivate func add(until: Instant?, reason: String, _ addresses: inout BanList, _ names: inout NameBans) {
        switch subject {
        case .address:
            guard let prefix = IPPrefix(value) else { return }
            addresses.add(BanList.Ban(prefix: prefix, until: until, reason: reason))
        case .name, .room:
            names.add(
                NameBans.Ban(
                    kind: subject == .name ? .name : .room, pattern: value, protocolName: protocolName, until: until,
                    reason: reason))
        }
    }

    fileprivate func remove(from addresses: inout BanList, _ names: inout NameBans) {
        switch subject {
        case .address: if let prefix = IPPrefix(value) { addresses.remove(prefix) }
        case .name, .room: names.remove(subject == .name ? .name : .room, value, of: protocolName)
        }
    }
}
