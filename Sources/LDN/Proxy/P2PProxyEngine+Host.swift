public import NIOCore
public import RelayCore

/// The host's own traffic, when it plays in this process: section 9.5 of the protocol's notes.
extension P2PProxyEngine {
    /// Gives the host its address. From then on packets for it, or for all, are delivered (`Outbox.deliver`), whole as
    /// players get them: read them with `HostDatagram`.
    public mutating func setHostVirtualIP(_ address: VirtualAddress) {
        host = address
        tokens.remove(for: address)
        setBroadcast(of: address)
    }

    /// Sends what the host says to whom it is for, or to all players if that is the broadcast address. The host does not
    /// get its own words back.
    ///
    /// - Returns: whether something was sent.
    /// - Throws: `HostTrafficError` if the host has no address, or uses another than its own.
    public mutating func broadcastFromHost(
        _ header: ProxyDataHeader, data: ByteBuffer, into out: inout Outbox
    ) throws(HostTrafficError) -> Bool {
        guard let host else { throw .noAddress }
        guard header.info.sourceIPv4 == .any || header.info.sourceIPv4 == host else { throw .foreignSource }
        guard ProxyDataHeader.length + data.readableBytes <= Frame.maxPayload else { throw .tooLong }
        var header = header
        header.info.sourceIPv4 = host
        header.dataLength = UInt32(data.readableBytes)
        let isForAll = isForAll(header.info.destinationIPv4)
        if isForAll { header.info.destinationIPv4 = broadcast }
        let bytes = Packet.proxyData(header, data: data).encoded
        return route(bytes, to: header.info.destinationIPv4, isForAll: isForAll, into: &out)
    }
}

/// Why the host's words are not sent.
public enum HostTrafficError: Error, CaseIterable, Sendable {
    /// The host was not given its address.
    case noAddress
    /// The source is neither 0 nor the host's address.
    case foreignSource
    /// Packet and data reach 128 KiB.
    case tooLong
}

/// A datagram for the host, or for all.
public struct HostDatagram: Sendable, Equatable {
    public var info: ProxyInfo
    public var data: ByteBuffer

    /// Reads what was delivered; `nil` if it is no `ProxyData` but about a connection.
    public init?(_ delivered: ByteBuffer) {
        guard delivered.readableBytes >= Frame.headerLength,
            case .proxyData(let header, let data)? = try? Packet(Frame(whole: delivered))
        else { return nil }
        info = header.info
        self.data = data
    }
}
