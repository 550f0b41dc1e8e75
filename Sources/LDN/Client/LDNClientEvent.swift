public import NIOCore
public import RelayCore

/// One thing a client wants done, in the order it was decided.
public enum LDNClientEffect: Sendable, Equatable {
    case send(ByteBuffer, over: LDNLine)
    /// Connect the line to the P2P host to this address, and say what became of it: `opened` or `closed`.
    case connectProxy(Endpoint)
    /// Close the line to the P2P host; no `closed` need follow.
    case closeProxy
    /// Close the line to the master. Nothing more will come of this client.
    case close
    case emit(LDNClientEvent)
}

/// A client's two connections.
public enum LDNLine: Sendable {
    case master
    /// To the host of a P2P network.
    case proxy
}

/// What a client has to tell.
public enum LDNClientEvent: Sendable, Equatable {
    /// The master has said who this client is.
    case ready(InitializeMessage)
    /// The answer to a scan.
    case scanned([NetworkInfo])
    /// A scan had no end in time.
    case scanFailed
    /// This client is in a network: its own, or one that it has joined.
    case entered(Membership)
    case notEntered(LDNClientFailure)
    case networkChanged(NetworkInfo)
    /// It is out of its network, and has not asked for that.
    case leftOut(wasRejected: Bool)
    /// The master has put a player out; `false`: it has not.
    case rejectAnswered(Bool)
    /// The master has sent back this client's own ping.
    case pong
    case pingFailed
    /// What a player said to one of this client's sockets.
    case datagram(VirtualSocket, from: VirtualEndpoint, ByteBuffer)
    /// For hosts: a joiner is to come to the P2P proxy.
    case proxyToken(ExternalProxyToken)
    /// For hosts: a player has gone, says the master.
    case proxyState(ExternalProxyConnectionState)
    /// For hosts: the master cannot reach the P2P proxy, and relays.
    case proxyPortUnreachable
    /// The connection to the P2P host has ended: nothing can be said any more.
    case proxyLost
    /// The end of this client.
    case closed(LDNClientFailure)
}

/// The network a client is in.
public struct Membership: Sendable, Equatable {
    /// The way of what is said.
    public enum Route: Sendable, Equatable {
        case master
        case proxy(Endpoint)
        /// This client hosts, and the proxy runs in its own process.
        case ownProxy
        /// The host's proxy cannot be reached: nothing can be said.
        case none(Endpoint)
    }

    public var network: NetworkInfo
    /// This client's own.
    public var address: VirtualAddress
    public var route: Route
    public var isHost: Bool
}

/// Why something came to nothing.
public enum LDNClientFailure: Error, Hashable, Sendable {
    /// The master did not do it.
    case refused(NetworkError)
    /// No answer in time.
    case timeout
    /// Something was asked before the master has said who this client is, or while the same is being asked.
    case notNow
    /// This is in a network already, or in none.
    case wrongPlace
    /// The network was closed before it was entered.
    case disconnected
    /// What is to be sent is too long.
    case tooLong
    /// The other end does not speak LDN.
    case badStream
    /// The connection to the master ended.
    case connectionEnded
    /// This side ended it.
    case closedHere
}

extension LDNClientFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let error): "refused: \(error.sentence)"
        case .timeout: "no answer in time"
        case .notNow: "this cannot be asked now"
        case .wrongPlace: "this needs a network, or none"
        case .disconnected: "the network was closed"
        case .tooLong: "too long to be sent"
        case .badStream: "what came is not LDN"
        case .connectionEnded: "the connection ended"
        case .closedHere: "closed"
        }
    }
}

extension NetworkError {
    /// For people.
    public var sentence: String {
        switch self {
        case .none: "no error"
        case .portUnreachable: "the P2P proxy's port cannot be reached (1)"
        case .tooManyPlayers: "the network is full (2)"
        case .versionTooLow: "the game's version is too low (3)"
        case .versionTooHigh: "the game's version is too high (4)"
        case .connectFailure: "the session is not initialized (5)"
        case .connectNotFound: "there is no such network (6)"
        case .connectTimeout: "timeout (7)"
        case .connectRejected: "the network takes nobody in (8)"
        case .rejectFailed: "there is no such player to put out (9)"
        default: "error \(rawValue)"
        }
    }
}
