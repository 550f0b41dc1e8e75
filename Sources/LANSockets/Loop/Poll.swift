import CLinuxNet
import RelayCore

/// Waits until one of a few descriptors can be read (epoll).
struct Poll: ~Copyable {
    private let descriptor: CInt
    private let ready: UnsafeMutableBufferPointer<UInt32>
    private static let most = 16

    init() throws(NetworkFailure) {
        descriptor = try NetworkFailure.check(clinuxnet_poll_open(), "open epoll")
        ready = .allocate(capacity: Self.most)
        ready.initialize(repeating: 0)
    }

    deinit {
        Descriptor.close(descriptor)
        ready.deallocate()
    }

    /// Has a descriptor watched, and known by a number.
    func add(_ descriptor: CInt, as number: UInt32) throws(NetworkFailure) {
        try NetworkFailure.check(clinuxnet_poll_add(self.descriptor, descriptor, number), "watch a descriptor")
    }

    /// Waits until then at most, and gives the numbers of those that can be read.
    func wait(until deadline: Instant?, now: Instant) -> Slice<UnsafeMutableBufferPointer<UInt32>> {
        let nanoseconds = deadline.map { max(0, $0.since(now)) } ?? -1
        let count = clinuxnet_poll_wait(descriptor, ready.baseAddress, CInt(Self.most), nanoseconds)
        return ready[0..<Int(count)]
    }
}
