import RelayCore
import RelayTesting
import Testing

@testable import JSONRelay

/// One golden message: the octets of a TCP stream in one direction.
struct Vector: Decodable, Sendable, CustomTestStringConvertible {
    enum Direction: String, Decodable { case c2s, s2c }

    var name: String
    var direction: Direction
    var hex: String

    var octets: [UInt8] { bytes(hex: hex) ?? [] }
    var testDescription: String { name }

    private struct File: Decodable { var vectors: [Vector] }

    static func load(_ files: String...) throws -> [Vector] {
        try files.flatMap { try Fixtures.load(File.self, from: "json/\($0).json").vectors }
    }

    static func all() throws -> [Vector] { try load("frames", "partial", "malformed", "replies", "sizes") }
}

/// What a golden message leads to, by the name of who sends it and of the profile.
struct Expectation {
    enum Sender { case fresh, alpha }

    /// Something a client receives.
    enum Piece {
        case vector(String)
        case body(String)
        /// An ERROR to the sender.
        case error(String)
    }

    struct Outcome {
        var sender: [Piece] = []
        var beta: [Piece] = []
        var gamma: [Piece] = []
        var closed: CloseReason?

        static let nothing = Outcome()
    }

    var sender = Sender.fresh
    var ours: Outcome
    var reference: Outcome

    static func answer(_ vector: String) -> Expectation {
        let outcome = Outcome(sender: [.vector(vector)])
        return Expectation(ours: outcome, reference: outcome)
    }

    static func delivery(_ vector: String) -> Expectation {
        let outcome = Outcome(beta: [.vector(vector)])
        return Expectation(sender: .alpha, ours: outcome, reference: outcome)
    }

    static func delivery(ours: Piece, reference: Piece) -> Expectation {
        Expectation(sender: .alpha, ours: Outcome(beta: [ours]), reference: Outcome(beta: [reference]))
    }

    static func refusal(_ text: String) -> Expectation {
        Expectation(sender: .alpha, ours: Outcome(sender: [.error(text)]), reference: .nothing)
    }

    static func malformed(_ text: String, _ reason: CloseReason) -> Expectation {
        Expectation(ours: Outcome(sender: [.error(text)], closed: reason), reference: Outcome(closed: reason))
    }

    static func json(_ fault: JSONFault, at offset: Int) -> Expectation {
        malformed("Bad JSON at octet \(offset): \(fault.rawValue)", .badJSON)
    }

