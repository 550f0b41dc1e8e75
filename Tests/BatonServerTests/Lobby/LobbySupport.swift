import Foundation
import GRDB
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import Testing

@testable import BatonServer

/// What hosts announce.
enum Announced {
    static let fields = [
        "username": "hosty", "core_name": "Nestopia", "core_version": "1.52.0", "game_name": "loop",
        "game_crc": "B0606C41", "port": "45435", "retroarch_version": "1.14.0", "frontend": "unix x64",
        "subsystem_name": "N/A",
    ]

    /// A form. Whoever names no relay is connected to directly.
    static func form(_ changes: [String: String] = [:]) throws -> FormFields {
        try FormFields(body(changes).utf8)
    }

    static func body(_ changes: [String: String] = [:]) -> String {
        fields.merging(changes) { $1 }.map { "\($0.key)=\(escaped($0.value))" }.joined(separator: "&")
    }

    static func relayed(_ changes: [String: String] = [:]) -> [String: String] {
        let relay = ["mitm_server": "nyc", "force_mitm": "1", "mitm_session": "Vp8eSjN+k8m9gVUR"]
        return relay.merging(changes) { $1 }
    }

    private static func escaped(_ value: String) -> String {
        value.utf8.map { byte in
            let isPlain = byte.isASCIIDigit || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            return isPlain
                ? String(Unicode.Scalar(byte)) : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}

extension LobbyRoom {
    /// A room as a lobby makes it.
    static func sample(
        id: Int32 = 1, _ changes: [String: String] = [:], from address: String = "192.0.2.7", updated: Int64 = 1000
    ) throws -> LobbyRoom {
        var configuration = LobbyConfiguration()
        configuration.relays = ["nyc": LobbyRelay(host: "relay.example.org", port: 55435)]
        var lobby = Lobby(configuration: configuration, nextID: id)
        return try lobby.begin(
            LobbyAnnouncement(Announced.form(changes)), from: #require(IPAddress(address)), country: "at", at: .zero,
            date: Timestamp(seconds: updated)
        ).room
    }
}

/// A lobby without its listener.
struct LobbyFixture {
    let desk: LobbyDesk
    let store: LobbyStore
    let reachability: ReachabilityDesk

    static let here = IPAddress(ipv4: 0x7F00_0001)

    init(
        path: String? = nil, allowsPrivateTargets: Bool = true, answerTimeout: Duration = .seconds(20),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ change: (inout LobbyConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = LobbyConfiguration()
        configuration.relays = ["nyc": LobbyRelay(host: "relay.example.org", port: 55435)]
        change(&configuration)
        store = try LobbyStore(path: path)
        reachability = ReachabilityDesk(
            probe: ReachabilityProbe(
                eventLoops: MultiThreadedEventLoopGroup.singleton, connectTimeout: .seconds(20),
                answerTimeout: answerTimeout))
        reachability.reconfigure(allowsPrivateTargets: allowsPrivateTargets)
        desk = LobbyDesk(
            configuration, reachability: reachability, log: ListenerLog(logger, protocolName: "lobby"),
            openStore: { [store] in store })
    }

    @discardableResult
    func announce(_ changes: [String: String], from caller: IPAddress = here) async throws -> LobbyRoom {
        try await desk.announce(try Announced.form(changes), from: caller)
    }

    var list: String { String(buffer: desk.list()) }
}

/// Something on loopback that hosts may be mistaken for: it does one thing with whoever connects.
struct FakeHost {
    enum Manner: Sendable {
        case says([UInt8])
        case saysAndHangsUp([UInt8])
        case silent
    }

    let port: UInt16
    /// How many have connected.
    let visits: NIOLockedValueBox<Int>

    static func with<Result>(_ manner: Manner, _ body: (FakeHost) async throws -> Result) async throws -> Result {
        let (visits, visitors) = (NIOLockedValueBox(0), NIOLockedValueBox<[any Channel]>([]))
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    visits.withLockedValue { $0 += 1 }
                    visitors.withLockedValue { $0.append(channel) }
                    try channel.pipeline.syncOperations.addHandler(Manners(manner))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        func leave() async throws {
            try await channel.close()
            for visitor in visitors.withLockedValue({ $0 }) { try? await visitor.close() }
        }
        let port = try #require(channel.localAddress?.port)
        do {
            let result = try await body(FakeHost(port: UInt16(port), visits: visits))
            try await leave()
            return result
        } catch {
            try? await leave()
            throw error
        }
    }

    private final class Manners: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let manner: Manner

        init(_ manner: Manner) { self.manner = manner }

        /// Speaks when it was spoken to, as RetroArch does.
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch manner {
            case .silent: break
            case .says(let bytes): context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            case .saysAndHangsUp(let bytes):
                context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
                context.close(promise: nil)
            }
        }
    }
}

/// A path in a directory of its own, which is gone afterwards.
func withDatabasePath<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "baton-lobby-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory.appending(path: "lobby.sqlite").path)
}

/// Another program that has the same database open.
func otherProgram(with path: String) throws -> DatabaseQueue {
    var configuration = GRDB.Configuration()
    configuration.allowsUnsafeTransactions = true
    return try DatabaseQueue(path: path, configuration: configuration)
}
