import Foundation
import Testing

extension LifecycleTests {
    /// What the dashboard is made of; that it works is shown in a real browser (scripts/interop/dashboard).
    @Suite struct Dashboard {
        private static let configuration = """
            json: {listen: "127.0.0.1:0"}
            admin: {listen: "127.0.0.1:0", token: open-sesame}

            """

        @Test(
            arguments: [
                ("/", "text/html"), ("/dashboard.css", "text/css"), ("/dashboard.js", "text/javascript"),
                ("/graphs.js", "text/javascript"), ("/text.js", "text/javascript"),
            ])
        func everybodyMayLoadThePage(_ path: String, _ type: String) async throws {
            try await withServer(Self.configuration) { server in
                let page = try await server.admin().get(path)
                #expect(page.status == 200 && !page.body.isEmpty)
                #expect(page.headers["content-type"] == "\(type); charset=utf-8")
                #expect(page.headers["x-content-type-options"] == "nosniff")
                let policy = try #require(page.headers["content-security-policy"])
                #expect(
                    policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe") && !policy.contains("http"))
                #expect(policy.contains("frame-ancestors 'none'"))
            }
        }

        /// A script that never makes markup of a text cannot be tricked into it.
        @Test func thePageMakesNoMarkupOfText() async throws {
            try await withServer(Self.configuration) { server in
                let admin = try await server.admin()
                var script = ""
                for file in ["dashboard", "graphs", "text"] { script += try await admin.get("/\(file).js").body }
                for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                    #expect(!script.contains(way), "\(way)")
                }
                let page = try await admin.get("/").body
                #expect(page.firstMatch(of: /\son[a-z]+=/) == nil)
                #expect(page.firstMatch(of: /<script(?! src="dashboard.js")/) == nil)
                #expect(page.firstMatch(of: /\sstyle=/) == nil)
            }
        }

        @Test func historyIsGuardedAndBeginsEmpty() async throws {
            try await withServer(Self.configuration) { server in
                #expect(try await server.admin().get("/api/v1/history").status == 401)
                let reply = try await server.admin(token: "open-sesame").get("/api/v1/history?since=99999999999")
                #expect(reply.status == 200)
                struct History: Decodable {
                    struct Point: Decodable { var time: Int }
                    var intervalSeconds: Int
                    var points: [Point]
                }
                let history = try reply.decode(History.self)
                #expect(history.intervalSeconds == 10 && history.points.isEmpty)
            }
        }
    }
}
