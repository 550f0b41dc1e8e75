/// The word that was probably meant; `nil` if none is near.
func nearest(to text: String, among words: [String]) -> String? {
    // Nothing that long is a slip of the pen, and the comparison takes time with the product of the lengths.
    guard text.utf8.count <= 64 else { return nil }
    let tolerance = max(1, (text.utf8.count + 1) / 3)
    let distances = words.map { (word: $0, distance: editDistance(Array(text.lowercased().utf8), Array($0.utf8))) }
    guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= tolerance,
        best.distance < best.word.utf8.count
    else { return nil }
    return best.word
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (row, byte) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(last[column] + (byte == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
