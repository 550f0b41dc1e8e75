package import NIOCore
package import RelayCore

/// One timer of an event loop, which is set again and again. Confined to its event loop.
package final class LoopTimer {
    private let eventLoop: any EventLoop
    private let fire: () -> Void
    private var armed: (at: Instant, callback: NIOScheduledCallback)?

    package init(eventLoop: any EventLoop, fire: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.fire = fire
    }

    /// Fires at an instant, or before it: what is due later than a time already set waits for that.
    package func arm(_ instant: Instant?) {
        guard let instant else { return }
        if let armed {
            guard instant < armed.at else { return }
            armed.callback.cancel()
        }
        // It fails when the event loop is shut down, which ends everything on it as well.
        let callback = try? eventLoop.assumeIsolated().scheduleCallback(
            at: instant.deadline, handler: Alarm(timer: self))
        armed = callback.map { (instant, $0) }
    }

    package func cancel() {
        armed?.callback.cancel()
        armed = nil
    }

    fileprivate func ring() {
        armed = nil
        fire()
    }
}

private struct Alarm: NIOScheduledCallbackHandler {
    let timer: LoopTimer

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer.ring()
    }
}
