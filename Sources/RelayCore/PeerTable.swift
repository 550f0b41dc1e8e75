/// Hands out `PeerID`s and holds a value for each: the table of whoever owns the connections.
public struct PeerTable<Value> {
    @usableFromInline var values = PeerMap<Value>()
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

    /// Every value in slot order, without a list of them.
    @inlinable
    public func forEach(_ body: (Value) -> Void) { values.forEachValue(body) }
}
