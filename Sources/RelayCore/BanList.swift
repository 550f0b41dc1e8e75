/// Who may not connect, until when, and why.
///
/// A look-up costs a binary search or two, however many lengths the prefixes have: lists of others' making have them all.
public struct BanList: Sendable, Equatable {
    public struct Ban: Sendable, Equatable {
        public var prefix: IPPrefix
        /// `nil` is for ever.
        public var until: Instant?
        /// What the operator wrote down.
        public var reason: String

        public init(prefix: IPPrefix, until: Instant?, reason: String) {
            self.prefix = prefix
            self.until = until
            self.reason = reason
        }

        fileprivate func holds(at now: Instant) -> Bool { until.map { now < $0 } ?? true }
    }

    private struct Entry: Sendable {
        var ban: Ban
        /// The lengths of the other prefixes around this one.
        var around = Lengths()
    }

    /// Where an entry is.
    private struct Place {
        var page: Int
        var index: Int
    }

    /// All bans, by address, wide before narrow, on pages of which none is empty: one more moves only those of its page.
    private var pages: [[Entry]] = []
    /// What the pages begin with.
    private var firsts: [IPPrefix] = []
    private static let pageSize = 128

    public init() {}

    public init(_ bans: some Sequence<Ban>) {
        for ban in bans { add(ban) }
    }

    /// Adds a ban, in place of one of the same prefix.
    public mutating func add(_ ban: Ban) {
        let before = lastPlace(upTo: ban.prefix)
        if let before, pages[before.page][before.index].ban.prefix == ban.prefix {
            pages[before.page][before.index].ban = ban
            return
        }
        let around = before.map { lengths(around: ban.prefix.address, from: $0) } ?? Lengths()
        let place = insert(Entry(ban: ban, around: around), after: before)
        changeThose(within: ban.prefix, after: place) { $0.around.insert(ban.prefix.bits) }
    }

    public mutating func remove(_ prefix: IPPrefix) {
        guard let place = lastPlace(upTo: prefix) else { return }
        let entry = pages[place.page][place.index]
        guard entry.ban.prefix == prefix else { return }
        changeThose(within: prefix, after: place) { $0.around.remove(prefix.bits) }
        pages[place.page].remove(at: place.index)
        if let first = pages[place.page].first {
            firsts[place.page] = first.ban.prefix
        } else {
            pages.remove(at: place.page)
            firsts.remove(at: place.page)
        }
    }

    /// The ban that keeps an address out now, the most precise one if there are several.
    public func ban(of address: IPAddress, at now: Instant) -> Ban? {
        guard let place = lastPlace(upTo: IPPrefix(address)) else { return nil }
        let nearest = pages[place.page][place.index].ban
        if nearest.prefix.contains(address), nearest.holds(at: now) { return nearest }
        var lengths = lengths(around: address, from: place)
        while let bits = lengths.popLongest() {
            guard let place = lastPlace(upTo: IPPrefix(address, bits: bits)) else { return nil }
            let ban = pages[place.page][place.index].ban
            if ban.holds(at: now) { return ban }
        }
        return nil
    }

    public static func == (left: BanList, right: BanList) -> Bool {
        left.pages.joined().lazy.map(\.ban).elementsEqual(right.pages.joined().lazy.map(\.ban))
    }

    // MARK: Looking

    /// The lengths of the prefixes around an address. They are those of the last prefix before it, as far as the two agree.
    private func lengths(around address: IPAddress, from place: Place) -> Lengths {
        let prefix = pages[place.page][place.index].ban.prefix
        let common = prefix.address.commonBits(with: address)
        var lengths = pages[place.page][place.index].around
        lengths.insert(prefix.bits)
        lengths.keep(upTo: common)
        return lengths
    }

    private func lastPlace(upTo prefix: IPPrefix) -> Place? {
        let page = Self.count(firsts) { $0.isAtMost(prefix) } - 1
        guard page >= 0 else { return nil }
        return Place(page: page, index: Self.count(pages[page]) { $0.ban.prefix.isAtMost(prefix) } - 1)
    }

    /// How many at the front of a list are so, if those that are come first.
    private static func count<Element>(_ list: [Element], where isSo: (Element) -> Bool) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if isSo(list[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Changing

    private mutating func insert(_ entry: Entry, after place: Place?) -> Place {
        guard !pages.isEmpty else {
            pages = [[entry]]
            firsts = [entry.ban.prefix]
            return Place(page: 0, index: 0)
        }
        var new = place.map { Place(page: $0.page, index: $0.index + 1) } ?? Place(page: 0, index: 0)
        pages[new.page].insert(entry, at: new.index)
        if pages[new.page].count > Self.pageSize {
            let half = Array(pages[new.page][(Self.pageSize / 2)...])
            pages[new.page].removeSubrange((Self.pageSize / 2)...)
            pages.insert(half, at: new.page + 1)
            firsts.insert(half[0].ban.prefix, at: new.page + 1)
            if new.index >= Self.pageSize / 2 {
                new = Place(page: new.page + 1, index: new.index - Self.pageSize / 2)
            }
        }
        firsts[new.page] = pages[new.page][0].ban.prefix
        return new
    }

    /// Those that lie within a prefix follow it.
    private mutating func changeThose(within prefix: IPPrefix, after place: Place, _ change: (inout Entry) -> Void) {
        var index = place.index + 1
        for page in place.page..<pages.count {
            while index < pages[page].count {
                guard prefix.contains(pages[page][index].ban.prefix.address) else { return }
                change(&pages[page][index])
                index += 1
            }
            index = 0
        }
    }
}

extension IPPrefix {
    /// By address, and of the same address the wider first.
    fileprivate func isAtMost(_ other: IPPrefix) -> Bool {
        if address.high != other.address.high { return address.high < other.address.high }
        if address.low != other.address.low { return address.low < other.address.low }
        return bits <= other.bits
    }
}

extension IPAddress {
    /// How many bits at the front are the same.
    fileprivate func commonBits(with other: IPAddress) -> Int {
        high == other.high ? 64 + (low ^ other.low).leadingZeroBitCount : (high ^ other.high).leadingZeroBitCount
    }
}

/// Lengths of prefixes, from 0 to 128.
private struct Lengths {
    private var hasZero = false
    /// From 1 on.
    private var others: UInt128 = 0

    mutating func insert(_ length: Int) {
        if length == 0 { hasZero = true } else { others |= 1 << UInt128(length - 1) }
    }

    mutating func remove(_ length: Int) {
        if length == 0 { hasZero = false } else { others &= ~(1 << UInt128(length - 1)) }
    }

    mutating func keep(upTo length: Int) {
        others &= length == 0 ? 0 : UInt128.max >> UInt128(128 - length)
    }

    mutating func popLongest() -> Int? {
        let length = 128 - others.leadingZeroBitCount
        guard length > 0 || hasZero else { return nil }
        remove(length)
        return length
    }
}
