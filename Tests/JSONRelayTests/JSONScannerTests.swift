import Foundation
import NIOCore
import RelayCore
import Testing

@testable import JSONRelay

@Suite("JSON, read")
struct JSONScannerTests {
    private func read(_ body: [UInt8]) throws(WireError) -> IncomingMessage {
        try IncomingMessage(ByteBuffer(bytes: frame(body)), readsReadmeName: true)
    }

    private func read(_ body: String) throws(WireError) -> IncomingMessage { try read(Array(body.utf8)) }

    /// An INIT with one more member.
    private func object(with value: String) -> String { #"{"payloadType":"INIT","extra":\#(value)}"# }

    @Test(
        "values that are JSON",
        arguments: [
            "0", "-0", "12", "-12.50", "1e9", "1E+9", "1.5e-300", "true", "false", "null", "[]", "{}", " [ ] ", "{ }",
            "[1,2,[3,{}],\"x\"]", #"{"a":{"b":[{"c":null}]},"d":""}"#, "\t[\r\n1 , 2\n]", "\"\"", "\"é日\u{1F600}\"",
            "\"\u{7F}\u{A0}\"", #""\"\\\/\b\f\n\r\t""#, #""\u00e9\u0000\uD83D\uDE00""#, #""\ud83d""#,
            #"{"\ud83d":1}"#,
        ])
    func accepted(value: String) throws {
        let message = try read(object(with: value))
        #expect(message.kind == .initialize)
    }

    @Test(
        "values that are not",
        arguments: [
            ("01", .unexpected), ("+1", .unexpected), (".5", .unexpected), ("1.", .unexpected), ("1.e1", .unexpected),
            ("1e", .unexpected), ("1e+", .unexpected), ("-", .unexpected), ("--1", .unexpected), ("0x1", .unexpected),
            ("NaN", .unexpected), ("Infinity", .unexpected), ("tru", .unexpected), ("True", .unexpected),
            ("nulll", .unexpected), ("", .unexpected), ("[1,]", .unexpected), ("[,1]", .unexpected),
            ("[1 2]", .unexpected), ("[1}", .unexpected), ("{]", .unexpected), (#"{"a"}"#, .unexpected),
            (#"{"a":}"#, .unexpected),
            (#"{"a":1,}"#, .unexpected), (#"{"a":1"b":2}"#, .unexpected), ("{a:1}", .unexpected),
            ("{1:1}", .unexpected), ("'x'", .unexpected), ("/**/1", .unexpected), ("1//x\n", .unexpected),
            ("\u{FEFF}1", .unexpected),
            ("1\u{A0}", .unexpected), ("\"\t\"", .controlCharacter), ("\"\u{0}\"", .controlCharacter),
            (#""\x""#, .badEscape), (#""\U0041""#, .badEscape), (#""\u004""#, .badEscape), (#""\u00g0""#, .badEscape),
            (#""\"#, .badEscape),
        ] as [(String, JSONFault)])
    func refused(value: String, fault: JSONFault) {
        #expect(fault == self.fault(of: Array(object(with: value).utf8)))
    }

    @Test(
        "bodies that are no object, or more than one",
        arguments: [
            ("", .endsEarly), (" ", .endsEarly), ("1", .unexpected), ("\"x\"", .unexpected), ("[]", .unexpected),
            ("null", .unexpected), ("{", .endsEarly), ("{\"", .endsEarly), ("{}{}", .followed), ("{} x", .followed),
            ("{}\u{0}", .followed), ("{}}", .followed), ("{} // x", .followed),
        ] as [(String, JSONFault)])
    func refusedBodies(body: String, fault: JSONFault) {
        // An empty body cannot travel in a frame, but can be read.
        #expect(fault == self.fault(of: Array(body.utf8)))
    }

    @Test(
        "octets that are not UTF-8",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE2, 0x82],
            [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func notUTF8(octets: [UInt8]) {
        for padding in 0...9 {
            let text = Array(repeating: UInt8(ascii: "x"), count: padding) + octets
            let body = Array(#"{"payloadType":"INIT","x":""#.utf8) + text + Array(#""}"#.utf8)
            #expect(fault(of: body) == .notUTF8)
            #expect(fault(of: Array(body.prefix(27 + text.count))) == .notUTF8)
        }
    }

    @Test("64 levels are read, 65 are not", arguments: [("[", "]"), (#"{"a":"#, "}")])
    func depth(opening: String, closing: String) {
        for depth in [62, 63, 64, 1000] {
            // The message itself is the first level.
            let nested = String(repeating: opening, count: depth) + "0" + String(repeating: closing, count: depth)
            #expect(fault(of: Array(object(with: nested).utf8)) == (depth <= 63 ? nil : .nestedTooDeep))
        }
    }

    @Test("a control character is refused wherever it stands in a string")
    func controlCharacters() {
        for octet in UInt8(0)..<0x20 {
            for padding in 0...16 {
                let text = String(repeating: "x", count: padding) + String(Unicode.Scalar(octet)) + "yyyyyyyy"
                #expect(fault(of: Array(object(with: "\"\(text)\"").utf8)) == .controlCharacter)
            }
        }
    }

    @Test("names are compared unescaped and exactly; the last of a name counts")
    func names() throws {
        let message = try read(
            #"{"\u0070ayloadType":"CLOSE","payloadType":"MESS\u0041GE","Source":"x","source":"a","\u0073ource":"b","#
                + #""destination ":"x","destination":"c","\ud83d":"x"}"#)
        #expect(message.kind == .message)
        #expect(message.source.map { String(buffer: message.decoded($0)) } == "b")
        #expect(message.destination.map { String(buffer: message.decoded($0)) } == "c")
    }

    @Test("a member of the wrong type is excused by a later one of its name")
    func laterDuplicate() throws {
        let message = try read(#"{"payloadType":1,"source":[],"payloadType":"INIT","source":"a"}"#)
        #expect(message.source.map { String(buffer: message.decoded($0)) } == "a")
    }

    @Test("half of a surrogate pair makes an id unreadable", arguments: [#"\ud83d"#, #"\ude00\ud83d"#, #"x\ud83dx"#])
    func surrogates(text: String) {
        #expect(throws: WireError.idNotText) { try read(#"{"payloadType":"INIT","source":"\#(text)"}"#) }
        #expect(throws: WireError.idNotText) { try read(#"{"payloadType":"MESSAGE","destination":"\#(text)"}"#) }
    }

    @Test("what is damaged at random is judged as Foundation judges it", arguments: 0..<300 as Range<UInt64>)
    func againstFoundation(seed: UInt64) throws {
        let base = #"{"payloadType":"INIT","a":[1,-2.5e+1,true,null,{"b":"c\n\u00e9"}],"d":{},"e":" x "}"#
        let letters = Array(#"{}[]",:\/-+.0123456789eEtfnul xa"#.utf8)
        var random = RandomSource.seeded(seed)
        for _ in 0..<20 {
            var body = Array(base.utf8)
            // So few changes do not make a number that Foundation finds too large.
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let index = Int.random(in: 22..<body.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: body.remove(at: index)
                case 1: body[index] = letters[Int.random(in: letters.indices, using: &random)]
                default: body.insert(letters[Int.random(in: letters.indices, using: &random)], at: index)
                }
            }
            let judgement = (try? JSONSerialization.jsonObject(with: Data(body))) != nil
            #expect((fault(of: body) == nil) == judgement, "seed \(seed): \(String(decoding: body, as: UTF8.self))")
        }
    }

    /// What is wrong with the JSON of a body; `nil` if nothing is, whatever it may mean.
    private func fault(of body: [UInt8]) -> JSONFault? {
        do {
            _ = try read(body)
            return nil
        } catch {
            if case .json(let fault, let offset) = error {
                #expect((0...body.count).contains(offset))
                return fault
            }
            return nil
        }
    }
}
