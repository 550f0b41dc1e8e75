import Glibc
import LANBridge
import RelayCore

/// Looks at an end of the tunnel that runs on this machine, and at the machine around it.
package struct EndExamination {
    private let before: EndReport
    private let link: Link
    private var findings: [Finding] = []

    /// How long a report may lag behind.
    private static let patience = Duration.milliseconds(2600)

    private init(_ report: EndReport) {
        before = report
        link = Link(report.card)
    }

    /// All findings, in the order of the way. `sendsProbes` needs CAP_NET_RAW.
    package static func examine(_ report: EndReport, sendsProbes: Bool) -> [Finding] {
        var examination = EndExamination(report)
        if report.role == FrameSender.gateway.rawValue {
            examination.examineLANCard()
            examination.examineRelay(report)
        } else {
            examination.examineCard()
            examination.examineRelay(report)
            if examination.isFine {
                examination.examineSurroundings()
                if sendsProbes { examination.examineFrames() }
            }
        }
        return examination.findings
    }

    private var isFine: Bool { findings.allSatisfy { $0.fault == nil } }

    // MARK: The card

    private mutating func examineCard() {
        guard link.index != nil else {
            return findings.append(
                .bad("card", "card-gone", "the card \(link) is gone", "start 'baton lan join' again"))
        }
        if let mac = link.mac, mac.description != before.mac {
            findings.append(
                .bad(
                    "card", "card-mac",
                    "\(link) has the address \(mac) instead of \(before.mac): the relay drops its frames",
                    "ip link set \(link) address \(before.mac)"))
        } else if let mtu = link.mtu, let wanted = before.mtu, mtu < wanted, link.isUp {
            findings.append(
                .bad(
                    "card", "card-mtu",
                    "\(link) has an MTU of \(mtu) instead of \(wanted): it cannot take full-size frames",
                    "ip link set \(link) mtu \(wanted)"))
        } else if !link.isUp, before.phase == TunnelStatus.Phase.joined.rawValue {
            findings.append(.bad("card", "card-down", "\(link) is switched off", "ip link set \(link) up"))
        } else {
            findings.append(.good("card", "\(link) is as it should be"))
        }
    }

    private mutating func examineLANCard() {
        guard link.index != nil else {
            return findings.append(.bad("lan", "lan-card-gone", "the card \(link) is gone", "plug it in again"))
        }
        if !link.isUp {
            findings.append(.bad("lan", "lan-card-down", "\(link) is switched off", "ip link set \(link) up"))
        } else if !link.isRunning {
            findings.append(.bad("lan", "lan-cable", "\(link) has no carrier", "is its cable plugged in at both ends?"))
        } else if !link.offloads.isDisjoint(with: .joining) {
            findings.append(
                .bad(
                    "lan", "lan-offloads",
                    "\(link) joins frames that come in (GRO or LRO): what it makes is no frame of a LAN",
                    "ethtool -K \(link) gro off lro off"))
        } else if before.isStopped {
            findings.append(
                .bad(
                    "lan", "loop", "a second bridge joins this LAN and the room, so this gateway forwards nothing",
                    "find the other gateway, or the player who is also at the party's LAN"))
        } else {
            findings.append(.good("lan", "\(link) shows \(before.lanStations) machines of the LAN"))
        }
    }

    // MARK: The relay

    private mutating func examineRelay(_ report: EndReport) {
        guard examineRoutes(report) else { return }
        switch report.phase {
        case TunnelStatus.Phase.joined.rawValue:
            findings.append(.good("relay", "joined room \(report.room) at \(report.relay ?? "the relay")"))
            guard report.hasGateway else {
                return findings.append(
                    .bad(
                        "gateway", "no-gateway", "the room has no gateway, so there is no LAN in it",
                        "somebody at the party has to run 'baton lan gateway'"))
            }
        case TunnelStatus.Phase.silent.rawValue:
            findings.append(Self.unreachable("the relay gives no sign of life"))
        default:
            findings.append(Finding(trouble: report.trouble))
        }
    }

    /// Whether the relay's addresses have a way that is not the virtual card itself.
    private mutating func examineRoutes(_ report: EndReport) -> Bool {
        let addresses = report.relayAddresses.compactMap { IPAddress($0) }
        let routes = addresses.map { address in (address, try? Route.best(to: address)) }
        guard let (address, found) = routes.first(where: { $0.1 != nil }) ?? routes.first else { return true }
        guard let route = found else {
            findings.append(
                .bad(
                    "route", "no-route", "this machine has no route to the relay, \(address)", "is it on the internet?")
            )
            return false
        }
        guard route.interface != link.index || report.role == FrameSender.gateway.rawValue else {
            findings.append(
                .bad(
                    "route", "wrong-route", "packets for the relay, \(address), would go through \(link) itself",
                    "ip route del \(address) dev \(link)"))
            return false
        }
        findings.append(.good("route", "the relay is reached past \(link)"))
        return true
    }

    static func unreachable(_ message: String) -> Finding {
        .bad("relay", "relay-unreachable", message, "does it run, and does a firewall let UDP through to it?")
    }

    // MARK: What games need

    private mutating func examineSurroundings() {
        if Interfaces.hasIPv4(link.name) {
            findings.append(.good("address", "\(link) has an address"))
        } else {
            findings.append(
                .bad(
                    "address", "no-address", "\(link) has no IPv4 address, so IP games see nobody",
                    "run your DHCP client on \(link), or give it an address of the party's"))
        }
        let places: [(String, String, IPAddress)] = [
            ("broadcast", "255.255.255.255", IPAddress(ipv4: 0xFFFF_FFFF)),
            ("multicast", "239.255.255.250", IPAddress(ipv4: 0xEFFF_FFFA)),
        ]
        for (kind, text, address) in places {
            if let route = try? Route.best(to: address), route.interface == link.index {
                findings.append(.good("broadcast", "\(kind)s go to the party"))
            } else {
                let block = kind == "broadcast" ? text : "224.0.0.0/4"
                findings.append(
                    .bad(
                        "broadcast", "\(kind)-route", "\(kind)s that name no card (\(text)) do not go to \(link)",
                        "ip route add \(block) dev \(link) metric 1"))
            }
        }
    }

    // MARK: Frames

    private mutating func examineFrames() {
        let gateway = before.peers.first { $0.role == FrameSender.gateway.rawValue }.flatMap { MACAddress($0.mac) }
        guard let gateway, let mac = MACAddress(before.mac) else { return }
        var random = RandomSource.system
        let result: ProbeRun
        do throws(NetworkFailure) {
            result = try CardProbe.run(ProbeRun(mac: mac, gateway: gateway, random: &random), on: link)
        } catch {
            return findings.append(.bad("frames", "no-probes", "probes cannot be sent: \(error)"))
        }
        if result.missing.isEmpty {
            return findings.append(
                .good("frames", "broadcast, multicast, IPX and full-size frames reach the gateway and come back"))
        }
        explain(result)
    }

    /// Something did not come back: what the tunnel says meanwhile tells why.
    private mutating func explain(_ result: ProbeRun) {
        let end = Instant.now + Self.patience
        while .now < end {
            usleep(100_000)
            guard let now = EndReport.all().first(where: { $0.process == before.process }) else {
                return findings.append(.bad("client", "client-ended", "'baton lan join' has ended", "start it again"))
            }
            let isWell = now.phase == TunnelStatus.Phase.joined.rawValue && now.hasGateway
            if !isWell { return examineRelay(now) }
            if let (reason, isHere) = now.newDrop(since: before) {
                let place = isHere ? "this machine's end of the tunnel" : "the relay"
                return findings.append(
                    .bad(
                        "frames", reason, "\(place) drops frames of this machine: \(reason)", "see 'baton lan explain'")
                )
            }
        }
        findings += result.findings
    }
}

