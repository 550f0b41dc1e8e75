import CLinuxNet
import Glibc
package import LANBridge

/// A virtual card: what the machine sends on it is read here, what is written here the machine receives. It is gone when
/// nobody has it any more.
package final class TAP {
    package let link: Link
    let descriptor: CInt
    /// Frames the machine did not take, because the card was switched off or its queue was full.
    package private(set) var dropped: UInt64 = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 64)

    /// Makes it. `name` may be empty: the kernel chooses.
    package init(named name: String, mac: MACAddress) throws(NetworkFailure) {
        var text = [CChar](repeating: 0, count: 16)
        for (index, octet) in name.utf8.prefix(15).enumerated() { text[index] = CChar(bitPattern: octet) }
        descriptor = try NetworkFailure.check(clinuxnet_open_tap(&text), "make the TAP \(name)")
        link = Link(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        try link.set(mac: mac)
    }

    deinit {
        Descriptor.close(descriptor)
        buffer.deallocate()
    }

    /// Reads frames, at most so many. Returns `false` if the card is gone.
    func read(atMost count: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        for _ in 0..<count {
            let length = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            guard length > 0 else { return length == 0 || errno == EAGAIN || errno == EINTR || errno == EIO }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
        }
        return true
    }

    /// Hands a frame to the machine.
    func write(_ frame: UnsafeRawBufferPointer) {
        if Glibc.write(descriptor, frame.baseAddress, frame.count) != frame.count { dropped &+= 1 }
    }
}
