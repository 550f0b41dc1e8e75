public import ArgumentParser
import BatonServer
import Foundation
public import Netplay
import RelayCore

extension RemoteHost: ExpressibleByArgument {
    /// The port of RetroArch hosts and of tunnels.
    private static let netplayPort: UInt16 = 55435

    public init?(argument: String) {
        self.init(argument, defaultPort: Self.netplayPort)
    }
}

extension TunnelID: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}

extension Encodable {
    /// One line of JSON, keys in alphabetical order.
    func jsonLine() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

/// What a launcher waits for must not wait in a buffer.
func printNow(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}
