import Glibc
import NIOCore
import NIOPosix
import RelayCore

/// Whether the listeners' ports are free, or held by a server that works.
enum PortCheck {
    static func findings(for configuration: Configuration) async -> [Finding] {
        var findings: [Finding] = []
        for listener in configuration.everyListener where listener.endpoint.port != 0 {
            findings.append(await finding(listener, configuration))
        }
        return findings
    }

    private static func finding(_ listener: Listener, _ configuration: Configuration) async -> Finding {
        let name = "\(listener.name) \(listener.endpoint)"
        do {
            try await bind(listener)
            return .ok("ports", "\(name) is free")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            return await whoIsThere(listener, configuration)
        } catch let error as IOError where error.meansNoIPv6 && listener.endpoint.address == IPAddress(high: 0, low: 0)
        {
            return .warning(
                "ports", "\(name): this machine has IPv6 switched off; players with IPv6 alone cannot come",
                advice: "switch it on (sysctl net.ipv6.conf.all.disable_ipv6=0), or listen on IPv4 only")
        } catch let error as IOError where error.errnoCode == EACCES {
            return .problem(
                "ports", "\(name) needs a privilege",
                advice: "see what is said of capabilities, or take a port above 1023")
        } catch {
            return .problem(
                "ports", "\(BatonError.binding(listener.endpoint, for: listener.name, error))",
                advice: "name an address of this machine, or 0.0.0.0 for all")
        }
    }

    private static func bind(_ listener: Listener) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let address = try SocketAddress(
            ipAddress: "\(listener.endpoint.address)", port: Int(listener.endpoint.port))
        let channel =
            switch listener.transport {
            case .tcp:
                try await ServerBootstrap(group: group).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .serverChannelOption(.autoRead, value: false).bind(to: address).get()
            case .udp: try await DatagramBootstrap(group: group).bind(to: address).get()
            }
        try await channel.close()
    }

    /// Somebody listens: if he speaks the protocol, that is the server, or one like it.
    private static func whoIsThere(_ listener: Listener, _ configuration: Configuration) async -> Finding {
        let name = "\(listener.name) \(listener.endpoint)"
        guard let host = RemoteHost(nearby: listener.endpoint) else { return .ok("ports", "\(name) is in use") }
        if listener.name == "admin" {
            let answer = await AdminHealth(of: host).ask(.alive)
            return answer.isHealthy
                ? .ok("ports", "\(name) is served, and works") : stranger(listener, answer.sentence)
        }
        guard let client = listener.probe(in: configuration) else {
            return .ok("ports", "\(name) is in use: by the running server, it is to be hoped")
        }
        var probe = Probe()
        probe.exchanges = 1
        let report = await probe.run(client, at: host)
        if report.verdict != .failed { return .ok("ports", "\(name) is served, and works") }
        let why = report.failure?.sentence ?? report.addresses.first?.sentence ?? ""
        guard report.addresses.first?.word != ProbeFailure.Reason.refused.rawValue else {
            return .warning(
                "ports", "\(name) is served, but not for everybody: \(why)",
                advice: "mend what it says; the server's log says more")
        }
        return stranger(listener, why)
    }

    private static func stranger(_ listener: Listener, _ why: String) -> Finding {
        .problem(
            "ports", "\(listener.name) \(listener.endpoint) is in use, and no \(listener.name) works there: \(why)",
            advice: "find out what listens there with 'ss -ltunp', and stop it or take another port")
    }
}
