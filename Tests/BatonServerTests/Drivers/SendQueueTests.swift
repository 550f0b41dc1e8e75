import NIOCore
import Testing

@testable import BatonServer

@Suite("Send queue")
struct SendQueueTests {
    private let limits = SendQueue.Limits(bytes: 100, frames: 3)

    @Test func emptyQueueTakesOneFrameOfAnySize() {
        var queue = SendQueue()
        let taken = queue.append(ByteBuffer(repeating: 1, count: 5000), limits: limits)
        let next = queue.append(ByteBuffer(repeating: 1, count: 1), limits: limits)
        #expect(taken)
        #expect(!next)
        #expect(queue.bytes == 5000)
    }

    @Test func framesAreBounded() {
        var queue = SendQueue()
        let taken = (0..<4).map { _ in queue.append(ByteBuffer(bytes: [1]), limits: limits) }
        #expect(taken == [true, true, true, false])
    }

    @Test func framesLeaveInOrderAndTheirBytesAreFreed() {
        var queue = SendQueue()
        for byte in UInt8(0)..<3 { _ = queue.append(ByteBuffer(bytes: [byte, byte]), limits: limits) }
        for byte in UInt8(0)..<3 {
            let frame = queue.popFirst()
            #expect(frame == ByteBuffer(bytes: [byte, byte]))
        }
        #expect(queue.isEmpty)
        #expect(queue.bytes == 0)
    }

    @Test func smallSliceDoesNotHoldALargeRead() {
        var queue = SendQueue()
        var read = ByteBuffer(repeating: 1, count: 65_536)
        if let slice = read.readSlice(length: 10) { _ = queue.append(slice, limits: limits) }
        let kept = queue.popFirst()
        #expect((kept?.storageCapacity ?? .max) < 1024)
    }
}
