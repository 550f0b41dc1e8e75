import ArgumentParser
import BatonServer

struct Rooms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the rooms of a lobby, each with the command that joins it.",
        discussion: """
            Under each room stand the arguments that lead RetroArch there, to be followed by core and content, and, if \
            it is behind a relay, the bridge for a RetroArch that knows no tunnels. Exit code 69 if the lobby has no \
            list to give.
            """
    )

    @Option(help: "Where the lobby is.")
    var lobby = LobbyClient.usualLobby

    @Flag(help: "Only rooms behind a relay, which anybody can reach.")
    var relayed = false

    @Flag(help: "Print an array of JSON objects.")
    var json = false

    func run() async throws {
        let list = try await LobbyClient(lobby: lobby).rooms()
        let rooms = relayed ? list.rooms.filter(\.isRelayed) : list.rooms
        if json {
            StandardOutput.write(try rooms.map(ListedRoom.init).jsonLine())
        } else {
            StandardOutput.write(RoomTable.text(of: rooms) + "\n")
        }
        if list.malformed > 0 { StandardError.write("\(list.malformed) entries of the list are no rooms\n") }
    }
}
