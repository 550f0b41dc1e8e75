/// A pattern that names are held against: `*` stands for any characters, `?` for one, and case does not count.
public struct NamePattern: Hashable, Sendable {
    private let scalars: [Unicode.Scalar]

    public init(_ text: String) {
        scalars = Self.folded(text)
    }

    /// Whether it stands for one name alone.
    public var isPlain: Bool { !scalars.contains { $0 == "*" || $0 == "?" } }

    /// Names that count as the same have the same.
    public static func key(of name: String) -> String { name.lowercased() }

    public func matches(_ name: String) -> Bool { matches(folded: Self.folded(name)) }

    /// The same for a name that is held against many.
    func matches(folded name: [Unicode.Scalar]) -> Bool {
        var (place, position) = (0, 0)
        /// Where the last star stood, and how much of the name it has taken.
        var star: (place: Int, taken: Int)?
        while position < name.count {
            if place < scalars.count, scalars[place] == "*" {
                star = (place, position)
                place += 1
            } else if place < scalars.count, scalars[place] == "?" || scalars[place] == name[position] {
                place += 1
                position += 1
            } else if let last = star {
                // It takes one more; what was tried behind it is tried again from there.
                star = (last.place, last.taken + 1)
                (place, position) = (last.place + 1, last.taken + 1)
            } else {
                return false
            }
        }
        return scalars[place...].allSatisfy { $0 == "*" }
    }

    static func folded(_ text: String) -> [Unicode.Scalar] { Array(text.lowercased().unicodeScalars) }
}
