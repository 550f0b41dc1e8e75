import Captures
import Foundation
import LANBridge
import NIOCore

/// Frames from files of several kinds.
enum FrameSource {
    /// A file that cannot be used, and why.
    struct Failure: Error {
        var file: String
        var sentence: String
    }

    /// Read at once.
    private static let chunk = 1 << 18
    /// No Ethernet frame is longer; a capture may say so of one that it has cut.
    private static let longestFrame = 65_549

    /// Whether a file begins as a JSON object does.
    static func isJSON(_ file: String) throws -> Bool {
        let start = try open(file).read(upToCount: 64) ?? Data()
        return start.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{")
    }

    static func frameFile(_ file: String) throws -> FrameFile {
        do {
            return try JSONDecoder().decode(FrameFile.self, from: open(file).readToEnd() ?? Data())
        } catch let error as DecodingError {
            throw Failure(file: file, sentence: error.sentence)
        }
    }

    /// Hands over each frame of a capture. What the capture has cut off a frame is zero.
    static func forEachFrame(of file: String, _ body: (CapturedFrame) throws -> Void) throws {
        let input = try open(file)
        var reader = CaptureReader()
        do {
            while let data = try input.read(upToCount: chunk), !data.isEmpty {
                reader.append(ByteBuffer(bytes: data))
                while var frame = try reader.next() {
                    guard frame.link == .ethernet else {
                        throw Failure(file: file, sentence: "it was captured without Ethernet headers")
                    }
                    let missing = min(frame.originalLength, longestFrame) - frame.bytes.readableBytes
                    if missing > 0 { frame.bytes.writeRepeatingByte(0, count: missing) }
                    try body(frame)
                }
            }
            try reader.finish()
        } catch let error as CaptureError {
            throw Failure(file: file, sentence: error.sentence)
        }
    }

    /// The station that most frames come from or go to: whose interface it is.
    static func commonestAddress(in file: String) throws -> MACAddress? {
        var counts: [MACAddress: (frames: Int, first: Int)] = [:]
        var index = 0
        try forEachFrame(of: file) { frame in
            var bytes = frame.bytes
            guard let high = bytes.readInteger(as: UInt64.self), let low = bytes.readInteger(as: UInt32.self) else {
                return
            }
            for mac in [MACAddress(bits: high << 32 | UInt64(low)), MACAddress(bits: high >> 16)] where mac.isStation {
                counts[mac, default: (0, index)].frames += 1
            }
            index += 1
        }
        return counts.max { ($0.value.frames, -$0.value.first) < ($1.value.frames, -$1.value.first) }?.key
    }

    private static func open(_ file: String) throws -> FileHandle {
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw Failure(file: file, sentence: "it cannot be read")
        }
        return handle
    }
}

extension DecodingError {
    /// What is wrong, and where.
    fileprivate var sentence: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            Self.place(context.codingPath) + context.debugDescription
        case .keyNotFound(let key, let context):
            Self.place(context.codingPath) + "'\(key.stringValue)' is missing"
        @unknown default: "\(self)"
        }
    }

    private static func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "" : path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".") + ": "
    }
}

extension CaptureError {
    fileprivate var sentence: String {
        switch self {
        case .unknownFormat: "this is neither JSON nor a capture (pcap or pcapng)"
        case .truncated: "the file ends in the middle of a frame"
        case .badLength: "a length in it cannot be"
        case .unknownInterface: "a frame is of an interface that the file does not describe"
        case .tooManyInterfaces: "it describes too many interfaces"
        }
    }
}
