import ArgumentParser
import BatonServer

struct CtlStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "The server in figures.")

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        struct Relay: Decodable {
            var `protocol`: String
            var peers, rooms, queuedBytes: Int
            var bytesReceived, bytesRelayed: UInt64
            var refused: [String: UInt64]
        }

        var version, phase: String
        var uptimeSeconds, connections: Int
        var relays: [Relay]
    }

    func run() async throws {
        try await options.run("GET", "status", as: Answer.self) { answer in
            let head = "baton \(cell(answer.version)), \(cell(answer.phase)), up \(answer.uptimeSeconds) s, "
            let rows = answer.relays.map { relay in
                [cell(relay.protocol)]
                    + [relay.peers, relay.rooms, relay.queuedBytes].map { "\($0)" }
                    + [relay.bytesReceived, relay.bytesRelayed, relay.refused.values.reduce(0, +)].map { "\($0)" }
            }
            let titles = ["PROTOCOL", "PEERS", "ROOMS", "QUEUED", "RECEIVED", "RELAYED", "REFUSED"]
            return [head + "\(answer.connections) connections"] + Table(titles: titles, rows: rows).lines
        }
    }
}

struct CtlListeners: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "listeners", abstract: "Where the server listens.")

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        struct Listener: Decodable {
            var `protocol`: String
            var address: String
        }

        var listeners: [Listener]
    }

    func run() async throws {
        try await options.run("GET", "listeners", as: Answer.self) { answer in
            Table(
                titles: ["PROTOCOL", "ADDRESS"], rows: answer.listeners.map { [cell($0.protocol), cell($0.address)] }
            )
            .lines
        }
    }
}

struct CtlRooms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rooms", abstract: "The rooms that are open.")

    @Option(name: .customLong("protocol"), help: "Only this protocol's.")
    var protocolName: String?

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        struct Room: Decodable {
            struct Peer: Decodable {
                var name: String
                var role: String
            }

            var `protocol`: String
            var id: String
            var peers: [Peer]
        }

        var rooms: [Room]
    }

    func run() async throws {
        try await options.run("GET", "rooms" + query(protocolName), as: Answer.self) { answer in
            let rows = answer.rooms.map { room in
                let names = room.peers.map { $0.name.isEmpty ? $0.role : $0.name }.joined(separator: ", ")
                return [cell(room.protocol), cell(room.id), "\(room.peers.count)", cell(names)]
            }
            return Table(titles: ["PROTOCOL", "ROOM", "PEERS", "WHO"], rows: rows).lines
        }
    }
}

struct CtlPeers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: "Who is connected, with what each has sent and been sent.")

    @Option(name: .customLong("protocol"), help: "Only this protocol's.")
    var protocolName: String?

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        struct Peer: Decodable {
            var `protocol`: String
            var peer, endpoint: String
            var connectedSeconds: Int
            var room, name, role: String?
            var bytesReceived, bytesSent: UInt64?
            var queuedBytes: Int?
        }

        var peers: [Peer]
    }

    func run() async throws {
        try await options.run("GET", "peers" + query(protocolName), as: Answer.self) { answer in
            let rows = answer.peers.map { peer in
                [cell(peer.protocol), cell(peer.peer), cell(peer.endpoint), "\(peer.connectedSeconds)"]
                    + [peer.bytesReceived, peer.bytesSent].map { $0.map { "\($0)" } ?? "" }
                    + [peer.queuedBytes.map { "\($0)" } ?? "", cell(peer.role), cell(peer.name), cell(peer.room)]
            }
            let titles = [
                "PROTOCOL", "PEER", "ENDPOINT", "SECONDS", "RECEIVED", "SENT", "QUEUED", "ROLE", "NAME", "ROOM",
            ]
            return Table(titles: titles, rows: rows).lines
        }
    }
}

private func query(_ protocolName: String?) -> String {
    protocolName.map { "?protocol=\(AdminClient.part($0))" } ?? ""
}