extension ProbeRun {
    /// What is missing, by kind and by way.
    var findings: [Finding] {
        missing.map { variant in
            let hasArrived = arrived.contains(ProbeMask(variant))
            let way = hasArrived ? "reach the gateway, but its answers do not come back" : "do not reach the gateway"
            return .bad("frames", "\(variant.word)-lost", "\(variant.word) frames \(way)")
        }
    }
}

extension Finding {
    /// Why an end of the tunnel is not in its room.
    init(trouble: EndReport.Trouble?) {
        guard let trouble else {
            self = EndExamination.unreachable("the relay has not answered yet")
            return
        }
        switch trouble.code {
        case "unreachable", "forgotten": self = EndExamination.unreachable(trouble.sentence)
        case "untrusted":
            self = .bad(
                "relay", "certificate", trouble.sentence,
                "get a new link from whoever runs the relay; is this machine's clock right?")
        case "duplicate_mac":
            self = .bad(
                "room", "duplicate-mac", trouble.sentence,
                "does this machine's identity file come from another one? Remove it, or say --mac")
        default:
            self = .bad("room", trouble.code.split(separator: "_").joined(separator: "-"), trouble.sentence)
        }
    }
}

extension EndReport {
    /// A reason for which frames of this machine were dropped that was not there before, and whether here or at the relay.
    fileprivate func newDrop(since earlier: EndReport) -> (reason: String, isHere: Bool)? {
        for (reason, count) in drops.sorted(by: { $0.key < $1.key }) where count > earlier.drops[reason] ?? 0 {
            return (reason, true)
        }
        for (reason, count) in relayDrops.sorted(by: { $0.key < $1.key }) where count > earlier.relayDrops[reason] ?? 0
        {
            return (reason, false)
        }
        return nil
    }
}
