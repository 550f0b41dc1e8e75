/// The bytes a string of hexadecimal digits stands for; `nil` if it is not one.
public func bytes(hex: some StringProtocol) -> [UInt8]? {
    let digits = hex.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).reduce(into: [UInt8]?([])) { bytes, index in
        guard let high = digits[index], let low = digits[index + 1] else { return bytes = nil }
        bytes?.append(UInt8(high << 4 | low))
    }
}
