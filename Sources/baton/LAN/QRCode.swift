import BatonServer
import CQREncode
import Glibc

/// A text as a QR code for a terminal.
struct QRCode {
    /// Two rows of the code in each line; light on dark, with the margin that scanners need.
    let text: String

    init(_ content: String) throws(BatonError) {
        guard let code = QRcode_encodeString8bit(content, 0, QR_ECLEVEL_L) else {
            throw BatonError(.storage, "the link is too long for a QR code")
        }
        defer { QRcode_free(code) }
        let width = Int(code.pointee.width)
        let modules = UnsafeBufferPointer(start: code.pointee.data, count: width * width)
        func isDark(_ row: Int, _ column: Int) -> Bool {
            (0..<width).contains(row) && (0..<width).contains(column) && modules[row * width + column] & 1 == 1
        }
        let margin = 2
        var lines = ""
        for row in stride(from: -margin, to: width + margin, by: 2) {
            for column in -margin..<width + margin {
                switch (isDark(row, column), isDark(row + 1, column)) {
                case (false, false): lines += "\u{2588}"
                case (false, true): lines += "\u{2580}"
                case (true, false): lines += "\u{2584}"
                case (true, true): lines += " "
                }
            }
            lines += "\n"
        }
        text = lines
    }
}
