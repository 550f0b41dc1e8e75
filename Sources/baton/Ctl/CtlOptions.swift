import ArgumentParser
import BatonServer
import Foundation

/// Which server, and how its answer is shown.
struct CtlOptions: ParsableArguments {
    @Option(help: "Where the server's admin listener is. The variable BATON_CTL_SERVER says it too.")
    var server: String?

    @Option(help: "The file that has the token. Without it the variable BATON_CTL_TOKEN counts.", completion: .file())
    var tokenFile: String?

    @Flag(help: "Print what the server answers: a JSON object, or nothing.")
    var json = false

    /// Sends a request, and prints the answer as it is or as `text` makes it readable.
    func run<Answer: Decodable>(
        _ method: String, _ path: String, body: [String: Any]? = nil, as type: Answer.Type,
        text: (Answer) -> [String]
    ) async throws {
        let answer = try await send(method, path, body: body)
        if json {
            StandardOutput.write(String(decoding: answer, as: UTF8.self) + "\n")
            return
        }
        guard let content = try? JSONDecoder().decode(type, from: answer) else {
            throw BatonError(.unavailable, "the server's answer is not what this version of baton knows")
        }
        StandardOutput.write(text(content).map { $0 + "\n" }.joined())
    }

    /// Sends a request that has no answer but that it was done.
    func run(_ method: String, _ path: String) async throws {
        _ = try await send(method, path, body: nil)
    }

    private func send(_ method: String, _ path: String, body: [String: Any]?) async throws -> Data {
        let data = try body.map { try JSONSerialization.data(withJSONObject: $0) }
        do {
            return try await client.send(method, path, json: data)
        } catch let refusal as AdminClient.Refusal {
            let message = TerminalText.clean(refusal.description, atMost: 2000)
            if refusal.status == 401 || refusal.status == 403 { throw BatonError(.noPermission, message) }
            StandardError.write(message + "\n")
            throw ExitCode.failure
        }
    }

    /// Prints what `text` makes of each event of a stream, until the stream ends.
    func follow(_ path: String, text: @escaping @Sendable (Data) -> String?) async throws {
        do {
            try await client.follow(path) { data in text(data).map { StandardOutput.write($0 + "\n") } }
        } catch let refusal as AdminClient.Refusal {
            throw BatonError(.noPermission, TerminalText.clean(refusal.description, atMost: 2000))
        }
    }

    private var client: AdminClient {
        get throws {
            let environment = ProcessInfo.processInfo.environment
            var token = environment["BATON_CTL_TOKEN"]
            if let tokenFile {
                do {
                    token = try String(contentsOfFile: tokenFile, encoding: .utf8)
                } catch {
                    throw BatonError(.configuration, "\(tokenFile) cannot be read", cause: error)
                }
            }
            let trimmed = token?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
            return AdminClient(
                server: server ?? environment["BATON_CTL_SERVER"] ?? "127.0.0.1:9550",
                token: trimmed.isEmpty ? nil : Secret(trimmed))
        }
    }
}

/// A cell of a table; strangers choose some of what stands in there.
func cell(_ text: String?) -> String { TerminalText.clean(text ?? "", atMost: 64) }
