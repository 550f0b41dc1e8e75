/// At most one deadline per peer; the earliest is found in O(1), set, moved or removed in O(log n).
public struct DeadlineHeap {
    private struct Entry {
        var at: Instant
        var peer: PeerID
    }

    private var heap: [Entry] = []
    /// Where in `heap` a slot's entry is.
    private var positions: [UInt32: Int] = [:]

    public init() {}

    public var count: Int { heap.count }

    /// The earliest deadline.
    public var next: Instant? { heap.first?.at }

    /// The deadline of a peer.
    public subscript(peer: PeerID) -> Instant? {
        guard let index = positions[peer.slot], heap[index].peer == peer else { return nil }
        return heap[index].at
    }

    /// Sets or moves the deadline of a peer.
    public mutating func schedule(_ peer: PeerID, at instant: Instant) {
        if let index = positions[peer.slot] {
            heap[index] = Entry(at: instant, peer: peer)
            siftUp(siftDown(index))
        } else {
            heap.append(Entry(at: instant, peer: peer))
            positions[peer.slot] = heap.count - 1
            siftUp(heap.count - 1)
        }
    }

    public mutating func cancel(_ peer: PeerID) {
        guard let index = positions[peer.slot], heap[index].peer == peer else { return }
        remove(at: index)
    }

    /// Takes out a peer whose deadline is not after `now`, earliest first.
    public mutating func popDue(at now: Instant) -> PeerID? {
        guard let first = heap.first, first.at <= now else { return nil }
        remove(at: 0)
        return first.peer
    }

    private mutating func remove(at index: Int) {
        swap(index, heap.count - 1)
        let removed = heap.removeLast()
        positions[removed.peer.slot] = nil
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
        positions[heap[left].peer.slot] = left
        positions[heap[right].peer.slot] = right
    }
}
