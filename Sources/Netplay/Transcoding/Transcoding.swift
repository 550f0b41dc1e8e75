import NIOCore
import RelayCore

/// What stands between the two ends of a pair until it is known whether they agree about compression, and for as long
/// as they live if they do not.
///
/// Both are told what they have themselves: the host that its guest has zlib, the guest what it said of itself. So each
/// believes in an agreement and speaks as it would to its like; only savestates differ.
final class Transcoding {
    enum Agreement {
        /// A header is still to come.
        case open
        /// Both speak alike, or something else than netplay: from now on bytes are copied.
        case plain
        case transcoded(raw: Peer.Role)
    }

    let guest: PeerID
    let link: PeerID
    private let fromGuest: TranscodedDirection
    private let fromLink: TranscodedDirection
    /// The end without zlib, once it is known that the other one has it.
    private(set) var rawSide: Peer.Role?

    init(guest: PeerID, link: PeerID, maxStateBytes: Int) {
        self.guest = guest
        self.link = link
        fromGuest = TranscodedDirection(from: guest, to: link, maxStateBytes: maxStateBytes)
        fromLink = TranscodedDirection(from: link, to: guest, maxStateBytes: maxStateBytes)
    }

    /// The direction that begins at one end.
    subscript(sender: Peer.Role) -> TranscodedDirection {
        sender == .guest ? fromGuest : fromLink
    }

    var keptBytes: Int { fromGuest.transcoder.keptBytes + fromLink.transcoder.keptBytes }

    /// Takes what one end said. What belongs to its header goes on at once.
    func receive(_ bytes: ByteBuffer, from sender: Peer.Role, into out: inout Outbox) {
        let direction = self[sender]
        var rest = bytes
        if !direction.header.isOver {
            let told = sender == .guest ? true : fromGuest.header.hasZlib ?? true
            out.forward(direction.header.pass(from: &rest, telling: told), to: direction.receiver)
        }
        if rest.readableBytes > 0 { direction.transcoder.receive(rest) }
    }

    /// What the headers have shown.
    var agreement: Agreement {
        guard fromGuest.header.isNetplay, fromLink.header.isNetplay else { return .plain }
        guard let guest = fromGuest.header.hasZlib, let link = fromLink.header.hasZlib else { return .open }
        return guest == link ? .plain : .transcoded(raw: guest ? .link : .guest)
    }

    func begin(raw: Peer.Role) {
        rawSide = raw
        fromGuest.transcoder.conversion = raw == .guest ? .deflate : .inflate
        fromLink.transcoder.conversion = raw == .guest ? .inflate : .deflate
    }
}

/// One direction of such a pair.
final class TranscodedDirection {
    enum Progress {
        /// All that came has gone on.
        case done
        /// It goes on when the receiver has read, when the other header has come,
        case waits
        /// or after others had their turn.
        case yields
    }

    /// How much is converted in one go, in bytes. Others of the event loop wait so long: well below a millisecond.
    private static let turn = 32 << 10

    let sender: PeerID
    let receiver: PeerID
    var header = HeaderPassage()
    var transcoder: Transcoder
    var isReceiverWritable = true
    var isSenderPaused = false
    var wantsTurn = false

    init(from sender: PeerID, to receiver: PeerID, maxStateBytes: Int) {
        self.sender = sender
        self.receiver = receiver
        transcoder = Transcoder(maxStateBytes: maxStateBytes)
    }

    /// Lets go on what can, so much at once.
    func moveOn(into out: inout Outbox) throws(SavestateError) -> Progress {
        wantsTurn = false
        if transcoder.isAtRest { return .done }
        guard isReceiverWritable else { return .waits }
        var budget = Self.turn
        while let bytes = try transcoder.next(within: &budget) { out.forward(bytes, to: receiver) }
        wantsTurn = budget <= 0
        return wantsTurn ? .yields : transcoder.awaitsConversion ? .waits : .done
    }
}
