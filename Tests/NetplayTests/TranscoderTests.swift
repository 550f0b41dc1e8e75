import FuzzTargets
import NIOCore
import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Transcoder")
struct TranscoderTests {
    private static let cap = 64 << 20

    private static func transcode(
        _ pieces: some Sequence<[UInt8]>, _ conversion: Transcoder.Conversion
    ) throws(SavestateError) -> [UInt8] {
        var transcoder = Transcoder(conversion, maxStateBytes: cap)
        var output: [UInt8] = []
        for piece in pieces { output += try transcoder.pass(piece) }
        return output
    }

    private static func cut(_ stream: [UInt8], _ length: Int) -> [[UInt8]] {
        stride(from: 0, to: stream.count, by: length).map { Array(stream[$0..<min($0 + length, stream.count)]) }
    }

    // MARK: What real peers said

    @Test func recordedSessionReachesARawGuest() throws {
        let pieces = try Recorded.session().fromHost
        let stream = pieces.flatMap { $0 }
        let expected = TranscodingOracle(stream, .inflate, maxStateBytes: Self.cap)
        #expect(expected.error == nil)
        // A state of 21,472 bytes came in less than 500.
        #expect(expected.output.count > stream.count + 20_000)
        #expect(try Self.transcode(pieces, .inflate) == expected.output)
        #expect(try Self.transcode(Self.cut(stream, 1), .inflate) == expected.output)
    }

    @Test func recordedSessionGoesThereAndBack() throws {
        let session = try Recorded.session()
        let raw = try Self.transcode(session.fromHost, .inflate)
        let again = try Self.transcode(Self.cut(raw, 777), .deflate)
        #expect(try Self.transcode([again], .inflate) == raw)
        // A guest sends no savestates unless it is asked.
        let fromGuest = session.fromGuest.flatMap { $0 }
        #expect(try Self.transcode(session.fromGuest, .deflate) == fromGuest)
    }

    @Test func recordedSavestateInflatesToItsSize() throws {
        let message = try Recorded.vector("netplay_host_load_savestate")
        let raw = try Self.transcode([message], .inflate)
        #expect(word(raw, 0) == 0x42)
        #expect(word(raw, 4) == 8 + 21_472)
        #expect(Array(raw[8..<16]) == Array(message[8..<16]))
        #expect(raw.count == 16 + 21_472)
        #expect(inflated(Array(message[16...]), size: 21_472) == Array(raw[16...]))
    }

    // MARK: Cuts

    @Test(arguments: [Transcoder.Conversion.inflate, .deflate])
    func everyCutGivesTheSame(_ conversion: Transcoder.Conversion) throws {
        let state = Messages.savestate(Messages.state(300), zlib: conversion == .inflate)
        let messages = [
            Messages.input(1), Messages.netpacket([1, 2, 3]), state, Messages.message(0x1100, []), state,
            Messages.message(0x4242, Array(0..<50)), Messages.netpacket([]), Messages.input(2),
        ]
        let stream = messages.flatMap { $0 }
        let expected = TranscodingOracle(stream, conversion, maxStateBytes: Self.cap).output
        #expect(expected != stream)
        for length in 1..<stream.count {
            #expect(try Self.transcode(Self.cut(stream, length), conversion) == expected, "pieces of \(length)")
            let halves = [Array(stream[..<length]), Array(stream[length...])]
            #expect(try Self.transcode(halves, conversion) == expected, "cut at \(length)")
        }
    }

    @Test func whatLooksLikeASavestateInsideOthersStaysAsItIs() throws {
        let bait = Messages.savestate(carrying: [1, 2, 3], rawSize: 9)
        let stream = Messages.netpacket(bait) + Messages.message(0x9999, bait) + Messages.message(0x1000, bait)
        #expect(try Self.transcode(Self.cut(stream, 5), .inflate) == stream)
    }

