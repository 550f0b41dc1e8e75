import ArgumentParser
import BatonServer

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks at what the server needs of its machine and network, and says what to do.",
        discussion: """
            It looks at the listeners' ports, the limit of open files, privileges, the clock, the kernel's buffers, files, \
            and the router if port_mapping is on. It changes nothing; the server may run meanwhile. Run it as the user \
            that the server runs as, for example with 'sudo -u baton baton doctor'.

            With --public it also tries each protocol by the name that players use.

            Exit codes: 0 all is well, 1 something could be better, 2 something will not work, 78 the configuration is \
            wrong.
            """
    )

    @OptionGroup var source: ConfigurationSource

    @Flag(help: "Look at what 'serve --dev' needs.")
    var dev = false

    @Option(name: .customLong("public"), help: "The name or address that players use for this server.")
    var publicName: String?

    @Flag(help: "Print the findings as a line of JSON.")
    var json = false

    func run() async throws {
        let configuration = try source.load(dev: dev)
        let findings = await Examination(configuration, publicName: publicName).findings()
        if json {
            StandardOutput.write(try findings.jsonLine())
        } else {
            for finding in findings {
                StandardOutput.write("\(finding.grade.rawValue): \(finding.check): \(finding.message)\n")
                if let advice = finding.advice { StandardOutput.write("    \(advice)\n") }
            }
        }
        switch findings.map(\.grade).max() {
        case .problem?: throw ExitCode(2)
        case .warning?: throw ExitCode(1)
        default: break
        }
    }
}
