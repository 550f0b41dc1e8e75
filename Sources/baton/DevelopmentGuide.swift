import BatonServer
import RelayCore

/// What `serve --dev` tells somebody who tries it out: per protocol, a command that does something.
enum DevelopmentGuide {
    static func text(for configuration: Configuration) -> String {
        var lines: [String] = []
        if let json = configuration.json?.listen.first {
            let hello = #"printf '\0\0\0\026{\"payloadType\":\"INIT\"}' >&3; timeout 1 cat -v <&3"#
            lines.append("json     bash -c \"(\(hello)) 3<>/dev/tcp/\(json.address)/\(json.port)\"")
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
