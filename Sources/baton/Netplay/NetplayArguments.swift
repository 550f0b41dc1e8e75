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
    /// A line of JSON with its end, keys in alphabetical order.
    func jsonLine() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}
