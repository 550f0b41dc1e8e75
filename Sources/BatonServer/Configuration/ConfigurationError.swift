/// Everything that is wrong with a configuration, in the order of its lines.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// One thing that is wrong, and where.
    package struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
        package enum Place: Sendable, Hashable {
            /// The file as a whole.
            case wholeFile
            /// Both count from 1.
            case line(Int, column: Int)
            /// A variable of the environment, by its name.
            case variable(String)
        }

        package var file: String
        package var place: Place
        package var message: String

        /// `baton.yaml:12:3: message`, or `environment: BATON_JSON__LISTEN: message`.
        package var description: String {
            switch place {
            case .wholeFile: "\(file): \(message)"
            case .line(let line, let column): "\(file):\(line):\(column): \(message)"
            case .variable(let name): "environment: \(name): \(message)"
            }
        }
    }

    package var diagnostics: [Diagnostic]

    /// One diagnostic a line.
    package var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}

/// A diagnostic that does not know yet which file it is about.
struct Problem: Comparable {
    var place: ConfigurationError.Diagnostic.Place
    var message: String

    func diagnostic(in file: String) -> ConfigurationError.Diagnostic {
        .init(file: file, place: place, message: message)
    }

    static func < (left: Problem, right: Problem) -> Bool {
        (left.place, left.message) < (right.place, right.message)
    }
}

extension ConfigurationError.Diagnostic.Place: Comparable {
    /// The file as a whole, then its lines, then variables by name.
    package static func < (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.line(let leftLine, let leftColumn), .line(let rightLine, let rightColumn)):
            (leftLine, leftColumn) < (rightLine, rightColumn)
        case (.variable(let left), .variable(let right)): left < right
        case (.wholeFile, .line), (.wholeFile, .variable), (.line, .variable): true
        default: false
        }
    }
}
