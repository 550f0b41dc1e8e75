import NIOCore

/// A savestate from an end with zlib to one without. Its raw size stands in its message, so it streams: what comes is
/// inflated and goes on.
struct SavestateInflation {
    /// The most that one step brings out, in bytes.
    private static let stepSize = 32 << 10

    private let inflater = Inflater()
    private let compressedSize: Int
    private var consumed = 0
    private var rawLeft: Int
    /// The last step filled its room: more may come out without more going in.
    private(set) var mayHoldOutput = false
    /// The stream has ended, where it should and with what it should.
    private(set) var isOver = false

    /// - Parameters:
    ///   - compressedSize: how many bytes of `input` are the state's.
    ///   - rawSize: how many it must become.
    init(compressedSize: Int, rawSize: Int) {
        self.compressedSize = compressedSize
        rawLeft = rawSize
    }

    /// Takes a step, with what it needs from the front of `input`. Answers what came out, and how much work it was.
    mutating func step(from input: inout ByteBuffer) throws(SavestateError) -> (output: ByteBuffer, work: Int) {
        let offered = min(input.readableBytes, compressedSize - consumed)
        // With all of it out the end may still come; then one byte of room tells whether it is too much.
        let room = max(1, min(rawLeft, Self.stepSize))
        let (output, step) = withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { output in
            let step = input.readableBytesView.prefix(offered).withUnsafeBytes { inflater.inflate($0, into: output) }
            // Copied out, for what comes in drops would otherwise hold a step's room each.
            return (ByteBuffer(bytes: UnsafeRawBufferPointer(output).prefix(step?.produced ?? 0)), step)
        }
        guard let step, step.produced <= rawLeft else { throw .bad }
        input.moveReaderIndex(forwardBy: step.consumed)
        consumed += step.consumed
        rawLeft -= step.produced
        mayHoldOutput = step.produced == room
        isOver = step.isAtEnd
        if isOver {
            guard rawLeft == 0, consumed == compressedSize else { throw .bad }
        } else if consumed == compressedSize, !mayHoldOutput {
            throw .bad
        }
        return (output, step.consumed + step.produced)
    }
}
