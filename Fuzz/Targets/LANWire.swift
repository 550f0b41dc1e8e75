import LANBridge
import NIOCore
import RelayCore

/// The first byte chooses which reader the others are for; what is read says the same when it is written again.
func fuzzLANWire(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    switch choice % 5 {
    case 0: readLANHeader(rest)
    case 1: readLANControl(rest, step: Int(choice / 5) + 1)
    case 2: putTogether(rest)
    case 3: clampSegments(rest, mtu: Int(choice / 5) * 30)
    default: cutUp(rest, segment: Int(choice / 5) * 30)
    }
}

private func readLANHeader(_ datagram: [UInt8]) {
    guard let header = OverlayHeader(datagram.span.bytes) else { return }
    precondition(header.octets == Array(datagram.prefix(8)))
    let count = datagram.count - OverlayHeader.length
    precondition(header.offset + count <= header.frameLength, "a part reaches beyond its frame")
    precondition(header.kind != .whole || count == header.frameLength)
}

/// However the bytes are cut, the same messages come out, and each of them survives its own encoding.
private func readLANControl(_ bytes: [UInt8], step: Int) {
    let (whole, isWholeGood) = lanMessages(bytes, step: max(1, bytes.count))
    let (pieces, arePiecesGood) = lanMessages(bytes, step: step)
    precondition(whole == pieces && isWholeGood == arePiecesGood, "how a stream is cut makes a difference")
    for message in whole {
        var reader = ControlReader()
        reader.append(message.frame())
        // An unknown type may be too long to be said again.
        guard message.frame().readableBytes <= 4 + ControlReader.maxLength else { continue }
        precondition((try? reader.next()) == message, "\(message) is read as something else")
    }
}

private func lanMessages(_ bytes: [UInt8], step: Int) -> ([ControlMessage], isGood: Bool) {
    var reader = ControlReader()
    var messages: [ControlMessage] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
        reader.append(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + step)]))
        do {
            while let message = try reader.next() { messages.append(message) }
        } catch {
            return (messages, false)
        }
    }
    return (messages, true)
}

/// Parts of frames in any order: what comes out is as long as was said, and few wait.
private func putTogether(_ bytes: [UInt8]) {
    var script = LANScriptBytes(bytes)
    var reassembler = FrameReassembler(slots: 4)
    var now = Instant.zero
    while let operation = script.operation() {
        if operation % 8 == 0 { now = now + .milliseconds(Int(script.next())) }
        let length = script.length(atMost: 2047)
        let cut = script.length(atMost: length)
        let isFirst = operation % 2 == 0
        let body = script.take(isFirst ? cut : length - cut)
        let header = OverlayHeader(part: UInt16(operation / 16), of: length, at: isFirst ? 0 : cut)
        let datagram = header.octets + body
        guard let read = OverlayHeader(datagram.span.bytes), read.kind == .part else { continue }
        let whole = reassembler.add(read, datagram.span.bytes, at: now) { $0.byteCount }
        precondition(whole == nil || whole == length)
        precondition(reassembler.waiting <= 4)
    }
}

/// Clamping changes a SYN's MSS and its checksum, so that both fit each other as they did before, and nothing else.
private func clampSegments(_ frame: [UInt8], mtu: Int) {
    var changed = frame
    var span = changed.mutableSpan
    var raw = span.mutableBytes
    let isChanged = SegmentClamp.clamp(&raw, mtu: mtu)
    precondition(isChanged == SegmentClamp.isNeeded(frame.span.bytes, mtu: mtu))
    precondition(!SegmentClamp.isNeeded(changed.span.bytes, mtu: mtu), "clamping is not done at once")
    precondition(changed.count == frame.count)
    let different = frame.indices.filter { frame[$0] != changed[$0] }
    precondition(different.count <= 4 && (isChanged || different.isEmpty))
}

/// However a frame is cut up, its pieces have its payload's bytes, and none is longer than its header and a segment.
private func cutUp(_ frame: [UInt8], segment: Int) {
    var memory = [UInt8](repeating: 0, count: 2048)
    var octets = memory.mutableSpan
    var scratch = octets.mutableBytes
    var lengths: [Int] = []
    let isSplit = Segmentation.split(frame.span.bytes, segment: segment, scratch: &scratch) {
        lengths.append($0.byteCount)
    }
    precondition(isSplit == !lengths.isEmpty)
    guard let first = lengths.first, let last = lengths.last else { return }
    precondition(lengths.dropLast().allSatisfy { $0 == first } && last <= first && first <= frame.count)
    let header = lengths.count > 1 ? first - segment : 0
    precondition(lengths.reduce(0) { $0 + $1 - header } + header <= frame.count, "more than there was")
}
