import Logging
import NIOConcurrencyHelpers
import RelayCore
import RelayNIO

/// Turns what a listener tells into log lines, a bounded number of them.
///
/// Strangers decide how often they connect and break rules; they do not decide how fast the disk fills. What is not
/// written is counted, and the next line says how many are missing; the metrics count all of it.
struct ListenerLog: Sendable {
    private static let rate = TokenBucket.Rate(perSecond: 100, burst: 500)
    /// Of lines that say the same: what one stranger repeats leaves room for what others do.
    private static let rateOfOne = TokenBucket.Rate(perSecond: 20, burst: 200)
    /// Events and reasons are words of the program's, and fewer.
    private static let mostKinds = 256

    /// What a line says, whoever it is about.
    private struct Kind: Hashable {
        var event: String
        var reason: String?
    }

    private struct Allowance {
        var all = TokenBucket(at: .now)
        var kinds: [Kind: (bucket: TokenBucket, suppressed: Int)] = [:]

        /// How many lines of the kind were left out before this one; `nil` if this one is too.
        mutating func take(_ kind: Kind, at now: Instant) -> Int? {
            if kinds.count >= mostKinds { kinds = [:] }
            var known = kinds[kind] ?? (TokenBucket(at: now), 0)
            let isAllowed = known.bucket.take(at: now, rate: rateOfOne) && all.take(at: now, rate: rate)
            let suppressed = known.suppressed
            known.suppressed = isAllowed ? 0 : suppressed + 1
            kinds[kind] = known
            return isAllowed ? suppressed : nil
        }
    }

    private final class State: Sendable {
        let allowance = NIOLockedValueBox(Allowance())
    }

    let protocolName: String
    private let logger: Logger
    private let state = State()

    init(_ logger: Logger, protocolName: String) {
        var logger = logger
        logger[metadataKey: "protocol"] = "\(protocolName)"
        self.protocolName = protocolName
        self.logger = logger
    }

    func listening(on address: Endpoint) {
        logger.notice("listening", metadata: ["event": "listening", "address": "\(address)"])
    }

    func noIPv6(_ endpoint: Endpoint) {
        write(.warning, "this machine has no IPv6", "no_ipv6", peer: nil, endpoint, reason: nil)
    }

    func event(_ event: some EngineEvent, _ endpoint: Endpoint?) {
        write(.info, event.message, event.name, peer: event.peer, endpoint, reason: event.reason)
    }

    func closed(_ peer: PeerID, _ endpoint: Endpoint, _ reason: CloseReason) {
        closed(peer, endpoint, word: reason.word, sentence: reason.sentence)
    }

    /// As the other, where the words are a protocol's own.
    func closed(_ peer: PeerID, _ endpoint: Endpoint?, word: String, sentence: @autoclosure () -> String) {
        write(.info, sentence(), "connection_closed", peer: peer, endpoint, reason: word)
    }

    func refused(_ endpoint: Endpoint, _ refusal: Admission.Refusal) {
        write(
            .info, "a connection was turned away", "connection_refused", peer: nil, endpoint, reason: refusal.rawValue)
    }

    func refused(_ endpoint: Endpoint?, _ reason: CloseReason) {
        write(.info, reason.sentence, "connection_refused", peer: nil, endpoint, reason: reason.word)
    }

    /// A request was not done that came without a connection of its own.
    func requestRefused(_ caller: any CustomStringConvertible, _ reason: String, _ sentence: String) {
        write(.info, sentence, "request_refused", peer: nil, caller, reason: reason)
    }

    /// Something in the operator's world does not work while the server runs; `event` names it.
    func failed(_ event: String, _ message: String) {
        write(.error, message, event, peer: nil, nil, reason: nil)
    }

    func databaseWorks() {
        write(.notice, "the database can be used again", "database_works", peer: nil, nil, reason: nil)
    }

    func acceptFailed(_ error: any Error) {
        write(.error, "connections cannot be accepted: \(error)", "accept_failed", peer: nil, nil, reason: nil)
    }

    private func write(
        _ level: Logger.Level, _ message: @autoclosure () -> String, _ event: String, peer: PeerID?,
        _ address: (any CustomStringConvertible)?, reason: String?
    ) {
        guard logger.logLevel <= level, let suppressed = takeAllowance(Kind(event: event, reason: reason)) else {
            return
        }
        var metadata: Logger.Metadata = ["event": "\(event)"]
        if let peer { metadata["peer"] = "\(peer)" }
        if let address { metadata["address"] = .stringConvertible(StrangerAddress(address)) }
        if let reason { metadata["reason"] = "\(reason)" }
        if suppressed > 0 { metadata["suppressed_lines"] = "\(suppressed)" }
        logger.log(level: level, "\(message())", metadata: metadata)
    }

    private func takeAllowance(_ kind: Kind) -> Int? {
        state.allowance.withLockedValue { $0.take(kind, at: .now) }
    }
}
