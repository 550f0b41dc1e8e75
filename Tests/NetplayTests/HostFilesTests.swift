import Netplay
import Testing

@Suite("What may be hosted, and how it is announced")
struct HostFilesTests {
    private static let info = """
        # Software Information
        display_name = "Nintendo - NES (Nestopia UE)"
        supported_extensions = "nes|FDS"
        corename = "Nestopia"
        display_version = "1.51.1"
        savestate = "true"
        savestate_features = "serialized"
        """

    @Test func aCoreIsDescribedByItsFile() throws {
        let core = try #require(CoreDescription(Self.info))
        #expect(core.name == "Nestopia" && core.version == "1.51.1")
        #expect(core.extensions == ["nes", "fds"])
        #expect(core.hasSavestates)
        let hosted = try #require(CoreDescription(core.textForHosting))
        #expect(hosted.name == core.name && hosted.extensions == core.extensions)
        let levels = core.textForHosting.split(separator: "\n").filter { $0.hasPrefix("savestate_features") }
        #expect(levels == ["savestate_features = \"deterministic\""])
    }

    @Test func coresWithoutSavestatesAreKnown() throws {
        for (old, new) in [("\"serialized\"", "\"basic\""), ("savestate = \"true\"", "savestate = \"false\"")] {
            #expect(try #require(CoreDescription(Self.info.replacing(old, with: new))).hasSavestates == false)
        }
        #expect(CoreDescription("") == nil)
        #expect(CoreDescription("corename = \"\"\n= \"x\"\n=\nx=\"") == nil)
    }

    @Test func contentIsFoundByItsNameAlone() throws {
        let core = try #require(CoreDescription(Self.info))
        let paths = [
            "/c/b/loop.nes", "/c/a/loop.NES", "/c/loop.zip", "/c/loop", "/c/.nes", "/c/loop.", "/c/two.dots.fds",
        ]
        let table = ContentTable(paths.compactMap(ContentFile.init))
        #expect(table.count == 4)
        #expect(table.files(named: "loop", for: core).map(\.path) == ["/c/a/loop.NES", "/c/b/loop.nes"])
        #expect(table.files(named: "two.dots", for: core).map(\.path) == ["/c/two.dots.fds"])
        for name in ["", ".", "..", "../a/loop", "a/loop", "/c/a/loop", "loop.nes", "LOOP", "loop\u{0}", "*", "two"] {
            #expect(table.files(named: name, for: core).isEmpty, "\(name)")
        }
    }

    private func announcement(_ way: HostAnnouncement.Way) -> HostAnnouncement {
        HostAnnouncement(
            nick: "Me & You", coreName: "Nestopia", coreVersion: "1.52.0 ", gameName: "Löp=1", gameCRC: 0xAB, way: way,
            hasPassword: true, retroArchVersion: "1.14.0", playerCount: 2)
    }

    @Test func aDirectHostIsAnnouncedAsRetroArchWould() {
        #expect(
            announcement(.direct(port: 55500)).form
                == "username=Me%20%26%20You&core_name=Nestopia&core_version=1.52.0%20&game_name=L%C3%B6p%3D1"
                + "&game_crc=000000AB&port=55500&mitm_server=&has_password=1&has_spectate_password=0&force_mitm=0"
                + "&retroarch_version=1.14.0&frontend=baton&subsystem_name=N%2FA&mitm_session=&mitm_custom_addr="
                + "&mitm_custom_port=0&player_count=2&spectator_count=0")
    }

    /// Base64 has `+` and `/`, of which a form would make something else.
    @Test func aRelayedHostIsAnnouncedWithItsSession() throws {
        let session = try #require(TunnelID("+/bhU6O6BXl7Gfy/"))
        let form = announcement(.relay(host: "relay.example.org", port: 55435, session: session)).form
        for field in [
            "port=55435", "mitm_server=custom", "force_mitm=1", "mitm_session=%2B%2FbhU6O6BXl7Gfy%2F",
            "mitm_custom_addr=relay.example.org", "mitm_custom_port=55435",
        ] {
            #expect(form.split(separator: "&").contains(Substring(field)), "\(field)")
        }
    }
}
