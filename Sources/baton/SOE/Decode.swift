import ArgumentParser
import BatonServer
import Captures
import Foundation
import NIOCore
import RelayCore
import SOE
import SOETools

extension SOECommand {
    struct Decode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says what is in a capture of SOE, packet by packet and message by message.",
            discussion: """
                Reads pcap and pcapng, from standard input if FILE is -. '>' is from the client. Conversations are followed \
                from their SessionRequest on; of others, --crc and --compress say how to read them. Exit code 1 if the file \
                is no capture, is cut short, or has no SOE in it.
                """
        )

        @Argument(help: "A capture file.", completion: .file(extensions: ["pcap", "pcapng"]))
        var file: String

        @OptionGroup var session: SessionOptions

        @Option(help: "Show only what goes from or to this UDP port.")
        var port: UInt16?

        @Option(help: "How many bytes of a message are shown.")
        var bytes = 64

        /// Read at once.
        private static let chunk = 1 << 18

        func validate() throws {
            guard bytes >= 0 else { throw ValidationError("--bytes takes 0 or more.") }
        }

        func run() throws {
            guard let input = file == "-" ? .standardInput : FileHandle(forReadingAtPath: file) else {
                throw failure("\(file) cannot be read")
            }
            var settings = Transcript.Settings()
            settings.dialect = session.parameters.dialect
            settings.key = session.parameters.key
            settings.crcLength = session.crc
            settings.compression = session.compress
            settings.shownBytes = bytes
            var transcript = Transcript(settings: settings)
            var reader = CaptureReader()
            var fragments = 0
            do {
                while let data = try input.read(upToCount: Self.chunk), !data.isEmpty {
                    reader.append(ByteBuffer(bytes: data))
                    while let frame = try reader.next() {
                        switch CapturedDatagram.content(of: frame) {
                        case .datagram(let datagram):
                            guard port == nil || [datagram.source.port, datagram.destination.port].contains(port)
                            else { continue }
                            for line in transcript.lines(for: datagram) { StandardOutput.write(line + "\n") }
                        case .fragment: fragments += 1
                        case .other: break
                        }
                    }
                }
                try reader.finish()
            } catch let error as CaptureError {
                throw failure("\(file): \(error.sentence)")
            }
            if fragments > 0 {
                StandardError.write("\(fragments) parts of datagrams that the network had cut up were left out\n")
            }
            if transcript.conversationCount == 0 { throw failure("\(file): no SOE in it") }
        }

        private func failure(_ message: String) -> ExitCode {
            StandardError.write(message + "\n")
            return .failure
        }
    }
}

extension CaptureError {
    fileprivate var sentence: String {
        switch self {
        case .unknownFormat: "this is neither pcap nor pcapng"
        case .truncated: "the file ends in the middle of a frame"
        case .badLength: "a length in it cannot be"
        case .unknownInterface: "a frame is of an interface that the file does not describe"
        case .tooManyInterfaces: "it describes too many interfaces"
        }
    }
}
