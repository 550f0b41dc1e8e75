import RelayCore

/// `GET /metrics`: everything counted, in Prometheus' text form.
struct Exposition {
    private var lines = ""

    static func text(of overview: Overview) async throws -> String {
        let statuses = try await overview.statuses()
        var page = Exposition()
        page.server(overview)
        page.relays(statuses)
        page.bans(overview.bans)
        page.portMapping(await overview.portMapping.statuses(), overview.portMapping.events)
        page.process()
        return page.lines
    }

    private mutating func server(_ overview: Overview) {
        family("baton_build_info", "gauge", "The version that runs.", [([("version", BatonVersion.current)], 1)])
        family(
            "baton_ready", "gauge", "1 while new rooms are taken.", [([], overview.phase.current == .running ? 1 : 0)])
        family(
            "baton_admitted_connections", "gauge", "Connections of all protocols.", [([], overview.desk.connections)])
        let reloads = overview.reloader.results
        family(
            "baton_config_reloads_total", "counter", "Reloads of the configuration, by result.",
            [([("result", "success")], reloads.successes), ([("result", "failure")], reloads.failures)]
        )
    }

    private mutating func relays(_ statuses: [RelayStatus]) {
        func each(_ value: (RelayStatus) -> some BinaryInteger) -> [Sample] {
            statuses.map { ([("protocol", $0.name)], Int(clamping: value($0))) }
        }
        func each(by label: String, _ tally: (StreamCounters) -> Tally) -> [Sample] {
            statuses.flatMap { status in
                tally(status.counters).counts.sorted { $0.key < $1.key }.map { name, count in
                    ([("protocol", status.name), (label, name)], Int(clamping: count))
                }
            }
        }
        func each(by label: String, only words: Set<String>) -> [Sample] {
            each(by: label) { counters in
                var all = counters.closed
                all.add(counters.refused)
                all.add(counters.dropped)
                return Tally(all.counts.filter { words.contains($0.key) }.map { ($0.key, $0.value) })
            }
        }
        family("baton_peers", "gauge", "Connected peers.", each { $0.peers })
        family("baton_rooms", "gauge", "Rooms that exist.", each { $0.rooms })
        family("baton_queued_bytes", "gauge", "Bytes waiting for slow readers.", each { $0.queuedBytes })
        family(
            "baton_connections_opened_total", "counter", "Connections admitted.", each { $0.counters.connectionsOpened }
        )
        family(
            "baton_connections_closed_total", "counter", "Connections ended, by reason.",
            each(by: "reason") { $0.closed }
        )
        family(
            "baton_connections_refused_total", "counter", "Connections turned away, by reason.",
            each(by: "reason") { $0.refused }
        )
        family(
            "baton_received_bytes_total", "counter", "Bytes received from peers.", each { $0.counters.bytesReceived })
        family(
            "baton_relayed_bytes_total", "counter", "Bytes passed from peer to peer.", each { $0.counters.bytesRelayed }
        )
        family(
            "baton_relayed_messages_total", "counter", "Messages (or reads) passed from peer to peer.",
            each { $0.counters.messagesRelayed }
        )
        family(
            "baton_answered_bytes_total", "counter", "Bytes the server said itself.", each { $0.counters.bytesAnswered }
        )
        family(
            "baton_dropped_messages_total", "counter", "Messages not acted upon, by reason.",
            each(by: "reason") { $0.dropped }
        )
        family(
            "baton_handshake_failures_total", "counter",
            "Of those closed or refused, whose peers never said who they are and what they want, by reason.",
            each(by: "reason", only: ReasonKinds.handshake))
        family(
            "baton_limit_hits_total", "counter",
            "Of those closed, refused or dropped, what met a limit, by reason.",
            each(by: "reason", only: ReasonKinds.limit))
        histogram(
            "baton_forward_latency_seconds",
            "From the read that brought a message until it was handed to the system or to its receiver's queue.",
            statuses)
        family("baton_events_total", "counter", "Events of the protocols, by name.", each(by: "event") { $0.events })
        for status in statuses {
            for figure in status.figures {
                family(
                    "baton_\(status.name)_\(figure.name)", figure.kind.rawValue, figure.help,
                    [([], Int(clamping: figure.value))])
            }
        }
    }

    private mutating func portMapping(_ statuses: [PortMappingStatus], _ events: Tally) {
        let held = Dictionary(grouping: statuses, by: \.mapping.name).mapValues { $0.count { $0.external != nil } }
        family(
            "baton_port_mappings", "gauge", "Ports that the router lets in.",
            held.sorted { $0.key < $1.key }.map { name, count in ([("protocol", name)], count) })
        family(
            "baton_port_mapping_events_total", "counter", "What became of port mappings, by event.",
            events.counts.sorted { $0.key < $1.key }.map { name, count in ([("event", name)], count) })
    }

    private mutating func bans(_ desk: BanDesk) {
        family(
            "baton_bans", "gauge", "Bans in force that were made while the server ran, by what they are about.",
            desk.counts.map { ([("subject", $0.subject)], $0.count) })
        let changes = desk.changes
        family("baton_bans_made_total", "counter", "Bans made.", [([], changes.made)])
        family("baton_bans_lifted_total", "counter", "Bans lifted, or over.", [([], changes.lifted)])
        let isKept = desk.keeping == .database
        family(
            "baton_ban_database_up", "gauge", "1 while bans are written down: the database is named, and works.",
            [([], isKept ? 1 : 0)])
    }

    private mutating func process() {
        guard let process = ProcessFigures.current else { return }
        family("process_cpu_seconds_total", "counter", "Processor time.", [([], process.processorSeconds)])
        family("process_start_time_seconds", "gauge", "Start, in seconds since 1970.", [([], process.startTime)])
        family("process_resident_memory_bytes", "gauge", "Resident memory.", [([], process.residentBytes)])
        family("process_virtual_memory_bytes", "gauge", "Virtual memory.", [([], process.virtualBytes)])
        family("process_open_fds", "gauge", "Open file descriptors.", [([], process.openFiles)])
        family("process_max_fds", "gauge", "The most file descriptors that may be open.", [([], process.mostFiles)])
        family("process_threads", "gauge", "Threads.", [([], process.threads)])
    }

    // MARK: The text

    private typealias Sample = (labels: [(String, String)], value: Int)

    private mutating func family(
        _ name: String, _ kind: String, _ help: String,
        _ samples: [(labels: [(String, String)], value: some Numeric)]
    ) {
        head(name, kind, help)
        for (labels, value) in samples { line(name, labels, "\(value)") }
    }

    private mutating func histogram(_ name: String, _ help: String, _ statuses: [RelayStatus]) {
        head(name, "histogram", help)
        for status in statuses {
            let (histogram, label) = (status.counters.forwardLatency, ("protocol", status.name))
            var total: UInt64 = 0
            for (bound, count) in zip(LatencyHistogram.bounds, histogram.counts) {
                total &+= count
                line(name + "_bucket", [label, ("le", "\(Double(bound) / 1e9)")], "\(total)")
            }
            guard histogram.count > 0 else { continue }
            line(name + "_bucket", [label, ("le", "+Inf")], "\(histogram.count)")
            line(name + "_sum", [label], "\(Double(histogram.sum) / 1e9)")
            line(name + "_count", [label], "\(histogram.count)")
        }
    }

    /// A family is named even while there is nothing to count, so that alarms can be tested against a new server.
    private mutating func head(_ name: String, _ kind: String, _ help: String) {
        lines += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
        lines += name
        if !labels.isEmpty { lines += "{" + labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",") + "}" }
        lines += " " + value + "\n"
    }
}
