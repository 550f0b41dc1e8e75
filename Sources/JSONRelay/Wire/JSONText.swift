import NIOCore

/// A string on its way into a message.
enum JSONText {
    /// Octets that are written as they are.
    case verbatim(ByteBuffer)
    /// UTF-8 text, to be escaped.
    case plain(ByteBuffer)
    /// The inside of a JSON string, which may use other escapes than the relay does.
    case encoded(ByteBuffer)

    /// The UTF-8 of a JSON string's inside; octets that should not be there are left out.
    static func decoded(_ encoded: RawSpan) -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(encoded.byteCount)
        var offset = 0
        while let backslash = encoded.nextBackslash(from: offset) {
            text.writeBytes(encoded.extracting(offset..<backslash))
            guard let escape = encoded.escape(at: backslash) else { return text }
            if let scalar = escape.scalar { text.writeScalar(scalar) }
            offset = backslash + escape.length
        }
        text.writeBytes(encoded.extracting(droppingFirst: offset))
        return text
    }
}

extension ByteBuffer {
    /// Writes a text as the inside of a JSON string.
    mutating func writeJSON(_ text: JSONText) {
        switch text {
        case .verbatim(let bytes): writeImmutableBuffer(bytes)
        case .plain(let bytes): writeEscaped(bytes.readableBytesSpan, readsEscapes: false)
        case .encoded(let bytes): writeEscaped(bytes.readableBytesSpan, readsEscapes: true)
        }
    }

    private mutating func writeEscaped(_ text: RawSpan, readsEscapes: Bool) {
        var offset = 0
        while let (position, scalar, length) = text.nextToEscape(from: offset) {
            writeBytes(text.extracting(offset..<position))
            if readsEscapes, scalar == "\\", let escape = text.escape(at: position) {
                if let meant = escape.scalar { writeEscapedIfNeeded(meant) }
                offset = position + escape.length
            } else {
                writeEscape(of: scalar)
                offset = position + length
            }
        }
        writeBytes(text.extracting(droppingFirst: offset))
    }

    private mutating func writeEscapedIfNeeded(_ scalar: Unicode.Scalar) {
        if JSONEscape.isNeeded(for: scalar) {
            writeEscape(of: scalar)
        } else {
            writeScalar(scalar)
        }
    }

    private mutating func writeEscape(of scalar: Unicode.Scalar) {
        if let letter = JSONEscape.letter(for: scalar) {
            writeMultipleIntegers(UInt8(ascii: "\\"), letter)
            return
        }
        for unit in UTF16.encode(scalar) ?? UTF16.EncodedScalar() {
            writeMultipleIntegers(UInt8(ascii: "\\"), UInt8(ascii: "u"))
            for shift in [12, 8, 4, 0] as [UInt16] {
                let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
                writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
            }
        }
    }

    fileprivate mutating func writeScalar(_ scalar: Unicode.Scalar) {
        for octet in UTF8.encode(scalar) ?? UTF8.EncodedScalar() { writeInteger(octet) }
    }
}

extension RawSpan {
    fileprivate func nextBackslash(from start: Int) -> Int? {
        var offset = start
        while true {
            offset = endOfPlainText(from: offset)
            guard let octet = octet(at: offset) else { return nil }
            if octet == UInt8(ascii: "\\") { return offset }
            offset += 1
        }
    }

    /// The next character that may not be written as it is, in text known to be UTF-8.
    fileprivate func nextToEscape(from start: Int) -> (offset: Int, scalar: Unicode.Scalar, length: Int)? {
        var offset = start
        while true {
            offset = endOfPlainText(from: offset)
            guard let (scalar, length) = scalar(at: offset) else { return nil }
            if JSONEscape.isNeeded(for: scalar) { return (offset, scalar, length) }
            offset += length
        }
    }
}
