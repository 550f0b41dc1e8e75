import Foundation
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite struct RoomPageTests {
    private func page(_ changes: [String: String] = Announced.relayed(), change: (inout LobbyRoom) -> Void = { _ in })
        throws -> String
    {
        var room = try LobbyRoom.sample(changes)
        change(&room)
        return RoomPage.html(of: [room], isDraining: false)
    }

    @Test func aRelayedRoomSaysHowToJoin() throws {
        let html = try page()
        #expect(html.contains("<h2><bdi>loop</bdi></h2>"))
        #expect(html.contains("<strong><bdi>hosty</bdi></strong>"))
        #expect(html.contains("<li class=\"plain\">Relay <bdi>nyc</bdi></li>"))
        #expect(
            html.contains("<pre><code>retroarch -C &#39;relay.example.org|55435|Vp8eSjN+k8m9gVUR&#39;</code></pre>"))
        #expect(html.contains("\u{1F1E6}\u{1F1F9} AT"))
        #expect(!html.contains("Password") && !html.contains("Players"))
    }

    @Test func aDirectRoomSaysWhetherItCanBeReached() throws {
        #expect(try page([:]).contains("<li class=\"bad\">Not reachable</li>"))
        let html = try page([:]) { $0.isConnectable = true }
        #expect(html.contains("<li class=\"good\">Reachable</li>") && html.contains("<li class=\"plain\">Direct</li>"))
        #expect(html.contains("retroarch -C &#39;192.0.2.7|45435&#39;"))
        #expect(try page([:]) { $0.isRetroArch = false }.contains("Not RetroArch"))
    }

    @Test func locksAndPeopleAreShown() throws {
        let html = try page(["has_password": "1", "has_spectate_password": "1", "player_count": "3"])
        #expect(html.contains("Password to play") && html.contains("Password to watch"))
        #expect(html.contains("<dt>Players</dt><dd>3</dd>"))
        let more = try page(["player_count": "0", "spectator_count": "2"])
        #expect(more.contains("<dt>Players</dt><dd>0, and 2 watching</dd>"))
    }

    /// Everything a stranger can put on the page, in every field he can put it.
    @Test func strangersCannotWriteHTML() throws {
        let evil = #"<script>alert('x')</script>"&amp;<!--"#
        var changes = Announced.relayed()
        for field in ["core_name", "core_version", "game_name", "frontend", "subsystem_name"] {
            changes[field] = field + evil
        }
        changes["username"] = "<b>\"'&</b>"
        changes["retroarch_version"] = "<i>'\"&"
        changes["game_crc"] = "<a>\"'&</"
        changes["mitm_session"] = "'; rm -rf ~ #<s>"
        let html = try page(changes)
        for tag in ["<script", "<b>", "<i>", "<a>", "<s>", "<!--", "alert('"] { #expect(!html.contains(tag), "\(tag)") }
        #expect(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;amp;&lt;!--"))
        // Whoever copies a command runs it.
        #expect(!html.contains("rm -rf"))
        #expect(!html.contains("retroarch -C"))
    }

    /// A mark that turns the direction of text must not turn what stands beside it.
    @Test func textsOfStrangersAreIsolated() throws {
        let html = try page(Announced.relayed(["game_name": "\u{202E}evil\u{7}\u{1B}[31m\u{2029}"]))
        #expect(html.contains("<bdi>\u{202E}evil  [31m </bdi>"))
        #expect(!html.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
    }

    @Test func anEmptyPageSaysSo() {
        #expect(RoomPage.html(of: [], isDraining: false).contains("Nobody is hosting at the moment."))
        #expect(RoomPage.html(of: [], isDraining: true).contains("about to restart"))
    }

    /// Every element that is opened is closed, in turn, whatever the rooms are.
    @Test func thePageIsWellFormed() throws {
        let rooms = try [
            LobbyRoom.sample(), .sample(Announced.relayed(["game_name": "<x>&"])), .sample(["player_count": "1"]),
        ]
        var open: [Substring] = []
        let html = RoomPage.html(of: rooms, isDraining: false)
        for tag in html.matches(of: /<(\/?)([a-z0-9]+)[^>]*>/) where !["meta", "link"].contains(tag.2) {
            if tag.1.isEmpty {
                open.append(tag.2)
            } else {
                #expect(open.popLast() == tag.2)
            }
        }
        #expect(open == [])
    }

    @Test func nothingForeignIsLoaded() throws {
        let html = try page()
        for word in ["http:", "https:", "//", "<script", "style=", "onclick", "src="] {
            #expect(!html.contains(word), "\(word)")
        }
    }
}
