import LANBridge
import RelayCore
import Testing

@testable import BatonServer

@Suite("Section lan")
struct ConfigurationLANTests {
    private func parse(_ yaml: String) throws -> Configuration {
        try .parse(yaml: yaml, file: "baton.yaml", environment: [:])
    }

    @Test("an empty section serves the usual port")
    func defaults() throws {
        let lan = try #require(parse("lan:\n").lan)
        #expect(lan.listen == Endpoint.everywhere(port: 4443))
        #expect(lan.identity == "/var/lib/baton/lan-identity.pem")
        #expect(lan.engine.rooms.isEmpty)
    }

    @Test("rooms have their secrets, rules and limits")
    func rooms() throws {
        let lan = try #require(
            parse(
                """
                lan:
                  rooms:
                    - {name: party, password: swordfish, tokens: [one, two], gateway_password: host, isolated: true, protected: [192.168.1.1]}
                    - name: open
                  registered_rooms_only: true
                  bytes_per_second: 1000
                """
            ).lan)
        let engine = lan.engine
        #expect(engine.rooms["party"]?.secrets == ["swordfish", "one", "two"])
        #expect(engine.rooms["party"]?.gatewaySecret == "host" && engine.rooms["open"]?.gatewaySecret == nil)
        #expect(engine.rooms["party"]?.isIsolated == true)
        #expect(engine.rooms["party"]?.protected == [IPAddress(ipv4: 0xC0A8_0101)])
        #expect(engine.rooms["open"]?.secrets == [])
        #expect(engine.requiresRegistration)
        #expect(engine.limits.bytes.perSecond == 1000)
    }

    @Test(
        "what cannot be is said with its place",
        arguments: [
            ("lan:\n  rooms: [{name: 'a b'}]\n", "a room's name has 1 to 64"),
            ("lan:\n  rooms: [{name: a}, {name: a}]\n", "'a' is there already"),
            ("lan:\n  certificate: /c.pem\n", "a certificate needs its key"),
            ("lan:\n  key: /k.pem\n", "a certificate needs its key"),
            ("lan:\n  identity: ''\n", "lan.identity is empty"),
            ("lan:\n  listen: ['127.0.0.1:9', '127.0.0.1:9']\n", "is also in"),
            ("lan:\n  rooms: [{name: a, protected: [nobody]}]\n", "is not an address"),
        ])
    func mistakes(yaml: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try parse(yaml) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}
