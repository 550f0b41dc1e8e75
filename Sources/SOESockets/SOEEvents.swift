import DequeModule
import NIOConcurrencyHelpers
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
/// is closed, or for a reader whose task is cancelled.
///
/// Each event is read once: a second loop goes on where the first one stopped, and loops at the same time share.
public struct SOEEvents: AsyncSequence, Sendable {
    public typealias Element = SOESocketEvent

    let inbox: EventInbox

    public func makeAsyncIterator() -> Iterator {
        Iterator(inbox: inbox)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let inbox: EventInbox

        public mutating func next() async -> SOESocketEvent? {
            await inbox.next()
        }
    }
}

/// Events between the event loop, which puts them in, and the tasks that read them.
final class EventInbox: Sendable {
    /// With so many unread events, or bytes of messages in them, messages are left with their senders; and taken again
    /// when a quarter is left.
    private static let manyEvents = 512
    private static let manyBytes = 4 << 20

    private struct State {
        var events = Deque<SOESocketEvent>()
        var bytes = 0
        var readers = Deque<(number: Int, continuation: CheckedContinuation<SOESocketEvent?, Never>)>()
        var nextNumber = 0
        var isFull = false
        var isFinished = false
        /// Called from any thread when there is room again. The end lets go of it.
        var onRoom: @Sendable () -> Void

        /// The oldest event, and what must be called then.
        mutating func pop() -> (event: SOESocketEvent?, onRoom: (@Sendable () -> Void)?) {
            let event = events.popFirst()
            bytes -= event?.size ?? 0
            guard isFull, events.count <= EventInbox.manyEvents / 4, bytes <= EventInbox.manyBytes / 4 else {
                return (event, nil)
            }
            isFull = false
            return (event, onRoom)
        }
    }

    private let state: NIOLockedValueBox<State>

    init(onRoom: @escaping @Sendable () -> Void) {
        state = NIOLockedValueBox(State(onRoom: onRoom))
    }

    /// Puts events in; `false` if that is enough for now.
    func put(_ events: [SOESocketEvent]) -> Bool {
        let (handed, hasRoom) = state.withLockedValue { state in
            var handed: [(CheckedContinuation<SOESocketEvent?, Never>, SOESocketEvent)] = []
            for event in events {
                if let reader = state.readers.popFirst() {
                    handed.append((reader.continuation, event))
                } else {
                    state.events.append(event)
                    state.bytes += event.size
                }
            }
            if state.events.count >= Self.manyEvents || state.bytes >= Self.manyBytes { state.isFull = true }
            return (handed, !state.isFull)
        }
        for (reader, event) in handed { reader.resume(returning: event) }
        return hasRoom
    }

    /// Nothing more will come.
    func finish() {
        let readers = state.withLockedValue { state in
            state.isFinished = true
            state.onRoom = {}
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.continuation.resume(returning: nil) }
    }

    /// The next event; `nil` at the end, or if the task is cancelled.
    func next() async -> SOESocketEvent? {
        let number = state.withLockedValue { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { wait($0, number) }
        } onCancel: {
            forget(number)
        }
    }

    private func wait(_ continuation: CheckedContinuation<SOESocketEvent?, Never>, _ number: Int) {
        let taken = state.withLockedValue { state -> (event: SOESocketEvent?, onRoom: (@Sendable () -> Void)?)? in
            if Task.isCancelled { return (nil, nil) }
            if !state.events.isEmpty || state.isFinished { return state.pop() }
            state.readers.append((number, continuation))
            return nil
        }
        guard let taken else { return }
        taken.onRoom?()
        continuation.resume(returning: taken.event)
    }

    private func forget(_ number: Int) {
        let reader = state.withLockedValue { state in
            state.readers.firstIndex { $0.number == number }.map { state.readers.remove(at: $0) }
        }
        reader?.continuation.resume(returning: nil)
    }
}

extension SOESocketEvent {
    fileprivate var size: Int {
        if case .message(let message, _, _) = self { message.readableBytes } else { 0 }
    }
}
