public import RelayCore

extension Lobby {
    /// What an announcement means.
    public enum Change: Sendable, Equatable {
        case create
        case update
        /// The same room again: only its age and the counts of people change.
        case touch
    }

    /// An announcement that was taken and is on its way.
    public struct Proposal: Sendable, Equatable {
        public var change: Change
        /// The room as it shall be. What is found out about its host goes in here before `finish`.
        public var room: LobbyRoom
        /// Whether the host should be asked if it answers. Hosts behind a relay never are, others not again once they
        /// have.
        public var needsProbe: Bool
    }

    /// Says what an announcement means. Unless it throws, `finish` or `abandon` must follow.
    ///
    /// - Parameter country: that of the caller; two lower-case letters, or nothing.
    public mutating func begin(
        _ announcement: LobbyAnnouncement, from caller: IPAddress, country: String, at now: Instant, date: Timestamp
    ) throws(LobbyRefusal) -> Proposal {
        if isDraining { throw .draining }
        var room = room(announced: announcement, from: caller, country: country, date: date)
        if let refusal = configuration.blacklist.refusal(of: room.content) { throw refusal }
        if pending[room.identity] != nil { throw .tooSoon }
        let isRelayed = room.content.relay != nil
        guard let known = numbers[room.identity].flatMap({ entries[$0] }) else {
            try reserve(room, at: now)
            room.id = takeID()
            return Proposal(change: .create, room: room, needsProbe: !isRelayed)
        }
        guard now - known.announced >= configuration.leastInterval else { throw .tooSoon }
        let change: Change = known.room.content == room.content ? .touch : .update
        (room.id, room.created) = (known.room.id, known.room.created)
        if !isRelayed {
            (room.isConnectable, room.isRetroArch) = (known.room.isConnectable, known.room.isRetroArch)
        }
        pending[room.identity] = change
        return Proposal(
            change: change, room: room, needsProbe: !isRelayed && (change == .update || !room.isConnectable))
    }

    /// Takes over the room of a proposal.
    public mutating func finish(_ proposal: Proposal, at now: Instant) {
        let room = proposal.room
        pending[room.identity] = nil
        if proposal.change == .create {
            pendingCreations -= 1
        } else if entries[room.id] == nil {
            // The blacklist took it meanwhile.
            return
        }
        if proposal.change == .touch { unsaved.touched.insert(room.id) }
        insert(room, announced: now)
    }

    /// Forgets a proposal: everything is as before.
    public mutating func abandon(_ proposal: Proposal) {
        pending[proposal.room.identity] = nil
        guard proposal.change == .create else { return }
        pendingCreations -= 1
        leave(.household(of: proposal.room.content.address))
    }

    /// Counts a room that is to be, within the bounds.
    private mutating func reserve(_ room: LobbyRoom, at now: Instant) throws(LobbyRefusal) {
        if entries.count + pendingCreations >= configuration.maxRooms { sweep(at: now) }
        guard entries.count + pendingCreations < configuration.maxRooms else { throw .lobbyFull }
        let household = IPPrefix.household(of: room.content.address)
        guard households[household, default: 0] < configuration.maxRoomsPerAddress else { throw .addressFull }
        households[household, default: 0] += 1
        pendingCreations += 1
        pending[room.identity] = .create
    }

    /// The room of an announcement, if it is a new one. Until it was asked, a direct host counts as out of reach.
    private func room(
        announced announcement: LobbyAnnouncement, from caller: IPAddress, country: String, date: Timestamp
    ) -> LobbyRoom {
        let relay = relay(of: announcement)
        let content = LobbyRoom.Content(
            username: announcement.username, gameName: announcement.gameName, gameCRC: announcement.gameCRC,
            coreName: announcement.coreName, coreVersion: announcement.coreVersion,
            subsystemName: announcement.subsystemName, retroarchVersion: announcement.retroarchVersion,
            frontend: announcement.frontend, address: caller, port: announcement.port,
            hostMethod: relay == nil ? .unknown : .relay, relay: relay, hasPassword: announcement.hasPassword,
            hasSpectatePassword: announcement.hasSpectatePassword
        )
        return LobbyRoom(
            id: 0, content: content, playerCount: announcement.playerCount,
            spectatorCount: announcement.spectatorCount, country: country, isConnectable: relay != nil,
            isRetroArch: true, created: date, updated: date
        )
    }

    /// The relay of an announcement; `nil` if it names none, or one that is not in the table.
    private func relay(of announcement: LobbyAnnouncement) -> LobbyRoom.Relay? {
        guard let choice = announcement.relay, let address = choice.custom ?? configuration.relays[choice.name] else {
            return nil
        }
        return LobbyRoom.Relay(name: choice.name, address: address, session: choice.session)
    }
}
