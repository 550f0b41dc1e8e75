import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// The admin listener as `curl` talks to it.
    struct Admin {
        var address: SocketAddress
        var token: String?

        func get(_ path: String) async throws -> Web.Reply {
            try await send("GET", path)
        }

        func send(_ method: String, _ path: String, json body: String? = nil) async throws -> Web.Reply {
            var headers = token.map { [("Authorization", "Bearer \($0)")] } ?? []
            if body != nil { headers.append(("Content-Type", "application/json")) }
            return try await Web(address: address).request(method, path, headers: headers, body: body)
        }

        func metrics() async throws -> Metrics {
            Metrics(try await get("/metrics").body)
        }

        func status() async throws -> Status {
            try await get("/api/v1/status").decode(Status.self)
        }

        func rooms() async throws -> [Rooms.Room] {
            try await get("/api/v1/rooms").decode(Rooms.self).rooms
        }
    }

    /// The answer of `/api/v1/status`, by the names the API promises.
    struct Status: Decodable {
        struct Relay: Decodable {
            var `protocol`: String
            var listeners: [String]
            var peers: Int
            var rooms: Int
            var queuedBytes: Int
            var connectionsOpened: Int
            var bytesReceived: Int
            var bytesRelayed: Int
            var closed: [String: Int]
            var refused: [String: Int]
            var events: [String: Int]
        }

        var version: String
        var phase: String
        var uptimeSeconds: Int
        var connections: Int
        var relays: [Relay]

        func relay(_ name: String) throws -> Relay {
            try #require(relays.first { $0.protocol == name })
        }
    }

    /// The answer of `/api/v1/rooms`.
    struct Rooms: Decodable {
        struct Room: Decodable {
            struct Peer: Decodable {
                var peer: String
                var name: String
                var role: String
                var endpoint: String
                var connectedSeconds: Int
            }

            var `protocol`: String
            var id: String
            var peers: [Peer]
        }

        var rooms: [Room]
    }

    /// A page of metrics in Prometheus' text form.
    struct Metrics {
        struct Sample {
            var name: String
            var labels: [String: String]
            var value: Double
        }

        var text: String
        var samples: [Sample] = []
        var helped: Set<String> = []
        var kinds: [String: String] = [:]
        /// Lines that are none of the form's.
        var strange: [String] = []

        init(_ text: String) {
            self.text = text
            for line in text.split(separator: "\n") {
                if let match = line.wholeMatch(of: /# HELP ([a-z_]+) .+/) {
                    helped.insert(String(match.1))
                } else if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
                    kinds[String(match.1)] = String(match.2)
                } else if let match = line.wholeMatch(of: /([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)/),
                    let value = Double(match.3)
                {
                    var labels: [String: String] = [:]
                    for label in (match.2 ?? "").matches(of: /([a-z_]+)="([^"]*)"/) {
                        labels[String(label.1)] = String(label.2)
                    }
                    samples.append(Sample(name: String(match.1), labels: labels, value: value))
                } else {
                    strange.append(String(line))
                }
            }
        }

        /// The name that HELP and TYPE are about.
        func family(of sample: Sample) -> String {
            let parent = sample.name.replacing(/_(bucket|sum|count)$/, with: "")
            return kinds[parent] == "histogram" ? parent : sample.name
        }

        /// The sum of all samples of a name that have these labels.
        func value(_ name: String, _ labels: [String: String] = [:]) -> Int {
            let matching = samples.filter { sample in
                sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
            }
            return Int(matching.reduce(0) { $0 + $1.value })
        }
    }
}
