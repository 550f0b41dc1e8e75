/// At most one deadline per peer; the earliest is found in O(1), set, moved or removed in O(log n).
public struct DeadlineHeap {
    private struct Entry {
        var at: Instant
        var peer: PeerID
    }

    private var heap: [Entry] = []
    /// Where in `heap` a slot's entry is; `absent` if nowhere.
    private var positions: [UInt32] = []
    private static let absent = UInt32.max

    public init() {}

    public var count: Int { heap.count }

    /// The earliest deadline.
    public var next: Instant? { heap.first?.at }

    /// The deadline of a peer.
    public subscript(peer: PeerID) -> Instant? {
        index(of: peer).map { heap[$0].at }
    }

    /// Sets or moves the deadline of a peer.
    public mutating func schedule(_ peer: PeerID, at instant: Instant) {
        let entry = Entry(at: instant, peer: peer)
        while positions.count <= Int(peer.slot) { positions.append(Self.absent) }
        let position = positions[Int(peer.slot)]
        if position != Self.absent {
            heap[Int(position)] = entry
            siftUp(siftDown(Int(position)))
        } else {
            heap.append(entry)
            positions[Int(peer.slot)] = UInt32(heap.count - 1)
            siftUp(heap.count - 1)
        }
    }

    public mutating func cancel(_ peer: PeerID) {
        if let index = index(of: peer) { remove(at: index) }
    }

    /// Takes out a peer whose deadline is not after `now`, earliest first.
    public mutating func popDue(at now: Instant) -> PeerID? {
        guard let first = heap.first, first.at <= now else { return nil }
        remove(at: 0)
        return first.peer
    }

    private func index(of peer: PeerID) -> Int? {
        guard peer.slot < positions.count, positions[Int(peer.slot)] != Self.absent else { return nil }
        let index = Int(positions[Int(peer.slot)])
        return heap[index].peer == peer ? index : nil
    }

    private mutating func remove(at index: Int) {
        swap(index, heap.count - 1)
        let removed = heap.removeLast()
        positions[Int(removed.peer.slot)] = Self.absent
        if index < heap.count { siftUp(siftDown(index)) }
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, heap[index].at < heap[(index - 1) / 2].at {
            swap(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) -> Int {
        var index = start
        while true {
            let children = (2 * index + 1)..<min(2 * index + 3, max(heap.count, 2 * index + 1))
            guard let least = children.min(by: { heap[$0].at < heap[$1].at }), heap[least].at < heap[index].at else {
                return index
            }
            swap(index, least)
            index = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        positions[Int(heap[left].peer.slot)] = UInt32(left)
        positions[Int(heap[right].peer.slot)] = UInt32(right)
    }
}
