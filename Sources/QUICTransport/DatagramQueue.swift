import RelayCore

/// Datagrams that wait for the congestion window: a ring of equal slots, oldest first.
///
/// The memory is taken when the first one waits, since most connections never need it.
struct DatagramRing: ~Copyable {
    private let slots: Int
    private let slotBytes: Int
    private var memory: UnsafeMutableRawBufferPointer?
    private var lengths: [Int] = []
    private var deadlines: [Instant] = []
    private var first = 0
    private(set) var count = 0

    init(slots: Int, slotBytes: Int) {
        self.slots = max(slots, 1)
        self.slotBytes = slotBytes
    }

    deinit { memory?.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// Adds one in two pieces. Returns whether the oldest had to go for it.
    mutating func append(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, until deadline: Instant)
        -> Bool
    {
        precondition(head.count + body.count <= slotBytes)
        let memory = self.memory ?? allocate()
        let isFull = count == slots
        if isFull { removeFirst() }
        let slot = (first + count) % slots
        let start = slot * slotBytes
        UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + head.count]).copyMemory(from: head)
        UnsafeMutableRawBufferPointer(rebasing: memory[(start + head.count)..<(start + head.count + body.count)])
            .copyMemory(from: body)
        lengths[slot] = head.count + body.count
        deadlines[slot] = deadline
        count += 1
        return isFull
    }

    /// The oldest that is not too old; those that are, are removed and counted.
    mutating func next(at now: Instant, expired: inout Int) -> UnsafeRawBufferPointer? {
        while let memory, count > 0 {
            guard deadlines[first] < now else {
                let start = first * slotBytes
                return UnsafeRawBufferPointer(rebasing: memory[start..<start + lengths[first]])
            }
            removeFirst()
            expired += 1
        }
        return nil
    }

    mutating func removeFirst() {
        first = (first + 1) % slots
        count -= 1
    }

    private mutating func allocate() -> UnsafeMutableRawBufferPointer {
        let new = UnsafeMutableRawBufferPointer.allocate(byteCount: slots * slotBytes, alignment: 16)
        memory = new
        lengths = Array(repeating: 0, count: slots)
        deadlines = Array(repeating: .zero, count: slots)
        return new
    }
}

/// Which of two queues a datagram waits in.
public enum DatagramPriority: Sendable {
    /// Goes first: small frames, of games, ARP, DHCP.
    case urgent
    /// Goes when nothing urgent waits.
    case bulk
}
