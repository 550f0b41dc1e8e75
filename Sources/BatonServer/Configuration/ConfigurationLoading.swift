extension Configuration {
    /// Reads a file. Variables named `BATON_SECTION__KEY` go before what it says.
    package static func load(
        file path: String, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        let text: String
        do {
            text = try readText(ofFile: path, atMost: 1 << 20)
        } catch {
            throw ConfigurationError(diagnostics: [.init(file: path, place: .wholeFile, message: error.reason)])
        }
        return try parse(yaml: text, file: path, environment: environment)
    }

    /// Reads the text of a file; `file` is the name its errors bear.
    package static func parse(
        yaml: String, file: String, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        let document = YAMLNode.compose(yaml)
        return try read(document, into: Configuration(), file: file, environment: environment)
    }

    /// What `--dev` serves: all that needs no privilege, on 127.0.0.1. Variables still apply.
    package static func development(environment: [String: String]) throws(ConfigurationError) -> Configuration {
        var configuration = complete
        configuration.json?.listen = [.loopback(port: 5300)]
        configuration.netplay?.listen = [.loopback(port: 55435)]
        configuration.lobby?.listen = [.loopback(port: 8080)]
        configuration.soe?.listen = [.loopback(port: 20260)]
        configuration.lan?.listen = [.loopback(port: 4443)]
        configuration.lan?.identity = nil
        configuration.netplay?.rooms?.listen = [.loopback(port: 55436)]
        configuration.ldn?.listen = [.loopback(port: 30456)]
        configuration.ldn?.api?.listen = [.loopback(port: 30457)]
        configuration.admin?.listen = [.loopback(port: 9550)]
        let nothing = YAMLDocument(root: YAMLNode(.null, at: .wholeFile), problems: [])
        return try read(nothing, into: configuration, file: "--dev", environment: environment)
    }

    /// All errors are collected, so that one run shows an operator everything there is to mend.
    private static func read(
        _ document: YAMLDocument, into start: Configuration, file: String, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        var configuration = start
        var reader = SettingReader(environment: environment)
        reader.problems = document.problems
        var warnings: [Problem] = []
        if var root = document.root {
            let overrides = EnvironmentOverrides(environment)
            reader.problems += overrides.apply(to: &root)
            reader.read(&configuration, from: root)
            for complaint in configuration.brokenRules() { reader.report(complaint) }
            warnings = overrides.unrelated.subtracting(reader.usedVariables).sorted().map(overrides.warning)
        }
        guard reader.problems.isEmpty else {
            throw ConfigurationError(diagnostics: reader.problems.sorted().map { $0.diagnostic(in: file) })
        }
        configuration.warnings = warnings.map { $0.diagnostic(in: file) }
        return configuration
    }
}
