/// Cuts what a sender left to its card to cut: a long frame of one TCP or UDP flow, as machines hand them to each other
/// over virtual cards, becomes the frames a wire would have carried (RFC 9293, RFC 768; checksums RFC 1071).
public enum Segmentation {
    /// Cuts one frame up.
    /// - Parameters:
    ///   - frame: Ethernet without a tag, IPv4 or IPv6 without extension headers, TCP or UDP. Its checksum may be unset.
    ///   - segment: how many bytes of payload each piece has; the last one has the rest.
    ///   - scratch: memory for one piece.
    ///   - body: gets each piece in order, complete with lengths, numbers and checksums.
    /// - Returns: `false`, and no piece, if the frame is of another kind or a piece does not fit `scratch`.
    public static func split(
        _ frame: RawSpan, segment: Int, scratch: inout MutableRawSpan, _ body: (RawSpan) -> Void
    ) -> Bool {
        guard let layout = Layout(frame), segment > 0,
            layout.payload.lowerBound + min(segment, layout.payload.count) <= scratch.byteCount
        else { return false }
        var offset = layout.payload.lowerBound
        repeat {
            let end = min(offset + segment, layout.payload.upperBound)
            let count = layout.write(offset..<end, of: frame, segment: segment, to: &scratch)
            body(scratch.bytes.extracting(0..<count))
            offset = end
        } while offset < layout.payload.upperBound
        return true
    }

    private struct Layout {
        var isIPv4: Bool
        var isTCP: Bool
        /// Where the header of TCP or UDP begins.
        var start: Int
        var payload: Range<Int>

        init?(_ frame: RawSpan) {
            let link = LinkRules.headerLength
            guard frame.byteCount >= link + 28 else { return nil }
            let end: Int
            let proto: UInt8
            switch frame.uint16(at: link - 2) {
            case 0x0800:
                guard let header = IPv4Rules.header(of: frame), header.fragmentOffset == 0, !header.hasMoreFragments
                else {
                    return nil
                }
                (isIPv4, proto) = (true, header.proto)
                (start, end) = (header.payload.lowerBound, header.payload.upperBound)
            case 0x86DD where frame.byteCount >= link + 48:
                (isIPv4, proto, start) = (false, frame.octet(at: link + 6), link + 40)
                end = start + Int(frame.uint16(at: link + 4))
            default: return nil
            }
            let headerLength: Int
            switch proto {
            case 6 where end >= start + 20 && end <= frame.byteCount:
                headerLength = Int(frame.octet(at: start + 12) >> 4) * 4
                guard headerLength >= 20 else { return nil }
            case 17 where end >= start + 8 && end <= frame.byteCount: headerLength = 8
            default: return nil
            }
            guard start + headerLength <= end else { return nil }
            isTCP = proto == 6
            payload = start + headerLength..<end
        }

        /// Puts together the piece that carries `part`; gives its length.
        func write(_ part: Range<Int>, of frame: RawSpan, segment: Int, to piece: inout MutableRawSpan) -> Int {
            let count = payload.lowerBound + part.count
            frame.withUnsafeBytes { source in
                piece.withUnsafeMutableBytes { target in
                    target.copyBytes(from: source[..<payload.lowerBound])
                    UnsafeMutableRawBufferPointer(rebasing: target[payload.lowerBound..<count])
                        .copyBytes(from: source[part])
                }
            }
            let done = part.lowerBound - payload.lowerBound
            setInternet(count, number: done / segment, in: &piece)
            if isTCP {
                setTCP(done: done, isLast: part.upperBound == payload.upperBound, in: &piece)
            } else {
                set(UInt16(truncatingIfNeeded: count - start), at: start + 4, in: &piece)
            }
            setChecksum(count, in: &piece)
            return count
        }

        private func setInternet(_ count: Int, number: Int, in piece: inout MutableRawSpan) {
            let link = LinkRules.headerLength
            guard isIPv4 else { return set(UInt16(truncatingIfNeeded: count - start), at: link + 4, in: &piece) }
            set(UInt16(truncatingIfNeeded: count - link), at: link + 2, in: &piece)
            let identification = piece.bytes.uint16(at: link + 4) &+ UInt16(truncatingIfNeeded: number)
            set(identification, at: link + 4, in: &piece)
            set(0, at: link + 10, in: &piece)
            set(folded(sum(of: piece.bytes, link..<start)), at: link + 10, in: &piece)
        }

        private func setTCP(done: Int, isLast: Bool, in piece: inout MutableRawSpan) {
            let sequence = piece.bytes.uint32(at: start + 4) &+ UInt32(truncatingIfNeeded: done)
            piece.storeBytes(of: sequence.bigEndian, toByteOffset: start + 4, as: UInt32.self)
            var flags = piece.bytes.octet(at: start + 13)
            // The end and the push are those of the last byte; that the window was reduced is said once (RFC 3168).
            if !isLast { flags &= ~0x09 }
            if done > 0 { flags &= ~0x80 }
            piece.storeBytes(of: flags, toByteOffset: start + 13, as: UInt8.self)
        }

        private func setChecksum(_ count: Int, in piece: inout MutableRawSpan) {
            let at = start + (isTCP ? 16 : 6)
            set(0, at: at, in: &piece)
            let addresses = LinkRules.headerLength + (isIPv4 ? 12 : 8)
            let pseudo =
                sum(of: piece.bytes, addresses..<addresses + (isIPv4 ? 8 : 32)) + UInt64(isTCP ? 6 : 17)
                + UInt64(count - start)
            let checksum = folded(pseudo + sum(of: piece.bytes, start..<count))
            set(!isTCP && checksum == 0 ? 0xFFFF : checksum, at: at, in: &piece)
        }

        private func set(_ value: UInt16, at offset: Int, in piece: inout MutableRawSpan) {
            piece.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
        }
    }

    private static func sum(of bytes: RawSpan, _ range: Range<Int>) -> UInt64 {
        var sum: UInt64 = 0
        var offset = range.lowerBound
        while offset + 4 <= range.upperBound {
            sum += UInt64(bytes.uint32(at: offset))
            offset += 4
        }
        if offset + 2 <= range.upperBound {
            sum += UInt64(bytes.uint16(at: offset))
            offset += 2
        }
        return offset < range.upperBound ? sum + UInt64(bytes.octet(at: offset)) << 8 : sum
    }

    private static func folded(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum >> 16 != 0 { sum = (sum & 0xFFFF) + (sum >> 16) }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
