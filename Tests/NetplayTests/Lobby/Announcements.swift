import NIOCore
import Netplay
import RelayCore

/// What real hosts say. RetroArch 1.14.0 sent these bodies.
enum Announcements {
    static let relayed = """
        username=hosty&core_name=Nestopia&core_version=1.52.0%20&game_name=loop&game_crc=B0606C41&port=45435\
        &mitm_server=nyc&has_password=0&has_spectate_password=0&force_mitm=1&retroarch_version=1.14.0\
        &frontend=unix%20x64&subsystem_name=N/A&mitm_session=Vp8eSjN%2Bk8m9gVUR&mitm_custom_addr=&mitm_custom_port=0
        """

    static let custom = changed(
        ["mitm_server": "custom", "mitm_custom_addr": "127.0.0.1", "mitm_custom_port": "45435"])

    static let direct = changed(["mitm_server": "", "force_mitm": "0", "mitm_session": ""])

    /// The relayed one with other fields, whose values are escaped already; `nil` leaves a field out.
    static func changed(_ fields: [String: String?], of body: String = relayed) -> String {
        var rest = fields
        var pairs = body.split(separator: "&").compactMap { pair -> String? in
            let name = String(pair.prefix { $0 != "=" })
            guard let value = rest.removeValue(forKey: name) else { return String(pair) }
            return value.map { "\(name)=\($0)" }
        }
        for (name, value) in rest.sorted(by: { $0.key < $1.key }) {
            if let value { pairs.append("\(name)=\(value)") }
        }
        return pairs.joined(separator: "&")
    }

    static func read(_ body: String) throws -> LobbyAnnouncement {
        try LobbyAnnouncement(FormFields(body.utf8))
    }
}

/// A lobby in virtual time, and hosts that are never asked.
struct LobbyScene {
    var lobby: Lobby
    var now = Instant.zero + .seconds(1000)
    var date = Timestamp(seconds: 1_893_456_000)

    init(nextID: Int32 = 1, _ change: (inout LobbyConfiguration) -> Void = { _ in }) {
        var configuration = LobbyConfiguration()
        configuration.relays = ["nyc": LobbyRelay(host: "relay.example.org", port: 55435)]
        change(&configuration)
        lobby = Lobby(configuration: configuration, nextID: nextID)
    }

    mutating func pass(_ seconds: Int64) {
        now = now + .seconds(seconds)
        date.seconds += seconds
    }

    mutating func begin(_ body: String, from caller: String = "192.0.2.7") throws -> Lobby.Proposal {
        let address = IPAddress(caller) ?? IPAddress(ipv4: 0)
        return try lobby.begin(
            Announcements.read(body), from: address, country: "", at: now, date: date)
    }

    /// Announces a room whose host answers.
    @discardableResult
    mutating func announce(_ body: String, from caller: String = "192.0.2.7") throws -> Lobby.Proposal {
        var proposal = try begin(body, from: caller)
        proposal.room.isConnectable = true
        lobby.finish(proposal, at: now)
        return proposal
    }

    mutating func list() -> String { String(buffer: lobby.json(at: now)) }

    var usernames: [String] { lobby.rooms(at: now).map(\.content.username) }
}
