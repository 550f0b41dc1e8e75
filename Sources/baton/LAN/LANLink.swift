import ArgumentParser
import BatonServer
import LANBridge
import LANSockets
import QUICTransport

extension LAN {
    struct PrintLink: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "link",
            abstract: "Prints the link by which a room is joined, and its QR code.",
            discussion: """
                For whoever runs the relay: it reads the section 'lan' of the server's configuration. Whoever has the link \
                can join, so it has the room's password in it.
                """
        )

        @Argument(help: "The room.")
        var room: String

        @OptionGroup var source: ConfigurationSource

        @Option(help: "How players reach the relay, HOST or HOST:PORT, instead of lan.public_address.")
        var host: String?

        @Option(help: "A token of the room, or its password, instead of its password in the configuration.")
        var password: String?

        @Flag(help: "The link is for the party's gateway: with the room's gateway_password, if it has one.")
        var gateway = false

        @Flag(help: "Leave out the QR code.")
        var noQR = false

        func validate() throws {
            guard LANRelayEngine.isRoomName(room) else {
                throw ValidationError("A room's name has 1 to 64 letters, digits, dashes, dots or underscores.")
            }
        }

        func run() throws {
            let configuration = try source.load(dev: false)
            guard let lan = configuration.lan else {
                throw BatonError(.configuration, "the configuration has no section lan")
            }
            var link = try place(lan)
            let registered = lan.rooms.first { $0.name == room }
            guard registered != nil || !lan.relay.requiresRegistration else {
                throw BatonError(.configuration, "the relay takes registered rooms only, and '\(room)' is none")
            }
            let own = gateway ? registered?.gatewayPassword?.text : nil
            link.secret = password ?? own ?? registered?.secrets.first
            if lan.certificate == nil {
                guard lan.identity != nil else {
                    throw BatonError(
                        .configuration, "the relay has no lan.identity: its fingerprint is another one at every start")
                }
                link.fingerprint = try lan.loadCertificate().fingerprint
            }
            StandardOutput.write("\(link)\n")
            if !noQR { StandardOutput.write(try QRCode("\(link)").text) }
        }

        private func place(_ lan: Configuration.LAN) throws -> RoomLink {
            if let host {
                guard let (name, port) = RoomLink.place(Substring(host)) else {
                    throw ValidationError("'\(host)' is no host and port such as relay.example.org:4443.")
                }
                return RoomLink(host: name, port: port, room: room)
            }
            guard let address = lan.publicAddress else {
                throw BatonError(
                    .configuration, "how do players reach the relay? Say --host, or set lan.public_address")
            }
            return RoomLink(host: address.host, port: address.port, room: room)
        }
    }
}
