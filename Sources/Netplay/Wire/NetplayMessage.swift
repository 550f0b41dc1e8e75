package import NIOCore

/// What comes of a netplay stream behind the header.
package enum NetplayMessage {
    /// A command with all of its payload.
    case whole(NetplayCommand, ByteBuffer)
    /// A command nobody here needs; its payload is thrown away as it comes.
    case skipped(NetplayCommand)
}

/// Cuts a stream into commands, in whatever pieces it comes.
///
/// A payload is kept only where its command has a meaning here, and only up to the length that it can have: what a
/// size word claims costs no memory.
package struct NetplayMessageReader {
    private var bytes = ByteBuffer()
    private var toSkip = 0

    package init() {}

    /// How much is kept of a command that is not complete.
    package var keptBytes: Int { bytes.readableBytes }

    /// Whether a savestate has begun and not ended.
    package var isInsideSavestate: Bool {
        bytes.peekInteger(as: UInt32.self) == NetplayCommand.loadSavestate.rawValue
    }

    package mutating func append(_ received: ByteBuffer) {
        var received = received
        let skipped = min(toSkip, received.readableBytes)
        received.moveReaderIndex(forwardBy: skipped)
        toSkip -= skipped
        if bytes.readableBytes == 0 {
            bytes = received
        } else {
            bytes.writeBuffer(&received)
        }
    }

    /// The next command.
    ///
    /// - Parameters:
    ///   - maxState: the most bytes a savestate may have, 8 bytes of frame and size not counted.
    ///   - keepsStates: whether a savestate that begins now is wanted.
    /// - Returns: `nil` while it is incomplete.
    /// - Throws: `badSize` if the size word is one the command cannot have.
    package mutating func next(maxState: Int, keepsStates: Bool) throws(NetplayWireError) -> NetplayMessage? {
        guard let (word, size) = bytes.peekMultipleIntegers(as: (UInt32, UInt32).self) else {
            compact()
            return nil
        }
        let command = NetplayCommand(rawValue: word)
        let length = command.payloadLength(size: size)
        guard let longest = command.longestPayload(maxState: maxState, keepsStates: keepsStates) else {
            // Nothing is longer than a state, so who claims that is out of step.
            guard length <= maxState + 8 else { throw .badSize(command) }
            bytes.moveReaderIndex(forwardBy: NetplayCommand.headSize)
            let skipped = min(length, bytes.readableBytes)
            bytes.moveReaderIndex(forwardBy: skipped)
            toSkip = length - skipped
            return .skipped(command)
        }
        guard length <= longest else { throw .badSize(command) }
        guard bytes.readableBytes >= NetplayCommand.headSize + length else {
            compact()
            return nil
        }
        bytes.moveReaderIndex(forwardBy: NetplayCommand.headSize)
        guard let payload = bytes.readSlice(length: length) else { return nil }
        return .whole(command, payload)
    }

    /// Lets go of the read that the beginning of a command came with.
    private mutating func compact() {
        if bytes.readableBytes == 0 {
            bytes = ByteBuffer()
        } else if bytes.readerIndex > 0 {
            bytes = ByteBuffer(bytes: bytes.readableBytesView)
        }
    }
}

extension NetplayCommand {
    /// How long the payload may be that a guest sends; `nil` if it is of no use here.
    fileprivate func longestPayload(maxState: Int, keepsStates: Bool) -> Int? {
        switch self {
        case .nak, .disconnect, .spectate, .requestSavestate, .resume, .pingRequest, .pingResponse: 0
        case .input: NetplayInput.longestPayload
        case .nick, .pause: NetplayNick.length
        case .password: NetplayPassword.length
        case .info: NetplayInfo.length
        case .play, .reset: 4
        case .crc: 8
        case .playerChat: NetplayChat.longestText
        case .loadSavestate where keepsStates: maxState + 8
        default: nil
        }
    }
}

extension ByteBuffer {
    /// A whole message.
    ///
    /// - Parameter length: the length of what `write` writes.
    init(_ command: NetplayCommand, length: Int, _ write: (inout ByteBuffer) -> Void = { _ in }) {
        self.init()
        reserveCapacity(NetplayCommand.headSize + length)
        writeMultipleIntegers(command.rawValue, UInt32(length))
        write(&self)
    }

    /// Reads a field of text that fills up with zeros.
    mutating func readText(length: Int) -> String? {
        readSlice(length: length).map { field in
            String(decoding: field.readableBytesView.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// Writes a field of text, cut so that it ends with a zero at least and with a whole character.
    mutating func writeText(_ text: String, length: Int) {
        let cut = text.prefix(utf8: length - 1)
        writeString(cut)
        writeRepeatingByte(0, count: length - cut.utf8.count)
    }
}

extension String {
    /// As many whole characters from its front as fit into so many bytes.
    func prefix(utf8 length: Int) -> String {
        var cut = Substring(self)
        while cut.utf8.count > length { cut.removeLast() }
        return String(cut)
    }
}
