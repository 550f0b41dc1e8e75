import CZlib
import NIOCore

/// Whole savestates to and from zlib.
enum StateCompression {
    /// No zlib stream grows by more than this; what claims to is not worth the memory.
    private static let greatestGrowth = 1032

    /// The state a zlib stream holds; `nil` unless it holds exactly `rawSize` bytes and ends there.
    static func inflated(_ content: ByteBuffer, rawSize: Int) -> ByteBuffer? {
        guard rawSize > 0, rawSize <= content.readableBytes.multipliedReportingOverflow(by: greatestGrowth).partialValue
        else { return nil }
        var state = ByteBuffer()
        var isWhole = false
        state.writeWithUnsafeMutableBytes(minimumWritableBytes: rawSize) { target in
            content.withUnsafeReadableBytes { source in
                var length = uLongf(rawSize)
                var used = uLong(source.count)
                let status = uncompress2(
                    target.bindMemory(to: Bytef.self).baseAddress, &length,
                    source.bindMemory(to: Bytef.self).baseAddress, &used)
                isWhole = status == Z_OK && length == uLongf(rawSize) && used == uLong(source.count)
                return isWhole ? rawSize : 0
            }
        }
        return isWhole ? state : nil
    }

    /// A state as a zlib stream. Quick rather than small: an event loop waits for it.
    static func deflated(_ state: ByteBuffer) -> ByteBuffer? {
        var content = ByteBuffer()
        let bound = compressBound(uLong(state.readableBytes))
        content.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(bound)) { target in
            state.withUnsafeReadableBytes { source in
                var length = bound
                let status = compress2(
                    target.bindMemory(to: Bytef.self).baseAddress, &length,
                    source.bindMemory(to: Bytef.self).baseAddress, uLong(source.count), Z_BEST_SPEED)
                return status == Z_OK ? Int(length) : 0
            }
        }
        return content.readableBytes > 0 ? content : nil
    }
}
