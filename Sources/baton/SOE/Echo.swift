import ArgumentParser
import BatonServer
import RelayCore

extension SOECommand {
    struct Echo: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A server that sends every message back, until a signal ends it.",
            discussion: "Says on standard output where it listens. Exit code 69 if the address is taken."
        )

        @Option(help: "Where to listen: ADDRESS:PORT or [IPV6]:PORT; port 0 is any free one.")
        var listen = "127.0.0.1:20260"

        @OptionGroup var session: SessionOptions

        private var endpoint: Endpoint? { RemoteHost(listen, defaultPort: 20260)?.endpoint }

        func validate() throws {
            if endpoint == nil {
                throw ValidationError("'\(listen)' is no address and port such as 127.0.0.1:0 or [::1]:0.")
            }
        }

        func run() async throws {
            guard let endpoint else { return }
            try await SOETool.echo(session.parameters, on: endpoint) { bound in
                StandardOutput.write("listening protocol=soe address=\(bound)\n")
            }
        }
    }
}
