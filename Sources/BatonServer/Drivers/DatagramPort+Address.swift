import NIOCore
import RelayCore
import RelayNIO

extension DatagramPort {
    /// As the other, in the server's terms. Throws `IOError`.
    static func open(
        _ address: SocketAddress, on eventLoop: any EventLoop,
        receiver: @escaping @Sendable (DatagramPort) -> any DatagramReceiver
    ) async throws -> NIOLoopBound<DatagramPort> {
        guard let endpoint = address.endpoint else { throw SocketAddressError.unsupported }
        do {
            return try await open(endpoint, on: eventLoop, receiver: receiver)
        } catch let failure as SocketFailure {
            throw IOError(errnoCode: failure.code, reason: "bind")
        }
    }
}
