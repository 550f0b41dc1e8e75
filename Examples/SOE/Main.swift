import RelayCore
import SOE

/// Six small programs with the SOE library: a server and a client in each of its three styles.
///
///     swift run soe-examples async-server       and in another terminal:  swift run soe-examples async-client
///     swift run soe-examples handler-server                               swift run soe-examples handler-client
///     swift run soe-examples stepping-server                              swift run soe-examples stepping-client
///
/// Any client talks to any server: a client sends ten messages, one after the other, and each comes back. A number behind
/// the name is another port than 20260.
@main
struct Main {
    static func main() async throws {
        let port = CommandLine.arguments.dropFirst(2).first.flatMap { UInt16($0) } ?? 20_260
        let server = Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: port)
        switch CommandLine.arguments.dropFirst().first {
        case "async-server": try await AsyncServer.run(at: server)
        case "async-client": try await AsyncClient.run(to: server)
        case "handler-server": try await HandlerServer.run(at: server)
        case "handler-client": try await HandlerClient.run(to: server)
        case "stepping-server": try SteppingServer.run(at: server)
        case "stepping-client": try SteppingClient.run(to: server)
        default: print("soe-examples {async,handler,stepping}-{server,client} [PORT]")
        }
    }
}

/// Where a client's socket is: anywhere.
let anyPort = Endpoint(address: IPAddress(ipv4: 0), port: 0)

/// What both ends must agree on, and what is wanted besides.
var configuration: SOEConfiguration {
    var configuration = SOEConfiguration()
    configuration.parameters.protocolName = "SoePingPong"
    return configuration
}
