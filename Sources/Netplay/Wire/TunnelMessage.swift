package import NIOCore
package import RelayCore

/// The tunnel's messages. All begin with four letters, most of them go on with an identifier of 12 bytes:
///
/// | letters | bytes | from, to | meaning |
/// |---|---|---|---|
/// | `RATS` + zeros | 16 | host, first | open a session; answered with `RATS` + its identifier |
/// | `RATS` + session | 16 | guest, first | join |
/// | `RATL` + guest | 16 | to the host | a guest waits: open a link |
/// | `RATL` + guest | 16 | host, first on a new connection | this is the link |
/// | `RATA` + guest | 16 | host | what is its address? |
/// | `RATA` + guest + address | 32 | to the host | the answer |
/// | `RATP` | 4 | host, both ways | ping, pong |
/// | `RANP` | 4 | anybody, first | a client that knows no tunnels |
enum TunnelMagic {
    static let session: UInt32 = 0x5241_5453
    static let link: UInt32 = 0x5241_544C
    static let address: UInt32 = 0x5241_5441
    static let ping: UInt32 = 0x5241_5450
    static let netplay: UInt32 = 0x5241_4E50
}

/// Bytes that are no tunnel message.
package enum TunnelWireError: Error {
    /// The first four bytes of a connection say nothing known.
    case unknownOpening
    /// A word came that its sender may not say.
    case unknownWord
}

/// What a connection says first.
package enum TunnelOpening: Equatable {
    case openSession
    case join(TunnelID)
    case link(TunnelID)
    /// A netplay header without a tunnel around it.
    case bareNetplay

    /// What a client says; `bareNetplay` has no bytes of the tunnel.
    package var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        switch self {
        case .openSession:
            bytes.writeInteger(TunnelMagic.session)
            bytes.writeTunnelID(.none)
        case .join(let session):
            bytes.writeInteger(TunnelMagic.session)
            bytes.writeTunnelID(session)
        case .link(let guest):
            bytes.writeInteger(TunnelMagic.link)
            bytes.writeTunnelID(guest)
        case .bareNetplay:
            break
        }
        return bytes
    }

    /// Takes the opening from the front of `bytes` and leaves what follows it; `nil` while it is incomplete.
    package static func decode(from bytes: inout ByteBuffer) throws(TunnelWireError) -> TunnelOpening? {
        guard let magic = bytes.peekInteger(as: UInt32.self) else { return nil }
        switch magic {
        case TunnelMagic.netplay:
            return .bareNetplay
        case TunnelMagic.session:
            guard let id = bytes.readTunnelID() else { return nil }
            return id == .none ? .openSession : .join(id)
        case TunnelMagic.link:
            return bytes.readTunnelID().map(TunnelOpening.link)
        default:
            throw .unknownOpening
        }
    }
}

/// What a host says after its session is open.
package enum OwnerMessage: Equatable {
    case addressQuery(TunnelID)
    case ping

    package var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        switch self {
        case .addressQuery(let guest):
            bytes.writeInteger(TunnelMagic.address)
            bytes.writeTunnelID(guest)
        case .ping:
            bytes.writeInteger(TunnelMagic.ping)
        }
        return bytes
    }

    /// Takes one message from the front of `bytes`; `nil` while it is incomplete.
    package static func decode(from bytes: inout ByteBuffer) throws(TunnelWireError) -> OwnerMessage? {
        guard let magic = bytes.peekInteger(as: UInt32.self) else { return nil }
        switch magic {
        case TunnelMagic.ping:
            bytes.moveReaderIndex(forwardBy: 4)
            return .ping
        case TunnelMagic.address:
            return bytes.readTunnelID().map(OwnerMessage.addressQuery)
        default:
            throw .unknownWord
        }
    }
}

/// What the tunnel says.
package enum TunnelReply: Equatable {
    case sessionOpened(TunnelID)
    case guestWaits(TunnelID)
    /// The address of a guest; of the host itself where the identifier is none; unknown where both are nothing.
    case address(TunnelID, IPAddress?)
    case ping
    /// A netplay header of 24 bytes with protocol 0: RetroArch then tells its user that the peer is too old.
    case bareNetplayRefusal

    /// Takes one message from the front of what a host's control connection says; `nil` while it is incomplete.
    package static func decode(from bytes: inout ByteBuffer) throws(TunnelWireError) -> TunnelReply? {
        guard let magic = bytes.peekInteger(as: UInt32.self) else { return nil }
        switch magic {
        case TunnelMagic.session:
            return bytes.readTunnelID().map(TunnelReply.sessionOpened)
        case TunnelMagic.link:
            return bytes.readTunnelID().map(TunnelReply.guestWaits)
        case TunnelMagic.address:
            guard bytes.readableBytes >= 32, let id = bytes.readTunnelID(),
                let (high, low) = bytes.readMultipleIntegers(as: (UInt64, UInt64).self)
            else { return nil }
            return .address(id, high | low == 0 ? nil : IPAddress(high: high, low: low))
        case TunnelMagic.ping:
            bytes.moveReaderIndex(forwardBy: 4)
            return .ping
        default:
            throw .unknownWord
        }
    }

    package var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        switch self {
        case .sessionOpened(let id):
            bytes.writeInteger(TunnelMagic.session)
            bytes.writeTunnelID(id)
        case .guestWaits(let id):
            bytes.writeInteger(TunnelMagic.link)
            bytes.writeTunnelID(id)
        case .address(let id, let address):
            bytes.writeInteger(TunnelMagic.address)
            bytes.writeTunnelID(id)
            bytes.writeMultipleIntegers(address?.high ?? 0, address?.low ?? 0)
        case .ping:
            bytes.writeInteger(TunnelMagic.ping)
        case .bareNetplayRefusal:
            bytes.writeInteger(TunnelMagic.netplay)
            bytes.writeRepeatingByte(0, count: 20)
        }
        return bytes
    }
}

extension ByteBuffer {
    /// Reads four letters and the identifier after them, of which the letters are known already.
    fileprivate mutating func readTunnelID() -> TunnelID? {
        guard let (_, high, low) = readMultipleIntegers(as: (UInt32, UInt64, UInt32).self) else { return nil }
        return TunnelID(high: high, low: low)
    }

    fileprivate mutating func writeTunnelID(_ id: TunnelID) {
        writeMultipleIntegers(id.high, id.low)
    }
}
