package import NIOCore

/// INPUT: what a client's devices do in one frame.
package struct NetplayInput: Equatable {
    /// 16 devices of the kind with the most words.
    static let longestPayload = 8 + 16 * 5 * 4

    package var frame: UInt32
    package var client: UInt32
    /// One word or more of 4 bytes per device.
    package var words: ByteBuffer

    package init(frame: UInt32, client: UInt32, words: ByteBuffer) {
        self.frame = frame
        self.client = client
        self.words = words
    }

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplayInput {
        var payload = payload
        guard let (frame, client) = payload.readMultipleIntegers(as: (UInt32, UInt32).self),
            payload.readableBytes.isMultiple(of: 4)
        else { throw .badSize(.input) }
        return NetplayInput(frame: frame, client: client, words: payload)
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.input, length: 8 + words.readableBytes) { bytes in
            bytes.writeMultipleIntegers(frame, client)
            bytes.writeImmutableBuffer(words)
        }
    }

    /// NOINPUT: the host, which has no device, is past a frame.
    package static func none(frame: UInt32) -> ByteBuffer {
        ByteBuffer(.noInput, length: 4) { $0.writeInteger(frame) }
    }
}

/// What a device is, and so how many words its input has.
public enum NetplayDevice: String, Sendable, CaseIterable {
    /// Buttons alone.
    case joypad
    /// Buttons and two sticks.
    case analog

    /// Its number in SYNC.
    package var type: UInt32 {
        switch self {
        case .joypad: 1
        case .analog: 5
        }
    }

    package var words: Int {
        switch self {
        case .joypad: 1
        case .analog: 3
        }
    }
}
