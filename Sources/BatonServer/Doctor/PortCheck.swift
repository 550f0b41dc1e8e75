import Glibc
import NIOCore
import NIOPosix
import RelayCore

/// Whether the listeners' ports are free, or held by a server that works.
enum PortCheck {
    static func findings(for configuration: Configuration) async -> [Finding] {
        var findings: [Finding] = []
        for listener in configuration.everyListener where listener.endpoint.port != 0 {
            findings.append(await finding(listener))
        }
        return findings
    }

    private static func finding(_ listener: Listener) async -> Finding {
        let name = "\(listener.name) \(listener.endpoint)"
        do {
            try await bind(listener.endpoint)
            return .ok("ports", "\(name) is free")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            return await whoIsThere(listener)
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

    private static func bind(_ endpoint: Endpoint) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .bind(to: try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))).get()
        try await channel.close()
    }

    /// Somebody listens: if he speaks the protocol, that is the server, or one like it.
    private static func whoIsThere(_ listener: Listener) async -> Finding {
        let name = "\(listener.name) \(listener.endpoint)"
        guard let client = listener.probe, let host = RemoteHost(nearby: listener.endpoint) else {
            return .ok("ports", "\(name) is in use: by the running server, it is to be hoped")
        }
        var probe = Probe()
        probe.exchanges = 1
        let report = await probe.run(client, at: host)
        if report.verdict != .failed { return .ok("ports", "\(name) is served, and works") }
        let why = report.failure?.sentence ?? report.addresses.first?.sentence ?? ""
        return .problem(
            "ports", "\(name) is in use, and no \(listener.name) works there: \(why)",
            advice: "find out what listens there with 'ss -ltnp', and stop it or take another port")
    }
}

/// Somewhere the configuration wants to listen by TCP.
struct Listener: Sendable {
    var name: String
    var endpoint: Endpoint

    /// What can tell whether it works; `nil` where nothing can.
    var probe: (any ProbeClient)? {
        switch name {
        case "json": JSONProbe()
        case "netplay": NetplayProbe()
        case "lobby": LobbyProbe()
        default: nil
        }
    }
}

extension Configuration {
    /// In the order of the configuration, by the names of their sections.
    var everyListener: [Listener] {
        listeners.map { path, endpoint in
            Listener(name: String(path.prefix { $0 != "[" }.dropLast(".listen".count)), endpoint: endpoint)
        }
    }
}
