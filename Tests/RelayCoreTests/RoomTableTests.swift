import RelayCore
import Testing

@Suite("Rooms")
struct RoomTableTests {
    @Test func takesRoomsUpToItsCapacity() {
        var rooms = RoomTable<String, Int>(capacity: 2)
        #expect(rooms.open("one", 1) == true)
        #expect(rooms.open("one", 9) == false)
        #expect(rooms.open("two", 2) == true)
        #expect(rooms.open("three", 3) == false)
        #expect(rooms["one"] == 1)
        #expect(rooms.close("one") == 1)
        #expect(rooms.open("three", 3) == true)
    }

    @Test func changesInPlace() {
        var rooms = RoomTable<String, [Int]>(capacity: 0)
        #expect(rooms.open("room", []) == true)
        #expect(rooms.update("room") { $0.append(1) } != nil)
        #expect(rooms.update("nowhere") { $0.append(1) } == nil)
        #expect(rooms["room"] == [1])
    }

    @Test func loweringTheCapacityClosesNone() {
        var rooms = RoomTable<Int, Int>(capacity: 0)
        for room in 0..<10 { #expect(rooms.open(room, room) == true) }
        rooms.capacity = 5
        #expect(rooms.count == 10)
        #expect(rooms.open(11, 11) == false)
    }
}
