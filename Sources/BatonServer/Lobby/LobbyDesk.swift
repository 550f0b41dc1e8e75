import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import RelayNIO

/// The one place where rooms of the lobby are announced and looked up, whatever connection asks.
///
/// The lobby itself is behind a lock. What takes time (asking a host, writing a room down) happens outside of it, between
/// the two steps of an announcement; so a slow host delays nobody else.
final class LobbyDesk: Sendable {
    private let lobby: NIOLockedValueBox<Lobby>
    private let store = NIOLockedValueBox<LobbyStore?>(nil)
    private let openStore: @Sendable () throws -> LobbyStore
    /// What is wrong with the database, where it could not be opened.
    private let fault = NIOLockedValueBox<String?>(nil)
    private let countries = NIOLockedValueBox<CountryDatabase?>(nil)
    private let reachability: ReachabilityDesk
    private let log: ListenerLog
    private let allowsName: @Sendable (String) -> Bool
    private let counted = NIOLockedValueBox(StreamCounters())

    /// Takes over the rooms of an earlier run. While their database cannot be opened nothing is announced, and it is
    /// tried again.
    init(
        _ configuration: LobbyConfiguration, reachability: ReachabilityDesk, log: ListenerLog,
        allowsName: @escaping @Sendable (String) -> Bool = { _ in true },
        openStore: @escaping @Sendable () throws -> LobbyStore
    ) {
        self.allowsName = allowsName
        self.openStore = openStore
        self.lobby = NIOLockedValueBox(Lobby(configuration: configuration))
        self.reachability = reachability
        self.log = log
        open()
    }

    /// Opens the database, if it is not open. May wait for another program that has it locked.
    private func open() {
        guard store.withLockedValue({ $0 == nil }) else { return }
        do {
            let opened = try openStore()
            let (rooms, nextID) = try opened.load()
            lobby.withLockedValue { $0.restore(rooms, nextID: nextID, at: .now, date: .now()) }
            store.withLockedValue { $0 = opened }
            let wasFailing = fault.withLockedValue { fault in
                defer { fault = nil }
                return fault != nil
            }
            if wasFailing { log.databaseWorks() }
        } catch {
            let words = "\(error)"
            let isNew = fault.withLockedValue { fault in
                defer { fault = words }
                return fault != words
            }
            guard isNew else { return }
            count("database_failed")
            log.failed("database_failed", "\(words); nothing can be announced until it works, and it is tried again")
        }
    }

    // MARK: Announcing

    /// Takes an announcement. The room that is returned is written down.
    func announce(_ form: FormFields, from caller: IPAddress) async throws(LobbyRefusal) -> LobbyRoom {
        do throws(LobbyRefusal) {
            let announcement = try LobbyAnnouncement(form)
            guard allowsName(announcement.username) else { throw .bannedName }
            return try await take(announcement, from: caller)
        } catch {
            refused(error, caller)
            throw error
        }
    }

    private func take(
        _ announcement: LobbyAnnouncement, from caller: IPAddress
    ) async throws(LobbyRefusal) -> LobbyRoom {
        guard let store = store.withLockedValue({ $0 }) else { throw .storageFailed }
        let country = await countries.withLockedValue { $0 }?.country(of: caller) ?? ""
        var proposal = try begin(announcement, from: caller, country: country)
        if proposal.needsProbe { await examine(&proposal.room) }
        // A room that was only heard of again is written with others, soon.
        if proposal.change != .touch || proposal.needsProbe {
            do {
                try await store.save(proposal.room)
            } catch {
                lobby.withLockedValue { $0.abandon(proposal) }
                count("database_failed")
                log.failed("database_failed", "room \(proposal.room.id) could not be written down: \(error)")
                throw .storageFailed
            }
        }
        lobby.withLockedValue { $0.finish(proposal, at: .now) }
        tell(proposal)
        return proposal.room
    }

