import ArgumentParser
import BatonServer
import Foundation
import LANBridge
import LANSockets
import QUICTransport
import RelayCore

/// What both ends of the tunnel are told: which relay and which room, and who this machine is.
struct EndOptions: ParsableArguments {
    @Argument(help: "A link baton://HOST:PORT/ROOM#FINGERPRINT, as 'baton lan link' prints it.")
    var link: String?

    @Option(help: "Instead of a link: the relay, HOST or HOST:PORT.")
    var relay: String?

    @Option(help: "Instead of a link: the room.")
    var room: String?

    @Option(help: "The SHA-256 of the relay's certificate, in hexadecimal digits.")
    var pin: String?

    @Option(
        help: "A file of authorities (PEM), one of which signed the relay's certificate, instead of the system's.",
        completion: .file())
    var ca: String?

    @Option(help: "The room's password or a token. BATON_LAN_PASSWORD does as well, and no other user sees it.")
    var password: String?

    @Option(help: "What the others in the room may call you; the name of the machine if you do not say.")
    var name: String?

    @Option(
        help: "The file that keeps this machine's address and key. It is made if it is not there.", completion: .file())
    var identity: String?

    @Flag(help: "Print events and, every second, the status as lines of JSON.")
    var json = false

    func validate() throws {
        if isEmpty { return }
        if link != nil, relay != nil || room != nil {
            throw ValidationError("Give a link, or --relay and --room, not both.")
        }
        if link == nil, relay == nil || room == nil {
            throw ValidationError("Give a link baton://HOST:PORT/ROOM#FINGERPRINT, or --relay and --room.")
        }
        if pin != nil, ca != nil { throw ValidationError("--pin and --ca exclude each other.") }
        _ = try target()
    }

    /// Whether no room was named.
    var isEmpty: Bool { link == nil && relay == nil && room == nil }

    /// The link, or what the options say in its place.
    func target() throws -> RoomLink {
        var target: RoomLink
        if isEmpty { throw ValidationError("Give a link baton://HOST:PORT/ROOM#FINGERPRINT, or --relay and --room.") }
        if let link {
            guard let parsed = RoomLink(link) else {
                throw ValidationError("'\(link)' is no link such as baton://relay.example.org:4443/party#FINGERPRINT.")
            }
            target = parsed
        } else {
            guard let (host, port) = RoomLink.place(Substring(relay ?? "")) else {
                throw ValidationError("'\(relay ?? "")' is no host and port such as relay.example.org:4443.")
            }
            guard let room, LANRelayEngine.isRoomName(room) else {
                throw ValidationError("A room's name has 1 to 64 letters, digits, dashes, dots or underscores.")
            }
            target = RoomLink(host: host, port: port, room: room)
        }
        if let pin {
            guard let fingerprint = CertificateFingerprint(pin) else {
                throw ValidationError("--pin takes 64 hexadecimal digits.")
            }
            target.fingerprint = fingerprint
        }
        target.secret = password ?? ProcessInfo.processInfo.environment["BATON_LAN_PASSWORD"] ?? target.secret
        return target
    }

    /// The end that these options describe; the address is the identity's unless another one is said.
    func makeEnd(mac: MACAddress?) async throws -> LANEnd {
        let target = try target()
        let identity = try loadIdentity()
        guard let host = RemoteHost(name: target.host, port: target.port) else {
            throw ValidationError("'\(target.host)' is neither a host's name nor an address.")
        }
        var endpoint = LANEndpointConfiguration(room: target.room, mac: mac ?? identity.mac, key: identity.key)
        endpoint.password = target.secret
        endpoint.name = name ?? ProcessInfo.processInfo.hostName
        let addresses: [Endpoint]
        do {
            addresses = try await host.addresses()
        } catch {
            throw BatonError(.unavailable, "\(error)")
        }
        var relay = RelayTarget(name: target.host, addresses: addresses, trust: try trust(target))
        if host.endpoint == nil { relay.lookUp = { (try? host.lookUp()) ?? [] } }
        return LANEnd(relay: relay, endpoint: endpoint)
    }

    private func loadIdentity() throws -> EndIdentity {
        do throws(EndIdentity.Failure) {
            return try EndIdentity.loadOrMake(identity ?? EndIdentity.usualPath)
        } catch {
            throw BatonError(.storage, error.description)
        }
    }

    private func trust(_ target: RoomLink) throws -> ServerTrust {
        if let ca {
            guard let data = FileManager.default.contents(atPath: ca) else {
                throw BatonError(.storage, "cannot read \(ca)")
            }
            return .authorities(pem: Array(data))
        }
        return target.fingerprint.map { .pinned($0) } ?? .systemAuthorities
    }
}

/// What a program needs to change a machine's network.
enum NetworkPrivilege {
    /// Throws what to type, if something is missing.
    static func check(seesFrames: Bool) throws(BatonError) {
        if Privileges.networkAdministration, !seesFrames || Privileges.rawFrames { return }
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "PATH-OF-BATON"
        throw BatonError(
            .noPermission,
            """
            this changes the machine's network, which needs a privilege: run it with sudo, or give it to the program once with
              sudo setcap cap_net_admin,cap_net_raw+ep \(program)
            """)
    }
}

/// Runs an end of the tunnel until it is over.
func runEnd(_ end: LANEnd, _ body: (LANEnd) throws -> CloseReason) throws {
    let reason: CloseReason
    do {
        reason = try body(end)
    } catch let error as NetworkFailure {
        throw BatonError(error.code == 1 || error.code == 13 ? .noPermission : .unavailable, error.description)
    } catch let error as TLSError {
        throw BatonError(.unavailable, error.description)
    }
    guard reason.word != "left" else { return }
    throw BatonError(.unavailable, reason.sentence)
}
