/// Frames in a JSON file: `{"context": {…}, "frames": [{"name": "…", "role": "client", "hex": "…"}]}`.
///
/// Other members, such as what is expected of a frame, are passed over.
public struct FrameFile: Sendable, Decodable {
    /// One frame.
    public struct Frame: Sendable, Decodable {
        public var name: String?
        /// `nil` leaves it to whoever reads the file.
        public var role: FrameSender?
        public var octets: [UInt8]

        private enum CodingKeys: String, CodingKey {
            case name, role, hex
        }

        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            name = try fields.decodeIfPresent(String.self, forKey: .name)
            role = try fields.decodeIfPresent(FrameSender.self, forKey: .role)
            let hex = Array(try fields.decode(String.self, forKey: .hex).utf8)
            octets = []
            octets.reserveCapacity(hex.count / 2)
            for start in stride(from: 0, to: hex.count, by: 2) {
                guard start + 1 < hex.count, let high = Self.digit(hex[start]), let low = Self.digit(hex[start + 1])
                else {
                    throw DecodingError.dataCorruptedError(
                        forKey: .hex, in: fields, debugDescription: "not pairs of hexadecimal digits")
                }
                octets.append(high << 4 | low)
            }
        }

        private static func digit(_ octet: UInt8) -> UInt8? {
            switch octet {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): octet - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): octet - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): octet - UInt8(ascii: "A") + 10
            default: nil
            }
        }
    }

    public var context: RoomContext
    public var frames: [Frame]
}
