package import NIOCore

/// LOAD_SAVESTATE: everybody goes on from this state.
package struct NetplaySavestate: Equatable {
    /// The frame that begins with it.
    package var frame: UInt32
    /// How long the state is when it is not compressed, as the sender says.
    package var rawSize: UInt32
    /// The state: as it is, or as a zlib stream where both sides of the connection agreed on that.
    package var content: ByteBuffer

    package init(frame: UInt32, rawSize: UInt32, content: ByteBuffer) {
        self.frame = frame
        self.rawSize = rawSize
        self.content = content
    }

    package static func decode(_ payload: ByteBuffer) throws(NetplayWireError) -> NetplaySavestate {
        var payload = payload
        guard let (frame, rawSize) = payload.readMultipleIntegers(as: (UInt32, UInt32).self) else {
            throw .badSize(.loadSavestate)
        }
        return NetplaySavestate(frame: frame, rawSize: rawSize, content: payload)
    }

    package var encoded: ByteBuffer {
        ByteBuffer(.loadSavestate, length: 8 + content.readableBytes) { bytes in
            bytes.writeMultipleIntegers(frame, rawSize)
            bytes.writeImmutableBuffer(content)
        }
    }
}
