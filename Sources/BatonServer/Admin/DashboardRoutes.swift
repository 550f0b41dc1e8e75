import HTTPTypes
import Hummingbird
import NIOCore

/// The page at the admin listener's `/`. It has no secrets: it asks the API with the token that its user gives it.
enum DashboardRoutes {
    static func add<Context: RequestContext>(to router: Router<Context>) {
        add("/", "text/html; charset=utf-8", PackageResources.dashboard_html, to: router)
        add("/dashboard.css", "text/css; charset=utf-8", PackageResources.dashboard_css, to: router)
        add("/dashboard.js", "text/javascript; charset=utf-8", PackageResources.dashboard_js, to: router)
        add("/graphs.js", "text/javascript; charset=utf-8", PackageResources.graphs_js, to: router)
        add("/text.js", "text/javascript; charset=utf-8", PackageResources.text_js, to: router)
    }

    private static func add<Context: RequestContext>(
        _ path: RouterPath, _ type: String, _ bytes: [UInt8], to router: Router<Context>
    ) {
        let response = Response(
            status: .ok, headers: headers(type), body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        router.get(path) { _, _ in response }
    }

    /// Nothing foreign is loaded or run, nobody frames the page, and no browser keeps an old one after an update.
    private static func headers(_ type: String) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-cache", .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy:
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                + "require-trusted-types-for 'script'; trusted-types 'none'",
            .crossOriginResourcePolicy: "same-origin",
        ]
        for (name, value) in [("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin")] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }
}
