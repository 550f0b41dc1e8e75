import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import RelayNIO

/// The listening sockets of one service.
final class ListeningChannels: Sendable {
    private let channels = NIOLockedValueBox<[any Channel]>([])

    /// Where is listened, with the ports in use.
    var addresses: [String] {
        channels.withLockedValue { $0.compactMap { $0.localAddress?.endpoint?.description } }
    }

    /// Binds every endpoint, or none: then it throws `BatonError`. A machine without IPv6 does without `[::]` where there
    /// is another endpoint.
    func open(
        _ endpoints: [Endpoint], for name: String, log: ListenerLog, onListening: (String, Endpoint) -> Void,
        bind: (SocketAddress) async throws -> any Channel
    ) async throws {
        for endpoint in endpoints {
            do {
                let channel = try await bind(SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port)))
                channels.withLockedValue { $0.append(channel) }
                let bound = channel.localAddress?.endpoint ?? endpoint
                log.listening(on: bound)
                onListening(name, bound)
            } catch let error as IOError where error.meansNoIPv6 && endpoint.address == .anyIPv6 && endpoints.count > 1
            {
                log.noIPv6(endpoint)
            } catch {
                await close()
                throw BatonError.binding(endpoint, for: name, error)
            }
        }
    }

    func close() async {
        for channel in channels.withLockedValue({ $0 }) {
            try? await channel.close()
        }
    }
}
