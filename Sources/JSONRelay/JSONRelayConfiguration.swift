/// The settings of one JSON relay listener.
public struct JSONRelayConfiguration: Sendable, Equatable {
    /// Who decides the `source` of a forwarded message.
    public enum SourcePolicy: String, Sendable, CaseIterable {
        /// The relay: the sender's true id, whatever the message claims.
        case enforce
        /// The sender, as in the original server.
        case trust
    }

    /// What the receiver of a message decodes.
    public enum PayloadEscaping: String, Sendable, CaseIterable {
        /// Just what the sender encoded.
        case transparent
        /// What the original server makes of it: every escape sequence escaped once more.
        case reference
    }

    /// Which mistakes of a sender are answered with an ERROR.
    public enum ErrorReplies: String, Sendable, CaseIterable {
        /// All that can be, as the original's documentation promises.
        case readme
        /// Only an id that is in use, and only to a client that has one, as the original's code does.
        case reference
    }

    /// Under which names content travels to a client.
    public enum ReadmeNames: String, Sendable, CaseIterable {
        /// Also as `payloadContent` to a client that used that name itself.
        case auto
        /// Never as `payloadContent`; the name is not read either.
        case never
        /// Always under both names.
        case always
    }

    public var readmeNames = ReadmeNames.auto
    public var payloadEscaping = PayloadEscaping.transparent
    public var sourcePolicy = SourcePolicy.enforce
    public var errorReplies = ErrorReplies.readme
    /// Whether a client must INIT before it may send.
    public var requireInit = false
    /// The longest body of a frame, in bytes; more than 128 MiB counts as 128 MiB.
    public var maxFrame = 1 << 20
    /// How long a frame may take from its first byte to its last; zero means without limit.
    public var frameTimeout = Duration.seconds(30)
    /// A client silent for so long is disconnected; zero means never, for a client that only listens is legal.
    public var idleTimeout = Duration.zero
    /// How long after a CLOSE the connection waits for another INIT.
    public var closeGrace = Duration.seconds(5)
    /// The most clients with an id; 0 means without limit.
    public var maxClients = 0
    /// Messages per second of one client, and as many at once; 0 means without limit.
    public var messageRate = 0
    /// How many faulty (but readable) messages are tolerated at once, one a second being forgiven; 0 means any number.
    public var maxStrikes = 100

    public init() {}

    /// The limit that holds: whatever the setting, a frame must have a length that a header can say, even after
    /// every octet of its content has grown to an escape sequence and was written under two names.
    var frameLimit: Int { min(maxFrame, 1 << 27) }
}
