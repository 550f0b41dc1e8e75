import NIOCore
import Netplay
import RelayCore
import RelayTesting

private let maxStateBytes = 1 << 20

/// The first byte says how the rest is cut, the second what becomes of savestates and what the rest is: the stream, or
/// directions for making one. However it is cut, the same comes out, and it is what the oracle says.
func fuzzTranscoder(_ input: [UInt8]) {
    var script = MessageScript(input)
    guard let cut = script.next(), let kind = script.next() else { return }
    let conversion: Transcoder.Conversion = kind.isMultiple(of: 2) ? .inflate : .deflate
    var stream: [UInt8] = []
    if kind & 2 == 0 {
        stream = script.takeRest()
    } else {
        while stream.count < 1 << 19, let message = script.message(zlib: conversion == .inflate) { stream += message }
        // Perhaps the last message stops short.
        stream = Array(stream.dropLast(Int(kind >> 2)))
    }
    let oracle = TranscodingOracle(stream, conversion, maxStateBytes: maxStateBytes)
    let whole = transcode(stream, conversion, inPiecesOf: stream.count, budget: .max)
    let pieces = transcode(stream, conversion, inPiecesOf: Int(cut) * Int(cut) + 1, budget: Int(cut) + 1)
    precondition(whole.error == oracle.error && pieces.error == oracle.error)
    precondition(whole.output.starts(with: oracle.output) && pieces.output.starts(with: oracle.output))
    guard oracle.error == nil else { return }
    precondition(whole.output == pieces.output)
    precondition(oracle.isCutShort || whole.output == oracle.output)
}

private func transcode(
    _ stream: [UInt8], _ conversion: Transcoder.Conversion, inPiecesOf length: Int, budget: Int
) -> (output: [UInt8], error: SavestateError?) {
    var transcoder = Transcoder(conversion, maxStateBytes: maxStateBytes)
    var output: [UInt8] = []
    func moveOn() throws(SavestateError) {
        while true {
            var left = budget
            while let bytes = try transcoder.next(within: &left) { output += bytes.readableBytesView }
            if left > 0 { return }
        }
    }
    do {
        for start in stride(from: 0, to: stream.count, by: max(1, length)) {
            transcoder.receive(ByteBuffer(bytes: stream[start..<min(start + max(1, length), stream.count)]))
            try moveOn()
        }
        transcoder.receiveEnd()
        try moveOn()
    } catch {
        return (output, error)
    }
    precondition(transcoder.isAtRest && transcoder.keptBytes == 0)
    return (output, nil)
}

/// Any bytes, read as directions for making netplay messages.
package struct MessageScript {
    /// Does not shrink: it is longer than zlib looks back.
    private static let noise: [UInt8] = {
        var random = RandomSource.seeded(1)
        return (0..<40_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    }()

    private var rest: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    package mutating func next() -> UInt8? { rest.popFirst() }

    mutating func takeRest() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }

    /// A message, its savestate (if it is one) in the form of an end with or without zlib.
    package mutating func message(zlib: Bool) -> [UInt8]? {
        guard let kind = next(), let number = next() else { return nil }
        switch kind % 8 {
        case 0: return [0, 0, 0, 3] + bytes(12) + [UInt8](repeating: number, count: 12)
        case 1: return [0, 0, 0, 0x48] + bytes(Int(number)) + [UInt8](repeating: kind, count: Int(number) + 4)
        case 2: return [0, 0, number, 0x41] + bytes(0)
        case 3:
            return [0, 0, 0x12, kind] + bytes(Int(number) * 16) + [UInt8](repeating: number, count: Int(number) * 16)
        default: return savestate(kind, number, zlib)
        }
    }

    private func savestate(_ kind: UInt8, _ number: UInt8, _ zlib: Bool) -> [UInt8] {
        let size = Int(number) * Int(number) * (kind & 0x80 == 0 ? 1 : 4)
        var state: [UInt8] = []
        if kind & 8 == 0 {
            state = [UInt8](repeating: kind, count: size)
        } else {
            while state.count < size { state += Self.noise.prefix(size - state.count) }
        }
        var carried = zlib ? deflated(state) : state
        var rawSize = state.count
        switch kind >> 4 & 7 {
        case 5: rawSize += 1
        case 6: rawSize = max(0, rawSize - 1)
        case 7: carried[carried.count / 2..<carried.count / 2] = [number]
        default: break
        }
        return [0, 0, 0, 0x42] + bytes(8 + carried.count) + bytes(Int(kind)) + bytes(rawSize) + carried
    }
}
