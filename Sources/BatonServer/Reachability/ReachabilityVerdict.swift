/// What a question to a host came to: a word for programs and a sentence for people.
struct ReachabilityVerdict: Equatable {
    enum Word: String, Codable {
        case reachable
        /// Reachable, and without room for one more.
        case full
        /// Something is there that is no RetroArch.
        case stranger
        /// Something is there that said nothing.
        case silent
        case unreachable
        case privateAddress = "private_address"
        case tooOften = "too_often"
        case busy
    }

    var word: Word
    var sentence: String

    /// `place` is where it was asked: "on port 55435", "through this session".
    init(_ answer: ReachabilityProbe.Answer, at place: String) {
        switch answer {
        case .netplay, .denied: self.init(.reachable, "Your room can be reached from the internet.")
        case .full: self.init(.full, "Your room can be reached from the internet, and is full.")
        case .stranger, .hungUp: self.init(.stranger, "Something answers \(place) that is not RetroArch.")
        case .silent:
            self.init(.silent, "Something answers \(place) that is not RetroArch, or is a RetroArch that is paused.")
        case .unreachable: self.init(.unreachable, "Nobody answers \(place).")
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
