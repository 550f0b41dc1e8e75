/// A text that must not get into logs: it prints as `<secret>`.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package var description: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Why it cannot be sent in a header of HTTP; `nil` if it can.
    var fault: String? {
        if text.isEmpty { return "is empty" }
        let isVisible = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isVisible ? nil : "holds something else than visible ASCII characters"
    }
}
