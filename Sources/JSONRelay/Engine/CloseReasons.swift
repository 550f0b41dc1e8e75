public import RelayCore

extension CloseReason {
    /// A header that cannot be: length 0 or negative.
    public static let badFrame = CloseReason("bad_frame", "a frame's length was zero or negative")
    public static let frameTooLarge = CloseReason("frame_too_large", "a frame was larger than the limit")
    /// A body that is not one JSON object.
    public static let badJSON = CloseReason("bad_json", "a frame did not hold one JSON object")
    /// An object that is not a message: type missing or unknown, a member of the wrong type.
    public static let badMessage = CloseReason("bad_message", "a JSON object was not a message of this protocol")
    public static let tooManyFaults = CloseReason("too_many_faults", "the client broke too many rules in a row")
    public static let frameTimeout = CloseReason("frame_timeout", "a frame took too long to arrive")
    /// The client said CLOSE and nothing after it.
    public static let left = CloseReason("left", "the client left with CLOSE")
}

extension WireError {
    /// Why the connection ends, in a word of the fixed set.
    var closeReason: CloseReason {
        switch self {
        case .emptyFrame, .negativeLength: .badFrame
        case .frameTooLarge: .frameTooLarge
        case .json: .badJSON
        case .typeMissing, .typeNotString, .typeUnknown, .sourceNotString, .destinationNotString, .idNotText:
            .badMessage
        }
    }
}
