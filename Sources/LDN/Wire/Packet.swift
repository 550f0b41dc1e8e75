public import NIOCore

/// Everything that is said between clients, the master and P2P hosts.
///
/// Large payloads are boxed, so that small packets stay small.
public enum Packet: Equatable, Sendable {
    case initialize(InitializeMessage)
    case passphrase(PassphraseMessage)
    indirect case createAccessPoint(CreateAccessPointRequest, advertiseData: ByteBuffer)
    indirect case createAccessPointPrivate(CreateAccessPointPrivateRequest, advertiseData: ByteBuffer)
    case externalProxy(ExternalProxyConfig)
    case externalProxyToken(ExternalProxyToken)
    case externalProxyState(ExternalProxyConnectionState)
    indirect case syncNetwork(NetworkInfo)
    case reject(RejectRequest)
    case rejectReply
    indirect case scan(ScanFilter)
    indirect case scanReply(NetworkInfo)
    case scanReplyEnd
    indirect case connect(ConnectRequest)
    indirect case connectPrivate(ConnectPrivateRequest)
    indirect case connected(NetworkInfo)
    case disconnect(DisconnectMessage)
    case proxyConfig(ProxyConfig)
    case proxyConnect(ProxyInfo)
    case proxyConnectReply(ProxyInfo)
    case proxyData(ProxyDataHeader, data: ByteBuffer)
    case proxyDisconnect(ProxyDisconnectMessage)
    case setAcceptPolicy(SetAcceptPolicyRequest)
    case setAdvertiseData(ByteBuffer)
    case ping(PingMessage)
    case networkError(NetworkErrorMessage)

    /// Decodes a packet. Bytes behind a payload that ends earlier are passed over.
    package init(_ frame: Frame) throws(PacketError) {
        let payload = frame.payload
        switch frame.type {
        case .initialize: self = .initialize(try Self.decode(payload))
        case .passphrase: self = .passphrase(try Self.decode(payload))
        case .createAccessPoint:
            let (request, data): (CreateAccessPointRequest, _) = try Self.decodeWithRest(payload)
            self = .createAccessPoint(request, advertiseData: data)
        case .createAccessPointPrivate:
            let (request, data): (CreateAccessPointPrivateRequest, _) = try Self.decodeWithRest(payload)
            self = .createAccessPointPrivate(request, advertiseData: data)
        case .externalProxy: self = .externalProxy(try Self.decode(payload))
        case .externalProxyToken: self = .externalProxyToken(try Self.decode(payload))
        case .externalProxyState: self = .externalProxyState(try Self.decode(payload))
        case .syncNetwork: self = .syncNetwork(try Self.decode(payload))
        case .reject: self = .reject(try Self.decode(payload))
        case .rejectReply: self = .rejectReply
        case .scan: self = .scan(try Self.decode(payload))
        case .scanReply: self = .scanReply(try Self.decode(payload))
        case .scanReplyEnd: self = .scanReplyEnd
        case .connect:
            self = .connect(try Self.decode(payload, like: ConnectRequest(payloadLength: payload.readableBytes)))
        case .connectPrivate:
            let form = ConnectPrivateRequest(payloadLength: payload.readableBytes)
            self = .connectPrivate(try Self.decode(payload, like: form))
        case .connected: self = .connected(try Self.decode(payload))
        case .disconnect: self = .disconnect(try Self.decode(payload))
        case .proxyConfig: self = .proxyConfig(try Self.decode(payload))
        case .proxyConnect: self = .proxyConnect(try Self.decode(payload))
        case .proxyConnectReply: self = .proxyConnectReply(try Self.decode(payload))
        case .proxyData:
            let (header, data): (ProxyDataHeader, _) = try Self.decodeWithRest(payload)
            self = .proxyData(header, data: data)
        case .proxyDisconnect: self = .proxyDisconnect(try Self.decode(payload))
        case .setAcceptPolicy: self = .setAcceptPolicy(try Self.decode(payload))
        case .setAdvertiseData: self = .setAdvertiseData(payload)
        case .ping: self = .ping(try Self.decode(payload))
        case .networkError: self = .networkError(try Self.decode(payload))
        default: throw .unknownType
        }
    }

