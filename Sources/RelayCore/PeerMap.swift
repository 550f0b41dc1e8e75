/// State by `PeerID`, for engines that are given identifiers by their caller: an array index, not a hash.
///
/// It grows by pages: what is held does not move, and no spare half of a doubled array stands empty.
public struct PeerMap<Value> {
    @usableFromInline
    struct Entry {
        @usableFromInline var value: Value?
        @usableFromInline var generation: UInt32 = 0

        @usableFromInline init() {}

        /// In place: taking a large value out and putting it back would cost more than most changes.
        @inlinable
        mutating func update<Result>(_ change: (inout Value) -> Result) -> Result? {
            guard value != nil else { return nil }
            // swift-format-ignore: NeverForceUnwrap
            return change(&value!)
        }
    }

    @usableFromInline static var pageSize: Int { 128 }

    /// Pages of `pageSize` entries; empty where no peer was stored yet.
    @usableFromInline var pages: [[Entry]] = []
    public private(set) var count = 0

    public init() {}

    /// The value of a peer; `nil` for a peer never stored, removed, or of an older generation.
    /// Storing replaces what an older generation left.
    public subscript(peer: PeerID) -> Value? {
        @inlinable get {
            let (page, index) = Self.place(of: peer)
            return holds(peer) ? pages[page][index].value : nil
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
        let (page, index) = Self.place(of: peer)
        guard holds(peer) else { return nil }
        return pages[page][index].update(change)
    }

    @discardableResult
    public mutating func remove(_ peer: PeerID) -> Value? {
        guard holds(peer) else { return nil }
        count -= 1
        let (page, index) = Self.place(of: peer)
        return pages[page][index].value.take()
    }

    /// All peers with their values, in slot order.
    public var all: [(peer: PeerID, value: Value)] {
        pages.enumerated().flatMap { page, entries in
            entries.enumerated().compactMap { index, entry in
                entry.value.map { value in
                    (PeerID(slot: UInt32(page * Self.pageSize + index), generation: entry.generation), value)
                }
            }
        }
    }

    /// Every value in slot order, without a list of them: of thousands that would take milliseconds.
    @inlinable
    public func forEachValue(_ body: (Value) -> Void) {
        for page in pages {
            for entry in page {
                if let value = entry.value { body(value) }
            }
        }
    }

    @inlinable
    func holds(_ peer: PeerID) -> Bool {
        let (page, index) = Self.place(of: peer)
        guard page < pages.count, index < pages[page].count else { return false }
        return pages[page][index].generation == peer.generation && pages[page][index].value != nil
    }

    private mutating func store(_ value: Value, for peer: PeerID) {
        let (page, index) = Self.place(of: peer)
        while pages.count <= page { pages.append([]) }
        if pages[page].isEmpty { pages[page] = Array(repeating: Entry(), count: Self.pageSize) }
        if pages[page][index].value == nil { count += 1 }
        pages[page][index].generation = peer.generation
        pages[page][index].value = value
    }

    @inlinable
    static func place(of peer: PeerID) -> (page: Int, index: Int) {
        (Int(peer.slot) / pageSize, Int(peer.slot) % pageSize)
    }
}
