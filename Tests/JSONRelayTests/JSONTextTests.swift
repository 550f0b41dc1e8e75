import Foundation
import NIOCore
import RelayCore
import Testing

@testable import JSONRelay

@Suite("JSON, written")
struct JSONTextTests {
    private func written(_ text: JSONText) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSON(text)
        return String(buffer: buffer)
    }

    @Test(
        "characters are escaped as the original escapes them",
        arguments: [
            ("", ""), ("plain / <>&'+", "plain / <>&'+"), ("\"\\", #"\"\\"#), ("\u{8}\u{C}\n\r\t", #"\b\f\n\r\t"#),
            ("\u{0}\u{1F}\u{7F}", #"\u0000\u001F\u007F"#), ("\u{85}\u{9F}", #"\u0085\u009F"#), ("é日本ñ", "é日本ñ"),
            ("\u{A0}\u{1680}\u{2003}\u{202F}\u{3000}", #"\u00A0\u1680\u2003\u202F\u3000"#),
            ("\u{2028}\u{2029}", #"\u2028\u2029"#), ("\u{E000}\u{F8FF}", #"\uE000\uF8FF"#),
            ("\u{FFFE}\u{FFFF}\u{0378}", #"\uFFFE\uFFFF\u0378"#), ("\u{1F600}\u{10FFFF}", #"\uD83D\uDE00\uDBFF\uDFFF"#),
            ("\u{200D}\u{FEFF}\u{AD}", "\u{200D}\u{FEFF}\u{AD}"), ("e\u{301}", "e\u{301}"),
        ])
    func escaping(text: String, expected: String) {
        for padding in 0...9 {
            let pad = String(repeating: "x", count: padding)
            #expect(written(.plain(ByteBuffer(string: pad + text + pad))) == pad + expected + pad)
        }
    }

    @Test(
        "other escapes come out in the one form",
        arguments: [
            (#"\/\u002f\u0041"#, "//A"), (#"\u000a\u000A\u0022\u005c"#, #"\n\n\"\\"#), (#"\u00e9\u00a0"#, #"é\u00A0"#),
            (#"\ud83d\ude00\uD83d\uDe00"#, #"\uD83D\uDE00\uD83D\uDE00"#), ("\u{1F600}\u{A0}", #"\uD83D\uDE00\u00A0"#),
            (#"\\u00e9\\\\n"#, #"\\u00e9\\\\n"#), (#"\u001f\u007f"#, #"\u001F\u007F"#),
        ])
    func reescaping(text: String, expected: String) {
        #expect(written(.encoded(ByteBuffer(string: text))) == expected)
        // What is in the one form already stays, and is known to be.
        #expect(written(.encoded(ByteBuffer(string: expected))) == expected)
        #expect(isCanonical(expected))
        #expect(!isCanonical(text) || text == expected)
    }

    @Test("every character up to U+FFFF, raw and escaped, keeps its meaning and is known for what it is")
    func allCharacters() throws {
        for codePoint in UInt32(0)...0xFFFF {
            guard let scalar = Unicode.Scalar(codePoint) else { continue }
            let text = String(scalar)
            let output = written(.plain(ByteBuffer(string: text)))
            let digits = String(codePoint, radix: 16)
            let escape = #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
            #expect(written(.encoded(ByteBuffer(string: escape))) == output)
            #expect(String(buffer: JSONText.decoded(ByteBuffer(string: output).readableBytesSpan)) == text)
            #expect(isCanonical(output))
            #expect(isCanonical(escape) == (escape == output))
            guard codePoint >= 0x20, text != "\"", text != "\\" else { continue }
            #expect(isCanonical(text) == (text.utf8.elementsEqual(output.utf8)))
        }
    }

    @Test("random content arrives as it was sent, as Foundation reads it", arguments: 0..<200 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let relay = Conversation()
        let alpha = relay.join("alpha")
        let beta = relay.join("beta")
        for _ in 0..<10 {
            let content = randomText(using: &random)
            let spelling = randomSpelling(of: content, using: &random)
            relay.say(message(from: "alpha", to: "beta", spelling), from: alpha)
            let body = try #require(relay.heard(beta).first)
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String]
            let received = try #require(object?["payload"])
            #expect(received.utf8.elementsEqual(content.utf8), "seed \(seed)")
            // What went out is in the one form, so it goes out again untouched.
            relay.say(body, from: alpha)
            #expect(relay.heard(beta) == [body], "seed \(seed)")
        }
    }

    @Test("content from Foundation's writer arrives as it was sent", arguments: 0..<100 as Range<UInt64>)
    func foundationWrites(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let relay = Conversation()
        let alpha = relay.join("alpha")
        let beta = relay.join("beta")
        let members = [
            "payloadType": "MESSAGE", "source": "alpha", "destination": "beta", "payload": randomText(using: &random),
        ]
        relay.send(frame(Array(try JSONSerialization.data(withJSONObject: members))), from: alpha)
        let body = try #require(relay.heard(beta).first)
        let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String]
        #expect(object == members, "seed \(seed)")
    }

    @Test("the original's escaping sends the sender's own spelling as text", arguments: 0..<50 as Range<UInt64>)
    func referenceEscaping(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let relay = Conversation { $0.payloadEscaping = .reference }
        let alpha = relay.join("alpha")
        let beta = relay.join("beta")
        let spelling = randomSpelling(of: randomText(using: &random), using: &random)
        relay.say(message(from: "alpha", to: "beta", spelling), from: alpha)
        let body = try #require(relay.heard(beta).first)
        let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String]
        #expect(object?["payload"]?.utf8.elementsEqual(spelling.utf8) == true, "seed \(seed)")
    }

    private func isCanonical(_ text: String) -> Bool {
        var scanner = JSONScanner(from: 0)
        let value = try? scanner.scanValue(in: ByteBuffer(string: "\"\(text)\"").readableBytesSpan)
        guard case .string(let string) = value else { return false }
        return string.isCanonical
    }

    private func randomText(using random: inout RandomSource) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...60, using: &random) {
            let bits = Int.random(in: 5...21, using: &random)
            if let scalar = Unicode.Scalar(UInt32.random(in: 0..<1 << bits, using: &random)) { text.append(scalar) }
        }
        return String(text)
    }

    /// One of the many ways in which JSON can write a text.
    private func randomSpelling(of text: String, using random: inout RandomSource) -> String {
        text.unicodeScalars.map { scalar in
            let needsEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            let letter = JSONEscape.letter(for: scalar) ?? (scalar == "/" ? UInt8(ascii: "/") : nil)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1: if !needsEscape { return String(scalar) }
            case 2: if let letter { return "\\" + String(Unicode.Scalar(letter)) }
            default: break
            }
            let isUpperCase = Bool.random(using: &random)
            return String(scalar).utf16.map { unit in
                let digits = String(unit, radix: 16, uppercase: isUpperCase)
                return #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined()
        }.joined()
    }
}
