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
    /// Packets not taken because the application could take no more.
    public var held: UInt64 = 0

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

extension SOEStatistics {
    /// Adds what another session has counted. Round trips have no sum.
    mutating func add(_ other: SOEStatistics) {
        for counter in Self.counters { self[keyPath: counter] &+= other[keyPath: counter] }
        queuedBytes += other.queuedBytes
        packetsInFlight += other.packetsInFlight
    }

    private static var counters: [WritableKeyPath<SOEStatistics, UInt64>] {
        [
            \.datagramsReceived, \.datagramsSent, \.bytesReceived, \.bytesSent, \.messagesReceived, \.messagesSent,
            \.badCRC, \.dropped, \.held, \.packetsSent, \.packetsResent, \.packetsReceived, \.packetsRepeated,
            \.packetsOutOfOrder, \.falseAcknowledgements, \.timeouts,
        ]
    }
}

extension SOESession {
    /// A copy of what the session has counted.
    public var statistics: SOEStatistics {
        var figures = counted
        for channel in channels {
            let sent = channel.sender.statistics
            let received = channel.receiver.statistics
            figures.packetsSent &+= sent.packetsSent
            figures.packetsResent &+= sent.packetsResent
            figures.falseAcknowledgements &+= sent.falseAcknowledgements
            figures.timeouts &+= sent.timeouts
            figures.packetsReceived &+= received.packets
            figures.packetsRepeated &+= received.repeated
            figures.packetsOutOfOrder &+= received.outOfOrder
        }
        figures.queuedBytes = queuedBytes
        figures.packetsInFlight = path.inFlight
        figures.window = path.window
        if let smoothed = path.roundTrip.smoothed {
            figures.roundTrip = .nanoseconds(smoothed)
            figures.lowestRoundTrip = .nanoseconds(path.roundTrip.lowest)
            figures.roundTripVariation = .nanoseconds(path.roundTrip.variation)
        }
        return figures
    }
}