    @Test func otherMessagesWaitForNothing() throws {
        var transcoder = Transcoder(.inflate, maxStateBytes: Self.cap)
        let large = Messages.message(0x9999, Messages.state(100_000))
        for piece in Self.cut(large, 1000) { #expect(try transcoder.pass(piece) == piece) }
        #expect(transcoder.isAtRest)
    }

    // MARK: Large states

    @Test func largeStateInflatesWithoutBeingKept() throws {
        let state = Messages.state(20 << 20)
        let message = Messages.savestate(state, zlib: true)
        var transcoder = Transcoder(.inflate, maxStateBytes: Self.cap)
        var output: [UInt8] = []
        for piece in Self.cut(message, 8192) {
            output += try transcoder.pass(piece)
            #expect(transcoder.waitingBytes <= 16)
            #expect(transcoder.keptBytes == 0)
        }
        #expect(output == Messages.savestate(state, zlib: false))
    }

    @Test func largeStateIsKeptDeflatedOnly() throws {
        let state = Messages.state(20 << 20)
        let compressed = Messages.savestate(state, zlib: true)
        var transcoder = Transcoder(.deflate, maxStateBytes: Self.cap)
        var output: [UInt8] = []
        for piece in Self.cut(Messages.savestate(state, zlib: false), 64 << 10) {
            output += try transcoder.pass(piece)
            #expect(transcoder.waitingBytes <= 16)
            #expect(transcoder.keptBytes < compressed.count + 512 << 10)
        }
        #expect(output == compressed)
        #expect(transcoder.keptBytes == 0)
    }

    /// zlib may have taken all it was given and still have more to say than there was room for.
    @Test func nothingStaysInside() throws {
        let size = 200_000
        let message = Messages.savestate([UInt8](repeating: 0, count: size), zlib: true)
        for end in 16..<message.count {
            var transcoder = Transcoder(.inflate, maxStateBytes: Self.cap)
            let output = try transcoder.pass(Array(message[..<end]))
            #expect(output.count == 16 + inflatedCount(message[16..<end], size: size), "\(end) bytes")
        }
    }

    @Test func bombGoesOffInSmallSteps() throws {
        let size = 64 << 20
        var transcoder = Transcoder(.inflate, maxStateBytes: size)
        transcoder.receive(ByteBuffer(bytes: Messages.savestate([UInt8](repeating: 0, count: size), zlib: true)))
        var (total, turns) = (0, 0)
        while !transcoder.isAtRest {
            var (budget, turn) = (32 << 10, 0)
            while let bytes = try transcoder.next(within: &budget) { turn += bytes.readableBytes }
            #expect(turn <= 64 << 10)
            total += turn
            turns += 1
        }
        #expect(total == 16 + size)
        #expect(turns >= size / (64 << 10))
    }

    // MARK: What is refused

    private static let state = Messages.state(5000)

    @Test(arguments: [
        ("says too much", Messages.savestate(carrying: deflated(state), rawSize: 5001)),
        ("says too little", Messages.savestate(carrying: deflated(state), rawSize: 4999)),
        ("says nothing", Messages.savestate(carrying: deflated(state), rawSize: 0)),
        ("stops short", Messages.savestate(carrying: deflated(state).dropLast(), rawSize: 5000)),
        ("goes on", Messages.savestate(carrying: deflated(state) + [0], rawSize: 5000)),
        ("is two", Messages.savestate(carrying: deflated(state) + deflated(state), rawSize: 10_000)),
        ("is broken", Messages.savestate(carrying: deflated(state).map { $0 ^ 1 }, rawSize: 5000)),
        ("has another checksum", Messages.savestate(carrying: deflated(state).dropLast() + [0], rawSize: 5000)),
        ("is empty", Messages.savestate(carrying: [], rawSize: 0)),
        ("has no size", Messages.message(0x42, bytes(1))),
        ("has nothing", Messages.message(0x42, [])),
    ])
    func brokenSavestate(_ how: String, _ message: [UInt8]) {
        for length in [1, 7, 1000, message.count] {
            #expect(throws: SavestateError.bad, "\(how)") {
                try Self.transcode(Self.cut(message + Messages.input(1), length), .inflate)
            }
        }
    }

