public import NIOCore
public import RelayCore
public import SOE

/// What a socket tells: messages, and what becomes of sessions.
public enum SOESocketEvent: Sendable {
    /// A message from a peer.
    case message(ByteBuffer, from: PeerID, on: SOEChannel)
    /// A session has opened, closed, takes messages again, or has moved to another port.
    case session(SOEEvent)
}

/// The events of a socket, in order: of each session `opened`, then its messages, then `closed`. It ends when the socket
/// is closed.
public struct SOEEvents: AsyncSequence, Sendable {
    public typealias Element = SOESocketEvent

    typealias Producer = NIOAsyncSequenceProducer<
        SOESocketEvent, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Consumption
    >

    private let producer: Producer

    /// So many events may wait before messages are left with their senders; a message counts like an event.
    private static let highWatermark = 512

    static func make(_ consumption: Consumption) -> (source: Producer.Source, sequence: SOEEvents) {
        let made = Producer.makeSequence(
            backPressureStrategy: .init(lowWatermark: highWatermark / 4, highWatermark: highWatermark),
            finishOnDeinit: false, delegate: consumption)
        return (made.source, SOEEvents(producer: made.sequence))
    }

    private init(producer: Producer) {
        self.producer = producer
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(inner: producer.makeAsyncIterator())
    }

    public struct Iterator: AsyncIteratorProtocol {
        let inner: Producer.AsyncIterator

        public mutating func next() async -> SOESocketEvent? {
            await inner.next()
        }
    }
}

/// Tells the socket that its events have been read.
final class Consumption: NIOAsyncSequenceProducerDelegate {
    private let eventLoop: any EventLoop
    private let desk: NIOLoopBoundBox<SocketDesk?>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        desk = .makeEmptyBox(eventLoop: eventLoop)
    }

    /// Names who is told.
    func begin(_ desk: SocketDesk) {
        self.desk.value = desk
    }

    func produceMore() {
        eventLoop.execute { [desk] in desk.value?.takeMore() }
    }

    func didTerminate() {
        eventLoop.execute { [desk] in desk.value = nil }
    }
}
