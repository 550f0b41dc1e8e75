import LANBridge
import RelayCore

/// The input of a target as a script that is read from its beginning.
struct LANScriptBytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func operation() -> UInt8? { rest.popFirst() }

    mutating func next() -> UInt8 { rest.popFirst() ?? 0 }

    /// Two octets, the higher first.
    mutating func length(atMost limit: Int) -> Int { (Int(next()) << 8 | Int(next())) % (limit + 1) }

    /// As many octets as there are, `count` at most.
    mutating func take(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}

extension OverlayHeader {
    /// As it is sent.
    var octets: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) } }
}

extension MACAddress {
    var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * $0)) } }

    /// The address at an offset of a frame that holds it.
    init(_ frame: [UInt8], at offset: Int) {
        self.init(bits: frame[offset..<offset + 6].reduce(0) { $0 << 8 | UInt64($1) })
    }
}

extension LANOutbox {
    /// The bytes of an effect; they must be there.
    func octets(of bytes: FrameBytes, input: [UInt8]) -> [UInt8] {
        switch bytes {
        case .input(let range): Array(input[range])
        case .scratch(let range): Array(scratch[range])
        }
    }
}
