import Logging
import NIOCore
import Netplay
import RelayCore
import RelayNIO

/// Finding what a host runs, running it, and asking whether it is well.
extension DedicatedDriver {
    func find(_ run: HostRun) {
        let (library, request, id) = (world.library, run.request, run.id)
        _ = afterwards {
            do throws(HostEnd) {
                return Result<HostPlan, HostEnd>.success(try await library.plan(for: request))
            } catch {
                return .failure(error)
            }
        } then: { driver, result in
            switch result {
            case .success(let plan):
                driver.runs[id]?.plan = plan
                driver.input { $0.found(id, at: .now, into: &$1) }
            case .failure(let end):
                driver.input { $0.failed(id, end, at: .now, into: &$1) }
            }
        }
    }

    func launch(_ run: HostRun) {
        guard let plan = run.plan else { preconditionFailure("a host without a plan") }
        let (world, id, eventLoop, output) = (world, run.id, eventLoop, run.output)
        let nick = world.nick(seat: run.seat)
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        run.program = afterwards {
            do {
                var port: UInt16
                repeat {
                    port = try await world.freePort()
                } while try await !eventLoop.submit { [port] in driver.value.give(port, to: id) }.get()
                return await world.run(plan, as: nick, on: port, in: "\(id)", output: output)
            } catch {
                return .failure(error)
            }
        } then: { driver, result in
            driver.programEnded(id, result)
        }
    }

    /// Notes the port that a program is to open; `false` if another one has been given it and has not opened it yet.
    private func give(_ port: UInt16, to id: PeerID) -> Bool {
        if runs.values.contains(where: { $0.localPort == port }) { return false }
        runs[id]?.localPort = port
        return true
    }

    private func programEnded(_ id: PeerID, _ result: Result<String, any Error>) {
        guard let run = runs[id] else { return }
        run.program = nil
        run.localPort = nil
        // Connections to the program have ended with it; those at the gate have nowhere to go.
        for visit in run.visits.all where visit.kind == nil { visit.channel.close(promise: nil) }
        switch result {
        case .success(let status):
            run.exit = status
            input { $0.exited(id, at: .now, into: &$1) }
        case .failure(let error) where !run.isStopping:
            run.exit = "\(error)"
            input { $0.failed(id, .launchFailed, at: .now, into: &$1) }
        case .failure:
            input { $0.exited(id, at: .now, into: &$1) }
        }
    }

    /// Ends what there is of a host; the program's end is the host's.
    func stop(_ run: HostRun) {
        run.isStopping = true
        for channel in run.door { channel.close(promise: nil) }
        run.door = []
        if let program = run.program {
            program.cancel()
        } else {
            input { $0.exited(run.id, at: .now, into: &$1) }
        }
    }

    func probe(_ run: HostRun) {
        let id = run.id
        guard let port = run.localPort else {
            return input { $0.probed(id, answered: false, at: .now, into: &$1) }
        }
        let world = world
        _ = afterwards {
            await world.answers(on: port)
        } then: { driver, answered in
            driver.input { $0.probed(id, answered: answered, at: .now, into: &$1) }
        }
    }

    func announce(_ run: HostRun, _ snapshot: DedicatedHostSnapshot) {
        guard let lobby = world.lobby, let announcement = announcement(of: run, snapshot) else { return }
        let id = run.id
        _ = afterwards {
            await lobby.announce(announcement)
        } then: { driver, failure in
            guard let run = driver.runs[id], run.isAnnounced != (failure == nil) else { return }
            run.isAnnounced = failure == nil
            let logger = driver.world.logger(id)
            if let failure {
                logger.warning("the lobby does not take the host: \(failure)", metadata: ["event": "announce_failed"])
            } else {
                logger.info("the lobby knows the host", metadata: ["event": "host_announced"])
            }
        }
    }

    private func announcement(of run: HostRun, _ snapshot: DedicatedHostSnapshot) -> HostAnnouncement? {
        guard let plan = run.plan, let invitation = snapshot.invitation else { return nil }
        let way: HostAnnouncement.Way
        if let session = invitation.session, let relay = world.section.relay {
            way = .relay(host: relay.host, port: relay.port, session: session)
        } else {
            way = .direct(port: invitation.port)
        }
        return HostAnnouncement(
            nick: world.nick(seat: run.seat), coreName: plan.core.description.name,
            coreVersion: plan.core.description.version, gameName: plan.content.baseName, gameCRC: plan.crc, way: way,
            hasPassword: world.section.password != nil, retroArchVersion: world.program.version,
            playerCount: snapshot.guests)
    }

    func logOutput(of run: HostRun, _ end: HostEnd) {
        var metadata: Logger.Metadata = ["event": "host_failed", "reason": "\(end.rawValue)"]
        if let exit = run.exit { metadata["exit"] = "\(exit)" }
        metadata["output"] = "\(run.output.lines.joined(separator: "\n"))"
        world.logger(run.id).warning("\(end.sentence); see what the program wrote last", metadata: metadata)
    }
}

extension HostEnd {
    /// Whether the program's last words tell more.
    var isFaultOfProgram: Bool {
        switch self {
        case .launchFailed, .startTimeout, .crashed, .hung: true
        case .unknownCore, .unknownContent, .noPort, .noTunnel, .idle, .tunnelLost, .requested, .draining, .stopping:
            false
        }
    }
}
