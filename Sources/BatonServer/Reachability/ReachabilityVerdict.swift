/// What a question to a host came to: a word for programs and a sentence for people.
struct ReachabilityVerdict: Equatable {
    enum Word: String, Codable {
        case reachable
        /// Reachable, and without room for one more.
        case full
        /// Something is there that is no RetroArch.
        case stranger
        /// Something is there that said nothing, or the session has ended.
        case silent
        case unreachable
        case privateAddress = "private_address"
        case tooOften = "too_often"
        case busy
    }

    var word: Word
    var sentence: String

    /// Of the question whether a port can be reached.
    init(_ answer: ReachabilityProbe.Answer, onPort port: UInt16) {
        switch answer {
        case .netplay, .denied: self.init(.reachable, "Your room can be reached from the internet.")
        case .full: self.init(.full, "Your room can be reached from the internet, and is full.")
        case .stranger, .hungUp: self.init(.stranger, "Something answers on port \(port) that is not RetroArch.")
        case .silent:
            self.init(
                .silent, "Something answers on port \(port) that is not RetroArch, or is a RetroArch that is paused.")
        case .unreachable: self.init(.unreachable, "Nobody answers on port \(port).")
        }
    }

    /// Of the question whether a session's host can be reached through its relay.
    init(ofSession answer: ReachabilityProbe.Answer) {
        switch answer {
        case .netplay, .denied: self.init(.reachable, "Your room can be reached through its relay.")
        case .full: self.init(.full, "Your room can be reached through its relay, and is full.")
        case .stranger: self.init(.stranger, "Something answers through this session that is not RetroArch.")
        // A relay hangs up on who asks for a session that it does not have.
        case .silent, .hungUp:
            self.init(.silent, "Nobody answers through this session: it has ended, or its host is paused.")
        case .unreachable: self.init(.unreachable, "The relay cannot be reached.")
        }
    }

    init(_ refusal: ReachabilityDesk.Refusal) {
        switch refusal {
        case .privateAddress:
            self.init(.privateAddress, "You come from a private address, which cannot be reached from the internet.")
        case .tooOften: self.init(.tooOften, "You asked too often; try again in a few seconds.")
        case .busy: self.init(.busy, "Too many others are asking; try again in a few seconds.")
        }
    }

    private init(_ word: Word, _ sentence: String) {
        self.word = word
        self.sentence = sentence
    }
}
