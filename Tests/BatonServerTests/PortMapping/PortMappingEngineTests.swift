import RelayCore
import Testing

@testable import BatonServer

@Suite struct PortMappingEngineTests {
    /// A mapping that the router has just granted.
    private static func held(_ mapping: PortMapping = .sample()) -> PortMappingTimeline {
        var timeline = PortMappingTimeline()
        timeline.add(mapping)
        timeline.found()
        timeline.succeed()
        _ = timeline.takeEvents()
        return timeline
    }

    @Test func theRouterIsFoundAndAsked() {
        var timeline = PortMappingTimeline()
        timeline.add()
        #expect(timeline.question == .find)
        timeline.found()
        #expect(
            timeline.question == .add(GatewayEntry(mapping: .sample(), externalPort: 55435, leaseSeconds: 60)))
        timeline.succeed()
        #expect(timeline.question == nil)
        #expect(timeline.takeEvents() == [.mapped(.sample(55435))])
        #expect(
            timeline.engine.statuses == [PortMappingStatus(mapping: .sample(), external: .sample(55435), failure: nil)])
    }

    @Test func renewalComesTenSecondsBeforeTheEndOfAMinute() throws {
        var timeline = Self.held()
        for _ in 0..<3 {
            #expect(try timeline.advance() == .seconds(50))
            #expect(timeline.added == [55435, 60])
            timeline.succeed()
            #expect(timeline.takeEvents() == [.renewed(.sample(55435))])
        }
    }

    /// The router may have begun to count at once.
    @Test func aSlowAnswerCountsFromTheQuestion() throws {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.found()
        timeline.answer(.success(nil), after: .seconds(4))
        #expect(try timeline.advance() == .seconds(46))
    }

    @Test(arguments: [PortMappingFailure.noAnswer, .refused(code: 501, meaning: "Action Failed")])
    func aFailedRenewalIsTriedAgainInTheMargin(_ failure: PortMappingFailure) throws {
        var timeline = Self.held()
        _ = try timeline.advance()
        timeline.fail(failure)
        #expect(timeline.takeEvents() == [.notRenewed(.sample(55435), failure, isNews: true)])
        #expect(timeline.held == [55435])
        #expect(try timeline.advance() == .seconds(2))
        // A silent router may have come back with other addresses.
        if failure == .noAnswer { timeline.found() }
        #expect(timeline.added == [55435, 60])
        timeline.fail(failure)
        #expect(timeline.takeEvents() == [.notRenewed(.sample(55435), failure, isNews: false)])
        _ = try timeline.advance()
        if failure == .noAnswer { timeline.found() }
        timeline.succeed()
        #expect(timeline.takeEvents() == [.renewed(.sample(55435))])
        #expect(timeline.engine.statuses.first?.failure == nil)
        #expect(try timeline.advance() == .seconds(50))
    }

    @Test func aLeaseThatEndsIsLostAndWantedAgain() throws {
        var timeline = Self.held()
        _ = try timeline.advance()
        var waited = Duration.seconds(50)
        timeline.fail(.noAnswer)
        while timeline.held == [55435] {
            waited += try timeline.advance()
            #expect(timeline.question == .find)
            timeline.fail(.noGateway)
        }
        #expect(waited == .seconds(60))
        #expect(timeline.takeEvents().last == .lost(.sample(55435), .noGateway))
        #expect(try timeline.advance() == .seconds(60))
        timeline.found()
        timeline.succeed()
        #expect(timeline.takeEvents() == [.mapped(.sample(55435))])
    }

    @Test func aTakenPortLeadsToTheNext() {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.found()
        timeline.fail(.portTaken)
        #expect(timeline.added == [55436, 60])
        timeline.fail(.portTaken)
        #expect(timeline.added == [55437, 60])
        timeline.succeed()
        #expect(timeline.takeEvents() == [.mapped(.sample(55437))])
    }

    @Test func whenAllPortsAreTakenItWaitsAMinute() throws {
        var timeline = PortMappingTimeline()
        timeline.add(.sample(external: 65534...65535))
        timeline.found()
        timeline.fail(.portTaken)
        timeline.fail(.portTaken)
        #expect(timeline.takeEvents() == [.failed(.portTaken, isNews: true)])
        #expect(try timeline.advance() == .seconds(60))
        #expect(timeline.added == [65534, 60])
        timeline.fail(.portTaken)
        timeline.fail(.portTaken)
        #expect(timeline.takeEvents() == [.failed(.portTaken, isNews: false)])
    }

    /// The lease ended unseen, and another machine was quicker.
    @Test func aPortThatSomebodyElseGotIsLeft() throws {
        var timeline = Self.held()
        _ = try timeline.advance()
        timeline.fail(.portTaken)
        #expect(timeline.takeEvents() == [.lost(.sample(55435), .portTaken)])
        #expect(timeline.added == [55435, 60])
        timeline.fail(.portTaken)
        #expect(timeline.added == [55436, 60])
        timeline.succeed()
        #expect(timeline.takeEvents() == [.mapped(.sample(55436))])
    }

    /// Some routers give a port away twice if the same machine asks.
    @Test func twoMappingsNeverShareAPort() {
        var timeline = Self.held(.sample("json", port: 5300))
        timeline.add(.sample("netplay", port: 5300))
        #expect(timeline.added == [5301, 60])
        timeline.succeed()
        timeline.add(.sample("soe", .udp, port: 5300))
        #expect(timeline.added == [5300, 60])
        timeline.succeed()
        timeline.add(.sample("ldn", external: 5300...5301))
        #expect(timeline.question == nil)
        #expect(timeline.takeEvents().last == .failed(.portTaken, isNews: true))
    }

    @Test func aRouterWithPermanentLeasesGetsThose() throws {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.found()
        timeline.fail(.onlyPermanentLeases)
        #expect(timeline.added == [55435, 0])
        timeline.succeed()
        #expect(timeline.takeEvents() == [.mapped(.sample(55435))])
        // Asked again all the same: the router may forget it when it restarts.
        _ = try timeline.advance()
        #expect(timeline.added == [55435, 0])
        timeline.fail(.noAnswer)
        for _ in 0..<5 {
            #expect(try timeline.advance() == .seconds(60))
            timeline.fail(.noGateway)
        }
        #expect(timeline.held == [55435])
        timeline.stop()
        #expect(timeline.question == .remove(.tcp, externalPort: 55435))
        timeline.fail(.noAnswer)
        #expect(timeline.takeEvents().last == .left(.sample(55435), .noAnswer, isPermanent: true))
        #expect(timeline.isFinished)
    }

    @Test func aRouterThatTakesNeitherKindIsRefusing() throws {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.found()
        timeline.fail(.onlyPermanentLeases)
        timeline.fail(.onlyPermanentLeases)
        #expect(timeline.takeEvents() == [.failed(.onlyPermanentLeases, isNews: true)])
        #expect(try timeline.advance() == .seconds(60))
    }

    @Test(arguments: [PortMappingFailure.noGateway, .notConnected])
    func withoutARouterItLooksOnceAMinute(_ failure: PortMappingFailure) throws {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.fail(failure, after: .milliseconds(2500))
        #expect(timeline.takeEvents() == [.failed(failure, isNews: true)])
        for _ in 0..<3 {
            #expect(try timeline.advance() == .seconds(60))
            #expect(timeline.question == .find)
            timeline.fail(failure)
            #expect(timeline.takeEvents() == [.failed(failure, isNews: false)])
        }
        _ = try timeline.advance()
        timeline.fail(failure == .noGateway ? .notConnected : .noGateway)
        #expect(timeline.takeEvents().count == 1)
        #expect(timeline.engine.statuses.first?.failure != failure)
    }

    @Test(arguments: [(5, 5), (60, 60), (86_400, 60)])
    func attemptsAreALeaseApartAtMostAMinute(_ lease: Int, _ pause: Int) throws {
        var timeline = PortMappingTimeline(lease: .seconds(lease))
        timeline.add()
        timeline.fail(.noGateway)
        #expect(try timeline.advance() == .seconds(pause))
    }

    @Test func aRefusalIsNoReasonToLookForAnotherRouter() throws {
        var timeline = PortMappingTimeline()
        let refusal = PortMappingFailure.refused(code: 606, meaning: "Action not authorized")
        timeline.add()
        timeline.found()
        timeline.fail(refusal)
        #expect(timeline.takeEvents() == [.failed(refusal, isNews: true)])
        #expect(try timeline.advance() == .seconds(60))
        #expect(timeline.added == [55435, 60])
    }

    @Test func oneSearchServesAll() {
        var timeline = PortMappingTimeline()
        timeline.add(.sample("json", port: 5300))
        timeline.add(.sample("netplay"))
        timeline.found()
        #expect(timeline.added == [5300, 60])
        timeline.succeed()
        #expect(timeline.added == [55435, 60])
        timeline.succeed()
        #expect(timeline.held == [5300, 55435])
        #expect(timeline.question == nil)
    }

    @Test func anotherExternalAddressIsNews() throws {
        var timeline = Self.held()
        _ = try timeline.advance()
        let address = IPAddress(ipv4: 0xCB00_7108)
        timeline.answer(.success(address))
        #expect(timeline.takeEvents() == [.mapped(ExternalPort(address: address, port: 55435))])
    }

    // MARK: Stop

    @Test(arguments: [PortMappingEngine.Answer.success(nil), .failure(.noSuchEntry)])
    func stopTakesEverythingBack(_ answer: PortMappingEngine.Answer) {
        var timeline = Self.held()
        timeline.add(.sample("soe", .udp, port: 20260))
        timeline.succeed()
        timeline.add(.sample("json", port: 5300))
        timeline.fail(.refused(code: 606, meaning: "Action not authorized"))
        _ = timeline.takeEvents()
        timeline.stop()
        #expect(timeline.question == .remove(.tcp, externalPort: 55435))
        timeline.answer(answer)
        #expect(timeline.question == .remove(.udp, externalPort: 20260))
        timeline.answer(answer)
        #expect(timeline.takeEvents() == [.removed(.sample(55435)), .removed(.sample(20260))])
        #expect(timeline.isFinished)
        #expect(timeline.engine.nextDeadline == nil)
        timeline.stop()
        timeline.add()
        timeline.advance(by: .seconds(100))
        #expect(timeline.question == nil)
    }

    @Test func stopWaitsForNoSearch() {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.stop()
        #expect(timeline.isFinished)
        // The answer that nobody waits for comes all the same.
        timeline.answer(.success(nil))
        #expect(timeline.question == nil && timeline.takeEvents().isEmpty)
    }

    /// Whoever is asked to add a mapping while the stop comes may do it.
    @Test func whatIsAddedDuringTheStopIsTakenBack() {
        var timeline = PortMappingTimeline()
        timeline.add()
        timeline.found()
        timeline.stop()
        #expect(!timeline.isFinished)
        timeline.succeed()
        #expect(timeline.question == .remove(.tcp, externalPort: 55435))
        timeline.answer(.success(nil))
        #expect(timeline.isFinished)
    }

    @Test func aStopBetweenLossAndRenewalStillTakesBack() throws {
        var timeline = Self.held()
        _ = try timeline.advance()
        timeline.fail(.noAnswer)
        _ = try timeline.advance()
        #expect(timeline.question == .find)
        timeline.stop()
        #expect(!timeline.isFinished)
        timeline.fail(.noGateway)
        #expect(timeline.question == .remove(.tcp, externalPort: 55435))
    }

    @Test func aSilentRouterHoldsAStopUpForSecondsOnly() throws {
        var timeline = Self.held()
        timeline.stop()
        #expect(try timeline.advance() == PortMappingEngine.farewell)
        #expect(timeline.isFinished)
        #expect(timeline.takeEvents() == [.left(.sample(55435), .noAnswer, isPermanent: false)])
    }
}
