import NIOCore
package import RelayCore
package import SOE

/// Asks an SOE server for a session, again and again, and gives each back at once: what a game behind it is never told of.
package struct SOEProbe: ProbeClient {
    package static let name = "soe"

    private let parameters: SOEParameters

    package init(_ parameters: SOEParameters) {
        self.parameters = parameters
    }

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        var session = SOEProbeSession(connection: try await .openDatagrams(to: endpoint), parameters: parameters)
        do throws(ProbeFailure) {
            try await session.exchange(0, within: limit)
        } catch {
            await session.close()
            throw error
        }
        return session
    }
}

private struct SOEProbeSession: ProbeSession {
    private(set) var details: [String: String] = [:]
    private var connection: ProbeConnection
    private let parameters: SOEParameters

    init(connection: ProbeConnection, parameters: SOEParameters) {
        self.connection = connection
        self.parameters = parameters
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        let deadline = NIODeadline.now() + TimeAmount(limit)
        let dialect = parameters.dialect
        let id = UInt32.random(in: 1 ... .max)
        var request = ByteBuffer()
        request.writeInteger(UInt16(OpCode.sessionRequest.rawValue))
        SessionRequest(
            version: dialect.version, sessionID: id,
            udpLength: UInt32(clamping: parameters.udpLength ?? dialect.udpLength),
            protocolName: dialect.namesProtocol ? parameters.protocolName : nil
        ).encode(into: &request)
        connection.write(request)
        while true {
            var datagram = try await read(until: deadline)
            guard let start = datagram.readInteger(as: UInt16.self), start < 256 else { continue }
            switch OpCode(rawValue: UInt8(truncatingIfNeeded: start)) {
            case .sessionResponse:
                guard let response = try? SessionResponse.decode(from: &datagram) else { throw Self.stranger }
                guard response.sessionID == id else { continue }
                details = ["crc": "\(response.crcLength)", "udp": "\(response.udpLength)"]
                return leave(id)
            case .disconnect:
                guard let end = try? Disconnect.decode(from: &datagram), end.sessionID == id else { continue }
                throw ProbeFailure(.refused, Self.words(for: end.reason))
            default:
                continue
            }
        }
    }

    func close() async { await connection.close() }

    /// The server holds a place for whoever asked.
    private func leave(_ id: UInt32) {
        var farewell = ByteBuffer()
        farewell.writeInteger(UInt16(OpCode.disconnect.rawValue))
        Disconnect(sessionID: id, reason: .application).encode(into: &farewell)
        connection.write(farewell)
    }

    private mutating func read(until deadline: NIODeadline) async throws(ProbeFailure) -> ByteBuffer {
        do throws(ProbeFailure) {
            return try await connection.read(until: deadline)
        } catch {
            switch error.reason {
            case .silent: throw ProbeFailure(.silent, "no answer comes; a server that is not there says nothing either")
            case .hungUp: throw ProbeFailure(.unreachable, "nobody listens there")
            default: throw error
            }
        }
    }

    private static func words(for reason: DisconnectReason) -> String {
        switch reason {
        case .protocolMismatch: "the server refuses: it speaks another --protocol, or another --dialect"
        case .connectionRefused:
            "the server refuses: it is full, draining, or without the game behind it, or this address is banned"
        default: "the server refuses: \(reason.word)"
        }
    }

    private static let stranger = ProbeFailure(.stranger, "something answers, but it is no SOE server")
}
