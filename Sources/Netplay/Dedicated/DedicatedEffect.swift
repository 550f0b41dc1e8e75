public import NIOCore
public import RelayCore

/// What the desk wants done about a host. Its caller reports the outcome of each by the input that is named here.
public enum DedicatedEffect: Equatable {
    /// Send a datagram back.
    case answer(ByteBuffer, to: Asker)
    /// Find out whether there is such content, and a core for it: `found`, or `failed`.
    case find(PeerID, HostingRequest)
    /// Let guests in on a port, or through a tunnel if there is none: `doorOpened`, `portTaken`, or `failed`. A tunnel
    /// that is lost later: `doorLost`.
    case openDoor(PeerID, port: UInt16?)
    /// Start the program: `exited` when it has ended, however that came.
    case launch(PeerID)
    /// Ask the program whether it answers: `probed`.
    case probe(PeerID)
    /// Tell the lobby of the host.
    case announce(PeerID)
    /// Close the door, part from guests, end the program: `exited` when nothing of it is left.
    case stop(PeerID)
    /// Something an operator may want to know.
    case emit(DedicatedEvent)
    /// A request got no host, or no answer either; counted by its word.
    case refuse(HostingRefusal, from: Endpoint)
}

/// Who asked for a host by a datagram, and how his answer finds him.
public struct Asker: Hashable, Sendable {
    public var endpoint: Endpoint
    /// Which of the sockets the request came to; the answer must leave by the same.
    public var socket: Int
    /// The length of the request in bytes: the answer is no longer.
    public var requestLength: Int

    public init(endpoint: Endpoint, socket: Int, requestLength: Int) {
        self.endpoint = endpoint
        self.socket = socket
        self.requestLength = requestLength
    }
}

/// Why a request does not get a host. The raw value is the word that is counted.
public enum HostingRefusal: String, Error, Sendable, CaseIterable {
    // These get no answer.
    case malformed
    case tooFast = "too_fast"
    case banned
    /// From a port that services have: somebody wants them to get our answer.
    case servicePort = "service_port"
    // These are told no.
    case hostsFull = "hosts_full"
    case addressFull = "address_full"
    case draining = "server_draining"
}

/// Why a host is no more, or never came to be. The raw value is the word that is counted.
public enum HostEnd: String, Error, Sendable, CaseIterable {
    case unknownCore = "unknown_core"
    case unknownContent = "unknown_content"
    case noPort = "no_port"
    case noTunnel = "no_tunnel"
    case launchFailed = "launch_failed"
    case startTimeout = "start_timeout"
    case crashed
    case hung
    case idle
    case tunnelLost = "tunnel_lost"
    case requested
    case draining = "server_draining"
    case stopping = "server_stopping"

    /// What it says in a log line.
    public var sentence: String {
        switch self {
        case .unknownCore: "no core of that name is offered"
        case .unknownContent: "there is no such content for that core"
        case .noPort: "no port was free"
        case .noTunnel: "the relay gave no session"
        case .launchFailed: "the program could not be started"
        case .startTimeout: "it did not answer in time"
        case .crashed: "the program ended by itself"
        case .hung: "it stopped answering"
        case .idle: "no guest was there for too long"
        case .tunnelLost: "the relay was lost"
        case .requested: "the operator ended it"
        case .draining: "the server takes no new rooms before it stops"
        case .stopping: "the server is stopping"
        }
    }
}
