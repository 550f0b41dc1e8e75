import ArgumentParser
import BatonServer
import LANBridge
import LANSockets

extension LAN {
    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts this machine on the network of a party.",
            discussion: """
                Makes a virtual card that is on the party's LAN as if plugged in there, until a signal ends it (Ctrl-C). The \
                card asks for an address as any other does: run your DHCP client on it, or give it one by hand. Other \
                traffic of this machine goes on as before. Needs CAP_NET_ADMIN. Exit codes: 0 when you ended it, 69 when \
                the relay did or cannot be reached any more, 77 a privilege is missing.
                """
        )

        @OptionGroup var end: EndOptions

        @Option(help: "What the virtual card is called.")
        var tap = "baton0"

        @Option(help: "The virtual card's address, instead of the one that was made up at the first run.")
        var mac: String?

        @Option(help: "The metric of the routes by which broadcasts and multicasts that name no card go to the party.")
        var metric: UInt32 = 1

        private var address: MACAddress? { mac.flatMap { MACAddress($0) } }

        func validate() throws {
            if let mac, address?.isStation != true {
                throw ValidationError("'\(mac)' is no address of a network card such as 02:4c:41:4e:01:01.")
            }
            guard (1...15).contains(tap.utf8.count), tap.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F })
            else {
                throw ValidationError("--tap takes a name of at most 15 characters.")
            }
        }

        func run() async throws {
            try NetworkPrivilege.check(seesFrames: false)
            let stop = try Privileges.stopSignals()
            var made = try await end.makeEnd(mac: address)
            let display = EndDisplay(isJSON: end.json, role: .client, card: tap, end: made)
            display.attach(to: &made)
            try runEnd(made) { try $0.runClient(tap: tap, metric: metric, stop: stop) }
        }
    }
}
