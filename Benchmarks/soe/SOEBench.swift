import NIOCore
import NIOPosix
import RelayCore
import SOE
import SOESockets

#if canImport(Glibc)
    import Glibc
#endif

/// The programs the benchmarks of the SOE library run: see Benchmarks/soe.py.
///
///     soe-bench echo                            an echo server; prints `listening PORT`
///     soe-bench load PORT SIZE INFLIGHT COUNT   an echo's client; prints one line of JSON
///     soe-bench alone SIZE COUNT                two engines without sockets; prints one line of JSON
@main
struct SOEBench {
    static func main() async throws {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.dropFirst().compactMap { Int($0) }
        switch words.first {
        case "echo": try await echo()
        case "load" where numbers.count == 4: try await load(numbers)
        case "alone" where numbers.count == 2: try alone(size: numbers[0], messages: numbers[1])
        default: throw BenchmarkFailure(message: "echo | load PORT SIZE INFLIGHT COUNT | alone SIZE COUNT")
        }
    }

    private static var configuration: SOEConfiguration {
        var configuration = SOEConfiguration()
        configuration.parameters.protocolName = "SoePingPong"
        configuration.parameters.udpLength = getenv("UDP_LENGTH").flatMap { Int(String(cString: $0)) }
        configuration.parameters.maxQueued = 256 << 20
        configuration.maxPending = 32_768
        configuration.limits.connections = 0
        configuration.limits.connectionsPerAddress = 0
        configuration.limits.newConnections = .init(perSecond: 0, burst: 0)
        return configuration
    }

    private static let anyPort = Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 0)

    private static func echo() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let driver = try await SOEDriver.open(anyPort, configuration: configuration, on: loop) { Echo() }
        let port = try await loop.submit { driver.value.localEndpoint.port }.get()
        print("listening \(port)")
        fflush(nil)
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    private static func load(_ numbers: [Int]) async throws {
        let (port, size, inFlight, messages) = (numbers[0], numbers[1], numbers[2], numbers[3])
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: Load.Result.self)
        let driver = try await SOEDriver.open(anyPort, configuration: configuration, on: loop) {
            Load(size: size, inFlight: inFlight, messages: messages, done: done)
        }
        try await loop.submit {
            let server = Endpoint(address: anyPort.address, port: UInt16(port))
            _ = try driver.value.connect(to: server)
        }.get()
        let result = try await done.futureResult.get()
        let sent = result.sent
        print(
            """
            {"messages": \(messages), "size": \(size), "seconds": \(result.seconds), \
            "cpu_ns": \(result.processorNanoseconds), "median_us": \(result.median), "p99_us": \(result.ninetyNinth), \
            "resent": \(sent?.packetsResent ?? 0), "datagrams": \(sent?.datagramsSent ?? 0)}
            """)
    }

    private static func alone(size: Int, messages: Int) throws {
        var pair = Alone(configuration)
        try pair.run(size: size, messages: max(messages / 10, 100))
        let (clock, processor) = (NIODeadline.now(), processorTime())
        try pair.run(size: size, messages: messages)
        let seconds = Double((NIODeadline.now() - clock).nanoseconds) / 1e9
        print(
            """
            {"messages": \(messages), "size": \(size), "seconds": \(seconds), \
            "cpu_ns": \(processorTime() - processor)}
            """)
    }
}

/// Nanoseconds of this process on a processor, of all its threads.
func processorTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
