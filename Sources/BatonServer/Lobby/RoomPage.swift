import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import Netplay
import RelayCore

/// The list of rooms for people: one page that needs nothing but itself and its style.
struct RoomPage {
    private var html = ""

    static func html(of rooms: [LobbyRoom], isDraining: Bool) -> String {
        var page = RoomPage()
        page.head(rooms.count, isDraining: isDraining)
        for room in rooms { page.card(room) }
        page.foot()
        return page.html
    }

    private mutating func head(_ count: Int, isDraining: Bool) {
        let summary =
            switch (isDraining, count) {
            case (true, _): "This lobby is about to restart. Rooms will be back in a moment."
            case (_, 0): "Nobody is hosting at the moment."
            case (_, 1): "1 room is open."
            default: "\(count) rooms are open."
            }
        html += """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="referrer" content="no-referrer">
            <title>Netplay rooms</title>
            <link rel="stylesheet" href="style.css">
            </head>
            <body>
            <header>
            <h1>Netplay rooms</h1>
            <p>\(summary) <a href=".">Refresh</a></p>
            </header>
            <main>

            """
    }

    private mutating func card(_ room: LobbyRoom) {
        let content = room.content
        html += "<article>\n<h2>\(text(content.gameName, or: "No game"))</h2>\n"
        html += "<p class=\"host\">hosted by <strong>\(text(content.username, or: "Anonymous"))</strong>"
        html += room.country.isEmpty ? "" : " <span class=\"country\">\(Self.flag(of: room.country))</span>"
        html += "</p>\n<ul class=\"badges\">\n"
        for badge in Self.badges(of: room) { html += "<li class=\"\(badge.kind)\">\(badge.label)</li>\n" }
        html += "</ul>\n<dl>\n"
        fact("Core", text("\(content.coreName) \(content.coreVersion)", or: "unknown"))
        if !content.subsystemName.isEmpty, content.subsystemName != "N/A" {
            fact("Subsystem", text(content.subsystemName, or: ""))
        }
        if let players = Self.people(in: room) { fact("Players", players) }
        fact("RetroArch", text("\(content.retroarchVersion) \(content.frontend)", or: "unknown"))
        fact("Open since", "<time datetime=\"\(room.created)\">\(Self.shown(room.created))</time>")
        html += "</dl>\n"
        if let command = Self.command(joining: room) {
            html += "<p class=\"join\">Join from a command line, with your core and the game:</p>\n"
            html += "<pre><code>\(Self.escaped(command))</code></pre>\n"
        }
        html += "</article>\n"
    }

    private mutating func fact(_ name: String, _ value: String) {
        html += "<div><dt>\(name)</dt><dd>\(value)</dd></div>\n"
    }

    private mutating func foot() {
        html += """
            </main>
            <footer>
            <p>Hosting without a relay? <a href="api/v1/reachability?port=55435">See whether your port 55435 can be \
            reached.</a> For programs: <a href="list">the list as JSON</a>.</p>
            </footer>
            </body>
            </html>

            """
    }
}

// MARK: What a room says

extension RoomPage {
    private static func badges(of room: LobbyRoom) -> [(kind: String, label: String)] {
        var badges: [(kind: String, label: String)] = []
        if let relay = room.content.relay {
            badges.append(("plain", "Relay <bdi>\(escaped(relay.name))</bdi>"))
        } else {
            badges.append(("plain", "Direct"))
        }
        if room.content.relay == nil {
            badges.append(room.isConnectable ? ("good", "Reachable") : ("bad", "Not reachable"))
        }
        if room.content.hasPassword { badges.append(("locked", "Password to play")) }
        if room.content.hasSpectatePassword { badges.append(("locked", "Password to watch")) }
        if !room.isRetroArch { badges.append(("bad", "Not RetroArch")) }
        return badges
    }

    private static func people(in room: LobbyRoom) -> String? {
        guard room.playerCount >= 0 else { return nil }
        return room.spectatorCount >= 0
            ? "\(room.playerCount), and \(room.spectatorCount) watching" : "\(room.playerCount)"
    }

    /// What a guest can type. Only what means nothing to a shell gets into it.
    static func command(joining room: LobbyRoom) -> String? {
        guard let relay = room.content.relay else {
            return "retroarch -C '\(room.content.address)|\(room.content.port)'"
        }
        guard let session = TunnelID(relay.session), LobbyRelay.isHost(relay.address.host) else { return nil }
        return "retroarch -C '\(relay.address.host)|\(relay.address.port)|\(session)'"
    }

    private static func shown(_ time: Timestamp) -> String {
        let text = "\(time)"
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
    }

    /// The letters of a country as its flag, with the letters for readers who see no flags.
    private static func flag(of country: String) -> String {
        let code = country.uppercased()
        let letters = code.unicodeScalars.compactMap { Unicode.Scalar(0x1F1E6 + $0.value - 0x41) }
        return "\(String(String.UnicodeScalarView(letters))) \(code)"
    }

    /// Text of strangers, which changes neither the page nor the direction of what stands beside it.
    private func text(_ text: String, or substitute: String) -> String {
        let isBlank = text.allSatisfy(\.isWhitespace)
        return isBlank ? substitute : "<bdi>\(Self.escaped(text))</bdi>"
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
