import RelayCore
import Testing

@Suite("Deadlines")
struct DeadlineHeapTests {
    private func peer(_ slot: UInt32, _ generation: UInt32 = 0) -> PeerID { PeerID(slot: slot, generation: generation) }

    @Test func popsInOrderOfTime() {
        var heap = DeadlineHeap()
        for (slot, seconds) in [(0, 5), (1, 1), (2, 3)] {
            heap.schedule(peer(UInt32(slot)), at: .zero + .seconds(seconds))
        }
        #expect(heap.next == .zero + .seconds(1))
        #expect(heap.popDue(at: .zero + .seconds(3)) == peer(1))
        #expect(heap.popDue(at: .zero + .seconds(3)) == peer(2))
        #expect(heap.popDue(at: .zero + .seconds(3)) == nil)
        #expect(heap.count == 1)
    }

    @Test func movingLeavesOneDeadline() {
        var heap = DeadlineHeap()
        heap.schedule(peer(0), at: .zero + .seconds(1))
        heap.schedule(peer(0), at: .zero + .seconds(9))
        #expect(heap.count == 1)
        #expect(heap.popDue(at: .zero + .seconds(8)) == nil)
        #expect(heap[peer(0)] == .zero + .seconds(9))
    }

    @Test func staleGenerationCancelsNothing() {
        var heap = DeadlineHeap()
        heap.schedule(peer(0, 1), at: .zero)
        heap.cancel(peer(0, 0))
        #expect(heap.popDue(at: .zero) == peer(0, 1))
    }

    @Test func agreesWithASortedList() {
        var random = RandomSource.seeded(9)
        var heap = DeadlineHeap()
        var model: [PeerID: Instant] = [:]
        for _ in 0..<20_000 {
            let subject = peer(UInt32.random(in: 0..<200, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let at = Instant(nanoseconds: Int64.random(in: 0..<1000, using: &random))
                heap.schedule(subject, at: at)
                model[subject] = at
            case 2:
                heap.cancel(subject)
                model[subject] = nil
            default:
                let now = Instant(nanoseconds: Int64.random(in: 0..<100, using: &random))
                if let due = heap.popDue(at: now) {
                    #expect(model[due] == model.values.min())
                    model[due] = nil
                } else {
                    #expect(model.values.allSatisfy { $0 > now })
                }
            }
            #expect(heap.next == model.values.min())
            #expect(heap.count == model.count)
        }
    }
}
