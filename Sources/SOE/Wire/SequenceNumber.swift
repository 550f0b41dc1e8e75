/// The 16 bits of a sequence on the wire, widened so that they never wrap.
public enum SequenceNumber {
    /// The number nearest to `position` that ends in these 16 bits; it may be negative, which is older than anything.
    @inline(__always)
    public static func widen(_ wire: UInt16, near position: Int64) -> Int64 {
        let difference = Int16(bitPattern: wire &- UInt16(truncatingIfNeeded: position))
        return position &+ Int64(difference)
    }
}
