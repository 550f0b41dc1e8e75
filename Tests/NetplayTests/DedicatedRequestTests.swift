import NIOCore
import RelayCore
import Testing

@testable import Netplay

@Suite("Dedicated hosts: who gets one")
struct DedicatedRequestTests {
    @Test func aRequestIsAnsweredWhenTheHostAnswers() throws {
        var desk = DedicatedDesk()
        desk.ask()
        let id = try #require(desk.found.first)
        #expect(desk.answers.isEmpty)
        desk.input { $0.found(id, at: $1, into: &$2) }
        let port = try #require(desk.doors.first?.port)
        desk.openDoor(id)
        #expect(desk.count(.launch(id)) == 1)
        desk.advance(by: .milliseconds(250))
        #expect(desk.count(.probe(id)) == 1)
        desk.input { $0.probed(id, answered: false, at: $1, into: &$2) }
        #expect(desk.answers.isEmpty)
        desk.advance(by: .milliseconds(250))
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        #expect(desk.answers.map(\.port) == [port])
        #expect(desk.state(id) == "open")
    }

    /// Datagrams get lost: who repeats himself must neither get two hosts nor two different answers.
    @Test func theSameRequestAgainIsTheSameHost() throws {
        var desk = DedicatedDesk()
        desk.ask(port: 40_000)
        desk.ask(port: 40_001)
        #expect(desk.found.count == 1)
        let id = try #require(desk.found.first)
        desk.input { $0.found(id, at: $1, into: &$2) }
        desk.openDoor(id)
        desk.ask(port: 40_002)
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        #expect(desk.answers.map(\.to) == [40_002], "the last socket is the one that listens")
        desk.ask(port: 40_003)
        #expect(desk.answers.map(\.port) == [55500, 55500])
        #expect(desk.found.count == 1 && desk.engine.hostCount == 1)
    }

    @Test func anotherRequestOrAddressIsAnotherHost() {
        var desk = DedicatedDesk()
        desk.ask()
        desk.ask(DedicatedDesk.request(game: "our own room"))
        desk.ask(from: "192.0.2.2")
        #expect(desk.found.count == 3)
    }

    @Test func hostsAreBoundedInAllAndPerAddress() {
        var desk = DedicatedDesk { $0.maxHosts = 3 }
        for number in 0..<3 { desk.ask(DedicatedDesk.request("a\(number)")) }
        #expect(desk.found.count == 2 && desk.refusals == [.addressFull])
        #expect(desk.answers.map(\.port) == [0])
        desk.ask(from: "192.0.2.2")
        desk.ask(from: "192.0.2.3")
        #expect(desk.found.count == 3 && desk.refusals == [.addressFull, .hostsFull])
        #expect(desk.answers.map(\.port) == [0, 0])
    }

    @Test func oneSubscriberOfIPv6IsOneAddress() {
        var desk = DedicatedDesk()
        for number in 1...3 { desk.ask(DedicatedDesk.request("a\(number)"), from: "2001:db8::\(number)") }
        #expect(desk.found.count == 2 && desk.refusals == [.addressFull])
    }

    @Test func aThousandRequestsASecondAreNotHeard() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.clear()
        for number in 0..<1000 {
            desk.ask(number.isMultiple(of: 2) ? DedicatedDesk.request() : DedicatedDesk.request("x\(number)"))
            desk.advance(by: .milliseconds(1))
        }
        #expect(desk.answers.count <= 25)
        #expect(desk.refusals.count { $0 == .tooFast } >= 975)
        #expect(desk.engine.hostCount <= 2)
        desk.clear()
        desk.ask(from: "192.0.2.9")
        #expect(desk.found.count == 1, "others are heard all the same")
        #expect(desk.state(id) == "open")
    }

    @Test func whatIsNoRequestGetsNoAnswer() {
        var desk = DedicatedDesk()
        desk.send(ByteBuffer(string: "hello"))
        desk.send(ByteBuffer())
        #expect(desk.refusals == [.malformed, .malformed] && desk.answers.isEmpty)
    }

    /// Somebody who forges the sender of a request would have a service there get our answer, and answer it.
    @Test func servicesAreNotAnswered() {
        var desk = DedicatedDesk()
        for port in [0, 19, 53, 123, 1023] as [UInt16] { desk.ask(port: port) }
        #expect(desk.refusals == Array(repeating: .servicePort, count: 5))
        #expect(desk.answers.isEmpty && desk.found.isEmpty)
        desk.ask(port: 1024)
        #expect(desk.found.count == 1)
    }

    @Test func theBannedAreNotAnswered() {
        var desk = DedicatedDesk()
        var bytes = ByteBuffer()
        #expect(DedicatedDesk.request().encode(into: &bytes) == true)
        let endpoint = Endpoint(address: IPAddress(ipv4: 1), port: 5000)
        desk.input { $0.receive(bytes, from: endpoint, isBanned: true, at: $1, into: &$2) }
        #expect(desk.refusals == [.banned] && desk.answers.isEmpty)
    }

    @Test func theOperatorIsBoundedByTheNumberOfHostsAlone() throws {
        var desk = DedicatedDesk()
        for number in 0..<4 {
            desk.input { engine, now, effects in
                let id = try? engine.open(DedicatedDesk.request("a\(number)"), at: now, into: &effects)
                #expect(id != nil)
            }
        }
        desk.input { engine, now, effects in
            #expect(throws: HostingRefusal.hostsFull) {
                _ = try engine.open(DedicatedDesk.request("b"), at: now, into: &effects)
            }
        }
    }

    /// Addresses can be forged by the million; what is remembered of them cannot grow with that.
    @Test func forgedAddressesFillNoMemory() {
        var limiter = RequestLimiter(rate: .init(perSecond: 1, burst: 1), memory: 100)
        var heard = 0
        for number in 0..<1000 as Range<UInt32> where limiter.take(IPAddress(ipv4: number), at: .zero) { heard += 1 }
        #expect(heard == 100)
        #expect(limiter.take(IPAddress(ipv4: 5000), at: .zero + .seconds(2)) == true)
    }
}
