import ArgumentParser
import BatonServer
import RelayCore
import SOE

/// What both ends of a session must agree on, and what a server decides.
struct SessionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Encrypts messages with RC4: 1 to 256 bytes in hexadecimal digits.", valueName: "hex"))
    var key: String?

    @Option(help: "How many bytes of CRC datagrams have, 0 to 4. The server decides; a client obeys.")
    var crc = 2

    @Flag(help: "Let datagrams be compressed. The server decides; a client obeys.")
    var compress = false

    @Option(help: ArgumentHelp("The largest datagram, 64 to 8192 bytes.", valueName: "bytes"))
    var udp: Int?

    @Option(
        help: ArgumentHelp(
            "How the peer speaks: \(SOEDialect.all.map(\.name).joined(separator: ", ")).", valueName: "dialect"))
    var dialect = SOEDialect.v3.name

    @Option(
        name: .customLong("protocol"),
        help: ArgumentHelp("The name of the application's protocol, the same at both ends.", valueName: "name"))
    var protocolName = "SoePingPong"

    func validate() throws {
        if let key, RC4Key(hexadecimal: key) == nil {
            throw ValidationError("--key takes 1 to 256 bytes in hexadecimal digits.")
        }
        guard (0...4).contains(crc) else { throw ValidationError("--crc takes 0 to 4.") }
        if let udp, !(64...8192).contains(udp) { throw ValidationError("--udp takes 64 to 8192 bytes.") }
        guard SOEDialect.named(dialect) != nil else {
            let names = SOEDialect.all.map(\.name).joined(separator: ", ")
            throw ValidationError("'\(dialect)' is no dialect; there are \(names).")
        }
    }

    var parameters: SOEParameters {
        var parameters = SOEParameters()
        parameters.dialect = SOEDialect.named(dialect) ?? .v3
        parameters.protocolName = ProtocolName(protocolName)
        parameters.udpLength = udp
        parameters.crcLength = crc
        parameters.compression = compress
        parameters.key = key.flatMap { RC4Key(hexadecimal: $0) }
        return parameters
    }
}
