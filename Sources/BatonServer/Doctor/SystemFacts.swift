import CLinuxNet
import Foundation
import RelayCore

/// What this machine is like, as far as a server cares.
struct SystemFacts: Sendable, Equatable {
    /// Open files that this process may have.
    var openFiles = 0
    /// Whether the clock follows others; `nil` if the kernel does not tell.
    var clockIsSynchronized: Bool?
    /// The capabilities in force, a bit each.
    var capabilities: UInt64 = 0
    /// The first port that needs no privilege.
    var firstFreePort = 1024
    /// The kernel's figures by name, such as `net.core.somaxconn`.
    var kernel: [String: Int] = [:]

    static func current() -> SystemFacts {
        var facts = SystemFacts()
        facts.openFiles = OpenFiles.raiseLimit()
        let isSynchronized = clinuxnet_clock_is_synchronized()
        if isSynchronized >= 0 { facts.clockIsSynchronized = isSynchronized == 1 }
        for line in lines("/proc/self/status") where line.hasPrefix("CapEff:") {
            facts.capabilities = UInt64(line.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) ?? 0
        }
        for name in kernelFigures.map(\.name) { facts.kernel[name] = figure(name) }
        facts.firstFreePort = figure("net.ipv4.ip_unprivileged_port_start") ?? 1024
        return facts
    }

    private static func figure(_ name: String) -> Int? {
        lines("/proc/sys/" + name.replacing(".", with: "/")).first.flatMap { Int($0) }
    }

    private static func lines(_ file: String) -> [Substring] {
        ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    /// What the kernel should allow, and why.
    private static let kernelFigures: [(name: String, least: Int, reason: String)] = [
        ("net.core.somaxconn", 4096, "connections that come at once are turned away before Baton sees them"),
        ("net.core.rmem_max", 256 << 10, "receive buffers stay smaller than Baton asks for"),
        ("net.core.wmem_max", 256 << 10, "send buffers stay small, and players far away get less throughput"),
    ]

    func findings(for configuration: Configuration) -> [Finding] {
        [descriptors(for: configuration), clock] + privileges(for: configuration) + kernelBuffers
    }

    private func descriptors(for configuration: Configuration) -> Finding {
        let wanted = configuration.limits.connections
        let possible = max(1, openFiles - OpenFiles.reserve)
        if wanted == 0 || wanted <= possible {
            return .ok("descriptors", "\(openFiles) open files are allowed, enough for the connections of 'limits'")
        }
        return .warning(
            "descriptors",
            "\(openFiles) open files are allowed: \(possible) connections at most, and limits.connections is \(wanted)",
            advice: "set LimitNOFILE=\(wanted + OpenFiles.reserve) in the service (or 'ulimit -n' in the shell), "
                + "or lower limits.connections")
    }

    private var clock: Finding {
        switch clockIsSynchronized {
        case true?: .ok("clock", "the clock follows others")
        case nil: .ok("clock", "the kernel does not tell whether the clock follows others")
        case false?:
            .warning(
                "clock",
                "the clock follows no other: it may be wrong, and with it the ends of bans and the times in logs",
                advice: "run a time service, such as systemd-timesyncd ('timedatectl set-ntp true') or chrony")
        }
    }

    private func privileges(for configuration: Configuration) -> [Finding] {
        let bindService: UInt64 = 1 << 10
        let low = configuration.everyListener.filter { 1..<firstFreePort ~= Int($0.endpoint.port) }
        guard !low.isEmpty else { return [.ok("capabilities", "no listener needs a privilege")] }
        let ports = low.map { "\($0.name) \($0.endpoint)" }.joined(separator: ", ")
        if capabilities & bindService != 0 {
            return [.ok("capabilities", "ports that need a privilege can be listened on: \(ports)")]
        }
        return [
            .problem(
                "capabilities", "a privilege is missing for \(ports)",
                advice: "AmbientCapabilities=CAP_NET_BIND_SERVICE in the service, or "
                    + "'setcap cap_net_bind_service=+ep PATH-OF-BATON', or a port above \(firstFreePort - 1). "
                    + "The doctor sees its own privileges: run it as the server is run")
        ]
    }

    private var kernelBuffers: [Finding] {
        Self.kernelFigures.compactMap { figure in
            guard let value = kernel[figure.name] else { return nil }
            if value >= figure.least { return .ok("kernel", "\(figure.name) is \(value)") }
            return .warning(
                "kernel", "\(figure.name) is \(value): \(figure.reason)",
                advice: "'sysctl -w \(figure.name)=\(figure.least)', and the same in a file of /etc/sysctl.d to keep it"
            )
        }
    }
}
