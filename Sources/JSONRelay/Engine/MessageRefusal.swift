/// Why the relay did not do what a message asks. The connection stays, unless it was one fault too many.
public enum MessageRefusal: Error, Hashable, Sendable {
    /// An INIT asks for an id that a client has, the asking one included.
    case idInUse(String)
    /// An INIT asks for an id of more than 128 octets.
    case idTooLong
    /// An INIT asks for an id with control characters in it.
    case idHasControlCharacters
    /// An INIT when as many clients have ids as may have.
    case serverFull
    /// An INIT by a connection without an id while the server drains.
    case goingDown
    /// Anything but INIT and CLOSE by a connection without an id, where INIT is required.
    case notInitialized
    case destinationMissing
    /// No client has that id; one that is too long for an id is cut.
    case destinationUnknown(String)
    /// Content is an object or an array.
    case payloadNotString
    /// Content has an escape for half of a surrogate pair.
    case payloadNotText
    /// More messages than the rate allows.
    case rateLimited(perSecond: Int)

    /// The word under which it is counted.
    public var word: String {
        switch self {
        case .idInUse: "id_in_use"
        case .idTooLong: "id_too_long"
        case .idHasControlCharacters: "id_has_control_characters"
        case .serverFull: "server_full"
        case .goingDown: "going_down"
        case .notInitialized: "not_initialized"
        case .destinationMissing: "destination_missing"
        case .destinationUnknown: "destination_unknown"
        case .payloadNotString: "payload_not_string"
        case .payloadNotText: "payload_not_text"
        case .rateLimited: "rate_limited"
        }
    }

    /// What the client is told, word for word.
    public var text: String {
        switch self {
        case .idInUse(let id): "ClientId: \(id) is already initialized"
        case .idTooLong: "ClientId too long: the limit is \(ClientID.maxLength) octets"
        case .idHasControlCharacters: "ClientId has control characters"
        case .serverFull: "Server full"
        case .goingDown: "Server going down"
        case .notInitialized: "Not initialized: send INIT first"
        case .destinationMissing: "Destination missing"
        case .destinationUnknown(let id): "Destination not connected: \(id)"
        case .payloadNotString: "Payload is not a string"
        case .payloadNotText: "Payload holds half of a surrogate pair"
        case .rateLimited(let perSecond): "Rate limited: \(perSecond) messages a second"
        }
    }

    /// Whether the client broke a rule. It cannot know who is connected and which ids are free, so those are no faults.
    var isFault: Bool {
        switch self {
        case .idInUse, .serverFull, .goingDown, .destinationUnknown: false
        case .idTooLong, .idHasControlCharacters, .notInitialized, .destinationMissing, .payloadNotString,
            .payloadNotText, .rateLimited:
            true
        }
    }

    /// Whether it concerns where a message should go; only clients with an id hear of that.
    var isAboutDestination: Bool {
        switch self {
        case .destinationMissing, .destinationUnknown: true
        default: false
        }
    }
}
