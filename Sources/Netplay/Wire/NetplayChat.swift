package import NIOCore

/// PLAYER_CHAT: from a guest the text alone, from a host the nick of who says it in 32 bytes and then the text.
package struct NetplayChat: Equatable {
    package static let longestText = 95

    package var nick: String
    package var text: ByteBuffer

    package init(nick: String, text: ByteBuffer) {
        self.nick = nick
        self.text = text
    }

    /// The text a guest sends.
    package static func decodeText(_ payload: ByteBuffer) throws(NetplayWireError) -> ByteBuffer {
        guard (1...longestText).contains(payload.readableBytes) else { throw .badSize(.playerChat) }
        return payload
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.playerChat, length: NetplayNick.length + text.readableBytes) { bytes in
            bytes.writeText(nick, length: NetplayNick.length)
            bytes.writeImmutableBuffer(text)
        }
    }
}

/// PAUSE, RESUME and STALL: who waits for whom.
package enum NetplayWaiting {
    /// - Parameter nick: who asked for the pause.
    package static func pause(nick: String) -> ByteBuffer {
        ByteBuffer(.pause, length: NetplayNick.length) { $0.writeText(nick, length: NetplayNick.length) }
    }

    package static var resume: ByteBuffer { ByteBuffer(.resume, length: 0) }

    /// A guest who is ahead lets so many frames pass; it counts at most 60.
    package static func stall(frames: UInt32) -> ByteBuffer {
        ByteBuffer(.stall, length: 4) { $0.writeInteger(frames) }
    }
}
