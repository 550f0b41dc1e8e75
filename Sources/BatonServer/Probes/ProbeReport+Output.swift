import RelayCore

extension ProbeReport: CustomStringConvertible {
    /// A line for each address.
    package var description: String {
        if let failure { return "\(self.protocol) \(host): failed: \(failure.sentence)" }
        return addresses.map { "\(self.protocol) \($0)" }.joined(separator: "\n")
    }
}

extension ProbeReport.Address: CustomStringConvertible {
    package var description: String {
        var text = "\(endpoint): \(verdict.word): \(sentence)"
        if let handshake { text += "; handshake \(handshake.inMilliseconds) ms" }
        if let least = roundTrips.min(), let most = roundTrips.max(), let mean {
            text += ", round trip \(least.inMilliseconds)/\(mean.inMilliseconds)/\(most.inMilliseconds) ms"
            text += " (least/mean/most), \(roundTrips.count) of \(sent) answered"
        }
        for (name, value) in details.sorted(by: { $0.key < $1.key }) { text += ", \(name) \(value)" }
        return text
    }
}

extension ProbeReport: Encodable {
    private enum Key: String, CodingKey {
        case `protocol`, host, verdict, reason, message, addresses
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(self.protocol, forKey: .protocol)
        try container.encode(host.description, forKey: .host)
        try container.encode(verdict.word, forKey: .verdict)
        try container.encodeIfPresent(failure?.reason, forKey: .reason)
        try container.encodeIfPresent(failure?.sentence, forKey: .message)
        try container.encode(addresses, forKey: .addresses)
    }
}

extension ProbeReport.Address: Encodable {
    private enum Key: String, CodingKey {
        case address, verdict, reason, message, sent, received, loss, details
        case handshake = "handshake_ms"
        case roundTrip = "round_trip_ms"
    }

    private struct RoundTrip: Encodable {
        var least: Double
        var mean: Double
        var most: Double
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(endpoint.description, forKey: .address)
        try container.encode(verdict.word, forKey: .verdict)
        try container.encode(word, forKey: .reason)
        try container.encode(sentence, forKey: .message)
        try container.encodeIfPresent(handshake?.inMilliseconds, forKey: .handshake)
        if let least = roundTrips.min(), let most = roundTrips.max(), let mean {
            try container.encode(
                RoundTrip(least: least.inMilliseconds, mean: mean.inMilliseconds, most: most.inMilliseconds),
                forKey: .roundTrip)
        }
        try container.encode(sent, forKey: .sent)
        try container.encode(roundTrips.count, forKey: .received)
        try container.encode(loss, forKey: .loss)
        try container.encode(details, forKey: .details)
    }
}

extension Duration {
    /// To the hundredth.
    fileprivate var inMilliseconds: Double {
        ((self / .milliseconds(1)) * 100).rounded() / 100
    }
}
