/// What the operator, or the user, is told of a dropped frame.
struct DroppedFrame {
    var mac = MACAddress.zero
    var etherType: UInt16 = 0
    var length: Int

    init(_ frame: RawSpan) {
        length = frame.byteCount
        guard length >= LinkRules.headerLength else { return }
        mac = frame.mac(at: 6)
        etherType = frame.uint16(at: 12)
    }
}
