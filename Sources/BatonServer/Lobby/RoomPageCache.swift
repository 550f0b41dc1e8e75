import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import Netplay
import RelayCore
import RelayNIO

/// The page of rooms, made anew when a room has changed, but at most once a second: with many rooms something always
/// changes.
final class RoomPageCache: Sendable {
    private struct Rendered {
        var html: ByteBuffer
        var revision: UInt64
        var made: Instant
    }

    private let rendered = NIOLockedValueBox<Rendered?>(nil)

    /// How old a page may be although a room has changed, and how old although none has: rooms also run out.
    private static let (leastAge, mostAge) = (Duration.seconds(1), Duration.seconds(5))

    func response(of desk: LobbyDesk) -> Response {
        var headers = Self.securityHeaders
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.cacheControl] = "no-store"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: html(of: desk)))
    }

    private func html(of desk: LobbyDesk) -> ByteBuffer {
        let (now, revision) = (Instant.now, desk.revision)
        let kept = rendered.withLockedValue { $0 }
        if let kept, now - kept.made < (kept.revision == revision ? Self.mostAge : Self.leastAge) { return kept.html }
        let html = ByteBuffer(string: RoomPage.html(of: desk.rooms(), isDraining: desk.isDraining))
        rendered.withLockedValue { $0 = Rendered(html: html, revision: revision, made: now) }
        return html
    }

    /// Nothing runs on the page and nothing is loaded but its style, whatever gets into it.
    private static let securityHeaders: HTTPFields = {
        var headers = HTTPFields()
        let policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        return headers
    }()
}

extension RoomPage {
    static var style: Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/css; charset=utf-8", .cacheControl: "max-age=3600"],
            body: .init(byteBuffer: ByteBuffer(string: css)))
    }

    private static let css = """
        :root {
          color-scheme: light dark;
          --back: #f4f5f7; --card: #ffffff; --text: #1c2330; --dim: #5b6575; --line: #dde1e8; --link: #1f5fbf;
          --good: #166b34; --good-back: #dff3e5; --bad: #9a2a1c; --bad-back: #fbe4e0; --plain-back: #e9edf4;
          --locked: #7a5200; --locked-back: #fbf0d5;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #12151b; --card: #1b2029; --text: #e6eaf1; --dim: #9aa5b6; --line: #2c3441; --link: #86b4ff;
            --good: #8be0a6; --good-back: #173824; --bad: #ffab9e; --bad-back: #45201b; --plain-back: #28303d;
            --locked: #f3cf7a; --locked-back: #3c3016;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--back); color: var(--text);
          font: 1rem/1.5 system-ui, sans-serif;
        }
        a { color: var(--link); }
        h1 { margin: .5rem 0 0; font-size: 1.75rem; line-height: 1.2; }
        header p, footer { color: var(--dim); }
        main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
        article {
          min-width: 0; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
        }
        h2 { margin: 0; font-size: 1.125rem; line-height: 1.3; overflow-wrap: anywhere; }
        .host { margin: .125rem 0 .5rem; color: var(--dim); overflow-wrap: anywhere; }
        .host strong { color: var(--text); }
        .country { white-space: nowrap; }
        .badges { display: flex; flex-wrap: wrap; gap: .375rem; margin: 0 0 .75rem; padding: 0; list-style: none; }
        .badges li {
          padding: .0625rem .5rem; border-radius: 1rem; background: var(--plain-back); font-size: .8125rem;
          overflow-wrap: anywhere;
        }
        .badges .good { background: var(--good-back); color: var(--good); }
        .badges .bad { background: var(--bad-back); color: var(--bad); }
        .badges .locked { background: var(--locked-back); color: var(--locked); }
        dl { margin: 0; font-size: .875rem; }
        dl div { display: flex; gap: .5rem; }
        dt { flex: 0 0 6rem; color: var(--dim); }
        dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
        .join { margin: .75rem 0 .25rem; color: var(--dim); font-size: .8125rem; }
        pre {
          margin: 0; padding: .5rem; background: var(--back); border: 1px solid var(--line); border-radius: .375rem;
          font-size: .8125rem; white-space: pre-wrap; overflow-wrap: anywhere;
        }

        """
}
