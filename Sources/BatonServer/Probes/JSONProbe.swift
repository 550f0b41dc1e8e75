import Foundation
import JSONRelay
import NIOCore
package import RelayCore

/// Speaks the JSON relay's protocol: asks for an id, and sends messages to itself.
package struct JSONProbe: ProbeClient {
    package static let name = "json"

    package init() {}

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        let deadline = NIODeadline.now() + TimeAmount(limit)
        var session = JSONSession(connection: try await .open(endpoint, within: limit))
        do throws(ProbeFailure) {
            try await session.initialize(until: deadline)
        } catch {
            await session.close()
            throw error
        }
        return session
    }
}

private struct JSONSession: ProbeSession {
    /// As much as the relay's own messages need, with room for what a future one may add.
    private static let longestFrame = 64 << 10

    /// A message of the protocol, with the members a probe has use for.
    private struct Message: Codable {
        var payloadType: String
        var destination: String?
        var payload: String?
    }

    private var connection: ProbeConnection
    private var reader = FrameReader()
    private var received = ByteBuffer()
    private var id = ""

    let details: [String: String] = [:]

    init(connection: ProbeConnection) {
        self.connection = connection
    }

    mutating func initialize(until deadline: NIODeadline) async throws(ProbeFailure) {
        try send(Message(payloadType: "INIT"))
        let answer = try await next(until: deadline)
        guard answer.payloadType == "INIT", let id = answer.destination, !id.isEmpty else {
            throw Self.stranger
        }
        self.id = id
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        let deadline = NIODeadline.now() + TimeAmount(limit)
        let payload = "probe \(number)"
        try send(Message(payloadType: "MESSAGE", destination: id, payload: payload))
        while try await next(until: deadline).payload != payload {}
    }

    mutating func close() async {
        try? send(Message(payloadType: "CLOSE"))
        await connection.close()
    }

    private func send(_ message: Message) throws(ProbeFailure) {
        guard let body = try? JSONEncoder().encode(message) else { throw Self.stranger }
        var frame = ByteBuffer(integer: Int32(clamping: body.count))
        frame.writeBytes(body)
        connection.write(frame)
    }

    private mutating func next(until deadline: NIODeadline) async throws(ProbeFailure) -> Message {
        while true {
            let frame: ByteBuffer?
            do throws(WireError) {
                frame = try reader.next(from: &received, limit: Self.longestFrame)
            } catch {
                throw Self.stranger
            }
            guard let frame else {
                received = try await connection.read(until: deadline)
                continue
            }
            let body = Data(frame.readableBytesView.dropFirst(FrameReader.headerLength))
            guard let message = try? JSONDecoder().decode(Message.self, from: body) else { throw Self.stranger }
            if message.payloadType == "ERROR" {
                throw ProbeFailure(
                    .refused, "the relay refuses: \(TerminalText.clean(message.payload ?? "", atMost: 200))")
            }
            return message
        }
    }

    private static let stranger = ProbeFailure(.stranger, "something answers, but it is no JSON relay")
}
