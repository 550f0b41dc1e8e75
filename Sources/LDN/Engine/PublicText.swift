import NIOCore

/// Text from strangers, made fit for web pages and logs.
enum PublicText {
    /// A player's name.
    static func name(_ field: ByteBuffer) -> String {
        cleaned(field, length: 32, allowing: "_-")
    }

    /// A game's version.
    static func version(_ field: ByteBuffer) -> String {
        cleaned(field, length: 16, allowing: "_-.")
    }

    static func gameName(_ name: String) -> String {
        String(name.map { $0 == "<" || $0 == ">" ? "_" : $0 })
    }

    /// Letters and digits of any script stay.
    private static func cleaned(_ field: ByteBuffer, length: Int, allowing others: String) -> String {
        field.nulTerminatedText.prefix(length).filter { $0.isLetter || $0.isNumber || others.contains($0) }
    }
}
