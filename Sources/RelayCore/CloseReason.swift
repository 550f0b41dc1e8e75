/// Why a connection ended: one word that is counted, and a sentence for the log.
///
/// Words are a fixed, small set (they become metric labels); each protocol adds its own as static members.
public struct CloseReason: Hashable, Sendable, CustomStringConvertible {
    public let word: String
    public let sentence: String

    public init(_ word: StaticString, _ sentence: String) {
        self.word = word.description
        self.sentence = sentence
    }

    public var description: String { "\(word): \(sentence)" }

    public static let peerClosed = CloseReason("peer_closed", "the peer closed the connection")
    public static func connectionLost(_ error: any Error) -> CloseReason {
        CloseReason("connection_lost", "the network reported the connection lost: \(error)")
    }
    public static let slowReader = CloseReason("slow_reader", "the peer does not read what is sent to it")
    public static let serverStopping = CloseReason("server_stopping", "the server is stopping")
    public static let serverDraining = CloseReason("server_draining", "the server takes no new rooms before it stops")
    public static let kicked = CloseReason("kicked", "the operator parted from the peer")
    public static let banned = CloseReason("banned", "the operator has banned the peer")
    public static let idle = CloseReason("idle", "nothing was received for too long")
}
