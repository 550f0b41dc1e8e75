import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton netplay join --exec`: the program is there as long as the bridge, and the bridge as long as the program.
    @Suite struct JoiningWithAProgram {
        /// Nobody needs to be there for the program to run.
        private static let anywhere = ["netplay", "join", "127.0.0.1:1", "--session", "AAAAAAAAAAAAAAAB"]

        private func start(_ script: String, _ arguments: [String] = []) throws -> ChildProcess {
            try ChildProcess(arguments: Self.anywhere + ["--exec", "/bin/sh", "-c", script, "sh"] + arguments)
        }

        @Test(arguments: [0, 7, 255]) func theExitCodeIsTheProgram(_ code: Int32) async throws {
            let process = try start("exit $1", ["\(code)"])
            #expect(try await process.exit() == .code(code))
        }

        @Test func aProgramThatASignalEndedHasTheShellsCode() async throws {
            let process = try start("kill -KILL $$")
            #expect(try await process.exit() == .code(128 + SIGKILL))
        }

        @Test func aProgramThatIsNotThereIsSaid() async throws {
            for program in ["no-such-program", "/nonexistent/program"] {
                let outcome = try await run(Self.anywhere + ["--exec", program])
                #expect(outcome.exit == .code(69))
                #expect(outcome.errors.first?.hasPrefix("\(program) cannot be started") == true, "\(outcome.errors)")
            }
        }

        @Test func whatRetroArchWantsToHearIsAdded() async throws {
            let process = try start(#"printf '%s\n' "$@""#, ["-L", "core.so", "two words"])
            #expect(try await process.exit() == .code(0))
            let lines = process.output.all
            #expect(lines.prefix(6) == ["-L", "core.so", "two words", "-C", "127.0.0.1", "--port"])
            #expect(lines.count == 7 && Int(lines.last ?? "") != nil)
        }

        @Test func placesInTheArgumentsAreFilled() async throws {
            let process = try start(#"printf '%s\n' "$@""#, ["--host={host}", "{port}", "{core}", "{{port}}"])
            #expect(try await process.exit() == .code(0))
            let lines = process.output.all
            let port = try #require(lines.dropFirst().first)
            #expect(Int(port) != nil)
            #expect(lines == ["--host=127.0.0.1", port, "{core}", "{\(port)}"])
        }

        @Test func theProgramPlaysThroughTheBridge() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let script = "exec 3<>/dev/tcp/$1/$2; printf hello >&3; head -c 5 <&3; exit 3"
                let process = try ChildProcess(
                    arguments: Bridge.arguments(into: host) + [
                        "--exec", "/bin/bash", "-c", script, "sh", "{host}", "{port}",
                    ],
                    environment: ["PATH": "/usr/bin:/bin"])
                defer { process.send(SIGKILL) }
                let link = try await host.link()
                #expect(try await link.read(5) == Array("hello".utf8))
                link.write(Array("world".utf8))
                #expect(try await process.exit() == .code(3))
                #expect(process.output.all == ["world"])
                #expect(try await link.readToEnd().readableBytes == 0)
            }
        }

        @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGQUIT])
        func signalsArePassedOn(_ signal: Int32) async throws {
            let process = try start(
                "trap 'echo caught; exit 42' TERM INT HUP QUIT; echo ready; while :; do sleep 0.02; done")
            defer { process.send(SIGKILL) }
            _ = try await process.output.first("the program runs") { $0 == "ready" }
            process.send(signal)
            #expect(try await process.exit() == .code(42))
            #expect(process.output.all == ["ready", "caught"])
        }

        @Test func aProgramThatTakesNoHeedIsWaitedFor() async throws {
            let process = try start("trap '' TERM; trap 'exit 5' INT; echo ready; while :; do sleep 0.02; done")
            defer { process.send(SIGKILL) }
            _ = try await process.output.first("the program runs") { $0 == "ready" }
            process.send(SIGTERM)
            process.send(SIGINT)
            #expect(try await process.exit() == .code(5))
        }

        /// The program inherits no ignored signal: it can be ended as if it had been started without a bridge.
        @Test func aProgramWithoutAHandlerIsEndedByTheSignal() async throws {
            let process = try start("echo $$; exec sleep 60")
            defer { process.send(SIGKILL) }
            let line = try await process.output.first("the program runs") { _ in true }
            let program = try #require(Int32(line))
            process.send(SIGTERM)
            #expect(try await process.exit() == .code(128 + SIGTERM))
            #expect(kill(program, 0) == -1 && errno == ESRCH)
        }

        @Test func jsonComesBeforeTheProgramsOutput() async throws {
            let process = try ChildProcess(
                arguments: Self.anywhere + ["--json", "--exec", "/bin/sh", "-c", "echo started"])
            #expect(try await process.exit() == .code(0))
            #expect(process.output.all.first?.hasPrefix("{") == true)
            #expect(process.output.all.last == "started")
            #expect(process.output.all.count == 2)
        }
    }
}
