import ArgumentParser
import BatonServer

struct LDNCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ldn",
        abstract: "Local wireless play over the internet: what hosts and those who run masters need.",
        subcommands: [LDNProxy.self, LDNProbe.self]
    )
}

extension RemoteHost {
    /// The port of LDN masters.
    private static let ldnPort: UInt16 = 30456

    /// Parses what somebody wrote for a master's address.
    static func ldnMaster(_ text: String) throws -> RemoteHost {
        guard let host = RemoteHost(text, defaultPort: ldnPort) else {
            throw ValidationError("'\(text)' is no HOST, HOST:PORT or [IPV6]:PORT.")
        }
        return host
    }
}