    /// For every golden message of a client.
    static let all: [String: Expectation] = [
        "init_new": .answer("init_reply_generated"),
        "init_with_id": .answer("init_reply_alpha"),
        "init_readme_nulls": .answer("init_reply_generated"),
        "init_spaced_json": .answer("init_reply_alpha"),
        "init_unknown_members": .answer("init_reply_alpha"),
        "init_duplicate_member_last_wins": .answer("init_reply_alpha"),
        "init_escaped_member_name": .answer("init_reply_alpha"),
        "init_escaped_type_value": .answer("init_reply_alpha"),
        "init_empty_id": .answer("init_reply_generated"),
        "close": Expectation(sender: .alpha, ours: .nothing, reference: .nothing),
        "message_alpha_to_beta": .delivery("message_alpha_to_beta"),
        "message_reordered": .delivery("message_alpha_to_beta"),
        "message_readme_name": .delivery(
            ours: .vector("message_alpha_to_beta"), reference: .vector("message_empty_out")),
        "message_no_payload": .delivery("message_empty_out"),
        "message_no_source": .delivery(
            ours: .body(message(from: "alpha", to: "beta", "hi")), reference: .vector("message_null_source_out")),
        "message_no_destination": .refusal("Destination missing"),
        "message_spoofed_source": .delivery(
            ours: .body(message(from: "alpha", to: "beta", "hi")), reference: .vector("message_spoofed_source")),
        "message_to_self": Expectation(
            sender: .alpha, ours: Outcome(sender: [.vector("message_to_self")]),
            reference: Outcome(sender: [.vector("message_to_self")])),
        "message_unknown_destination": .refusal("Destination not connected: nobody"),
        "message_quotes_in": .delivery(
            ours: .vector("message_quotes_out_transparent"), reference: .vector("message_quotes_out_reference")),
        "message_unicode_escape_in": .delivery(
            ours: .vector("message_unicode_out_transparent"), reference: .vector("message_unicode_out_reference")),
        "message_utf8_in": .delivery("message_utf8_out"),
        "message_number_payload": .delivery("message_number_out"),
        "message_null_payload": .delivery(
            ours: .vector("message_empty_out"), reference: .vector("message_null_payload_out_reference")),
        "message_object_payload": .refusal("Payload is not a string"),
        "error_client_to_peer": .delivery("error_client_to_peer"),
        "error_client_no_source": .delivery(
            ours: .vector("error_client_to_peer"), reference: .vector("error_client_no_source")),
        "two_frames_one_write": Expectation(
            ours: Outcome(sender: [.vector("init_reply_alpha"), .vector("message_to_self")]),
            reference: Outcome(sender: [.vector("init_reply_alpha"), .vector("message_to_self")])),
        "split_header": Expectation(ours: .nothing, reference: .nothing),
        "split_body": Expectation(ours: .nothing, reference: .nothing),
        "len_minus_one": .malformed("Bad frame: the length is negative", .badFrame),
        "len_int_min": .malformed("Bad frame: the length is negative", .badFrame),
        "len_zero": .malformed("Bad frame: the length is 0", .badFrame),
        "len_max": .malformed("Frame too large: the limit is 1048576 octets", .frameTooLarge),
        "len_max_accepted_by_reference": .malformed("Frame too large: the limit is 1048576 octets", .frameTooLarge),
        "len_one_mebibyte_plus_one": .malformed("Frame too large: the limit is 1048576 octets", .frameTooLarge),
        "json_not_object": .json(.unexpected, at: 0),
        "json_truncated": .json(.endsEarly, at: 21),
        "json_trailing_comma": .json(.unexpected, at: 22),
        "json_bom": .json(.unexpected, at: 0),
        "type_missing": .malformed("Bad message: payloadType is missing", .badMessage),
        "type_lowercase": .malformed("Invalid type", .badMessage),
        "type_unknown": Expectation(
            ours: Outcome(sender: [.vector("error_invalid_type")], closed: .badMessage),
            reference: Outcome(closed: .badMessage)),
        "type_number": .malformed("Bad message: payloadType is not a string", .badMessage),
        "source_number": .malformed("Bad message: source is not a string", .badMessage),
        "wrong_case_member": .malformed("Bad message: payloadType is missing", .badMessage),
        "message_body_4092": .delivery("message_body_4092"),
        "message_body_4093": .delivery("message_body_4093"),
    ]
}

@Suite("Golden messages")
struct VectorTests {
    private let octets: [String: [UInt8]]

    init() throws {
        octets = try Dictionary(uniqueKeysWithValues: Vector.all().map { ($0.name, $0.octets) })
    }

    @Test("every golden message of a client has an expectation, and no other has")
    func completeness() throws {
        let names = try Set(Vector.all().filter { $0.direction == .c2s }.map(\.name))
        #expect(Set(Expectation.all.keys) == names)
        #expect(octets.values.allSatisfy { !$0.isEmpty })
    }

    @Test("every golden message of the server is expected somewhere")
    func answersAreExpected() throws {
        let outcomes = Expectation.all.values.flatMap { [$0.ours, $0.reference] }
        let pieces = outcomes.flatMap { $0.sender + $0.beta + $0.gamma }
        let expected = Set(pieces.compactMap { if case .vector(let name) = $0 { name } else { nil } })
        let names = try Set(Vector.all().filter { $0.direction == .s2c }.map(\.name))
        #expect(names.subtracting(expected) == ["error_duplicate"])
    }

