/// The secret that both ends of an encrypted session know. It reaches them outside this protocol.
public struct RC4Key: Hashable, Sendable {
    public let octets: [UInt8]

    /// `nil` unless there are 1...256 bytes.
    public init?(_ octets: some Collection<UInt8>) {
        guard (1...256).contains(octets.count) else { return nil }
        self.octets = Array(octets)
    }
}

/// One direction's RC4 key stream: the textbook cipher, no prefix dropped, never reset.
///
/// It keeps curious people out of a packet capture and no more: RC4 is broken, and these protocols share one key between
/// both directions.
public struct RC4: Sendable {
    private var state: [UInt8]
    private var first: UInt8 = 0
    private var second: UInt8 = 0

    public init(key: RC4Key) {
        state = Array(0...255)
        var other: UInt8 = 0
        for index in 0..<256 {
            other = other &+ state[index] &+ key.octets[index % key.octets.count]
            state.swapAt(index, Int(other))
        }
    }

    /// Encrypts or decrypts the next bytes of the stream in place.
    public mutating func apply(to bytes: UnsafeMutableRawBufferPointer) {
        var first = first
        var second = second
        state.withUnsafeMutableBufferPointer { state in
            for index in bytes.indices {
                first &+= 1
                let a = state[Int(first)]
                second &+= a
                let b = state[Int(second)]
                state[Int(first)] = b
                state[Int(second)] = a
                bytes[index] ^= state[Int(a &+ b)]
            }
        }
        self.first = first
        self.second = second
    }

    /// Encrypts or decrypts the next byte of the stream.
    public mutating func apply(to byte: UInt8) -> UInt8 {
        var byte = byte
        withUnsafeMutableBytes(of: &byte) { apply(to: $0) }
        return byte
    }
}
