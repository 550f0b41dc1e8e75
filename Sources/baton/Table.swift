/// Rows of text in columns, for people.
struct Table {
    /// The most characters of a cell.
    private static let widest = 48

    var titles: [String]
    var rows: [[String]]

    /// The titles, and a line for each row.
    var lines: [String] {
        let cut = rows.map { $0.map(Self.cut) }
        let widths = titles.indices.map { column in cut.map { $0[column].count }.reduce(titles[column].count, max) }
        return ([titles] + cut).map { Self.line($0, widths) }
    }

    private static func cut(_ text: String) -> String {
        text.count > widest ? text.prefix(widest - 1) + "…" : text
    }

    private static func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = zip(cells, widths).map { cell, width in
            cell + String(repeating: " ", count: width - cell.count)
        }
        return String(padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }
}
