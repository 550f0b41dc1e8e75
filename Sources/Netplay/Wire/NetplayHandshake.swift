package import NIOCore

/// NICK: how a player is called, 32 bytes filled up with zeros.
package struct NetplayNick: Equatable {
    /// Of the field; the text has at most one less.
    package static let length = 32

    package var text: String

    package init(_ text: String) { self.text = text }

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayNick {
        var payload = payload
        guard payload.readableBytes == length, let text = payload.readText(length: length) else {
            throw .badSize(.nick)
        }
        return NetplayNick(text)
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.nick, length: Self.length) { $0.writeText(text, length: Self.length) }
    }
}

/// PASSWORD: 64 hexadecimal digits, the SHA-256 of the salt and the password.
package struct NetplayPassword: Equatable {
    package static let length = 64

    package var digits: [UInt8]

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayPassword {
        guard payload.readableBytes == length else { throw .badSize(.password) }
        return NetplayPassword(digits: Array(payload.readableBytesView))
    }
}

/// INFO: what is played. The checksum comes first, then two texts of 32 bytes.
package struct NetplayInfo: Equatable {
    package static let length = 68

    /// The CRC-32 of the content.
    package var contentCRC: UInt32
    package var coreName: String
    package var coreVersion: String

    package init(contentCRC: UInt32, coreName: String, coreVersion: String) {
        self.contentCRC = contentCRC
        self.coreName = coreName
        self.coreVersion = coreVersion
    }

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayInfo {
        var payload = payload
        guard payload.readableBytes == length, let contentCRC = payload.readInteger(as: UInt32.self),
            let coreName = payload.readText(length: 32), let coreVersion = payload.readText(length: 32)
        else { throw .badSize(.info) }
        return NetplayInfo(contentCRC: contentCRC, coreName: coreName, coreVersion: coreVersion)
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.info, length: Self.length) { bytes in
            bytes.writeInteger(contentCRC)
            bytes.writeText(coreName, length: 32)
            bytes.writeText(coreVersion, length: 32)
        }
    }

    /// What a host says that has no content yet: the guest tells its own and waits for another.
    package static var empty: ByteBuffer { ByteBuffer(.info, length: 0) }
}

/// SYNC: where the game is and who plays with what. The save memory that a host may append is left out.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 4 | the frame the guest begins with |
/// | 4 | 4 | the guest's client number; bit 31: the game is paused |
/// | 8 | 64 | the type of each of 16 devices |
/// | 72 | 16 | the share mode of each |
/// | 88 | 64 | of each a bitmap of the clients that play with it |
/// | 152 | 32 | the guest's nick, as the host decided it |
package struct NetplaySync: Equatable {
    package static let length = 184
    private static let pausedBit: UInt32 = 1 << 31

    package var frame: UInt32
    package var client: UInt32
    package var isPaused: Bool
    package var deviceTypes: [UInt32]
    package var shareModes: [UInt8]
    package var deviceClients: [UInt32]
    package var nick: String

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplaySync {
        var payload = payload
        guard payload.readableBytes >= length,
            let (frame, client) = payload.readMultipleIntegers(as: (UInt32, UInt32).self),
            let types = payload.readWords(16), let shareModes = payload.readBytes(length: 16),
            let clients = payload.readWords(16), let nick = payload.readText(length: NetplayNick.length)
        else { throw .badSize(.sync) }
        return NetplaySync(
            frame: frame, client: client & ~pausedBit, isPaused: client & pausedBit != 0, deviceTypes: types,
            shareModes: shareModes, deviceClients: clients, nick: nick
        )
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.sync, length: Self.length) { bytes in
            bytes.writeMultipleIntegers(frame, client | (isPaused ? Self.pausedBit : 0))
            for type in deviceTypes { bytes.writeInteger(type) }
            bytes.writeBytes(shareModes)
            for clients in deviceClients { bytes.writeInteger(clients) }
            bytes.writeText(nick, length: NetplayNick.length)
        }
    }
}

/// What a host of protocol 6 sets for its guests, behind SYNC.
package enum NetplaySettings {
    package static func allowPausing(_ isAllowed: Bool) -> ByteBuffer {
        ByteBuffer(.settingAllowPausing, length: 4) { $0.writeInteger(UInt32(isAllowed ? 1 : 0)) }
    }

    /// The least and the most frames by which a guest delays its own input.
    package static func inputLatency(_ frames: ClosedRange<Int32>) -> ByteBuffer {
        ByteBuffer(.settingInputLatencyFrames, length: 8) {
            $0.writeMultipleIntegers(frames.lowerBound, frames.upperBound)
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func readWords(_ count: Int) -> [UInt32]? {
        var words: [UInt32] = []
        for _ in 0..<count {
            guard let word = readInteger(as: UInt32.self) else { return nil }
            words.append(word)
        }
        return words
    }
}
