package import NIOCore

/// PLAY: a guest wants to play.
package struct NetplayPlay: Equatable {
    /// Set, it would play without being waited for.
    package var isSlave = false
    package var shareMode: UInt8 = 0
    /// A bitmap; 0 is any.
    package var devices: UInt16 = 0

    package init(isSlave: Bool = false, shareMode: UInt8 = 0, devices: UInt16 = 0) {
        self.isSlave = isSlave
        self.shareMode = shareMode
        self.devices = devices
    }

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayPlay {
        var payload = payload
        guard payload.readableBytes == 4, let word = payload.readInteger(as: UInt32.self) else { throw .badSize(.play) }
        return NetplayPlay(
            isSlave: word >> 31 == 1, shareMode: UInt8(truncatingIfNeeded: word >> 16),
            devices: UInt16(truncatingIfNeeded: word)
        )
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.play, length: 4) {
            $0.writeInteger((isSlave ? 1 << 31 : 0) | UInt32(shareMode) << 16 | UInt32(devices))
        }
    }
}

/// MODE: a client begins or ends to play.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 4 | the first frame it holds for |
/// | 4 | 4 | bit 31: it is about you; bit 30: playing; low 16 bits: the client |
/// | 8 | 4 | a bitmap of its devices |
/// | 12 | 16 | the share mode of each device |
/// | 28 | 32 | its nick |
package struct NetplayMode: Equatable {
    package static let length = 60
    private static let you: UInt32 = 1 << 31
    private static let playing: UInt32 = 1 << 30

    package var frame: UInt32
    package var isYou: Bool
    package var isPlaying: Bool
    package var client: UInt32
    package var devices: UInt32
    package var shareModes: [UInt8]
    package var nick: String

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayMode {
        var payload = payload
        guard payload.readableBytes == length,
            let (frame, mode, devices) = payload.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self),
            let shareModes = payload.readBytes(length: 16), let nick = payload.readText(length: NetplayNick.length)
        else { throw .badSize(.mode) }
        return NetplayMode(
            frame: frame, isYou: mode & you != 0, isPlaying: mode & playing != 0, client: mode & 0xFFFF,
            devices: devices, shareModes: shareModes, nick: nick
        )
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.mode, length: Self.length) { bytes in
            let mode = (isYou ? Self.you : 0) | (isPlaying ? Self.playing : 0) | client
            bytes.writeMultipleIntegers(frame, mode, devices)
            bytes.writeBytes(shareModes)
            bytes.writeText(nick, length: NetplayNick.length)
        }
    }
}

/// MODE_REFUSED: why a guest does not play.
package enum NetplayModeRefusal: UInt32 {
    case other = 0
    case unprivileged = 1
    case noSlots = 2
    case tooFast = 3
    case notAvailable = 4

    package var encoded: ByteBuffer {
        ByteBuffer(.modeRefused, length: 4) { $0.writeInteger(rawValue) }
    }
}

/// How several clients play with one device: a byte, whose low bits say how buttons are joined and whose high bits how
/// sticks are.
enum NetplayShareMode {
    private static let noPreference: UInt8 = 0x01
    private static let digital: UInt8 = 0x1C
    private static let digitalOr: UInt8 = 0x04
    private static let analog: UInt8 = 0xE0
    private static let analogMax: UInt8 = 0x20

    /// The mode a host settles on for what a guest asked.
    static func settled(_ asked: UInt8) -> UInt8 {
        guard asked & noPreference != 0 else { return asked }
        return asked & ~noPreference | (asked & digital == 0 ? digitalOr : 0) | (asked & analog == 0 ? analogMax : 0)
    }
}
