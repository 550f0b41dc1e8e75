/// The fields of a form, or of a query, as RetroArch and browsers encode them: `name=value&name=value`, a space as `+`,
/// other bytes as `%XX`.
public struct FormFields: Sendable, Equatable {
    /// Bytes that are no form.
    public enum Fault: Error {
        /// A `%` is not followed by two hexadecimal digits.
        case badEscape
        /// More fields than any form of the lobby has.
        case tooManyFields
    }

    /// The most fields of a form.
    public static let maxFields = 64

    private let fields: [String: String]

    /// Of several fields of one name the first counts. Bytes that are no UTF-8 become replacement characters.
    public init(_ bytes: some Sequence<UInt8>) throws(Fault) {
        let parts = Array(bytes).split(separator: UInt8(ascii: "&"))
        guard parts.count <= Self.maxFields else { throw .tooManyFields }
        var fields: [String: String] = [:]
        for part in parts {
            let gap = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let name = try Self.text(part[..<gap])
            let value = try Self.text(part[gap...].dropFirst())
            if fields[name] == nil { fields[name] = value }
        }
        self.fields = fields
    }

    /// The value of a field; `nil` if the form has none of that name.
    public subscript(name: String) -> String? { fields[name] }

    private static func text(_ encoded: ArraySlice<UInt8>) throws(Fault) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(encoded.count)
        var rest = encoded
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"):
                decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst()?.hexDigit, let low = rest.popFirst()?.hexDigit else {
                    throw .badEscape
                }
                decoded.append(high << 4 | low)
            default:
                decoded.append(byte)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit.
    var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
