/// What the doctor found out about one step of the way between a player's games and the party.
package struct Finding: Codable, Sendable, Equatable {
    /// Where on the way: `client`, `card`, `route`, `relay`, `room`, `gateway`, `address`, `broadcast`, `frames`, `lan`.
    package var hop: String
    /// The word for what is wrong; `nil` if nothing is.
    package var fault: String?
    package var message: String
    /// What to do about it.
    package var advice: String?

    static func good(_ hop: String, _ message: String) -> Finding { Finding(hop: hop, fault: nil, message: message) }

    static func bad(_ hop: String, _ fault: String, _ message: String, _ advice: String? = nil) -> Finding {
        Finding(hop: hop, fault: fault, message: message, advice: advice)
    }

    package init(hop: String, fault: String?, message: String, advice: String? = nil) {
        self.hop = hop
        self.fault = fault
        self.message = message
        self.advice = advice
    }
}
