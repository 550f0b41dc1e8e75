/// What one session has counted. Plain numbers, copied when somebody asks.
public struct SOEStatistics: Hashable, Sendable {
    public var datagramsReceived: UInt64 = 0
    public var datagramsSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    /// Messages taken for sending.
    public var messagesSent: UInt64 = 0
    /// Datagrams dropped because their CRC was wrong.
    public var badCRC: UInt64 = 0
    /// Packets dropped for anything else: unknown codes, another session's Disconnect, too short.
    public var dropped: UInt64 = 0

    /// Reliable packets sent, those sent again included.
    public var packetsSent: UInt64 = 0
    public var packetsResent: UInt64 = 0
    public var packetsReceived: UInt64 = 0
    public var packetsRepeated: UInt64 = 0
    public var packetsOutOfOrder: UInt64 = 0
    public var falseAcknowledgements: UInt64 = 0
    public var timeouts: UInt64 = 0
    /// Bytes that wait to be sent or acknowledged.
    public var queuedBytes = 0
    /// Packets sent and not acknowledged.
    public var packetsInFlight = 0
    /// How many may be.
    public var window = 0
    /// The average round trip; `nil` before anything was measured.
    public var roundTrip: Duration?
    public var lowestRoundTrip: Duration?
    public var roundTripVariation = Duration.zero

    /// The part of reliable packets that had to be sent again, 0...1.
    public var loss: Double {
        packetsSent == 0 ? 0 : Double(packetsResent) / Double(packetsSent)
    }
}
