public import RelayCore

/// A room as a file describes it, so that frames can be judged as if they were sent there.
///
/// ```
/// { "room_mtu": 1400, "gateway_id": "gw", "clients": [{ "id": "c1", "mac": "02:…", "ipv4": "10.0.0.11", "ipv6": [] }],
///   "lan_hosts": [{ "mac": "02:…" }], "protected_ipv4": ["10.0.0.1"], "protected_ipv6": [] }
/// ```
///
/// The first client is the one that speaks in the role `client`.
public struct RoomContext: Sendable, Equatable {
    /// A client and its addresses.
    public struct Client: Sendable, Equatable {
        public var id: String
        public var mac: MACAddress
        public var addresses: [IPAddress]

        public init(id: String, mac: MACAddress, addresses: [IPAddress] = []) {
            self.id = id
            self.mac = mac
            self.addresses = addresses
        }
    }

    public var mtu: Int
    public var clients: [Client]
    public var gatewayID = "gw"
    /// MAC addresses known to be on the LAN.
    public var lanHosts: [MACAddress] = []
    /// IP addresses no client may have.
    public var protected: [IPAddress] = []

    public init(mtu: Int, clients: [Client]) {
        self.mtu = mtu
        self.clients = clients
    }

    /// The filter of such a room. Clients whose MAC address is no station's, or taken, are left out.
    public func filter(at now: Instant) -> FrameFilter {
        var filter = FrameFilter(mtu: mtu, at: now)
        for host in lanHosts { filter.noteLAN(host, at: now) }
        for address in protected { filter.protect(address) }
        for client in clients {
            guard let port = filter.addClient(client.mac, at: now) else { continue }
            for address in client.addresses { filter.bind(address, to: port, at: now) }
        }
        return filter
    }
}

extension RoomContext: Decodable {
    private enum CodingKeys: String, CodingKey {
        case mtu = "room_mtu"
        case clients
        case gatewayID = "gateway_id"
        case lanHosts = "lan_hosts"
        case protectedIPv4 = "protected_ipv4"
        case protectedIPv6 = "protected_ipv6"
    }

    private struct Host: Decodable { var mac: MACAddress }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let mtu = try fields.decodeIfPresent(Int.self, forKey: .mtu) ?? 1400
        guard (68...65_535).contains(mtu) else {
            throw DecodingError.dataCorruptedError(forKey: .mtu, in: fields, debugDescription: "not from 68 to 65535")
        }
        self.init(mtu: mtu, clients: try fields.decodeIfPresent([Client].self, forKey: .clients) ?? [])
        gatewayID = try fields.decodeIfPresent(String.self, forKey: .gatewayID) ?? gatewayID
        lanHosts = try fields.decodeIfPresent([Host].self, forKey: .lanHosts)?.map(\.mac) ?? []
        for key in [CodingKeys.protectedIPv4, .protectedIPv6] {
            let texts = try fields.decodeIfPresent([String].self, forKey: key) ?? []
            protected += try texts.map { text in
                guard let address = IPAddress(text) else {
                    throw DecodingError.dataCorruptedError(
                        forKey: key, in: fields, debugDescription: "'\(text)' is no IP address")
                }
                return address
            }
        }
        guard Set(clients.map(\.mac)).count == clients.count, clients.allSatisfy({ $0.mac.isStation }) else {
            throw DecodingError.dataCorruptedError(
                forKey: .clients, in: fields, debugDescription: "a MAC address is no station's, or occurs twice")
        }
    }
}

extension RoomContext.Client: Decodable {
    private enum CodingKeys: String, CodingKey {
        case id, mac, ipv4, ipv6
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try fields.decode(String.self, forKey: .id), mac: try fields.decode(MACAddress.self, forKey: .mac))
        let ipv4 = try fields.decodeIfPresent(String.self, forKey: .ipv4).map { [$0] } ?? []
        addresses = try (ipv4 + (fields.decodeIfPresent([String].self, forKey: .ipv6) ?? [])).map { text in
            guard let address = IPAddress(text) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no IP address"))
            }
            return address
        }
    }
}

extension MACAddress: Decodable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let mac = MACAddress(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no MAC address"))
        }
        self = mac
    }
}
