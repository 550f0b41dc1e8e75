import Testing

@testable import LDN

@Suite("LDN virtual addresses")
struct VirtualAddressTests {
    private func client(_ number: UInt64) -> MACAddress { MACAddress(high: 0, low: number) }

    private func entry(_ address: UInt32, _ number: UInt64) -> AddressEntry {
        var entry = AddressEntry()
        entry.ipv4Address = VirtualAddress(rawValue: address)
        entry.macAddress = client(number)
        return entry
    }

    @Test("addresses go up, and one that was given back comes last")
    func order() {
        var pool = VirtualAddressPool()
        let first = (0..<3).map { _ in pool.take(for: client(0)) }
        #expect(first.map(\.description) == ["10.114.0.1", "10.114.0.2", "10.114.0.3"])
        pool.giveBack(first[1])
        #expect(pool.take(for: client(0)).description == "10.114.0.4")
        // All the way round: never the network's or the broadcast's, nor one that is taken.
        let round = (0..<65_531).map { _ in
            let address = pool.take(for: client(0))
            pool.giveBack(address)
            return address
        }
        #expect(Set(round + first + [.player(4)]).count == 65_534)
        #expect(!round.contains { $0 == .network || $0.isBroadcast })
        #expect(pool.take(for: client(0)).description == "10.114.0.5")
    }

    @Test("a kept address goes to nobody else, and of doubles the first counts")
    func reserved() {
        var pool = VirtualAddressPool(reserving: [
            entry(0x0A72_0002, 7), entry(0x0A72_0002, 8), entry(0x0A72_0003, 7), entry(0x0A72_FFFF, 9),
            entry(0xC0A8_00FF, 10), entry(0, 11), entry(0x0A72_0004, 12),
        ])
        #expect(pool.take(for: client(7)).description == "10.114.0.2")
        pool.giveBack(.player(2))
        let others = [8, 9, 10, 11, 12].map { pool.take(for: client($0)).description }
        #expect(others == ["10.114.0.1", "10.114.0.3", "10.114.0.4", "10.114.0.5", "10.114.0.6"])
        #expect(pool.take(for: client(7)).description == "10.114.0.2")
    }
}
