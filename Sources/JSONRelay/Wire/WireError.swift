/// Why bytes that arrived cannot be understood. Each of these ends the connection.
package enum WireError: Error, Hashable, Sendable {
    case emptyFrame
    case negativeLength
    /// The header announces more than `limit` octets.
    case frameTooLarge(limit: Int)
    /// The body is not one JSON object; `offset` counts its octets from 0.
    case json(JSONFault, offset: Int)
    case typeMissing
    case typeNotString
    case typeUnknown
    case sourceNotString
    case destinationNotString
    /// An id contains an escape for half of a surrogate pair, which no UTF-8 text can hold.
    case idNotText

    /// What the client is told.
    var text: String {
        switch self {
        case .emptyFrame: "Bad frame: the length is 0"
        case .negativeLength: "Bad frame: the length is negative"
        case .frameTooLarge(let limit): "Frame too large: the limit is \(limit) octets"
        case .json(let fault, let offset): "Bad JSON at octet \(offset): \(fault.rawValue)"
        case .typeMissing: "Bad message: payloadType is missing"
        case .typeNotString: "Bad message: payloadType is not a string"
        case .typeUnknown: "Invalid type"
        case .sourceNotString: "Bad message: source is not a string"
        case .destinationNotString: "Bad message: destination is not a string"
        case .idNotText: "Bad message: an id holds half of a surrogate pair"
        }
    }
}

/// What is wrong with a text that should be JSON. The raw value finishes a sentence.
package enum JSONFault: String, CaseIterable, Sendable {
    case unexpected = "unexpected character"
    case endsEarly = "the text ends early"
    case followed = "something follows the object"
    case nestedTooDeep = "nested deeper than 64 levels"
    case controlCharacter = "control character in a string"
    case badEscape = "bad escape sequence"
    case notUTF8 = "not UTF-8"
}
