import NIOCore
import Netplay
package import RelayCore

/// Speaks the netplay tunnel's protocol with both ends: opens a session, joins it, links the guest, and has what the
/// guest says come back from the host. That goes through the relay twice, as what two players say to each other does.
package struct NetplayProbe: ProbeClient {
    package static let name = "netplay"

    package init() {}

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        let deadline = NIODeadline.now() + TimeAmount(limit)
        var owner = try await ProbeConnection.open(endpoint, within: limit)
        var connections = [owner]
        do throws(ProbeFailure) {
            owner.write(TunnelOpening.openSession.encoded)
            var said = ByteBuffer()
            guard case .sessionOpened(let id) = try await owner.reply(in: &said, until: deadline) else {
                throw Self.stranger
            }
            let guest = try await ProbeConnection.open(endpoint, within: limit)
            connections.append(guest)
            guest.write(TunnelOpening.join(id).encoded)
            guard case .guestWaits(let guestID) = try await owner.reply(in: &said, until: deadline) else {
                throw Self.stranger
            }
            let link = try await ProbeConnection.open(endpoint, within: limit)
            connections.append(link)
            link.write(TunnelOpening.link(guestID).encoded)
            return NetplaySession(owner: owner, guest: guest, link: link)
        } catch {
            for connection in connections { await connection.close() }
            throw error
        }
    }

    fileprivate static let stranger = ProbeFailure(.stranger, "something answers, but it is no netplay tunnel")
}

private struct NetplaySession: ProbeSession {
    /// Longer than a netplay header's beginning, and not like one: it passes as it is.
    static let magic: UInt64 = 0x4241_544F_4E50_524F

    let owner: ProbeConnection
    var guest: ProbeConnection
    var link: ProbeConnection
    private var atHost = ByteBuffer()
    private var atGuest = ByteBuffer()

    let details: [String: String] = [:]

    init(owner: ProbeConnection, guest: ProbeConnection, link: ProbeConnection) {
        self.owner = owner
        self.guest = guest
        self.link = link
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        let deadline = NIODeadline.now() + TimeAmount(limit)
        var question = ByteBuffer()
        question.writeMultipleIntegers(Self.magic, UInt64(number))
        guest.write(question)
        while try await link.message(in: &atHost, until: deadline) != number {}
        link.write(question)
        while try await guest.message(in: &atGuest, until: deadline) != number {}
    }

    mutating func close() async {
        for connection in [guest, link, owner] { await connection.close() }
    }
}

extension ProbeConnection {
    /// The next message of the tunnel.
    fileprivate mutating func reply(
        in said: inout ByteBuffer, until deadline: NIODeadline
    ) async throws(ProbeFailure) -> TunnelReply {
        while true {
            let reply: TunnelReply?
            do throws(TunnelWireError) {
                reply = try TunnelReply.decode(from: &said)
            } catch {
                throw NetplayProbe.stranger
            }
            switch reply {
            case .ping: write(OwnerMessage.ping.encoded)
            case .some(let reply): return reply
            case nil:
                var bytes = try await read(until: deadline)
                said.writeBuffer(&bytes)
            }
        }
    }

    /// The number of the next message that the other end said.
    fileprivate mutating func message(
        in said: inout ByteBuffer, until deadline: NIODeadline
    ) async throws(ProbeFailure) -> Int {
        while true {
            if let (magic, number) = said.readMultipleIntegers(as: (UInt64, UInt64).self) {
                guard magic == NetplaySession.magic else {
                    throw ProbeFailure(.stranger, "the tunnel changes what passes through it")
                }
                return Int(clamping: number)
            }
            var bytes = try await read(until: deadline)
            said.writeBuffer(&bytes)
        }
    }
}
