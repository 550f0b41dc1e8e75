/// A number of bytes, which is written with a unit where a plain count is not.
struct ByteSize: Comparable {
    var bytes: Int

    static func kibibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 10) }
    static func mebibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 20) }

    static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}

extension ByteSize: SettingValue {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000),
        ("kB", 1000), ("B", 1), ("", 1),
    ]

    static var kind: String { "a size such as 512, 64KiB, 1MiB or 1MB" }

    init(setting text: String) throws(BadValue) {
        let digits = text.prefix { $0.utf8.allSatisfy(\.isASCIIDigit) }
        let name = text.dropFirst(digits.count)
        guard let count = Int(digits), let unit = ByteSize.units.first(where: { $0.name == name })
        else { throw BadValue() }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        if overflow { throw BadValue() }
        self.bytes = bytes
    }

    /// In the largest unit of 1024s that divides it.
    var settingText: String {
        let unit = ByteSize.units.prefix(3).first { bytes != 0 && bytes.isMultiple(of: $0.bytes) }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)"
    }
}

extension Int {
    /// The number as a size, so that a setting kept as a plain number can be read and written as one.
    var asByteSize: ByteSize {
        get { ByteSize(bytes: self) }
        set { self = newValue.bytes }
    }
}
