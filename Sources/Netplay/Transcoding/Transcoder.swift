package import NIOCore

/// Passes on one direction of a pair, message by message, and gives savestates another form. Everything else goes as it
/// came, in slices of what was read; nothing but the heads is looked at.
///
/// Bytes go in with `receive`, cut anywhere, and come out of `next`, whose caller says how much work it may do at once.
package struct Transcoder {
    /// What becomes of savestates.
    package enum Conversion: Sendable {
        case inflate
        case deflate
    }

    private enum Stage {
        /// So many bytes of a payload are left, then comes a head.
        case messages(payloadLeft: Int)
        case inflating(SavestateInflation)
        case deflating(SavestateDeflation)
        /// A compressed savestate goes out.
        case emitting
    }

    /// What a savestate costs of a budget beside its bytes, so that tiny ones are no way to get much done.
    private static let savestateWork = 1024

    /// What becomes of savestates. As long as that is not known, nothing goes past one.
    package var conversion: Conversion?
    private let maxStateBytes: Int
    private var input = ByteBuffer()
    private var inputHasEnded = false
    private var stage = Stage.messages(payloadLeft: 0)
    /// A compressed savestate, in pieces, the next one last.
    private var outgoing: [ByteBuffer] = []

    package init(_ conversion: Conversion? = nil, maxStateBytes: Int) {
        self.conversion = conversion
        self.maxStateBytes = maxStateBytes
    }

    package mutating func receive(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeImmutableBuffer(bytes)
        }
    }

    /// Nothing more will come: what is left of a message goes on as it is.
    package mutating func receiveEnd() {
        inputHasEnded = true
    }

    package var hasEnded: Bool { inputHasEnded }

    /// What waits here, in bytes.
    package var waitingBytes: Int { input.readableBytes }

    /// What is kept of savestates until they are compressed and sent, in bytes.
    package private(set) var keptBytes = 0

    /// Whether a savestate waits until it is known what becomes of it.
    package var awaitsConversion: Bool {
        guard conversion == nil, case .messages(payloadLeft: 0) = stage else { return false }
        return input.readableBytes >= NetplayCommand.headSize
    }

    /// Whether there is nothing to do without more input.
    package var isAtRest: Bool {
        guard input.readableBytes == 0 else { return false }
        return switch stage {
        case .messages: true
        case .inflating(let inflation): !inflation.mayHoldOutput
        case .deflating(let deflation): !deflation.isComplete && !inputHasEnded
        case .emitting: false
        }
    }

    /// What can go on next, or `nil` if more input is needed or `budget` is used up, which is counted in bytes and only
    /// for savestates.
    package mutating func next(within budget: inout Int) throws(SavestateError) -> ByteBuffer? {
        while budget > 0 {
            switch stage {
            case .messages(let left):
                if let run = takeRun(payloadLeft: left) { return run }
                guard let conversion, let savestate = try takeSavestateHead() else { return takeRest() }
                budget -= Self.savestateWork
                if let head = begin(savestate, conversion) { return head }
            case .inflating(var inflation):
                guard input.readableBytes > 0 || inflation.mayHoldOutput else { return takeRest() }
                let (output, work) = try inflation.step(from: &input)
                budget -= work
                stage = inflation.isOver ? .messages(payloadLeft: 0) : .inflating(inflation)
                if output.readableBytes > 0 { return output }
            case .deflating(var deflation):
                guard input.readableBytes > 0 || deflation.isComplete || inputHasEnded else { return takeRest() }
                budget -= deflation.step(from: &input)
                keptBytes = deflation.keptBytes
                stage = .deflating(deflation)
                guard deflation.isComplete || inputHasEnded && input.readableBytes == 0 else { continue }
                outgoing = deflation.message().reversed()
                stage = .emitting
            case .emitting:
                guard let piece = outgoing.popLast() else {
                    keptBytes = 0
                    stage = .messages(payloadLeft: 0)
                    continue
                }
                budget -= piece.readableBytes
                keptBytes -= piece.readableBytes
                return piece
            }
        }
        return nil
    }

    /// Forgets everything that waits.
    package mutating func abandon() {
        (input, outgoing, keptBytes) = (ByteBuffer(), [], 0)
        stage = .messages(payloadLeft: 0)
    }

    /// Gives up everything that waits, as it came.
    package mutating func takeAll() -> ByteBuffer {
        defer { input = ByteBuffer() }
        return input
    }

    // MARK: Messages

    /// Takes all from the front of the input that goes as it came: up to the next savestate, or to a head that is not
    /// whole yet.
    private mutating func takeRun(payloadLeft: Int) -> ByteBuffer? {
        let available = input.readableBytes
        var (length, left) = (0, payloadLeft)
        while true {
            let part = min(left, available - length)
            length += part
            left -= part
            guard left == 0, let (command, size) = head(at: length), command != .loadSavestate else { break }
            length += NetplayCommand.headSize
            left = command.payloadLength(size: size)
        }
        stage = .messages(payloadLeft: left)
        guard length > 0 else { return nil }
        return length == available ? takeAll() : input.readSlice(length: length)
    }

    /// What is left when nothing more can be made of the input: at its end that too goes as it came.
    private mutating func takeRest() -> ByteBuffer? {
        if inputHasEnded, input.readableBytes > 0, !awaitsConversion { return takeAll() }
        // A few bytes must not keep alive the large read they came in.
        if input.storageCapacity > 2 * input.readableBytes { input = ByteBuffer(bytes: input.readableBytesView) }
        return nil
    }

    private func head(at offset: Int) -> (NetplayCommand, size: UInt32)? {
        guard let command = input.getInteger(at: input.readerIndex + offset, as: UInt32.self),
            let size = input.getInteger(at: input.readerIndex + offset + 4, as: UInt32.self)
        else { return nil }
        return (NetplayCommand(rawValue: command), size)
    }

    // MARK: Savestates

    private struct SavestateHead {
        /// How many bytes of state the message carries, in whatever form.
        var carried: Int
        var frame: UInt32
        var rawSize: UInt32
    }

    private mutating func takeSavestateHead() throws(SavestateError) -> SavestateHead? {
        guard let (_, size) = head(at: 0) else { return nil }
        guard size >= 8 else { throw .bad }
        guard let (_, _, frame, rawSize) = input.readMultipleIntegers(as: (UInt32, UInt32, UInt32, UInt32).self) else {
            return nil
        }
        guard rawSize <= maxStateBytes else { throw .tooLarge }
        let carried = Int(size) - 8
        guard conversion == .inflate || carried == rawSize else { throw .bad }
        return SavestateHead(carried: carried, frame: frame, rawSize: rawSize)
    }

    /// Answers what of the message can go on at once.
    private mutating func begin(_ savestate: SavestateHead, _ conversion: Conversion) -> ByteBuffer? {
        switch conversion {
        case .inflate:
            let rawSize = Int(savestate.rawSize)
            stage = .inflating(SavestateInflation(compressedSize: savestate.carried, rawSize: rawSize))
            var head = ByteBufferAllocator().buffer(capacity: NetplayCommand.headSize + 8)
            head.writeMultipleIntegers(
                NetplayCommand.loadSavestate.rawValue, UInt32(clamping: 8 + rawSize), savestate.frame, savestate.rawSize
            )
            return head
        case .deflate:
            let deflation = SavestateDeflation(frame: savestate.frame, rawSize: savestate.rawSize)
            keptBytes = deflation.keptBytes
            stage = .deflating(deflation)
            return nil
        }
    }
}
