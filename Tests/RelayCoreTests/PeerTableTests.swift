import RelayCore
import Testing

@Suite("Peers")
struct PeerTableTests {
    @Test func slotIsReusedUnderTheNextGeneration() {
        var table = PeerTable<String>()
        let first = table.insert { _ in "first" }
        #expect(table.remove(first) == "first")
        let second = table.insert { _ in "second" }
        #expect(second.slot == first.slot)
        #expect(second != first)
        #expect(table[first] == nil)
        #expect(table[second] == "second")
        #expect(table.remove(first) == nil)
        #expect(table.count == 1)
    }

    @Test func mapKnowsOnlyTheGenerationItHolds() {
        var map = PeerMap<Int>()
        let old = PeerID(slot: 3, generation: 7)
        let new = PeerID(slot: 3, generation: 8)
        map[old] = 1
        map.update(new) { $0 += 1 }
        #expect(map[old] == 1)
        map[new] = 2
        #expect(map[old] == nil)
        #expect(map[new] == 2)
        #expect(map.count == 1)
        map[old] = nil
        #expect(map[new] == 2)
    }

    @Test func mapChangesInPlaceAndForgets() {
        var map = PeerMap<[Int]>()
        let peer = PeerID(slot: 0, generation: 0)
        map[peer] = []
        map.update(peer) { $0.append(5) }
        #expect(map[peer] == [5])
        #expect(map.remove(peer) == [5])
        #expect(map.count == 0)
        #expect(map.remove(peer) == nil)
        #expect(map.all.isEmpty)
    }

    @Test func agreesWithADictionary() {
        var random = RandomSource.seeded(4)
        var table = PeerTable<Int>()
        var model: [PeerID: Int] = [:]
        for step in 0..<5000 {
            if model.isEmpty || Int.random(in: 0..<3, using: &random) > 0 {
                let peer = table.insert { _ in step }
                #expect(model[peer] == nil)
                model[peer] = step
            } else if let victim = model.keys.randomElement(using: &random) {
                #expect(table.remove(victim) == model.removeValue(forKey: victim))
            }
            #expect(table.count == model.count)
        }
        #expect(table.all.sorted() == model.values.sorted())
    }

    @Test func namesAreReadAsTheyAreSaid() {
        let peer = PeerID(slot: 12, generation: 4_294_967_295)
        #expect(PeerID("\(peer)") == peer)
        for text in ["", "1", "1.", ".1", "1.2.3", "+1.2", "01.2", "1.-2", "1. 2", "4294967296.0", "a.b"] {
            #expect(PeerID(text) == nil, "\(text)")
        }
    }
}
