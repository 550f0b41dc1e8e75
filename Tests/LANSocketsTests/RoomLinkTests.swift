import LANSockets
import QUICTransport
import Testing

@Suite("Links to rooms")
struct RoomLinkTests {
    private static let pin = String(repeating: "ab", count: 32)

    @Test(
        "a link says what it was made of",
        arguments: [
            RoomLink(host: "relay.example.org", room: "party"),
            RoomLink(host: "192.0.2.1", port: 1, room: "a.b-c_D9", fingerprint: CertificateFingerprint(Self.pin)),
            RoomLink(
                host: "2001:db8::1", port: 65_535, room: "x", secret: "p@ss/word#? ü%",
                fingerprint: CertificateFingerprint(Self.pin)),
        ])
    func roundTrip(link: RoomLink) {
        #expect(RoomLink("\(link)") == link)
    }

    @Test("a port that is usual may be left out, and a fingerprint may have colons")
    func shortForms() throws {
        let colons = Array(repeating: "ab", count: 32).joined(separator: ":")
        let link = try #require(RoomLink("BATON://[2001:db8::1]/party#\(colons)"))
        #expect(link.port == 4443)
        #expect(link.host == "2001:db8::1")
        #expect(link.fingerprint?.description == Self.pin)
        #expect(link.secret == nil)
    }

    @Test(
        "what is no link is none",
        arguments: [
            "", "baton:", "baton://", "http://relay/party", "baton://relay", "baton://relay/", "baton:///party",
            "baton://relay/pa rty", "baton://relay:0/party", "baton://relay:70000/party", "baton://relay:x/party",
            "baton://[2001:db8::1/party", "baton://@relay/party", "baton://%zz@relay/party", "baton://%f@relay/party",
            "baton://%ff@relay/party", "baton://relay/party#", "baton://relay/party#abc", "baton://re lay/party",
            "baton://relay/\(String(repeating: "x", count: 65))", "baton://relay;reboot/party",
        ])
    func refused(text: String) {
        #expect(RoomLink(text) == nil)
    }
}
