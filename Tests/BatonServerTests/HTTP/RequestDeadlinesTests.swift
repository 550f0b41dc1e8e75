import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import BatonServer

/// In virtual time: a client says requests and takes answers as slowly as it likes.
@Suite struct RequestDeadlinesTests {
    private let channel: EmbeddedChannel

    init() throws {
        let limits = RequestDeadlines.Limits(read: .seconds(5), write: .seconds(7))
        channel = EmbeddedChannel(handler: RequestDeadlines(limits: limits))
        channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 80), promise: nil)
    }

    private func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    private func say(_ part: HTTPServerRequestPart) throws { try channel.writeInbound(part) }

    private func ask() throws {
        try say(.head(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")))
        try say(.end(nil))
    }

    private func answer() throws {
        try channel.writeOutbound(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok)))
        try channel.writeOutbound(HTTPServerResponsePart.end(nil))
    }

    @Test func whoSaysNothingIsEnded() {
        pass(4)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    /// All of a request is counted, not the time since its last byte.
    @Test func whoSaysARequestByAndByIsEnded() throws {
        pass(3)
        try say(.head(HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")))
        pass(1)
        try say(.body(ByteBuffer(string: "a")))
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func whoWaitsForAnAnswerMayWait() throws {
        try ask()
        pass(3600)
        #expect(channel.isActive)
        try answer()
        // From the answer on, the next request is waited for.
        pass(4)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func requestsThatCameTogetherAreWaitedForUntilTheLastIsAnswered() throws {
        for _ in 0..<3 { try ask() }
        for _ in 0..<3 {
            pass(3600)
            #expect(channel.isActive)
            try answer()
        }
        pass(5)
        #expect(!channel.isActive)
    }

    @Test func anAnswerThatIsNotTakenIsEnded() throws {
        try ask()
        pass(100)
        try channel.writeOutbound(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok)))
        pass(6)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    /// 100 Continue is no answer yet.
    @Test func aWordInBetweenStartsNoClock() throws {
        try ask()
        let word = HTTPResponseHead(version: .http1_1, status: .continue)
        try channel.writeOutbound(HTTPServerResponsePart.head(word))
        pass(3600)
        #expect(channel.isActive)
    }
}
