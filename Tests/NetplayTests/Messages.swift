import Foundation
import FuzzTargets
import NIOCore
import Netplay
import RelayTesting

/// Netplay as its ends say it.
enum Messages {
    static func header(zlib: Bool, magic: String = "RANP") -> [UInt8] {
        Array(magic.utf8) + bytes(0x0004_0008) + bytes(zlib ? 1 : 0) + bytes(6) + bytes(5) + bytes(0x469)
    }

    static func input(_ frame: Int) -> [UInt8] {
        message(0x03, bytes(frame) + bytes(1) + bytes(0))
    }

    static func message(_ command: Int, _ payload: [UInt8]) -> [UInt8] {
        bytes(command) + bytes(payload.count) + payload
    }

    /// Its size leaves out the four bytes after it.
    static func netpacket(_ payload: [UInt8]) -> [UInt8] {
        bytes(0x48) + bytes(payload.count) + bytes(0xFFFF) + payload
    }

    /// A savestate, as an end with or without zlib sends it.
    static func savestate(_ state: [UInt8], zlib: Bool) -> [UInt8] {
        savestate(carrying: zlib ? deflated(state) : state, rawSize: state.count)
    }

    static func savestate(carrying carried: [UInt8], rawSize: Int) -> [UInt8] {
        message(0x42, bytes(57) + bytes(rawSize) + carried)
    }

    /// Some bytes that are neither all alike nor without any order.
    static func state(_ count: Int) -> [UInt8] {
        let block = (0..<min(count, 1 << 16)).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 &+ $0 >> 3) }
        var state: [UInt8] = []
        while state.count < count { state += block.prefix(count - state.count) }
        return state
    }
}

/// What real peers said.
enum Recorded {
    struct Vectors: Decodable {
        struct Vector: Decodable {
            var name: String
            var hex: String
        }
        var vectors: [Vector]
    }

    private struct Session: Decodable {
        struct Connection: Decodable {
            var events: [Event]
        }

        /// When, which way, and the bytes in hexadecimal.
        struct Event: Decodable {
            var way: String
            var hex: String

            init(from decoder: any Decoder) throws {
                var fields = try decoder.unkeyedContainer()
                _ = try fields.decode(Double.self)
                way = try fields.decode(String.self)
                hex = try fields.decode(String.self)
            }
        }
        var connections: [Connection]
    }

    static func vector(_ name: String) throws -> [UInt8] {
        let vectors = try Fixtures.load(Vectors.self, from: "netplay/wire.json").vectors
        return vectors.first { $0.name == name }.flatMap { RelayTesting.bytes(hex: $0.hex) } ?? []
    }

    /// What a guest and its host said after their headers in a real session, in the pieces they came in.
    static func session() throws -> (fromGuest: [[UInt8]], fromHost: [[UInt8]]) {
        let session = try Fixtures.load(Session.self, from: "netplay/session_capture.json")
        let events = session.connections[1].events
        func pieces(_ way: String, after skipped: Int) -> [[UInt8]] {
            var left = skipped
            return events.filter { $0.way == way }.compactMap { event in
                let all = RelayTesting.bytes(hex: event.hex) ?? []
                defer { left = max(0, left - all.count) }
                return all.count > left ? Array(all.dropFirst(left)) : nil
            }
        }
        return (pieces("up", after: 16 + 24), pieces("down", after: 24))
    }
}

extension Transcoder {
    /// Feeds it and takes out all that can go on.
    mutating func pass(_ bytes: [UInt8], budget: Int = 32 << 10) throws(SavestateError) -> [UInt8] {
        receive(ByteBuffer(bytes: bytes))
        return try takeOut(budget: budget)
    }

    mutating func takeOut(budget: Int = 32 << 10) throws(SavestateError) -> [UInt8] {
        var output: [UInt8] = []
        while true {
            var left = budget
            while let bytes = try next(within: &left) { output += bytes.readableBytesView }
            if left > 0 { return output }
        }
    }
}
