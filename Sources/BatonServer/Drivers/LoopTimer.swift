import NIOCore
import RelayCore

/// One timer of an event loop, which is set again and again. Confined to its event loop.
final class LoopTimer {
    private let eventLoop: any EventLoop
    private let fire: () -> Void
    private var set: (at: Instant, task: Scheduled<Void>)?

    init(eventLoop: any EventLoop, fire: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.fire = fire
    }

    /// Fires at an instant, or before it.
    func arm(_ instant: Instant?) {
        guard let instant else { return }
        if let set, set.at <= instant { return }
        set?.task.cancel()
        let timer = NIOLoopBound(self, eventLoop: eventLoop)
        set = (instant, eventLoop.scheduleTask(deadline: instant.deadline) { timer.value.fired() })
    }

    func cancel() {
        set?.task.cancel()
        set = nil
    }

    private func fired() {
        set = nil
        fire()
    }
}