    private func begin(
        _ announcement: LobbyAnnouncement, from caller: IPAddress, country: String
    ) throws(LobbyRefusal) -> Lobby.Proposal {
        let result = lobby.withLockedValue { lobby -> Result<Lobby.Proposal, LobbyRefusal> in
            do throws(LobbyRefusal) {
                return .success(
                    try lobby.begin(announcement, from: caller, country: country, at: .now, date: .now()))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Asks a room's host if it answers. One that could not be asked counts as out of reach until it is asked again.
    private func examine(_ room: inout LobbyRoom) async {
        do throws(ReachabilityDesk.Refusal) {
            switch try await reachability.ask(Endpoint(address: room.content.address, port: room.content.port)) {
            case .netplay, .full, .denied, .silent, .hungUp: (room.isConnectable, room.isRetroArch) = (true, true)
            case .stranger: (room.isConnectable, room.isRetroArch) = (true, false)
            case .unreachable: (room.isConnectable, room.isRetroArch) = (false, true)
            }
            count(room.isConnectable ? "host_answered" : "host_unreachable")
        } catch {
            room.isConnectable = false
            count("host_not_asked")
        }
    }

    private func tell(_ proposal: Lobby.Proposal) {
        let room = proposal.room
        let host = Endpoint(address: room.content.address, port: room.content.port)
        switch proposal.change {
        case .create: tell(.roomAdded(room), host)
        case .update: tell(.roomUpdated(room), host)
        case .touch: count("room_touched")
        }
    }

    // MARK: Looking up

    /// The list of all rooms as JSON.
    func list() -> ByteBuffer {
        let (list, isNew) = lobby.withLockedValue { lobby in
            let builds = lobby.listBuilds
            let list = lobby.json(at: .now)
            return (list, lobby.listBuilds != builds)
        }
        if isNew { count("list_built") }
        return list
    }

    /// One room as JSON; `nil` if there is none of that number.
    func json(of id: Int32) -> ByteBuffer? { lobby.withLockedValue { $0.json(of: id, at: .now) } }

    /// All rooms in the order of the list.
    func rooms() -> [LobbyRoom] { lobby.withLockedValue { $0.rooms(at: .now) } }

    func relay(named name: String) -> LobbyRelay? { lobby.withLockedValue { $0.relay(named: name) } }

    /// How often rooms have changed.
    var revision: UInt64 { lobby.withLockedValue { $0.revision } }

    var isDraining: Bool { lobby.withLockedValue { $0.isDraining } }

    // MARK: Upkeep

    /// Writes down what was put off, and now and then forgets rooms that nobody announces any more, until it is
    /// cancelled.
    func keepUp(saving: Duration = .seconds(2), sweeping: Duration = .seconds(120)) async {
        var nextSweep = ContinuousClock.now + sweeping
        while (try? await Task.sleep(for: saving)) != nil {
            if nextSweep <= .now {
                sweep()
                nextSweep = .now + sweeping
            }
            _ = try? await NIOThreadPool.singleton.runIfActive { self.open() }
            await saveUnsaved()
        }
    }

    func sweep() {
        let count = lobby.withLockedValue { lobby in
            let before = lobby.keptCount
            lobby.sweep(at: .now)
            return before - lobby.keptCount
        }
        if count > 0 { tell(.roomsSwept(count), nil) }
    }

    func saveUnsaved() async {
        guard let store = store.withLockedValue({ $0 }) else { return }
        let (unsaved, touched) = lobby.withLockedValue { lobby in
            let unsaved = lobby.takeUnsaved()
            return (unsaved, unsaved.touched.compactMap { lobby.room($0) })
        }
        guard !unsaved.isEmpty else { return }
        do {
            try await store.save(touched: touched, removed: unsaved.removed)
        } catch {
            lobby.withLockedValue { $0.putBack(unsaved) }
            count("database_failed")
            log.failed("database_failed", "the age of rooms could not be written down: \(error)")
        }
    }

    /// Takes new settings. A country database that cannot be used leaves the old one in force.
    func reconfigure(_ configuration: LobbyConfiguration, countries path: String?) {
        lobby.withLockedValue { $0.reconfigure(configuration) }
        do {
            try openCountries(path)
        } catch {
            log.failed("country_database_failed", "\(error); the old one stays in use")
        }
    }

    /// Throws `BatonError`.
    func openCountries(_ path: String?) throws {
        let database = try path.map { try CountryDatabase(path: $0) }
        countries.withLockedValue { $0 = database }
    }

    func drain() { lobby.withLockedValue { $0.drain() } }

    func endDrain() { lobby.withLockedValue { $0.endDrain() } }

    /// Takes a room out of the list; `false` if there is none of that number.
    func remove(_ id: Int32) -> Bool { lobby.withLockedValue { $0.remove(id) } }

    /// Writes down what was put off, and closes the database.
    func close() async throws {
        await saveUnsaved()
        try store.withLockedValue { $0 }?.close()
    }

    // MARK: Counting

    var counters: StreamCounters { counted.withLockedValue { $0 } }

    func countConnection(refused refusal: Admission.Refusal?) {
        counted.withLockedValue { counters in
            if let refusal {
                counters.refused.count(refusal.rawValue)
            } else {
                counters.connectionsOpened += 1
            }
        }
    }

    func count(received: Int = 0, answered: Int = 0) {
        counted.withLockedValue { counters in
            counters.bytesReceived += UInt64(received)
            counters.bytesAnswered += UInt64(answered)
        }
    }

    /// Counts and logs a request that is not done.
    func refused(_ refusal: LobbyRefusal, _ caller: IPAddress) {
        counted.withLockedValue { $0.refused.count(refusal.reason.word) }
        log.requestRefused(caller, refusal.reason.word, refusal.reason.sentence)
    }

    func count(_ event: String) { counted.withLockedValue { $0.events.count(event) } }

    private func tell(_ event: LobbyEvent, _ host: Endpoint?) {
        count(event.name)
        log.event(event, host)
    }
}
