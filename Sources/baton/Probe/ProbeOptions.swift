public import ArgumentParser
import BatonServer
import RelayCore

/// What all probes can be told.
struct ProbeOptions: ParsableArguments {
    @Option(help: "Exchanges with each address.")
    var count = 5

    @Option(help: "From one exchange to the next, such as 200ms or 1s.")
    var interval = Duration.milliseconds(200)

    @Option(help: "How long the handshake, and each answer, may take.")
    var timeout = Duration.seconds(3)

    @Option(help: "A mean round trip above this counts as slow.")
    var slow = Duration.milliseconds(250)

    @Flag(help: "Ask only IPv4 or only IPv6 addresses.")
    var family: AddressFamily?

    @Flag(help: "Print the result as a line of JSON.")
    var json = false

    enum AddressFamily: String, EnumerableFlag {
        case ipv4, ipv6
    }

    func validate() throws {
        guard 1...1000 ~= count else { throw ValidationError("--count takes 1 to 1000.") }
        guard timeout > .zero, timeout <= .seconds(60) else { throw ValidationError("--timeout takes up to 60s.") }
        guard interval <= .seconds(60) else { throw ValidationError("--interval takes up to 60s.") }
    }

    var probe: Probe {
        var probe = Probe()
        probe.exchanges = count
        probe.interval = interval
        probe.limit = timeout
        probe.slow = slow
        probe.isAsked = { [family] address in family.map { ($0 == .ipv4) == (address.ipv4 != nil) } ?? true }
        return probe
    }
}

extension Duration: @retroactive ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }

    public var defaultValueDescription: String { text }
}
