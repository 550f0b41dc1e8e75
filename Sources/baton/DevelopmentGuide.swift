import RelayCore

/// What `serve --dev` tells somebody who tries it out: per protocol, a command that does something.
enum DevelopmentGuide {
    static func command(for name: String, at address: Endpoint) -> String? {
        switch name {
        case "json":
            let hello = #"printf '\0\0\0\026{\"payloadType\":\"INIT\"}' >&3; timeout 1 cat -v <&3"#
            return "bash -c \"(\(hello)) 3<>/dev/tcp/\(address.address)/\(address.port)\""
        case "netplay":
            return "scripts/interop/retroarch \(address)"
        case "lobby":
            return "curl http://\(address)/list"
        case "netplay_rooms":
            return "scripts/interop/rooms \(address)"
        case "ldn":
            return "python3 scripts/interop/ldn-peers/ldn_client.py \(address)"
        case "ldn_api":
            return "curl http://\(address)/api"
        case "soe":
            let peers = "python3 scripts/interop/soe-peers"
            let backend = "\(peers)/backend.py --listen 127.0.0.1:20261"
            return "bash -c '\(backend) & sleep 6; \(peers)/soe_peer.py ping --connect \(address); kill $!'"
        case "admin":
            return "curl http://\(address)/api/v1/status"
        default:
            return nil
        }
    }
}
