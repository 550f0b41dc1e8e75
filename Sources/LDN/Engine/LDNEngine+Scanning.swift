import NIOCore
import RelayCore

/// Which networks there are.
extension LDNEngine {
    /// Answers a scan at once and in one piece: the client waits a second, and then shows nothing.
    mutating func scan(_ filter: ScanFilter, for session: Session, at now: Instant, into out: inout Outbox) {
        var found: [Network] = []
        if session.account.scans.take(at: now, rate: configuration.scanRate) {
            found = matches(filter, for: session)
        } else {
            refuse(.scanTooFast, to: session, into: &out)
        }
        var answer = ByteBuffer()
        answer.reserveCapacity(
            found.count * (Frame.headerLength + NetworkInfo.length) + Frame.headerLength)
        for network in found { network.write(.scanReply, into: &answer) }
        Packet.scanReplyEnd.encode(into: &answer)
        out.send(answer, to: session.peer)
    }

    private mutating func matches(_ filter: ScanFilter, for session: Session) -> [Network] {
        // Every network has the same SSID and type.
        if filter.flag.contains(.ssid) {
            guard let wanted = filter.ssid.text, let given = Network.ssid.text, wanted.elementsEqual(given) else {
                return []
            }
        }
        if filter.flag.contains(.networkType), filter.networkType != UInt32(Network.networkType) { return [] }
        let intent = filter.networkID.intentID
        let title = filter.flag.contains(.localCommunicationID) ? intent.localCommunicationID : nil
        let sceneID = filter.flag.contains(.sceneID) ? intent.sceneID : nil
        guard filter.flag.contains(.sessionID) else {
            return index.networks(
                session.passphrase, title: title, sceneID: sceneID, except: session.network,
                limit: configuration.maxScanReplies, random: &random)
        }
        guard let network = networks[filter.networkID.sessionID], network.passphrase == session.passphrase,
            network !== session.network, network.listing != .hidden, title ?? network.title == network.title,
            sceneID ?? network.sceneID == network.sceneID
        else { return [] }
        return [network]
    }
}
