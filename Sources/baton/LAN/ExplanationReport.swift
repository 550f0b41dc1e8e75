import BatonServer
import Foundation
import LANBridge

/// Writes what the filter does with frames, a line for each as they come.
struct ExplanationReport {
    let isJSON: Bool
    private var forwarded = 0
    private var dropped: [String: Int] = [:]
    private var hasWritten = false
    private let encoder = JSONEncoder()

    init(isJSON: Bool) {
        self.isJSON = isJSON
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    mutating func add(_ explanation: FrameExplanation) {
        if explanation.verdict == "drop" { dropped[explanation.reason, default: 0] += 1 } else { forwarded += 1 }
        if isJSON {
            guard let data = try? encoder.encode(explanation) else { return }
            StandardOutput.write((hasWritten ? ",\n " : "[") + String(decoding: data, as: UTF8.self))
        } else {
            StandardOutput.write(line(explanation) + "\n")
        }
        hasWritten = true
    }

    mutating func finish() {
        if isJSON {
            StandardOutput.write(hasWritten ? "]\n" : "[]\n")
            return
        }
        let reasons = dropped.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
        let total = dropped.values.reduce(0, +)
        StandardOutput.write(
            "\(forwarded) forwarded, \(total) dropped"
                + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: ", ")) + "\n")
    }

    private func line(_ explanation: FrameExplanation) -> String {
        let name = explanation.name.map { "\(explanation.index) \($0)" } ?? "\(explanation.index)"
        let start = name.padded(to: 36) + explanation.verdict.padded(to: 9)
        guard let targets = explanation.targets else {
            let reason = DropReason.allCases.first { $0.word == explanation.reason }
            return start + explanation.reason.padded(to: 22) + (reason?.sentence ?? "")
        }
        let limit = explanation.limit.map { $0 == "none" ? "" : ", counted as \($0)" } ?? ""
        return start + explanation.reason.padded(to: 22) + "to " + targets.joined(separator: ", ") + limit
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(1, width - count))
    }
}
