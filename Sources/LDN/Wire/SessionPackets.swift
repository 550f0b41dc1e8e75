public import NIOCore

/// `Initialize`: a client shows who it was last time, or zeros; the master says who it is now.
public struct InitializeMessage: WireStruct {
    public var id = ClientID.zero
    public var macAddress = MACAddress.zero

    public init() {}

    package var size: Int { 0x16 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.octets(&id, "Id", at: 0x00)
        fields.octets(&macAddress, "MacAddress", at: 0x10)
    }
}

/// `Passphrase`: with whom a client wants to play.
public struct PassphraseMessage: WireStruct {
    /// UTF-8, ended by a NUL.
    public var passphrase = ByteBuffer()

    public init() {}

    package var size: Int { 0x80 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.bytes(&passphrase, "Passphrase", at: 0x00, count: 128)
    }
}

/// `Ping`: sent back unchanged by whom it is meant for.
public struct PingMessage: WireStruct {
    /// 0: the master asks. Anything else: a client does.
    public var requester: UInt8 = 0
    public var id: UInt8 = 0

    public init() {}

    package var size: Int { 0x2 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.integer(&requester, "Requester", at: 0x00)
        fields.integer(&id, "Id", at: 0x01)
    }
}

/// `NetworkError`: the master does not do what was asked.
public struct NetworkErrorMessage: WireStruct {
    public var error = NetworkError.none

    public init() {}

    package var size: Int { 0x4 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&error, "Error", at: 0x00)
    }
}
