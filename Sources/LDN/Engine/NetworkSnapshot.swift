import RelayCore

/// A network as it is shown to people. Its texts are fit for web pages and logs.
public struct NetworkSnapshot: Sendable, Equatable {
    public var id: SessionID
    /// Whether it was opened without a passphrase.
    public var isPublic: Bool
    public var title: TitleID
    /// The game's version, at most 16 characters.
    public var version: String
    public var sceneID: UInt16
    /// Whether its host relays, not the master.
    public var isP2P: Bool
    /// Whether its game lets nobody in any more.
    public var rejectsAll: Bool
    public var places: Int
    /// The names of those who are in it, the host's first.
    public var players: [String]

    init(_ network: Network) {
        id = network.id
        isPublic = network.passphrase.isPublic
        title = TitleID(localCommunicationID: network.title)
        version = network.gameVersion
        sceneID = network.sceneID
        isP2P = network.proxy != nil
        rejectsAll = network.rejectsAll
        places = Int(network.info.ldn.nodeCountMax)
        players = network.members.map { network.names[$0.nodeID] }
    }
}

extension LDNEngine {
    /// A copy of all networks. It is made of what is ready, so that with thousands of them the relay is not held up.
    public var networkSnapshots: [NetworkSnapshot] { networks.all.map { NetworkSnapshot($0.room) } }
}
