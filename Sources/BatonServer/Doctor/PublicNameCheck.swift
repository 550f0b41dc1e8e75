import RelayCore

/// Whether the server works by the name that players call it. Asked from this machine, a firewall in front of it may
/// go unnoticed; a router that lets nobody in from inside looks worse than it is.
enum PublicNameCheck {
    static func findings(for configuration: Configuration, name: String) async -> [Finding] {
        var findings: [Finding] = []
        var known: Set<String> = []
        for listener in configuration.everyListener where !listener.endpoint.address.isLoopback {
            guard let client = listener.probe(in: configuration, isPublic: true),
                let host = RemoteHost(name: name, port: listener.endpoint.port),
                known.insert("\(listener.name) \(host)").inserted
            else { continue }
            var probe = Probe()
            probe.exchanges = 1
            let report = await probe.run(client, at: host)
            findings.append(finding(report))
        }
        if findings.isEmpty {
            findings.append(
                .problem(
                    "reachable", "no listener can be tried at \(name): all are on loopback, or the name is none",
                    advice: "listen on 0.0.0.0 and [::], and give the name that players use"))
        }
        return findings
    }

    private static func finding(_ report: ProbeReport) -> Finding {
        let text = "\(report.host.name): \(report)".split(separator: "\n").joined(separator: "; ")
        switch report.verdict {
        case .ok: return .ok("reachable", text)
        case .degraded:
            return .warning(
                "reachable", text,
                advice: "an address of the name that does not work costs players time: mend or remove it")
        case .failed:
            return .problem(
                "reachable", text,
                advice: "start the server, open the port in firewall and router, and let the name lead here; then try "
                    + "'baton probe \(report.protocol) \(report.host)' from another network")
        }
    }
}
