import NIOCore
import RelayCore
import SOE
import Testing

@testable import SOETools

@Suite("The echo and its client")
struct PingTests {
    private let client = Endpoint(address: IPAddress(ipv4: 0xC000_0201), port: 5000)
    private let server = Endpoint(address: IPAddress(ipv4: 0xC000_0202), port: 20260)

    /// Plays a plan against an echo; `change` may falsify what the server sends.
    private func play(
        _ plan: PingEngine.Plan, server parameters: SOEParameters, seconds: Int64 = 120,
        change: (inout ByteBuffer, Int) -> Bool = { _, _ in true }
    ) -> PingEngine.Result {
        var ping = PingEngine(plan: plan, random: .seeded(1))
        var echo = EchoEngine(parameters: parameters, random: .seeded(2))
        var now = Instant.zero
        var (up, down) = (DatagramOutbox(), DatagramOutbox())
        var count = 0
        ping.connect(to: server, at: now, into: &up)
        while !ping.isFinished, now.nanoseconds < seconds * 1_000_000_000 {
            ping.advance(to: now, into: &up)
            for index in 0..<up.datagramCount {
                echo.receive(up.datagram(at: index).bytes, from: client, at: now, into: &down)
            }
            up.removeAll()
            echo.advance(to: now, into: &down)
            for index in 0..<down.datagramCount {
                var datagram = down.datagram(at: index).bytes
                count += 1
                if change(&datagram, count) { ping.receive(datagram, from: server, at: now, into: &up) }
            }
            down.removeAll()
            let next = [ping.nextDeadline, echo.nextDeadline].compactMap { $0 }.min() ?? now.after(1_000_000)
            now = max(next, now.after(100_000))
        }
        return ping.result
    }

    private func plan(_ count: Int, _ sizes: [Int], inflight: Int) -> PingEngine.Plan {
        var plan = PingEngine.Plan()
        (plan.count, plan.sizes, plan.inflight) = (count, sizes, inflight)
        return plan
    }

    @Test("Everything comes back, whatever its size", arguments: [1, 16])
    func everything(inflight: Int) {
        let plan = plan(60, [0, 1, 2, 64, 506, 507, 5000, 200_000], inflight: inflight)
        let result = play(plan, server: SOEParameters())
        #expect(result.isOK(for: plan))
        #expect(result.roundTrips.count == 60 && result.handshake != nil)
    }

    @Test("An echo whose client's queue is full waits, and loses nothing")
    func slowClient() {
        var parameters = SOEParameters()
        parameters.maxQueued = 2000
        let plan = plan(200, [1500], inflight: 64)
        #expect(play(plan, server: parameters).isOK(for: plan))
    }

    @Test("Lost datagrams cost time, not messages")
    func loss() {
        let plan = plan(100, [64, 1000], inflight: 8)
        let result = play(plan, server: SOEParameters()) { _, count in count % 5 != 2 }
        #expect(result.isOK(for: plan))
    }

    @Test("A falsified echo is noticed")
    func falsified() {
        var parameters = SOEParameters()
        parameters.crcLength = 0
        let plan = plan(10, [64], inflight: 1)
        let result = play(plan, server: parameters) { datagram, _ in
            let last = datagram.writerIndex - 1
            if datagram.readableBytes > 60 { datagram.setInteger(UInt8(0xEE), at: last) }
            return true
        }
        #expect(result.received == 10 && result.bad == 10 && !result.isOK(for: plan))
    }

    @Test("A server that does not answer, and one of another protocol")
    func noSession() {
        var plan = plan(1, [1], inflight: 1)
        let silent = play(plan, server: SOEParameters()) { _, _ in false }
        #expect(silent.failure == .connectFailed && silent.handshake == nil)
        var other = SOEParameters()
        other.protocolName = "Other"
        #expect(play(plan, server: other).failure == .protocolMismatch)
        // It opens the session, and hears nothing after that.
        plan.patience = .seconds(3)
        let deaf = play(plan, server: SOEParameters()) { _, count in count < 2 }
        #expect(deaf.handshake != nil && deaf.failure == .timeout && deaf.elapsed < .seconds(5))
    }
}
