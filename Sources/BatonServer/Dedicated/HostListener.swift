import Glibc
import NIOCore
import NIOPosix
import RelayCore

/// Opens the port of one host to guests.
struct HostListener: Sendable {
    enum Door: Sendable {
        case open([any Channel])
        case portTaken
        case failed

        func close() {
            guard case .open(let channels) = self else { return }
            for channel in channels { channel.close(promise: nil) }
        }
    }

    let driver: NIOLoopBound<DedicatedDriver>
    let eventLoop: any EventLoop
    let host: PeerID

    /// Listens at all of the addresses, or at none.
    func open(_ port: UInt16, at addresses: Set<IPAddress>, log: ListenerLog) async -> Door {
        var channels: [any Channel] = []
        do {
            for address in addresses {
                do {
                    channels.append(try await bind(address, port, log))
                } catch let error as IOError where error.meansNoIPv6 && address == .anyIPv6 && addresses.count > 1 {
                    // The service has said so when it started.
                    continue
                }
            }
            return .open(channels)
        } catch {
            Door.open(channels).close()
            return (error as? IOError)?.errnoCode == EADDRINUSE ? .portTaken : .failed
        }
    }

    private func bind(_ address: IPAddress, _ port: UInt16, _ log: ListenerLog) async throws -> any Channel {
        let (driver, host) = (driver, host)
        var bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptFailureHandler(log: log))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try driver.value.receive(channel, at: host) }
            }
        if address.ipv4 == nil {
            let only6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(only6, value: 1)
        }
        return try await bootstrap.bind(host: "\(address)", port: Int(port)).get()
    }
}
