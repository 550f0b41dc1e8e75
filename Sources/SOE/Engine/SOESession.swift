import DequeModule
import NIOCore
public import RelayCore

/// One session: datagrams, messages and time in; datagrams, messages and events out. It knows no socket and no clock.
///
/// Inputs decide and send nothing: whoever drives a session calls `advance` at the end of each turn in which it had input,
/// and whenever `nextDeadline` comes. What came together is then answered together, and what was enqueued together
/// travels together.
public struct SOESession {
    public enum Role: Sendable { case client, server }

    /// How far a session has come.
    public enum State: Hashable, Sendable {
        /// A client waits for the server's answer.
        case negotiating
        case running
        /// It takes no messages any more, and ends when those it has taken have arrived.
        case closing
        case closed
    }

    enum Phase {
        case negotiating(giveUpAt: Instant, requestAt: Instant)
        case running
        case closing(DisconnectReason, until: Instant)
        /// The end has been told; a Disconnect is repeated a few times.
        case closed(farewells: Int, next: Instant)
    }

    /// What became of a datagram.
    public enum Reception: Sendable {
        case accepted
        /// Its CRC is not that of this session.
        case badCRC
        case dropped
    }

    public let id: PeerID
    public let role: Role
    /// Where datagrams go. A server changes it when the peer's port changes.
    public internal(set) var remote: Endpoint
    public let parameters: SOEParameters
    let timing: SessionTiming
    let zlib: ZlibCodec

    var phase: Phase
    /// The session id on the wire, chosen by the client.
    public internal(set) var wireID: UInt32
    /// What a server answered, or was answered.
    var response: SessionResponse
    var coding: PacketCoding
    /// The most bytes of a datagram that is sent.
    var sendLength: Int
    /// The largest message of a reliable unit.
    var dataSize: Int

    /// As many of the four as have been used.
    var channels: [ReliableChannel] = []
    /// Whose turn it is to send.
    var nextChannel = 0
    var path = SendPath()
    /// Messages taken while negotiating.
    var early = Deque<(message: ByteBuffer, channel: SOEChannel)>()
    var earlyBytes = 0
    /// Unreliable messages until the end of the turn.
    var loose = Deque<(message: ByteBuffer, channel: SOEChannel)>()
    var looseBytes = 0
    /// The counters of the two ordered channels, as sent and as last received.
    var orderedSent: (UInt16, UInt16) = (0, 0)
    var orderedReceived: (UInt16, UInt16) = (0, 0)

    /// What holds for messages that are enqueued, and for messages that are delivered, from now on.
    var sending: Encryption
    var receiving: Encryption

    /// Why it ended, once it has.
    public internal(set) var endReason = DisconnectReason.none
    public internal(set) var endedByPeer = false

    var openedAt: Instant
    var lastSent: Instant
    var lastReceived: Instant
    /// When the first packet with this session's CRC came.
    var firstHeard: Instant?
    /// Something came in since the last `advance`; when.
    var inputAt: Instant?
    var wantsHeartbeat = false
    /// A message was refused; the application waits for room.
    var wantsRoom = false
    /// The application takes no messages at the moment.
    var isPaused = false
    /// It takes none from anybody: see `SOEEngine.holdsMessages`.
    var holdsMessages = false
    var greetingAt = Instant.never
    var netStatusAt = Instant.never
    /// A request of the peer's to be answered.
    var netStatusAsked: NetStatusRequest?
    var wantsNetStatus = false
    var remapping: Remapping?
    /// The peer's last answer to a net status of ours.
    public internal(set) var netStatus: NetStatusResponse?
    /// Whether the peer has sent what receivers never send that do not repeat their acknowledgements.
    var repeatsAcknowledgements = false

    var counted = SOEStatistics()

    /// The peer has said that it does not know the session. Perhaps it was somebody else who said so.
    struct Remapping {
        var until: Instant
        var tryAt: Instant
        /// How often it was said.
        var heard = 1
    }

    init(
        id: PeerID, role: Role, remote: Endpoint, parameters: SOEParameters, phase: Phase, response: SessionResponse,
        coding: PacketCoding, peerLength: UInt32, zlib: ZlibCodec, at now: Instant
    ) {
        self.id = id
        self.role = role
        self.remote = remote
        self.parameters = parameters
        self.phase = phase
        self.response = response
        self.coding = coding
        self.zlib = zlib
        wireID = response.sessionID
        timing = SessionTiming(parameters, role: role)
        sendLength = 0
        dataSize = 0
        sending = Encryption(key: parameters.key)
        receiving = Encryption(key: parameters.key)
        openedAt = now
        lastSent = now
        lastReceived = now
        inputAt = now
        setLengths(peerLength: peerLength)
    }

