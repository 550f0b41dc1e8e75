import DequeModule
import NIOCore
import RelayCore

/// What a reliable channel has taken and not seen acknowledged: messages made into units, and the bytes of these.
///
/// A unit is the body of one packet: a message, several of them as a bundle, or a fragment. The last one stays open until
/// it is sent, so that small messages that wait together travel together.
struct UnitQueue {
    struct Unit {
        enum State: UInt8 { case waiting, inFlight, lost, acknowledged }

        /// Where its bytes are in the store.
        var start: Int
        var count: Int32
        /// How many messages end in it.
        var messages: UInt16
        var isFragment: Bool
        var state = State.waiting
        /// Whether it went more than once: then nobody knows which time an acknowledgement is for.
        var isResent = false
        var sentAt = Instant.zero
        /// Counts transmissions of the channel: its own is the last one's number.
        var order: Int64 = 0
    }

    /// The most bytes of a unit.
    let dataSize: Int
    private var store = UnitStore()
    /// From the oldest that is not acknowledged.
    var units = Deque<Unit>()
    /// How many messages the last unit holds, if more may join it; else 0.
    private var openMessages = 0
    /// The bytes in front of an open unit's first message that only a bundle needs; 0 if it must be one.
    private var openPrefix = 0

    init(dataSize: Int) {
        self.dataSize = dataSize
    }

    /// How many bytes are kept.
    var bytes: Int { store.count }

    /// Whether more may join the last unit.
    var hasOpenUnit: Bool { openMessages > 0 }

    /// Writes the bytes of a unit.
    @inline(__always)
    func write(_ start: Int, _ count: Int, into datagram: inout ByteBuffer) {
        store.copy(start, count, into: &datagram)
    }

    /// Forgets units at the front.
    mutating func drop(_ count: Int) {
        units.removeFirst(count)
        store.release(upTo: units.first?.start ?? store.end)
    }

    /// Gives memory back that is kept for nothing.
    mutating func trim() {
        guard units.isEmpty else { return }
        store.trim(keeping: 1024)
        units = Deque()
    }
}

// MARK: Messages into units

extension UnitQueue {
    /// Takes a message: see `ReliableSender.enqueue`.
    mutating func append(_ message: ByteBuffer, escapesLeadingZero: Bool, cipher: inout RC4?) {
        var rest = message
        let encrypted = cipher == nil ? nil : rest.readInteger(as: UInt8.self).flatMap { cipher?.apply(to: $0) }
        let begin = encrypted ?? message.getInteger(at: message.readerIndex, as: UInt8.self)
        let isEscaped = begin == 0 && (encrypted != nil || escapesLeadingZero)
        let length = message.readableBytes + (isEscaped ? 1 : 0)
        // What would be read as a bundle must be one, and nothing at all cannot be a unit.
        let mustBundle =
            begin == nil
            || begin == 0 && !isEscaped
                && message.getInteger(at: message.readerIndex, as: UInt16.self) == DataBundleReader.mark

        let begun = beginMessage(length: length, mustBundle: mustBundle)
        if isEscaped { store.append(UInt8(0)) }
        if let encrypted { store.append(encrypted) }
        let start = store.end
        store.append(rest)
        if encrypted != nil { store.encrypt(from: start, with: &cipher) }
        endMessage(begun)
    }

    /// Takes a unit that says nothing: the length of its only message is cut off.
    mutating func appendEmptyUnit() {
        closeOpenUnit()
        store.reserve(3)
        units.append(Unit(start: store.end, count: 3, messages: 0, isFragment: false))
        store.append(DataBundleReader.mark)
        store.append(UInt8.max)
    }

    /// The most bytes of a bundle; some peers leave so much free.
    private var bundleLimit: Int { dataSize - 5 }

    /// What a message is appended to.
    private enum Begun {
        case openUnit(start: Int)
        /// A unit of its own that may grow, and how much of its beginning only a bundle needs.
        case growing(start: Int, prefix: Int)
        case alone(start: Int)
    }

    /// Appends what precedes a message.
    private mutating func beginMessage(length: Int, mustBundle: Bool) -> Begun {
        let lengthSize = VariableLength.dataBundle.size(of: length)
        store.reserve(length + lengthSize + 8)
        let start = store.end
        if openMessages > 0, let last = units.last, Int(last.count) + lengthSize + length <= bundleLimit {
            store.append(length, as: .dataBundle)
            return .openUnit(start: start)
        }
        closeOpenUnit()
        let prefix = 2 + lengthSize
        let grows = prefix + length <= bundleLimit
        let total = length + (grows || mustBundle ? prefix : 0)
        if total > dataSize { store.append(UInt32(total)) }
        if grows || mustBundle {
            store.append(DataBundleReader.mark)
            store.append(length, as: .dataBundle)
        }
        return grows ? .growing(start: start, prefix: mustBundle ? 0 : prefix) : .alone(start: start)
    }

    private mutating func endMessage(_ begun: Begun) {
        switch begun {
        case .openUnit(let start):
            units[units.count - 1].count += Int32(store.end - start)
            units[units.count - 1].messages += 1
            openMessages += 1
        case .growing(let start, let prefix):
            units.append(Unit(start: start, count: Int32(store.end - start), messages: 1, isFragment: false))
            openMessages = 1
            openPrefix = prefix
        case .alone(var start):
            let isFragment = store.end - start > dataSize
            while start < store.end {
                let count = min(dataSize, store.end - start)
                let messages: UInt16 = start + count == store.end ? 1 : 0
                units.append(Unit(start: start, count: Int32(count), messages: messages, isFragment: isFragment))
                start += count
            }
        }
    }

    /// From now on nothing joins the last unit. A message that stayed alone needs nothing in front of it.
    mutating func closeOpenUnit() {
        if openMessages == 1, openPrefix > 0 {
            units[units.count - 1].start += openPrefix
            units[units.count - 1].count -= Int32(openPrefix)
        }
        openMessages = 0
    }
}
