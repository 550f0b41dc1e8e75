import NIOCore

/// One direction of a session: whether it is encrypted, and with what.
struct Encryption {
    private var key: RC4Key?
    private(set) var isOn: Bool

    init(key: RC4Key?) {
        self.key = key
        isOn = key != nil
    }

    /// The key, while it is used.
    var current: RC4Key? { isOn ? key : nil }

    /// Encrypts from now on, or with `nil` no more. True if key streams must be made anew, for the key is another.
    mutating func use(_ key: RC4Key?) -> Bool {
        isOn = key != nil
        guard let key, key != self.key else { return false }
        self.key = key
        return true
    }
}

/// One of the four reliable channels of a session: both halves, and a key stream for each direction.
struct ReliableChannel {
    var sender: ReliableSender
    var receiver: ReliableReceiver
    /// Made when the direction is first used encrypted, and never reset.
    var sendCipher: RC4?
    var receiveCipher: RC4?

    @inline(__always)
    mutating func enqueue(_ message: ByteBuffer, escapesLeadingZero: Bool, encryption: Encryption) {
        guard encryption.isOn else {
            var none: RC4?
            sender.enqueue(message, escapesLeadingZero: escapesLeadingZero, cipher: &none)
            return
        }
        if sendCipher == nil { sendCipher = encryption.current.map(RC4.init(key:)) }
        sender.enqueue(message, escapesLeadingZero: escapesLeadingZero, cipher: &sendCipher)
    }

    /// Decrypts in place the next bytes the peer has encrypted.
    mutating func decrypt(_ bytes: UnsafeMutableRawBufferPointer, encryption: Encryption) {
        if receiveCipher == nil { receiveCipher = encryption.current.map(RC4.init(key:)) }
        receiveCipher?.apply(to: bytes)
    }
}
