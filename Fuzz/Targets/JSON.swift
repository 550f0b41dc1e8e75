import JSONRelay
import NIOCore
import RelayCore
import RelayTesting

func fuzzJSONEngine(_ bytes: [UInt8]) {
    var script = StreamScript(bytes)
    let harness = script.run(on: JSONRelayEngine(configuration: .init(), random: .seeded(1)))
    precondition(harness.connected.isEmpty && harness.engine.roomCount == 0)
    precondition(harness.engine.nextDeadline == nil)
}

/// The first byte says how the rest is cut. However it is, the same frames come out, and each is a message or an error.
func fuzzJSONWire(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let stream = Array(bytes.dropFirst())
    let (frames, fault) = read(stream, inPiecesOf: stream.count)
    let (again, faultAgain) = read(stream, inPiecesOf: Int(first) + 1)
    precondition(frames == again && fault == faultAgain)
    for frame in frames {
        guard let message = try? IncomingMessage(frame, readsReadmeName: true) else { continue }
        for string in [message.source, message.destination].compactMap({ $0 }) {
            let text = message.decoded(string)
            precondition(text.readableBytes <= frame.readableBytes)
            precondition(text.getString(at: text.readerIndex, length: text.readableBytes) != nil)
        }
    }
}

private func read(_ stream: [UInt8], inPiecesOf length: Int) -> (frames: [ByteBuffer], fault: WireError?) {
    var reader = FrameReader()
    var frames: [ByteBuffer] = []
    for start in stride(from: 0, to: stream.count, by: max(1, length)) {
        var piece = ByteBuffer(bytes: stream[start..<min(start + max(1, length), stream.count)])
        do throws(WireError) {
            while let frame = try reader.next(from: &piece, limit: 1 << 16) { frames.append(frame) }
        } catch {
            return (frames, error)
        }
    }
    return (frames, nil)
}
