import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a lobby for its rooms.
package struct LobbyClient: Sendable {
    /// The lobby that RetroArch itself asks.
    package static let usualLobby = "http://lobby.libretro.com"

    private static let connectTimeout = TimeAmount.seconds(10)
    private static let timeout = TimeAmount.seconds(30)
    private static let largestList = 16 << 20

    /// A lobby's answer.
    package struct RoomList: Sendable, Equatable {
        package var rooms: [AdvertisedRoom]
        /// How many entries were no rooms.
        package var malformed: Int

        /// Parses what a lobby answers; `nil` if that is no list. Rooms in which no RetroArch answered are left out.
        init?(_ body: ByteBuffer) {
            guard let list = try? JSONDecoder().decode([Entry].self, from: Data(body.readableBytesView)) else {
                return nil
            }
            let rooms = list.compactMap(\.room)
            self.rooms = rooms.filter(\.isRetroArch)
            malformed = list.count - rooms.count
        }
    }

    private let address: String

    /// - Parameter lobby: where it is, such as `http://lobby.example.org:8080`; `http://` may be left out.
    package init(lobby: String) {
        let address = lobby.contains("://") ? lobby : "http://\(lobby)"
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
    }

    /// The rooms that there are, but for those in which no RetroArch answered: RetroArch does not show them either.
    ///
    /// - Throws: `BatonError` if the lobby has no list to give.
    package func rooms() async throws -> RoomList {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.timeout.connect = Self.connectTimeout
        configuration.connectionPool.retryConnectionEstablishment = false
        let body = try await withClient(configuration) { client in
            let request = HTTPClientRequest(url: "\(address)/list")
            let response = try await client.execute(request, timeout: Self.timeout)
            guard response.status == .ok else {
                throw BatonError(.unavailable, "\(address) answers with status \(response.status.code)")
            }
            return try await response.body.collect(upTo: Self.largestList)
        }
        guard let list = RoomList(body) else {
            throw BatonError(.unavailable, "\(address) does not answer with a list of rooms")
        }
        return list
    }

    private struct Entry: Decodable {
        var room: AdvertisedRoom?

        init(from decoder: any Decoder) throws {
            room = try? AdvertisedRoom(from: decoder)
        }
    }

    private func withClient(
        _ configuration: HTTPClient.Configuration, _ body: (HTTPClient) async throws -> ByteBuffer
    ) async throws -> ByteBuffer {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<ByteBuffer, any Error>
        do {
            result = .success(try await body(client))
        } catch let error as BatonError {
            result = .failure(error)
        } catch is NIOTooManyBytesError {
            result = .failure(BatonError(.unavailable, "\(address) answers with more than a list of rooms"))
        } catch {
            result = .failure(
                BatonError(.unavailable, "\(address) cannot be asked: \(ConnectFailure.words(for: error))"))
        }
        try? await client.shutdown()
        return try result.get()
    }
}
