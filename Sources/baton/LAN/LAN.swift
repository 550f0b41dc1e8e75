import ArgumentParser

struct LAN: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ethernet over the internet: players at home on the network of a party.",
        discussion: """
            At the party:  sudo baton lan gateway LINK --interface eth0
            At home:       sudo baton lan join LINK
            The relay is the section 'lan' of 'baton serve'; 'baton lan link ROOM' prints the LINK there.
            """,
        subcommands: [Gateway.self, Join.self, PrintLink.self, Status.self, Doctor.self, Explain.self]
    )
}
