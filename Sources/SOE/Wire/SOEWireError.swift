/// Bytes that are no packet.
public enum SOEWireError: Error, Hashable, Sendable {
    /// It ends before all its fields have come.
    case truncated
    /// The protocol name of a request has no end.
    case unterminatedName
    /// The code after the leading 0 is none that is known.
    case unknownOpCode
    /// The CRC trailer is not that of the bytes before it.
    case badCRC
    /// A packet inside a MultiPacket is shorter than an op code or longer than what is left.
    case badSubPacket
    /// MultiPackets inside MultiPackets, deeper than anybody needs.
    case nestedTooDeep
    /// What should be a zlib stream is none, or is longer than allowed when inflated.
    case badCompression
    /// A length of a CRC trailer that does not exist, or an encoding pass that is not known.
    case unsupported
}
