import CLinuxNet
import Glibc
import LANBridge

/// The card that faces a LAN: every frame on it is seen, and any can be sent (AF_PACKET with a ring that the kernel
/// shares).
///
/// The ring is that of TPACKET_V2, which shows a frame the moment it is there; TPACKET_V3 hands over blocks, by a timer,
/// which is cheaper for captures but makes single frames wait for milliseconds.
package final class LANCard {
    package let link: Link
    private var capture = clinuxnet_capture()
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: slots * slotBytes, alignment: 64)
    private let pieces = UnsafeMutableBufferPointer<clinuxnet_piece>.allocate(capacity: slots)
    private var waiting = 0
    /// A frame longer than the ring has room for, and a piece of it.
    private let long = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    private let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: slotBytes, alignment: 64)

    package private(set) var statistics = Statistics()

    /// What could not pass as it was.
    package struct Statistics: Sendable, Equatable {
        /// Frames the card could not send.
        package var unsent: UInt64 = 0
        /// Frames that came in faster than they were taken.
        package var overflowed: UInt64 = 0
        /// Frames longer than any wire has, of a kind that cannot be cut up.
        package var overlong: UInt64 = 0
        /// Frames that had a VLAN tag, which the card took off.
        package var tagged: UInt64 = 0
    }

    private static let slots = 64
    private static let slotBytes = 2048
    private static let ringSlots: UInt32 = 2048

    package init(_ link: Link) throws(NetworkFailure) {
        self.link = link
        pieces.initialize(repeating: clinuxnet_piece())
        capture.fd = -1
        try NetworkFailure.check(
            clinuxnet_open_capture(link.name, Self.ringSlots, UInt32(Self.slotBytes), &capture),
            "see the frames of \(link)")
    }

    deinit {
        clinuxnet_close_capture(&capture)
        memory.deallocate()
        long.deallocate()
        piece.deallocate()
        pieces.deallocate()
    }

    var descriptor: CInt { capture.fd }

    /// Reads frames, at most so many. Returns `false` if the card is gone.
    func read(atMost count: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        var frame = clinuxnet_frame()
        for _ in 0..<count {
            guard clinuxnet_captured(&capture, &frame) == 1 else { return settle() }
            pass(frame, to: body)
            clinuxnet_give_back(&capture)
        }
        return true
    }

    private func pass(_ frame: clinuxnet_frame, to body: (UnsafeRawBufferPointer) -> Void) {
        var bytes = UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length))
        if frame.is_cut != 0 {
            guard frame.is_kept != 0 else {
                statistics.overflowed &+= 1
                return
            }
            let length = clinuxnet_whole_frame(&capture, long.baseAddress, UInt32(long.count))
            bytes = UnsafeRawBufferPointer(rebasing: long[..<Int(length)])
        }
        if frame.is_tagged != 0 {
            statistics.tagged &+= 1
        } else if frame.segment != 0 {
            var scratch = MutableRawSpan(_unsafeBytes: piece)
            let isSplit = Segmentation.split(bytes.bytes, segment: Int(frame.segment), scratch: &scratch) { piece in
                piece.withUnsafeBytes { body($0) }
            }
            if !isSplit { statistics.overlong &+= 1 }
        } else if frame.is_cut != 0 {
            statistics.overlong &+= 1
        } else {
            if frame.needs_checksum != 0 {
                clinuxnet_complete_checksum(
                    UnsafeMutablePointer(mutating: frame.bytes), frame.length, frame.checksum_start, frame.checksum_at)
            }
            body(bytes)
        }
    }

    /// Takes note of an error that waits at the socket, else it would be readable for ever.
    private func settle() -> Bool {
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(capture.fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return false }
        return code == 0 || link.index != nil
    }

    /// Sends a frame with the next `flush`.
    func write(_ frame: UnsafeRawBufferPointer) {
        guard frame.count <= Self.slotBytes else {
            statistics.unsent &+= 1
            return
        }
        if waiting == Self.slots { flush() }
        let start = waiting * Self.slotBytes
        UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + frame.count]).copyMemory(from: frame)
        pieces[waiting] = clinuxnet_piece(start: UInt32(start), length: UInt32(frame.count))
        waiting += 1
    }

    func flush() {
        guard waiting > 0 else { return }
        let failed = clinuxnet_send_frames(capture.fd, memory.baseAddress, pieces.baseAddress, CInt(waiting))
        statistics.unsent &+= UInt64(max(failed, 0))
        waiting = 0
    }

    /// Asks the kernel how much the ring missed.
    func countOverflows() { statistics.overflowed &+= UInt64(clinuxnet_capture_drops(capture.fd)) }
}
