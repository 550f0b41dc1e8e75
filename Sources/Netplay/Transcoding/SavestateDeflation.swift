import NIOCore

/// A savestate from an end without zlib to one with it. Its message begins with its size, which is known only once all
/// of it is compressed; so the compressed form, and nothing but that, is kept until then.
struct SavestateDeflation {
    private static let stepSize = 32 << 10

    private let deflater: Deflater
    private let frame: UInt32
    private let rawSize: UInt32
    private var left: Int

    init(frame: UInt32, rawSize: UInt32) {
        self.frame = frame
        self.rawSize = rawSize
        left = Int(rawSize)
        deflater = Deflater(expecting: Int(rawSize))
    }

    var isComplete: Bool { left == 0 }

    /// What it holds, in bytes.
    var keptBytes: Int { Deflater.stateSize + deflater.count }

    /// Takes a step, with the bytes it needs from the front of `input`. Answers how much work it was.
    mutating func step(from input: inout ByteBuffer) -> Int {
        let count = min(left, input.readableBytes, Self.stepSize)
        guard let part = input.readSlice(length: count) else { return 0 }
        deflater.append(part.readableBytesView)
        left -= count
        return count
    }

    /// The message, or as much as can be said of one whose sender has stopped in the middle: it announces more than it
    /// has, as what came did.
    func message() -> [ByteBuffer] {
        let state = deflater.finish(isComplete: isComplete)
        var head = ByteBufferAllocator().buffer(capacity: NetplayCommand.headSize + 8)
        head.writeMultipleIntegers(
            NetplayCommand.loadSavestate.rawValue, UInt32(clamping: 8 + deflater.count + left), frame, rawSize
        )
        return [head] + state
    }
}
