/// How a dialect says that a body is compressed: by one byte more, whether it is or not.
public struct CompressionStyle: Hashable, Sendable {
    /// Whether the byte stands behind the body instead of in front of it.
    public var trails: Bool
    /// The byte of a body that is not compressed.
    public var plain: UInt8
    /// The byte written for a compressed body.
    public var deflated: UInt8
    /// Whether any byte but `plain` means compressed; else it must be `deflated`.
    public var takesAnyOther: Bool
    /// Shorter bodies are not worth the try.
    public var threshold: Int

    func isDeflated(_ flag: UInt8) throws(SOEWireError) -> Bool {
        if flag == plain { return false }
        guard takesAnyOther || flag == deflated else { throw .badCompression }
        return true
    }

    /// PlanetSide 2, H1Z1, Free Realms.
    public static let leadingFlag = CompressionStyle(
        trails: false, plain: 0, deflated: 1, takesAnyOther: true, threshold: 64)
    /// EverQuest: a letter in front.
    public static let leadingLetter = CompressionStyle(
        trails: false, plain: 0xA5, deflated: 0x5A, takesAnyOther: false, threshold: 31)
    /// Star Wars Galaxies: a flag at the end, which the pass after it encodes as well.
    public static let trailingFlag = CompressionStyle(
        trails: true, plain: 0, deflated: 1, takesAnyOther: true, threshold: 101)
}

/// What is done to the body of every contextual packet, apart from the CRC.
public enum EncodingPass: Hashable, Sendable {
    case none
    case compression(CompressionStyle)
    case xorChain

    /// The byte that stands for it in a `SessionResponse`.
    var wire: UInt8 {
        switch self {
        case .none: 0
        case .compression: 1
        case .xorChain: 4
        }
    }

    /// What a byte of a `SessionResponse` asks for, in a dialect that compresses in the given style. It throws
    /// `unsupported`.
    init(wire: UInt8, style: CompressionStyle) throws(SOEWireError) {
        switch wire {
        case 0: self = .none
        case 1: self = .compression(style)
        case 4: self = .xorChain
        default: throw .unsupported
        }
    }

    /// How many bytes it adds to a packet.
    var overhead: Int {
        if case .compression = self { 1 } else { 0 }
    }
}
