import Captures
import NIOCore
import RelayCore
import SOE
import SOETools

/// A capture file that came from anywhere, in two pieces; its first two bytes say how it is read and where it is cut.
func fuzzSOECapture(_ bytes: [UInt8]) {
    guard bytes.count > 2 else { return }
    let (choice, file) = (bytes[0], bytes.dropFirst(2))
    var settings = Transcript.Settings()
    settings.dialect = SOEDialect.all[Int(choice) % SOEDialect.all.count]
    settings.key = choice & 4 != 0 ? RC4Key([UInt8](0..<16)) : nil
    var transcript = Transcript(settings: settings)
    var reader = CaptureReader()
    for piece in [file.prefix(Int(bytes[1]) * 8), file.dropFirst(Int(bytes[1]) * 8)] {
        reader.append(ByteBuffer(bytes: piece))
        do {
            while let frame = try reader.next() {
                guard case .datagram(let datagram) = CapturedDatagram.content(of: frame) else { continue }
                let lines = transcript.lines(for: datagram)
                // Whatever it says goes to a terminal.
                precondition(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } })
            }
        } catch {
            return
        }
    }
}
