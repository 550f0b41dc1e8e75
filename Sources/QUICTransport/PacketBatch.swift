public import RelayCore

/// Packets on their way to the wire: groups for one destination each, in the order in which they are to be sent.
///
/// A group's packets have one size, except that the last one may be smaller: what the kernel's segmentation offload
/// (UDP_SEGMENT) takes in one call.
public struct PacketBatch: ~Copyable {
    /// Packets of one connection that lie one behind the other.
    public struct Group {
        /// Where its bytes begin in `bytes`.
        public fileprivate(set) var start: Int
        /// All of its bytes.
        public fileprivate(set) var count: Int
        /// The size of its packets; the last one has what is left.
        public fileprivate(set) var packetBytes: Int
        public fileprivate(set) var packets: Int
        public fileprivate(set) var remote: Endpoint
        fileprivate var isComplete: Bool
    }

    static let maxGroups = 32
    static let packetsPerGroup = 32

    /// What `Group.start` counts in.
    public let bytes: UnsafeMutableRawBufferPointer
    public private(set) var groups: [Group] = []
    private let groupBytes: Int

    /// Room for groups of packets of at most so many bytes.
    init(maxPacketBytes: Int) {
        groupBytes = (Self.packetsPerGroup + 1) * maxPacketBytes
        bytes = .allocate(byteCount: Self.maxGroups * groupBytes, alignment: 64)
        groups.reserveCapacity(Self.maxGroups)
    }

    deinit { bytes.deallocate() }

    var isFull: Bool { groups.count == Self.maxGroups }

    /// Where a connection's next packet is to be written: behind its last one if it may follow it there.
    func place(after group: Int?) -> UnsafeMutablePointer<UInt8>? {
        let start: Int
        if let group, canGrow(group) {
            start = groups[group].start + groups[group].count
        } else {
            start = groups.count * groupBytes
        }
        return bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: UInt8.self) }
    }

    /// Whether the packet that follows would need a group more.
    func needsGroup(after group: Int?) -> Bool {
        guard let group else { return true }
        return !canGrow(group)
    }

    /// A packet was written at `place(after: group)`. Returns the group it belongs to.
    mutating func commit(_ count: Int, after group: Int?, to remote: Endpoint) -> Int {
        guard let group, canGrow(group) else { return open(count, remote: remote) }
        guard groups[group].remote == remote, count <= groups[group].packetBytes else {
            // Another size or destination. `place` left room behind the group; the packet moves to one of its own.
            let from = groups[group].start + groups[group].count
            let start = groups.count * groupBytes
            guard !isFull else { preconditionFailure("a batch was asked for more groups than it has") }
            UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[from..<from + count]))
            groups[group].isComplete = true
            return open(count, remote: remote)
        }
        groups[group].count += count
        groups[group].packets += 1
        if count < groups[group].packetBytes { groups[group].isComplete = true }
        return group
    }

    mutating func removeAll() {
        groups.removeAll(keepingCapacity: true)
    }

    private func canGrow(_ group: Int) -> Bool {
        group < groups.count && !groups[group].isComplete && groups[group].packets < Self.packetsPerGroup
    }

    private mutating func open(_ count: Int, remote: Endpoint) -> Int {
        groups.append(
            Group(
                start: groups.count * groupBytes, count: count, packetBytes: count, packets: 1, remote: remote,
                isComplete: false))
        return groups.count - 1
    }
}