    @Test func emptyStateIsAState() throws {
        let raw = Messages.savestate([], zlib: false)
        let compressed = Messages.savestate([], zlib: true)
        #expect(try Self.transcode([compressed], .inflate) == raw)
        #expect(try Self.transcode([raw], .deflate) == compressed)
    }

    @Test(arguments: [-1, 1, 10])
    func rawStateOfAnotherSizeIsRefused(_ difference: Int) {
        let message = Messages.savestate(carrying: Self.state, rawSize: Self.state.count + difference)
        #expect(throws: SavestateError.bad) { try Self.transcode([message], .deflate) }
    }

    @Test(arguments: [Transcoder.Conversion.inflate, .deflate])
    func largestStateIsBounded(_ conversion: Transcoder.Conversion) throws {
        var transcoder = Transcoder(conversion, maxStateBytes: 5000)
        let isCompressed = conversion == .inflate
        _ = try transcoder.pass(Messages.savestate(Self.state, zlib: isCompressed))
        // It is refused by what it says, before any of it came.
        let head = Messages.savestate(Messages.state(5001), zlib: isCompressed).prefix(16)
        #expect(throws: SavestateError.tooLarge) { try transcoder.pass(Array(head)) }
    }

    // MARK: Ends

    @Test func endWithinAMessageLeavesNothingBehind() throws {
        for stream in [Messages.input(1) + Messages.input(2), Messages.savestate(Self.state, zlib: true)] {
            for length in [3, 8, 12, 15, 17, 19].filter({ $0 < stream.count }) {
                var transcoder = Transcoder(.inflate, maxStateBytes: Self.cap)
                var output = try transcoder.pass(Array(stream[..<length]))
                transcoder.receiveEnd()
                output += try transcoder.takeOut()
                #expect(transcoder.isAtRest)
                if length < 16 || stream.count < 100 {
                    #expect(output == Array(stream[..<length]))
                } else {
                    #expect(Messages.savestate(Self.state, zlib: false).starts(with: output) && output.count >= 16)
                }
            }
        }
    }

    /// What can be said of a state that breaks off is said, and as incomplete as it is.
    @Test func endWithinARawStateIsNoCompleteMessage() throws {
        var transcoder = Transcoder(.deflate, maxStateBytes: Self.cap)
        let message = Messages.savestate(Self.state, zlib: false)
        #expect(try transcoder.pass(Array(message.dropLast(1000))).isEmpty)
        transcoder.receiveEnd()
        let output = try transcoder.takeOut()
        #expect(transcoder.isAtRest)
        #expect(word(output, 4) > output.count - 8)
        var receiver = Transcoder(.inflate, maxStateBytes: Self.cap)
        #expect(try receiver.pass(output) == Array(message.dropLast(1000)))
    }

    @Test func nothingGoesPastASavestateOfUnknownFate() throws {
        var transcoder = Transcoder(maxStateBytes: Self.cap)
        let state = Messages.savestate(Self.state, zlib: true)
        #expect(try transcoder.pass(Messages.input(1) + state + Messages.input(2)) == Messages.input(1))
        #expect(transcoder.awaitsConversion)
        transcoder.conversion = .inflate
        #expect(try transcoder.takeOut() == Messages.savestate(Self.state, zlib: false) + Messages.input(2))
    }

    @Test(arguments: [FuzzTarget.transcoder, .transcodedPair])
    func anyDirectionsAreSurvived(_ target: FuzzTarget) {
        for seed in UInt64(0)..<200 {
            var random = RandomSource.seeded(seed)
            target.run(
                (0..<Int.random(in: 0...400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }
}
