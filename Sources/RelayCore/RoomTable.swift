/// The rooms of a listener by name, with a bound on their number. What a room is, its protocol decides.
public struct RoomTable<ID: Hashable, Room> {
    private var rooms: [ID: Room] = [:]
    /// The most rooms there may be; 0 means without limit. Lowering it closes none.
    public var capacity: Int

    public init(capacity: Int) {
        self.capacity = capacity
    }

    public var count: Int { rooms.count }
    public var isFull: Bool { capacity > 0 && rooms.count >= capacity }

    /// Opens a room; `false` if the table is full or the name taken.
    public mutating func open(_ id: ID, _ room: Room) -> Bool {
        guard !isFull, rooms[id] == nil else { return false }
        rooms[id] = room
        return true
    }

    @discardableResult
    public mutating func close(_ id: ID) -> Room? {
        rooms.removeValue(forKey: id)
    }

    public func contains(_ id: ID) -> Bool { rooms[id] != nil }

    /// The room of that name, to read.
    public subscript(id: ID) -> Room? { rooms[id] }

    /// Changes a room that exists, in place; `nil` if there is none.
    public mutating func update<Result>(_ id: ID, _ change: (inout Room) -> Result) -> Result? {
        guard let index = rooms.index(forKey: id) else { return nil }
        return change(&rooms.values[index])
    }

    /// All rooms, in no order.
    public var all: [(id: ID, room: Room)] { rooms.map { ($0.key, $0.value) } }
}
