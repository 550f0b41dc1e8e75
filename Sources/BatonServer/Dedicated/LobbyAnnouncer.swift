import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Netplay

/// Tells a lobby of hosts.
struct LobbyAnnouncer: Sendable {
    private let url: String

    private static let timeout = TimeAmount.seconds(10)

    init(_ address: LobbyAddress) {
        url = address.text + "/add"
    }

    /// Says that a host is there, and why that went wrong if it did.
    func announce(_ announcement: HostAnnouncement) async -> String? {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "User-Agent", value: "baton/\(BatonVersion.current)")
        request.body = .bytes(ByteBuffer(string: announcement.form))
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
            return response.status == .ok ? nil : "it answers \(response.status.code)"
        } catch {
            return "\(error)"
        }
    }
}
