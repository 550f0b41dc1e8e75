import BatonServer
import RelayCore

/// What `serve --dev` tells somebody who tries it out: per protocol, a command that does something.
enum DevelopmentGuide {
    static func text(for configuration: Configuration) -> String {
        var lines: [String] = []
        if let json = configuration.json?.listen.first {
            lines.append(
                "json     " + #"printf '\0\0\0\026{"payloadType":"INIT"}' | nc -q1 "# + "\(json.address) \(json.port) | cat -v"
            )
        }
        if let netplay = configuration.netplay?.listen.first {
            lines.append("netplay  scripts/interop/retroarch \(netplay)")
        }
        if let admin = configuration.admin?.listen.first {
            lines.append("admin    curl http://\(admin)/api/v1/status")
        }
        return "Try it:\n" + lines.map { "  \($0)\n" }.joined()
    }
}
