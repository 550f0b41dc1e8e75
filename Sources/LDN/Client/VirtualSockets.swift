/// An address and port in a game's own network.
public struct VirtualEndpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: VirtualAddress
    public var port: UInt16

    public init(address: VirtualAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String { "\(address):\(port)" }
}

/// A socket of a game in its network: section 11 of the protocol's notes.
public struct VirtualSocket: Hashable, Sendable {
    let number: UInt32
    public let transport: TransportProtocol
    public let port: UInt16
    /// Whether it gets what is sent to 10.114.255.255; 192.168.0.255 reaches any.
    public let hearsBroadcast: Bool
}

/// The sockets of one client.
struct VirtualSockets: Sendable {
    /// The first port given to who asks for none.
    static let firstEphemeralPort: UInt16 = 49152

    private var sockets: [VirtualSocket] = []
    private var opened: UInt32 = 0

    /// - Parameter port: may be that of another socket: then both hear what comes. `nil`: the lowest that is free.
    /// - Returns: `nil` if no port is free.
    mutating func open(port: UInt16?, transport: TransportProtocol, hearsBroadcast: Bool) -> VirtualSocket? {
        let taken = Set(sockets.filter { $0.transport == transport }.map(\.port))
        guard let port = port ?? (Self.firstEphemeralPort...UInt16.max).first(where: { !taken.contains($0) }) else {
            return nil
        }
        opened &+= 1
        let socket = VirtualSocket(
            number: opened, transport: transport, port: port, hearsBroadcast: hearsBroadcast)
        sockets.append(socket)
        return socket
    }

    mutating func close(_ socket: VirtualSocket) { sockets.removeAll { $0 == socket } }

    func contains(_ socket: VirtualSocket) -> Bool { sockets.contains(socket) }

    /// Whom a packet is for: port and transport decide, the address does not, but for the broadcast address.
    func receivers(of info: ProxyInfo, broadcast: VirtualAddress) -> [VirtualSocket] {
        sockets.filter { socket in
            socket.port == info.destinationPort && socket.transport == info.transport
                && (socket.hearsBroadcast || info.destinationIPv4 != broadcast)
        }
    }
}
