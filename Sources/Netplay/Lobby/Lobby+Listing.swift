public import NIOCore
public import RelayCore

extension Lobby {
    struct RenderedList: Sendable {
        var json: ByteBuffer
        /// When the first of its rooms is hidden.
        var expires: Instant
    }

    /// All rooms as JSON. It is built once after each change (a room that is hidden is one), and shared by all who ask.
    public mutating func json(at now: Instant) -> ByteBuffer {
        if let list, now < list.expires { return list.json }
        let visible = visibleEntries(at: now)
        let expires = visible.map { $0.announced + configuration.roomTimeout }.min()
        let json = LobbyJSON.array(of: visible.map(\.json))
        list = RenderedList(json: json, expires: expires ?? Instant(nanoseconds: .max))
        listBuilds += 1
        return json
    }

    /// One room as JSON, an array of one; `nil` if there is none of that number, or it is hidden.
    public func json(of id: Int32, at now: Instant) -> ByteBuffer? {
        guard !isDraining, let entry = entries[id], isVisible(entry, at: now) else {
            return nil
        }
        return LobbyJSON.array(of: [entry.json])
    }

    /// All rooms in the order of the list.
    public func rooms(at now: Instant) -> [LobbyRoom] {
        visibleEntries(at: now).map(\.room)
    }

    /// A room by its number, hidden or not.
    public func room(_ id: Int32) -> LobbyRoom? {
        entries[id]?.room
    }

    /// A relay by its name.
    public func relay(named name: String) -> LobbyRelay? { configuration.relays[name] }

    /// How many rooms are kept, hidden ones included.
    public var keptCount: Int { entries.count }

    private func visibleEntries(at now: Instant) -> [Entry] {
        if isDraining { return [] }
        return order.compactMap { position in
            entries[position.id].flatMap { isVisible($0, at: now) ? $0 : nil }
        }
    }
}
