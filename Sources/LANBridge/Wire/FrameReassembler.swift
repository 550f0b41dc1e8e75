package import RelayCore

/// Puts the parts of frames together again: few at once, none that waits long, all in memory that is taken once.
package struct FrameReassembler: Sendable {
    /// No frame of a room is longer: 1500 bytes, and the header.
    static let maxFrame = FrameBudget.fullMTU + LinkRules.headerLength
    /// Parts are sent one after the other, so a second that comes later than this will not come.
    private static let lifetime = Duration.milliseconds(200).wholeNanoseconds

    private struct Slot: Sendable {
        var isOpen = false
        var number: UInt16 = 0
        var frameLength = 0
        /// Where the parts meet, and whether the first is here (else the second).
        var seam = 0
        var hasFirst = false
        var since = Instant.zero
    }

    private var slots: [Slot]
    private var storage: [UInt8] = []
    /// Frames of which one part came only.
    private(set) var incomplete: UInt64 = 0

    package init(slots: Int) {
        self.slots = Array(repeating: Slot(), count: max(1, slots))
    }

    package var waiting: Int { slots.count { $0.isOpen } }

    /// Takes one part in. Once the other has come too, `body` is given the frame.
    package mutating func add<Result>(
        _ header: OverlayHeader, _ datagram: RawSpan, at now: Instant, _ body: (RawSpan) -> Result
    ) -> Result? {
        guard header.frameLength <= Self.maxFrame else { return nil }
        if storage.isEmpty { storage = [UInt8](repeating: 0, count: slots.count * Self.maxFrame) }
        let isFirst = header.offset == 0
        let count = datagram.byteCount - OverlayHeader.length
        let seam = isFirst ? count : header.offset
        let index = slot(for: header.number, at: now)
        let known = slots[index]
        let isSame = known.isOpen && known.number == header.number
        if isSame, known.hasFirst == isFirst, known.seam == seam, known.frameLength == header.frameLength {
            return nil  // The same part once more.
        }
        let base = index * Self.maxFrame
        storage.withUnsafeMutableBytes { memory in
            datagram.withUnsafeBytes { bytes in
                let start = base + header.offset
                UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[OverlayHeader.length...]))
            }
        }
        if isSame, known.hasFirst != isFirst, known.seam == seam, known.frameLength == header.frameLength {
            slots[index].isOpen = false
            return body(storage.span.bytes.extracting(base..<base + header.frameLength))
        }
        if known.isOpen { incomplete &+= 1 }
        slots[index] = Slot(
            isOpen: true, number: header.number, frameLength: header.frameLength, seam: seam, hasFirst: isFirst,
            since: now)
        return nil
    }

    /// The slot where the frame waits, else a free one, else the one that waits longest.
    private mutating func slot(for number: UInt16, at now: Instant) -> Int {
        var choice = 0
        for index in slots.indices {
            if slots[index].isOpen, now.nanoseconds - slots[index].since.nanoseconds > Self.lifetime {
                slots[index].isOpen = false
                incomplete &+= 1
            }
            if slots[index].isOpen, slots[index].number == number { return index }
            if !slots[choice].isOpen { continue }
            if !slots[index].isOpen || slots[index].since < slots[choice].since { choice = index }
        }
        return choice
    }
}