    @Test("a golden message leads to just what is expected", arguments: try Vector.all(), Conversation.Profile.allCases)
    func outcome(vector: Vector, profile: Conversation.Profile) throws {
        guard vector.direction == .c2s else { return }
        let expectation = try #require(Expectation.all[vector.name])
        let outcome = profile == .ours ? expectation.ours : expectation.reference
        let relay = Conversation(profile.configuration)
        let sender = expectation.sender == .fresh ? relay.connect() : relay.join("alpha")
        let beta = relay.join("beta")
        let gamma = relay.join("gamma")
        relay.send(vector.octets, from: sender)

        let senderID = expectation.sender == .fresh ? firstID() : "alpha"
        #expect(relay.heardBytes(sender) == octets(of: outcome.sender, to: senderID))
        #expect(relay.heardBytes(beta) == octets(of: outcome.beta, to: "beta"))
        #expect(relay.heardBytes(gamma) == octets(of: outcome.gamma, to: "gamma"))
        #expect(relay.closed(sender) == outcome.closed?.word)
    }

    @Test("an id in use is answered with the golden ERROR")
    func duplicate() throws {
        let relay = Conversation()
        _ = relay.join("alpha")
        let late = relay.connect()
        relay.send(try #require(octets["init_with_id"]), from: late)
        #expect(relay.heardBytes(late) == octets(of: [.vector("error_duplicate")], to: firstID()))
    }

    @Test(
        "a golden message cut short is waited for, and thrown away at FIN", arguments: ["split_header", "split_body"])
    func partial(name: String) throws {
        let whole = try #require(octets["init_with_id"])
        let part = try #require(octets[name])
        #expect(whole.starts(with: part))
        let relay = Conversation()
        let patient = relay.connect()
        let ending = relay.connect()
        relay.send(part, from: patient)
        relay.send(part, from: ending)
        relay.end(ending)
        relay.send(whole.dropFirst(part.count), from: patient)
        #expect(relay.heardBytes(patient) == octets["init_reply_alpha"])
        #expect(relay.heardBytes(ending).isEmpty)
        #expect(relay.closed(ending) == "peer_closed")
    }

    @Test("every prefix of a golden message is waited for or refused", arguments: try Vector.all())
    func prefixes(vector: Vector) {
        // Long runs of one letter have nothing new to say.
        let lengths = (0..<vector.octets.count).filter { $0 < 200 || $0 > vector.octets.count - 8 }
        for length in lengths {
            let relay = Conversation()
            let sender = relay.connect()
            relay.send(vector.octets.prefix(length), from: sender)
            #expect(relay.closed(sender) == nil || length >= FrameReader.headerLength)
            relay.end(sender)
            #expect(relay.closed(sender) != nil)
        }
    }

    @Test("every prefix of a golden body, in a frame of its own, is refused", arguments: try Vector.load("frames"))
    func truncatedBodies(vector: Vector) {
        guard vector.name != "two_frames_one_write" else { return }
        let body = Array(vector.octets.dropFirst(FrameReader.headerLength))
        for length in 1..<body.count {
            let relay = Conversation()
            let sender = relay.connect()
            relay.send(frame(Array(body.prefix(length))), from: sender)
            #expect(relay.closed(sender) == "bad_json")
        }
    }

    private func octets(of pieces: [Expectation.Piece], to id: String) -> [UInt8] {
        pieces.flatMap { piece in
            switch piece {
            case .vector(let name): replacingExampleID(in: octets[name] ?? [], by: id)
            case .body(let body): frame(body)
            case .error(let text): frame(error(text, to: id))
            }
        }
    }

    /// The golden answers show an example where a relay puts an id of its own making.
    private func replacingExampleID(in octets: [UInt8], by id: String) -> [UInt8] {
        guard id.utf8.count == "0HQ7C3M5V1A2B".utf8.count else { return octets }
        return Array(String(decoding: octets, as: UTF8.self).replacing("0HQ7C3M5V1A2B", with: id).utf8)
    }
}
