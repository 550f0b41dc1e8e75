package import RelayCore

/// Asks every address of a host whether a protocol works there, and measures how well.
package struct Probe: Sendable {
    /// Exchanges with each address.
    package var exchanges = 5
    /// From one exchange to the next.
    package var interval = Duration.milliseconds(200)
    /// How long the handshake, and each answer, may take.
    package var limit = Duration.seconds(3)
    /// A mean round trip above this is worth a warning.
    package var slow = Duration.milliseconds(250)
    /// Which addresses of the host are asked.
    package var isAsked: @Sendable (IPAddress) -> Bool = { _ in true }

    package init() {}

    package func run(_ client: some ProbeClient, at host: RemoteHost) async -> ProbeReport {
        do {
            let addresses = try await host.addresses().filter { isAsked($0.address) }
            guard !addresses.isEmpty else {
                return report(client, host, failure: ProbeFailure(.notFound, "\(host.name) has no such address"))
            }
            var results: [ProbeReport.Address] = []
            for address in addresses { results.append(await measure(client, address, of: host)) }
            return ProbeReport(protocol: type(of: client).name, host: host, addresses: results)
        } catch {
            return report(client, host, failure: ProbeFailure(.notFound, "\(error)"))
        }
    }

    private func report(_ client: some ProbeClient, _ host: RemoteHost, failure: ProbeFailure) -> ProbeReport {
        ProbeReport(protocol: type(of: client).name, host: host, failure: failure)
    }

    private func measure(
        _ client: some ProbeClient, _ address: Endpoint, of host: RemoteHost
    ) async -> ProbeReport.Address {
        let clock = ContinuousClock()
        var result = ProbeReport.Address(address)
        do throws(ProbeFailure) {
            let start = clock.now
            var session = try await client.open(address, of: host, within: limit)
            result.handshake = clock.now - start
            let failure = await exchange(with: &session, into: &result, clock)
            result.details = session.details
            await session.close()
            if let failure { throw failure }
            result.judge(slow: slow)
        } catch {
            result.fail(error)
        }
        return result
    }

    private func exchange(
        with session: inout any ProbeSession, into result: inout ProbeReport.Address, _ clock: ContinuousClock
    ) async -> ProbeFailure? {
        for number in 1...max(1, exchanges) {
            let start = clock.now
            do throws(ProbeFailure) {
                result.sent += 1
                try await session.exchange(number, within: limit)
                result.roundTrips.append(clock.now - start)
            } catch {
                guard error.reason == .silent else { return error }
            }
            // Cancelled: what was measured until now is reported.
            if number < exchanges, (try? await clock.sleep(until: start + interval)) == nil { break }
        }
        return nil
    }
}
