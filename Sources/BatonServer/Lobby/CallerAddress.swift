import RelayCore

/// Who asks, over HTTP: the address of the connection, or whom a proxy asks for that the operator trusts.
struct CallerAddress {
    var trustedProxies: [IPPrefix]

    /// - Parameters:
    ///   - forwardedFor: the values of `X-Forwarded-For`, in their order: each proxy appends whom it was asked by, and
    ///     what stands before that anybody may have written.
    ///   - realIP: the value of `X-Real-IP`, which counts where the other header is missing.
    func resolve(connection: IPAddress, forwardedFor: [String], realIP: String?) -> IPAddress {
        guard isTrusted(connection) else { return connection }
        let hops = forwardedFor.joined(separator: ",").split(separator: ",", omittingEmptySubsequences: true)
        if hops.isEmpty { return realIP.flatMap { Self.address($0) } ?? connection }
        var caller = connection
        for hop in hops.reversed() {
            // What is no address was not written by a proxy that can be trusted: who wrote it is as far as it goes.
            guard let address = Self.address(hop) else { return caller }
            caller = address
            if !isTrusted(address) { return caller }
        }
        return caller
    }

    func isTrusted(_ address: IPAddress) -> Bool {
        trustedProxies.contains { $0.contains(address) }
    }

    /// Some proxies write the port too: `192.0.2.1:5300`, `[2001:db8::1]:5300`.
    private static func address(_ text: some StringProtocol) -> IPAddress? {
        let text = text.drop { $0 == " " || $0 == "\t" }
        let word = text.prefix { $0 != " " && $0 != "\t" }
        if let address = IPAddress(word) { return address }
        if word.hasPrefix("["), let end = word.firstIndex(of: "]") {
            return IPAddress(word[word.index(after: word.startIndex)..<end])
        }
        return word.lastIndex(of: ":").flatMap { IPAddress(word[..<$0]) }
    }
}
