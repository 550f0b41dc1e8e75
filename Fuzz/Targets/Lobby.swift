import NIOCore
import Netplay
import RelayCore

/// A form from a stranger: whatever it says, it is refused, or there is a room that every answer can tell of.
func fuzzLobbyForm(_ bytes: [UInt8]) {
    guard let form = try? FormFields(bytes), let announcement = try? LobbyAnnouncement(form) else { return }
    var configuration = LobbyConfiguration()
    configuration.relays = ["nyc": LobbyRelay(host: "relay.example.org", port: 55435)]
    var lobby = Lobby(configuration: configuration)
    let (now, date) = (Instant.zero + .seconds(1), Timestamp(seconds: 1_893_456_000))
    let caller = IPAddress(ipv4: 0xC000_0207)
    let taken = try? lobby.begin(announcement, from: caller, country: "at", at: now, date: date)
    guard let proposal = taken else { return }
    lobby.finish(proposal, at: now)
    precondition(lobby.rooms(at: now) == [proposal.room] && proposal.room.id == 1)
    // One line for each key, and nothing that could pass for another one.
    let lines = LobbyText.added(proposal.room).split(separator: "\n", omittingEmptySubsequences: false)
    precondition(lines.count == 18 && lines.last == "")
    precondition(lines.dropLast().allSatisfy { line in line.contains("=") && line.utf8.allSatisfy { $0 >= 0x20 } })
    let json = lobby.json(at: now).readableBytesView
    precondition(json.allSatisfy { $0 == 0x0A || ($0 >= 0x20 && $0 != 0x3C && $0 != 0x3E && $0 != 0x26) })
    precondition(json.count { $0 == 0x0A } == 30)
}
