/// Looks at what a server needs of the machine and the network it runs in. It changes nothing, and a server may run
/// meanwhile.
package struct Examination: Sendable {
    private let configuration: Configuration
    private let publicName: String?
    private let system: SystemFacts

    /// - Parameter publicName: what players call this server, if it shall be tried by that name.
    package init(_ configuration: Configuration, publicName: String?) {
        self.init(configuration, publicName: publicName, system: .current())
    }

    init(_ configuration: Configuration, publicName: String? = nil, system: SystemFacts) {
        self.configuration = configuration
        self.publicName = publicName
        self.system = system
    }

    package func findings() async -> [Finding] {
        var findings = system.findings(for: configuration)
        findings += PathCheck.findings(for: configuration)
        findings += CertificateCheck.findings(for: configuration, at: .now())
        findings += await PortCheck.findings(for: configuration)
        findings += await RouterCheck.findings(for: configuration)
        if let publicName { findings += await PublicNameCheck.findings(for: configuration, name: publicName) }
        return findings
    }
}
