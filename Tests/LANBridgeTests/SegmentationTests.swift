import LANBridge
import RelayCore
import Testing

/// Frames that a card was to cut up.
@Suite("Segmentation")
struct SegmentationTests {
    @Test(arguments: [false, true], [false, true])
    func thePiecesCarryTheFlowAsOneCardWould(_ isIPv6: Bool, _ isTCP: Bool) {
        let payload = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let frame = LongFrame(isIPv6: isIPv6, isTCP: isTCP, payload: payload)
        let pieces = split(frame.octets, segment: 1448)
        #expect(pieces.map { $0.count - frame.headerLength } == [1448, 1448, 1448, 656])
        #expect(pieces.flatMap { $0[frame.headerLength...] } == payload)
        for (index, piece) in pieces.enumerated() {
            #expect(piece[..<14] == frame.octets[..<14])
            #expect(frame.transportSum(piece) == 0xFFFF, "piece \(index)")
            let length = uint16(piece, isIPv6 ? 18 : 16)
            #expect(length == piece.count - (isIPv6 ? 54 : 14))
            if !isIPv6 {
                #expect(uint16(piece, 18) == (0xFFFE + index) & 0xFFFF)
                #expect(LongFrame.sum(piece[14..<34]) == 0xFFFF)
            }
            if isTCP {
                #expect(uint16(piece, frame.start + 6) == 1448 * index, "the sequence number")
                #expect(uint16(piece, frame.start + 4) == 0x1111)
                // Acknowledged is all; reduced is the first; pushed and ended is the last.
                #expect(piece[frame.start + 13] == (index == 0 ? 0x90 : index == 3 ? 0x19 : 0x10))
            } else {
                #expect(uint16(piece, frame.start + 4) == piece.count - frame.start)
            }
        }
    }

    @Test func optionsOfBothHeadersAreInEveryPiece() {
        let frame = LongFrame(isIPv6: false, isTCP: true, payload: [UInt8](repeating: 9, count: 301), options: 12)
        let pieces = split(frame.octets, segment: 100)
        #expect(pieces.map(\.count) == [166, 166, 166, 67])
        #expect(pieces.allSatisfy { frame.transportSum($0) == 0xFFFF && $0[54..<66] == frame.octets[54..<66] })
    }

    @Test func aFrameWithoutPayloadIsOnePiece() {
        let frame = LongFrame(isIPv6: false, isTCP: true, payload: [])
        #expect(split(frame.octets, segment: 100).map(\.count) == [54])
    }

    /// Every end, and every change of a byte of the headers: a piece comes whole or none at all, and nothing traps.
    @Test func whatIsNotWhatItSaysIsNotCut() {
        for frame in [(false, false), (false, true), (true, false), (true, true)].map({
            LongFrame(isIPv6: $0.0, isTCP: $0.1, payload: [UInt8](repeating: 1, count: 300))
        }) {
            for length in 0..<frame.octets.count {
                #expect(split(Array(frame.octets[..<length]), segment: 100).isEmpty)
            }
            for place in 12..<frame.headerLength {
                for value in UInt8.min...UInt8.max {
                    var octets = frame.octets
                    octets[place] = value
                    for piece in split(octets, segment: 100) { #expect(piece.count <= frame.headerLength + 140) }
                }
            }
            #expect(split(frame.octets, segment: 0).isEmpty)
            #expect(split(frame.octets, segment: 60_000, room: 200).isEmpty, "a piece longer than the room for it")
        }
    }

    private func split(_ frame: [UInt8], segment: Int, room: Int = 2048) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var memory = [UInt8](repeating: 0xEE, count: room)
        var octets = memory.mutableSpan
        var scratch = octets.mutableBytes
        let isSplit = Segmentation.split(frame.span.bytes, segment: segment, scratch: &scratch) { piece in
            pieces.append(piece.withUnsafeBytes { Array($0) })
        }
        #expect(isSplit == !pieces.isEmpty)
        return pieces
    }

    private func uint16(_ bytes: [UInt8], _ offset: Int) -> Int { Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }
}

/// One long frame, its checksum left to the card.
private struct LongFrame {
    let isIPv6: Bool
    let isTCP: Bool
    let start: Int
    let headerLength: Int
    let octets: [UInt8]

    init(isIPv6: Bool, isTCP: Bool, payload: [UInt8], options: Int = 0) {
        (self.isIPv6, self.isTCP) = (isIPv6, isTCP)
        start = isIPv6 ? 54 : 34
        let header = isTCP ? 20 + options : 8
        headerLength = start + header
        let rest = header + payload.count
        let proto: UInt8 = isTCP ? 6 : 17
        var octets: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
        if isIPv6 {
            octets += [0x86, 0xDD, 0x60, 0, 0, 0] + Self.pair(rest) + [proto, 64]
            octets += [0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
            octets += [0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [2]
        } else {
            octets += [0x08, 0, 0x45, 0] + Self.pair(20 + rest) + [0xFF, 0xFE, 0x40, 0, 64, proto, 0, 0]
            octets += [10, 0, 0, 1, 10, 0, 0, 2]
        }
        if isTCP {
            octets += [0x9C, 0x40, 0x63, 0xDD, 0x11, 0x11, 0, 0, 0, 0, 0, 7, UInt8(header / 4) << 4, 0x99, 255, 255]
            octets += [0, 0, 0, 0] + (0..<options).map { _ in 1 }
        } else {
            octets += [0x9C, 0x40, 0x63, 0xDD] + Self.pair(rest) + [0, 0]
        }
        self.octets = octets + payload
    }

    private static func pair(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    /// 0xFFFF if the checksum of TCP or UDP is right.
    func transportSum(_ piece: [UInt8]) -> Int {
        let addresses = isIPv6 ? piece[22..<54] : piece[26..<34]
        return Self.folded(
            Self.sum(addresses) + (isTCP ? 6 : 17) + piece.count - start + Self.sum(piece[start...]))
    }

    static func sum(_ bytes: ArraySlice<UInt8>) -> Int {
        let bytes = Array(bytes)
        return folded(
            stride(from: 0, to: bytes.count, by: 2).reduce(0) {
                $0 + Int(bytes[$1]) << 8 + ($1 + 1 < bytes.count ? Int(bytes[$1 + 1]) : 0)
            })
    }

    private static func folded(_ sum: Int) -> Int {
        var sum = sum
        while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
        return sum
    }
}
