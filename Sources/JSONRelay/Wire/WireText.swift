/// Reading UTF-8 and JSON's escapes in bytes that nobody vouches for: every access is checked.
extension RawSpan {
    /// One octet; `nil` past the end.
    func octet(at offset: Int) -> UInt8? {
        offset >= 0 && offset < byteCount ? unsafeLoad(fromByteOffset: offset, as: UInt8.self) : nil
    }

    /// Whether the octets from `offset` on begin with `text`.
    func holds(_ text: StaticString, at offset: Int) -> Bool {
        guard offset >= 0, offset <= byteCount, text.utf8CodeUnitCount <= byteCount - offset else { return false }
        return text.withUTF8Buffer { text in
            let wanted = UnsafeRawBufferPointer(text)
            var index = 0
            while wanted.count - index >= 8 {
                let word = unsafeLoadUnaligned(fromByteOffset: offset + index, as: UInt64.self)
                if word != wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
                index += 8
            }
            while index < wanted.count {
                if octet(at: offset + index) != wanted[index] { return false }
                index += 1
            }
            return true
        }
    }

    /// Where the run of plain text from `offset` on ends: printable ASCII but for `"` and `\`.
    func endOfPlainText(from offset: Int) -> Int {
        var offset = offset
        while offset >= 0, byteCount - offset >= 8 {
            let word = UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let found = word.octetsOutsidePlainText
            if found != 0 { return offset + found.trailingZeroBitCount / 8 }
            offset += 8
        }
        while let octet = octet(at: offset), UInt64(octet).octetsOutsidePlainText & 0xFF == 0 { offset += 1 }
        return offset
    }

    /// The UTF-8 sequence at `offset`; `nil` at the end, and where the octets are not strictly UTF-8.
    func scalar(at offset: Int) -> (scalar: Unicode.Scalar, length: Int)? {
        guard let first = octet(at: offset) else { return nil }
        let (length, least): (Int, UInt32) =
            switch first {
            case 0x00...0x7F: (1, 0)
            case 0xC2...0xDF: (2, 0x80)
            case 0xE0...0xEF: (3, 0x800)
            case 0xF0...0xF4: (4, 0x1_0000)
            default: (0, 0)
            }
        guard length > 0 else { return nil }
        var value = UInt32(first) & (length == 1 ? 0x7F : 0xFF >> UInt32(length + 1))
        for index in 1..<max(length, 1) {
            guard let next = octet(at: offset + index), next & 0xC0 == 0x80 else { return nil }
            value = value << 6 | UInt32(next & 0x3F)
        }
        guard value >= least, let scalar = Unicode.Scalar(value) else { return nil }
        return (scalar, length)
    }

    /// The escape sequence whose backslash is at `offset`; `nil` if it is not one.
    func escape(at offset: Int) -> JSONEscape? {
        guard let letter = octet(at: offset + 1) else { return nil }
        if letter == UInt8(ascii: "u") { return unicodeEscape(at: offset) }
        guard let scalar = JSONEscape.scalar(ofLetter: letter) else { return nil }
        return JSONEscape(scalar: scalar, length: 2, isCanonical: scalar != "/")
    }

    private func unicodeEscape(at offset: Int) -> JSONEscape? {
        guard let first = codeUnit(at: offset) else { return nil }
        if let scalar = Unicode.Scalar(UInt32(first.value)) {
            let hasThisForm = JSONEscape.isNeeded(for: scalar) && JSONEscape.letter(for: scalar) == nil
            return JSONEscape(scalar: scalar, length: 6, isCanonical: first.isUpperCase && hasThisForm)
        }
        guard UTF16.isLeadSurrogate(first.value), octet(at: offset + 6) == UInt8(ascii: "\\"),
            octet(at: offset + 7) == UInt8(ascii: "u"), let second = codeUnit(at: offset + 6),
            UTF16.isTrailSurrogate(second.value)
        else { return JSONEscape(scalar: nil, length: 6, isCanonical: false) }
        let value = 0x1_0000 + (UInt32(first.value & 0x3FF) << 10 | UInt32(second.value & 0x3FF))
        return JSONEscape(
            scalar: Unicode.Scalar(value), length: 12, isCanonical: first.isUpperCase && second.isUpperCase)
    }

    /// The four hexadecimal digits of the `\uXXXX` at `offset`.
    private func codeUnit(at offset: Int) -> (value: UInt16, isUpperCase: Bool)? {
        var value: UInt16 = 0
        var isUpperCase = true
        for index in 2..<6 {
            guard let octet = octet(at: offset + index) else { return nil }
            let digit: UInt8
            switch octet {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = octet - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = octet - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                digit = octet - UInt8(ascii: "a") + 10
                isUpperCase = false
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return (value, isUpperCase)
    }
}

extension UInt64 {
    /// Marks, in the top bit of each octet, those that are not plain text. Only the lowest mark can be relied on: a
    /// borrow may set marks above it.
    fileprivate var octetsOutsidePlainText: UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = self ^ (ones &* 0x22)
        let backslash = self ^ (ones &* 0x5C)
        let delete = self ^ (ones &* 0x7F)
        let belowSpace = (self &- ones &* 0x20) & ~self
        let equal = (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (delete &- ones) & ~delete
        return (self | belowSpace | equal) & (ones &* 0x80)
    }
}
