/// Hands out `PeerID`s and holds a value for each: the table of whoever owns the connections.
public struct PeerTable<Value> {
    private var values = PeerMap<Value>()
    private var generations: [UInt32] = []
    private var freeSlots: [UInt32] = []

    public init() {}

    public var count: Int { values.count }

    /// Makes an identifier, and with it the value to hold.
    public mutating func insert(_ makeValue: (PeerID) -> Value) -> PeerID {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(generations.count)
            generations.append(0)
        }
        let peer = PeerID(slot: slot, generation: generations[Int(slot)])
        values[peer] = makeValue(peer)
        return peer
    }

    /// Frees the identifier; its slot goes to a later peer under the next generation.
    @discardableResult
    public mutating func remove(_ peer: PeerID) -> Value? {
        guard let value = values.remove(peer) else { return nil }
        generations[Int(peer.slot)] &+= 1
        freeSlots.append(peer.slot)
        return value
    }

    public subscript(peer: PeerID) -> Value? { values[peer] }

    /// All values, in slot order.
    public var all: [Value] { values.all.map(\.value) }
}

/// State by `PeerID`, for engines that are given identifiers by their caller: an array index, not a hash.
public struct PeerMap<Value> {
    @usableFromInline
    struct Entry {
        @usableFromInline var generation: UInt32
        @usableFromInline var value: Value?
    }

    @usableFromInline var entries: [Entry] = []
    public private(set) var count = 0

    public init() {}

    /// The value of a peer; `nil` for a peer never stored, removed, or of an older generation.
    /// Storing replaces what an older generation left.
    public subscript(peer: PeerID) -> Value? {
        @inlinable get {
            holds(peer) ? entries[Int(peer.slot)].value : nil
        }
        set {
            if let newValue {
                store(newValue, for: peer)
            } else {
                remove(peer)
            }
        }
    }

    /// Changes the value of a peer in place; `nil` if there is none.
    @inlinable @discardableResult
    public mutating func update<Result>(_ peer: PeerID, _ change: (inout Value) -> Result) -> Result? {
        guard holds(peer), var value = entries[Int(peer.slot)].value.take() else { return nil }
        defer { entries[Int(peer.slot)].value = value }
        return change(&value)
    }

    @inlinable
    func holds(_ peer: PeerID) -> Bool {
        peer.slot < entries.count && entries[Int(peer.slot)].generation == peer.generation
            && entries[Int(peer.slot)].value != nil
    }

    @discardableResult
    public mutating func remove(_ peer: PeerID) -> Value? {
        guard holds(peer) else { return nil }
        count -= 1
        return entries[Int(peer.slot)].value.take()
    }

    /// All peers with their values, in slot order.
    public var all: [(peer: PeerID, value: Value)] {
        entries.enumerated().compactMap { slot, entry in
            entry.value.map { (PeerID(slot: UInt32(slot), generation: entry.generation), $0) }
        }
    }

    private mutating func store(_ value: Value, for peer: PeerID) {
        while entries.count <= Int(peer.slot) {
            entries.append(Entry(generation: 0, value: nil))
        }
        if entries[Int(peer.slot)].value == nil { count += 1 }
        entries[Int(peer.slot)] = Entry(generation: peer.generation, value: value)
    }
}
