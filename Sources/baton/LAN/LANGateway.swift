import ArgumentParser
import BatonServer
import LANBridge
import LANSockets

extension LAN {
    struct Gateway: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a room in to the LAN that one of this machine's cards is on.",
            discussion: """
                Players of the room are on that LAN until a signal ends it (Ctrl-C): they see it, and it sees them, but not \
                this machine itself, whose own frames never come back to it. Needs CAP_NET_ADMIN and CAP_NET_RAW. Exit \
                codes as of 'baton lan join'.
                """
        )

        @OptionGroup var end: EndOptions

        @Option(help: "The card that faces the LAN, such as eth0.")
        var interface: String

        func run() async throws {
            try NetworkPrivilege.check(seesFrames: true)
            let link = Link(interface)
            guard link.index != nil else {
                throw BatonError(.unavailable, "this machine has no interface \(interface)")
            }
            guard let mac = link.mac else {
                throw BatonError(.unavailable, "\(interface) is no Ethernet card")
            }
            let stop = try Privileges.stopSignals()
            var made = try await end.makeEnd(mac: mac)
            let display = EndDisplay(isJSON: end.json, role: .gateway, card: interface, end: made)
            if !link.isRunning {
                made.tell("\(interface) is switched off, or nothing is at the other end of its cable")
            }
            display.attach(to: &made)
            try runEnd(made) { try $0.runGateway(interface: interface, stop: stop) }
        }
    }
}
