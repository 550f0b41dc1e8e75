import Netplay
import RelayCore
import Testing

@Suite struct TextPatternTests {
    @Test(
        arguments: [
            ("abc", ["abc", "xabcx"], ["ab", "ABC", ""]),
            ("^abc$", ["abc"], ["xabc", "abcx"]),
            ("", ["", "x"], []),
            ("a|bc|d", ["a", "xbc", "d"], ["b", "c"]),
            ("a*b", ["b", "aab"], ["a"]),
            ("^a+$", ["a", "aaa"], ["", "ab"]),
            ("^colou?r$", ["color", "colour"], ["colouur"]),
            ("^a{2}$", ["aa"], ["a", "aaa"]),
            ("^a{2,}$", ["aa", "aaaa"], ["a"]),
            ("^a{1,3}?$", ["a", "aaa"], ["", "aaaa"]),
            ("a{x}", ["a{x}"], ["aaa"]),
            ("^(ab)+$", ["ab", "abab"], ["aba"]),
            ("^(?:a|b)*c$", ["c", "abbac"], ["abba"]),
            ("(?i)ShIt", ["shit", "SHIT"], ["ship"]),
            ("a(?i:b)c", ["abc", "aBc"], ["ABC", "abC"]),
            ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
            ("^[^a-c]$", ["d"], ["a", ""]),
            ("[]x]", ["]", "x"], ["a"]),
            ("[a-]", ["-", "a"], ["b"]),
            ("(?i)^[a-c]$", ["A", "b"], ["D"]),
            ("^[\\d_]+$", ["12_3"], ["1a"]),
            ("\\bass\\b", ["ass", "an ass."], ["class", "assassin"]),
            ("\\Bss", ["class"], ["ss"]),
            ("^\\w+\\s\\S$", ["ab 1"], ["ab1"]),
            ("\\.\\*\\x41", [".*A"], ["aaA"]),
            ("a.c", ["abc", "a.c"], ["ac", "a\nc"]),
            ("\\Aab\\z", ["ab"], ["abab"]),
            ("(a*)*b", ["b", "aaab"], ["aaaa"]),
            ("()*x", ["x"], ["y"]),
        ] as [(String, [String], [String])])
    func matches(_ expression: String, _ hits: [String], _ misses: [String]) throws {
        let pattern = try TextPattern(expression)
        for text in hits { #expect(pattern.matches(text), "\(text)") }
        for text in misses { #expect(!pattern.matches(text), "\(text)") }
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[a", "[z-a]", "*", "a|*", "\\", "\\q", "\\x4", "(?=a)", "(?P<n>a)", "a{3,2}", "a{1001}",
        "((a{1000}){1000}){1000}", String(repeating: "(", count: 200), String(repeating: "a", count: 1001),
    ])
    func mistakesAreExplained(_ expression: String) {
        #expect(throws: TextPatternFault.self) { try TextPattern(expression) }
    }

    /// Expressions that take other engines longer than the universe has existed. That this ends at all is the test.
    @Test(arguments: ["(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "((){1000}){1000}", "(a?){50}a{50}"])
    func noExpressionIsSlow(_ expression: String) throws {
        let pattern = try TextPattern(expression)
        #expect(!pattern.matches(String(repeating: "a", count: 49) + "!") || expression == "((){1000}){1000}")
    }

    /// The expressions of chance are read or explained, and then matched, without a trap.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func noExpressionTraps(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let pieces = Array("ab01.*+?|()[]^$\\{},-:idwsbx")
        for _ in 0..<300 {
            let expression = String(
                (0..<Int.random(in: 0..<20, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "a" })
            if let pattern = try? TextPattern(expression) {
                _ = pattern.matches("")
                _ = pattern.matches("ab01 ba")
            }
        }
    }
}
