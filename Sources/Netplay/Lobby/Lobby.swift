import NIOCore
public import RelayCore

/// The rooms of a lobby: who may announce one, what becomes of it, and the list of all.
///
/// An announcement takes two steps, because between them a host may be asked whether it answers, and the room is written
/// down: `begin` says what it means and reserves the room's identity, `finish` or `abandon` ends that.
///
/// Time comes twice: an `Instant` decides what is due, a `Timestamp` is what people read.
public struct Lobby: Sendable {
    struct Entry {
        var room: LobbyRoom
        /// When it was last announced.
        var announced: Instant
        /// Its element of the list.
        var json: ByteBuffer
    }

    var configuration: LobbyConfiguration
    var entries: [Int32: Entry] = [:]
    var numbers: [LobbyRoom.Identity: Int32] = [:]
    /// The rooms in the order of the list.
    var order: [Position] = []
    /// How many rooms each household has, those on their way included.
    var households: [IPPrefix: Int] = [:]
    /// Rooms whose announcement is on its way.
    var pending: [LobbyRoom.Identity: Change] = [:]
    var pendingCreations = 0
    var unsaved = Unsaved()
    var nextID: Int32
    var list: RenderedList?
    /// How often the list was built.
    public internal(set) var listBuilds: UInt64 = 0
    /// Goes up with every change of a room.
    public internal(set) var revision: UInt64 = 0
    /// While draining nothing is listed and nothing taken.
    public private(set) var isDraining = false

    /// `nextID` is the identifier of the first room, above all that were ever given out.
    public init(configuration: LobbyConfiguration, nextID: Int32 = 1) {
        self.configuration = configuration
        self.nextID = max(1, nextID)
    }

    /// Takes rooms over from an earlier run, each as old as it was then, and goes on with its numbers.
    public mutating func restore(
        _ rooms: some Sequence<LobbyRoom>, nextID: Int32 = 1, at now: Instant, date: Timestamp
    ) {
        self.nextID = max(self.nextID, nextID)
        for room in rooms where numbers[room.identity] == nil && entries[room.id] == nil {
            let age = Duration.seconds(max(0, date.seconds - room.updated.seconds))
            households[.household(of: room.content.address), default: 0] += 1
            insert(room, announced: now + (.zero - age))
        }
        removeBlacklisted()
    }

    /// Takes new settings. Rooms that they forbid go at once.
    public mutating func reconfigure(_ configuration: LobbyConfiguration) {
        self.configuration = configuration
        removeBlacklisted()
    }

    /// From now on nothing is listed and nothing taken.
    public mutating func drain() {
        isDraining = true
        list = nil
        revision += 1
    }

    /// Listed and taken again.
    public mutating func endDrain() {
        isDraining = false
        list = nil
        revision += 1
    }

    /// Takes a room out of the list, as the operator wants; `false` if there is none of that number. Its host may
    /// announce it again.
    public mutating func remove(_ id: Int32) -> Bool {
        guard let entry = entries[id] else { return false }
        remove(entry.room)
        return true
    }

    /// Removes the rooms that are hidden. They were kept so long so that a host who comes back finds his room's number.
    public mutating func sweep(at now: Instant) {
        for entry in Array(entries.values) where pending[entry.room.identity] == nil && !isVisible(entry, at: now) {
            remove(entry.room)
        }
    }

    private mutating func removeBlacklisted() {
        for entry in Array(entries.values) where configuration.blacklist.refusal(of: entry.room.content) != nil {
            remove(entry.room)
        }
    }
}

extension Lobby {
    /// What the database does not have yet.
    public struct Unsaved: Sendable {
        /// Rooms whose age and counts of people changed.
        public var touched: Set<Int32> = []
        /// Rooms that are no more.
        public var removed: [Int32] = []

        public init() {}

        public var isEmpty: Bool { touched.isEmpty && removed.isEmpty }
    }

    /// Hands over what is to be written to the database.
    public mutating func takeUnsaved() -> Unsaved {
        defer { unsaved = Unsaved() }
        return unsaved
    }

    /// Takes back what could not be written.
    public mutating func putBack(_ old: Unsaved) {
        unsaved.touched.formUnion(old.touched.filter { entries[$0] != nil })
        unsaved.removed += old.removed
    }
}

// MARK: The table

extension Lobby {
    /// A room's place in the list: by name, and by number among rooms of one name.
    struct Position: Comparable, Sendable {
        var username: String
        var id: Int32

        init(_ room: LobbyRoom) {
            (username, id) = (room.content.username, room.id)
        }

        static func < (left: Position, right: Position) -> Bool {
            (left.username, left.id) < (right.username, right.id)
        }
    }

    func isVisible(_ entry: Entry, at now: Instant) -> Bool {
        now - entry.announced < configuration.roomTimeout
    }

    /// Puts a room in, or the newer form of a room in the place of the older.
    mutating func insert(_ room: LobbyRoom, announced: Instant) {
        let position = Position(room)
        if entries[room.id] == nil { order.insert(position, at: firstIndex(notBefore: position)) }
        numbers[room.identity] = room.id
        entries[room.id] = Entry(room: room, announced: announced, json: LobbyJSON.element(room))
        changed()
    }

    mutating func remove(_ room: LobbyRoom) {
        let index = firstIndex(notBefore: Position(room))
        if index < order.count, order[index].id == room.id { order.remove(at: index) }
        entries[room.id] = nil
        numbers[room.identity] = nil
        leave(.household(of: room.content.address))
        unsaved.touched.remove(room.id)
        unsaved.removed.append(room.id)
        changed()
    }

    mutating func leave(_ household: IPPrefix) {
        let count = households[household, default: 0] - 1
        households[household] = count > 0 ? count : nil
    }

    /// A number that no room has, nor had within the last two billion.
    mutating func takeID() -> Int32 {
        while entries[nextID] != nil { advanceID() }
        defer { advanceID() }
        return nextID
    }

    private mutating func advanceID() {
        nextID = nextID == .max ? 1 : nextID + 1
    }

    private mutating func changed() {
        list = nil
        revision += 1
    }

    private func firstIndex(notBefore position: Position) -> Int {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
