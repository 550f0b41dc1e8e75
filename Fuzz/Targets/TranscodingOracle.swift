import CZlib
package import Netplay

/// What must become of one direction of a pair, found the slow way: with every message whole, by zlib's own calls for
/// whole buffers.
package struct TranscodingOracle {
    /// Everything up to the first savestate that is refused or not complete.
    package private(set) var output: [UInt8] = []
    /// Why a savestate is refused.
    package private(set) var error: SavestateError?
    /// The stream stops within a savestate.
    package private(set) var isCutShort = false

    package init(_ stream: [UInt8], _ conversion: Transcoder.Conversion?, maxStateBytes: Int) {
        var rest = stream[...]
        while let message = Self.takeMessage(from: &rest) {
            guard let conversion, message.starts(with: [0, 0, 0, 0x42]) else {
                output += message
                continue
            }
            guard let converted = Self.convert(Array(message), conversion, maxStateBytes) else {
                error = .bad
                if message.count >= 16, word(Array(message), 12) > maxStateBytes { error = .tooLarge }
                return
            }
            output += converted
        }
        let head = Array(rest)
        if let conversion, head.count >= 8, head.starts(with: [0, 0, 0, 0x42]) {
            if word(head, 4) < 8 { error = .bad }
            if head.count >= 16 {
                let (carried, raw) = (word(head, 4) - 8, word(head, 12))
                if raw > maxStateBytes {
                    error = .tooLarge
                } else if conversion == .deflate, raw != carried {
                    error = .bad
                }
                isCutShort = true
            }
        }
        if error == nil, !isCutShort { output += rest }
    }

    /// One whole message from the front.
    private static func takeMessage(from rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.count >= 8 else { return nil }
        let head = Array(rest.prefix(8))
        let length = 8 + word(head, 4) + (word(head, 0) == 0x48 ? 4 : 0)
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }

    private static func convert(
        _ message: [UInt8], _ conversion: Transcoder.Conversion, _ maxStateBytes: Int
    ) -> [UInt8]? {
        guard message.count >= 16 else { return nil }
        let raw = word(message, 12)
        let carried = Array(message[16...])
        guard raw <= maxStateBytes else { return nil }
        let state: [UInt8]?
        switch conversion {
        case .inflate: state = inflated(carried, size: raw)
        case .deflate: state = carried.count == raw ? deflated(carried) : nil
        }
        guard let state else { return nil }
        return message[..<4] + bytes(8 + state.count) + message[8..<16] + state
    }
}

/// The number in the four bytes from `offset` on.
package func word(_ bytes: [UInt8], _ offset: Int) -> Int {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
}

/// A number as four bytes.
package func bytes(_ word: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
}

/// The one zlib stream that `bytes` are, of `size` bytes, and nothing behind it; `nil` if they are not.
package func inflated(_ bytes: [UInt8], size: Int) -> [UInt8]? {
    // A byte more than needed, for zlib is content with too little room if the rest is too.
    var output = [UInt8](repeating: 0, count: size + 1)
    var (produced, consumed) = (uLong(output.count), uLong(bytes.count))
    guard uncompress2(&output, &produced, bytes, &consumed) == Z_OK, produced == size, consumed == bytes.count else {
        return nil
    }
    return Array(output[..<size])
}

/// How many bytes the beginning of a zlib stream says, of which `size` are all.
package func inflatedCount(_ bytes: ArraySlice<UInt8>, size: Int) -> Int {
    var output = [UInt8](repeating: 0, count: size)
    var (produced, consumed) = (uLong(size), uLong(bytes.count))
    _ = uncompress2(&output, &produced, Array(bytes), &consumed)
    return Int(produced)
}

package func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: Int(compressBound(uLong(bytes.count))))
    var produced = uLong(output.count)
    let result = compress2(&output, &produced, bytes, uLong(bytes.count), Z_BEST_SPEED)
    precondition(result == Z_OK, "compress2: \(result)")
    return Array(output[..<Int(produced)])
}
