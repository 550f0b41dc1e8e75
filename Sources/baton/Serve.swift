import ArgumentParser
import BatonServer
import Foundation
import Logging
import RelayCore

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the server until a signal ends it.",
        discussion: """
            Without --config it reads ./baton.yaml, else /etc/baton/baton.yaml. TERM drains (no new rooms, waits for \
            those there are, at most drain_timeout), a second TERM or INT stops at once, HUP reads the configuration \
            again. Exit codes: 0 after a clean stop, 69 an address is taken, 77 a privilege is missing, 78 the \
            configuration is wrong.
            """
    )

    @OptionGroup var source: ConfigurationSource

    @Flag(help: "Serve everything that needs no privilege on 127.0.0.1, without a file.")
    var dev = false

    @OptionGroup var logging: LogOptions

    func validate() throws {
        if dev, source.config != nil { throw ValidationError("--dev and --config exclude each other.") }
    }

    func run() async throws {
        try await serve(
            .everything, logging: logging, load: { [source, dev] in try source.load(dev: dev) },
            onListening: { [dev] name, address in
                guard dev, let command = DevelopmentGuide.command(for: name, at: address) else { return }
                StandardOutput.write("try \(name): \(command)\n")
            })
    }
}

/// How a server logs, where that differs from its configuration.
struct LogOptions: ParsableArguments {
    @Option(
        help: "Least severe level to log: \(Configuration.Log.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
    var logLevel: Configuration.Log.Level?

    @Option(help: "How log lines look: \(Configuration.Log.Format.allCases.map(\.rawValue).joined(separator: ", ")).")
    var logFormat: Configuration.Log.Format?

    /// The configuration as these options want it.
    func applied(to configuration: Configuration) -> Configuration {
        var configuration = configuration
        configuration.log.level = logLevel ?? configuration.log.level
        configuration.log.format = logFormat ?? configuration.log.format
        return configuration
    }
}

/// Runs a server until a signal ends it.
func serve(
    _ scope: Server.Scope, logging: LogOptions, load: @escaping Server.ConfigurationLoader,
    onListening: @escaping @Sendable (String, Endpoint) -> Void = { _, _ in }
) async throws {
    let load: Server.ConfigurationLoader = { logging.applied(to: try load()) }
    let configuration = try load()
    let output = try LogOutput(path: configuration.log.file)
    let settings = LogSettings(configuration.log, output: output)
    let events = EventFeed()
    let logger = Logger(label: "baton") { _ in
        LineLogHandler(format: configuration.log.format, settings: settings, feed: events, write: output.write)
    }
    for warning in configuration.warnings {
        logger.warning("\(warning)", metadata: ["event": "configuration_warning"])
    }
    let server = Server(
        configuration, scope: scope, logger: logger, logSettings: settings, events: events, reloading: load,
        onListening: onListening)
    try await server.run()
}

/// Where the configuration comes from.
struct ConfigurationSource: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    private static let usualPlaces = ["baton.yaml", "/etc/baton/baton.yaml"]

    func load(dev: Bool) throws -> Configuration {
        let environment = ProcessInfo.processInfo.environment
        if dev { return try .development(environment: environment) }
        guard let file = config ?? Self.usualPlaces.first(where: FileManager.default.fileExists) else {
            throw BatonError(
                .configuration,
                "no configuration: give --config FILE, or make \(Self.usualPlaces.joined(separator: " or ")) "
                    + "('baton config example' prints one), or try it out with --dev"
            )
        }
        return try .load(file: file, environment: environment)
    }
}

extension Configuration.Log.Level: ExpressibleByArgument {}
extension Configuration.Log.Format: ExpressibleByArgument {}
