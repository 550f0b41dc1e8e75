/// What the doctor found about one thing.
package struct Finding: Sendable, Equatable, Encodable {
    package enum Grade: String, Sendable, Encodable, Comparable {
        case ok, warning, problem

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warning: 1
            case .problem: 2
            }
        }

        package static func < (left: Grade, right: Grade) -> Bool { left.rank < right.rank }
    }

    /// What was looked at, in a word: `ports`, `clock`.
    package var check: String
    package var grade: Grade
    /// What is the case.
    package var message: String
    /// What to do about it; `nil` if nothing has to be done.
    package var advice: String?

    static func ok(_ check: String, _ message: String) -> Finding {
        Finding(check: check, grade: .ok, message: message, advice: nil)
    }

    static func warning(_ check: String, _ message: String, advice: String) -> Finding {
        Finding(check: check, grade: .warning, message: message, advice: advice)
    }

    static func problem(_ check: String, _ message: String, advice: String) -> Finding {
        Finding(check: check, grade: .problem, message: message, advice: advice)
    }
}