    /// The packet on the wire, header included.
    public var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        encode(into: &bytes)
        return bytes
    }

    /// Appends the packet, header included.
    public func encode(into bytes: inout ByteBuffer) {
        switch self {
        case .initialize(let message): Self.write(.initialize, message, into: &bytes)
        case .passphrase(let message): Self.write(.passphrase, message, into: &bytes)
        case .createAccessPoint(let request, let data):
            Self.write(.createAccessPoint, request, data, into: &bytes)
        case .createAccessPointPrivate(let request, let data):
            Self.write(.createAccessPointPrivate, request, data, into: &bytes)
        case .externalProxy(let config): Self.write(.externalProxy, config, into: &bytes)
        case .externalProxyToken(let token): Self.write(.externalProxyToken, token, into: &bytes)
        case .externalProxyState(let state): Self.write(.externalProxyState, state, into: &bytes)
        case .syncNetwork(let info): Self.write(.syncNetwork, info, into: &bytes)
        case .reject(let request): Self.write(.reject, request, into: &bytes)
        case .rejectReply: Frame.writeHeader(.rejectReply, payloadLength: 0, into: &bytes)
        case .scan(let filter): Self.write(.scan, filter, into: &bytes)
        case .scanReply(let info): Self.write(.scanReply, info, into: &bytes)
        case .scanReplyEnd: Frame.writeHeader(.scanReplyEnd, payloadLength: 0, into: &bytes)
        case .connect(let request): Self.write(.connect, request, into: &bytes)
        case .connectPrivate(let request): Self.write(.connectPrivate, request, into: &bytes)
        case .connected(let info): Self.write(.connected, info, into: &bytes)
        case .disconnect(let message): Self.write(.disconnect, message, into: &bytes)
        case .proxyConfig(let config): Self.write(.proxyConfig, config, into: &bytes)
        case .proxyConnect(let info): Self.write(.proxyConnect, info, into: &bytes)
        case .proxyConnectReply(let info): Self.write(.proxyConnectReply, info, into: &bytes)
        case .proxyData(let header, let data): Self.write(.proxyData, header, data, into: &bytes)
        case .proxyDisconnect(let message): Self.write(.proxyDisconnect, message, into: &bytes)
        case .setAcceptPolicy(let request): Self.write(.setAcceptPolicy, request, into: &bytes)
        case .setAdvertiseData(let data):
            Frame.writeHeader(.setAdvertiseData, payloadLength: data.readableBytes, into: &bytes)
            bytes.writeImmutableBuffer(data)
        case .ping(let message): Self.write(.ping, message, into: &bytes)
        case .networkError(let message): Self.write(.networkError, message, into: &bytes)
        }
    }

    private static func decode<Payload: WireStruct>(
        _ payload: ByteBuffer, like form: Payload = Payload()
    ) throws(PacketError) -> Payload {
        guard let value = Payload(payload, like: form) else { throw .tooShort }
        return value
    }

    private static func decodeWithRest<Payload: WireStruct>(
        _ payload: ByteBuffer
    ) throws(PacketError) -> (Payload, rest: ByteBuffer) {
        let value: Payload = try decode(payload)
        var rest = payload
        rest.moveReaderIndex(forwardBy: value.size)
        return (value, rest)
    }

    private static func write(
        _ type: PacketType, _ payload: some WireStruct, _ rest: ByteBuffer = ByteBuffer(), into bytes: inout ByteBuffer
    ) {
        let length = payload.size + rest.readableBytes
        bytes.reserveCapacity(minimumWritableBytes: Frame.headerLength + length)
        Frame.writeHeader(type, payloadLength: length, into: &bytes)
        payload.write(into: &bytes)
        bytes.writeImmutableBuffer(rest)
    }
}