    /// Begins a client's session: the first `advance` sends the request.
    ///
    /// - Parameters:
    ///   - id: what deliveries and events call the session.
    ///   - random: where the session id comes from.
    public init(
        connecting id: PeerID, to remote: Endpoint, parameters: SOEParameters, random: inout RandomSource,
        zlib: ZlibCodec = ZlibCodec(), at now: Instant
    ) {
        let response = SessionResponse(
            sessionID: UInt32.random(in: 1 ... .max, using: &random), crcSeed: 0, crcLength: 0, udpLength: 0)
        let timing = SessionTiming(parameters, role: .client)
        self.init(
            id: id, role: .client, remote: remote, parameters: parameters,
            phase: .negotiating(giveUpAt: now.after(timing.connect), requestAt: now),
            response: response, coding: PacketCoding(crc: .none), peerLength: 0, zlib: zlib, at: now
        )
    }

    /// Begins a server's session that has been asked for. It is open at once; the response is the caller's to send.
    ///
    /// It throws `unsupported` for a response that asks for what does not exist.
    public init(
        accepting id: PeerID, from remote: Endpoint, request: SessionRequest, response: SessionResponse,
        parameters: SOEParameters, zlib: ZlibCodec = ZlibCodec(), at now: Instant, into out: inout DatagramOutbox
    ) throws(SOEWireError) {
        let coding = try PacketCoding(response: response, dialect: parameters.dialect)
        self.init(
            accepting: id, from: remote, request: request, response: response, coding: coding, parameters: parameters,
            zlib: zlib, at: now, into: &out)
    }

    init(
        accepting id: PeerID, from remote: Endpoint, request: SessionRequest, response: SessionResponse,
        coding: PacketCoding, parameters: SOEParameters, zlib: ZlibCodec, at now: Instant,
        into out: inout DatagramOutbox
    ) {
        self.init(
            id: id, role: .server, remote: remote, parameters: parameters, phase: .running, response: response,
            coding: coding, peerLength: request.udpLength, zlib: zlib, at: now
        )
        netStatusAt = now.after(timing.netStatus)
        out.emit(SOEEvent.opened(id, remote))
    }

    public var state: State {
        switch phase {
        case .negotiating: .negotiating
        case .running: .running
        case .closing: .closing
        case .closed: .closed
        }
    }

    /// Whether nothing is left to be done: it can be forgotten.
    public var isFinished: Bool {
        if case .closed(let farewells, _) = phase { farewells == 0 } else { false }
    }

    /// Bytes that wait for the peer or for its acknowledgement.
    public var queuedBytes: Int { channels.reduce(earlyBytes) { $0 + $1.sender.queuedBytes } }

    /// Bytes of memory that hold what the peer has sent and not completed.
    var heldBytes: Int { channels.reduce(0) { $0 + $1.receiver.heldBytes } }

    /// The CRC seed of a session that is open.
    public var crcSeed: UInt32 { coding.crc.seed }

    /// A length must fit into 32 bits with something to spare, whatever the parameters say.
    var longestMessage: Int { min(parameters.maxMessage, 1 << 30) }

    mutating func setLengths(peerLength: UInt32) {
        sendLength = min(parameters.ownLength, max(Int(peerLength), SOEParameters.smallestLength))
        dataSize = sendLength - 4 - coding.overhead - parameters.dialect.spareBytes
    }

    var isOpen: Bool {
        switch phase {
        case .running, .closing: true
        case .negotiating, .closed: false
        }
    }

    /// Begins to encrypt in the middle of a session, or with `nil` stops: from the next message that is enqueued, and the
    /// next that is delivered. What was enqueued before stays as it is.
    ///
    /// A direction that had the same key before goes on where its key stream was.
    public mutating func encrypt(with key: RC4Key?, sending: Bool = true, receiving: Bool = true) {
        if sending, self.sending.use(key) {
            for index in channels.indices { channels[index].sendCipher = nil }
        }
        if receiving, self.receiving.use(key) {
            for index in channels.indices { channels[index].receiveCipher = nil }
        }
    }

    /// Makes sure that a channel exists.
    @inline(__always)
    mutating func openChannel(_ index: Int) {
        if index >= channels.count { makeChannels(upTo: index) }
    }

    private mutating func makeChannels(upTo index: Int) {
        while channels.count <= index {
            channels.append(
                ReliableChannel(
                    sender: ReliableSender(dataSize: dataSize, maxSpan: parameters.dialect.maxSpan),
                    receiver: ReliableReceiver(
                        stashLimit: max(256 * parameters.ownLength, 64 << 10),
                        acknowledgesEach: parameters.acknowledgesEach,
                        maxDelay: parameters.maxAcknowledgementDelay)
                ))
        }
    }
}
