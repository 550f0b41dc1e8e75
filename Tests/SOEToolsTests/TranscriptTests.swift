import Captures
import NIOCore
import RelayCore
import RelayTesting
import SOE
import SOETools
import Testing

@Suite("Transcripts of captured sessions")
struct TranscriptTests {
    private let client = Endpoint(address: IPAddress(ipv4: 0xC000_0201), port: 5000)
    private let server = Endpoint(address: IPAddress(ipv4: 0xC000_0202), port: 20260)

    private func captured(_ bytes: [UInt8], fromClient: Bool, at time: Int64 = 0) -> CapturedDatagram {
        CapturedDatagram(
            time: time, source: fromClient ? client : server, destination: fromClient ? server : client,
            payload: ByteBuffer(bytes: bytes), isCut: false)
    }

    /// An echo's session, with what went over the wire.
    private func session(_ parameters: SOEParameters, sizes: [Int]) -> [CapturedDatagram] {
        var plan = PingEngine.Plan()
        plan.count = sizes.count
        plan.sizes = sizes
        plan.parameters = parameters
        var ping = PingEngine(plan: plan, random: .seeded(1))
        var echo = EchoEngine(parameters: parameters, random: .seeded(2))
        var now = Instant.zero
        var wire: [CapturedDatagram] = []
        var up = DatagramOutbox()
        ping.connect(to: server, at: now, into: &up)
        while !ping.isFinished, now.nanoseconds < 60_000_000_000 {
            ping.advance(to: now, into: &up)
            var down = DatagramOutbox()
            for index in 0..<up.datagramCount {
                let datagram = up.datagram(at: index).bytes
                wire.append(captured(Array(datagram.readableBytesView), fromClient: true, at: now.nanoseconds))
                echo.receive(datagram, from: client, at: now, into: &down)
            }
            up.removeAll()
            echo.advance(to: now, into: &down)
            for index in 0..<down.datagramCount {
                let datagram = down.datagram(at: index).bytes
                wire.append(captured(Array(datagram.readableBytesView), fromClient: false, at: now.nanoseconds))
                ping.receive(datagram, from: server, at: now, into: &up)
            }
            now = now.after(1_000_000)
        }
        #expect(ping.result.isOK(for: plan))
        return wire
    }

    @Test(
        "Every message of a session is there, in every dialect", arguments: SOEDialect.all.map(\.name), [false, true])
    func messages(dialect: String, isEncrypted: Bool) throws {
        var parameters = SOEParameters()
        parameters.dialect = try #require(SOEDialect.named(dialect))
        parameters.compression = true
        parameters.key = isEncrypted ? RC4Key(Array(1...16)) : nil
        let sizes = [1, 40, 600, 3000]
        var settings = Transcript.Settings()
        settings.dialect = parameters.dialect
        settings.key = parameters.key
        var transcript = Transcript(settings: settings)
        let lines = session(parameters, sizes: sizes).flatMap { transcript.lines(for: $0) }
        let messages = lines.filter { $0.hasPrefix("    message channel=0") }
        for size in sizes { #expect(messages.count { $0.contains("bytes=\(size):") } == 2) }
        #expect(messages.count == 2 * sizes.count)
        #expect(lines.contains { $0.contains("Disconnect session=") && $0.contains("reason=6 (application)") })
        #expect(lines[0].contains("#1 > SessionRequest version=\(parameters.dialect.version)"))
        #expect(lines[0].hasSuffix("(192.0.2.1:5000 to 192.0.2.2:20260)"))
        #expect(!lines.contains { $0.contains("not understood") })
        #expect(transcript.conversationCount == 1)
    }

    @Test("Sequences and acknowledgements are told, and what comes early or again")
    func packets() {
        var transcript = Transcript()
        func lines(_ hex: String, fromClient: Bool = true) -> [String] {
            transcript.lines(for: captured(bytes(hex: hex) ?? [], fromClient: fromClient))
        }
        _ = lines("000100000003 00000001 00000200 54657374 00".replacing(" ", with: ""))
        _ = lines("0002 00000001 00000005 00 00 00 00000200 00000003".replacing(" ", with: ""), fromClient: false)
        #expect(lines("000900016162")[0].hasSuffix("ReliableData channel=0 sequence=1 bytes=2 (ahead of its turn)"))
        let both = lines("000900006364")
        #expect(both[1] == "    message channel=0 bytes=2: 63 64  |cd|")
        #expect(both[2] == "    message channel=0 bytes=2: 61 62  |ab|")
        #expect(lines("000900006364")[0].hasSuffix("(again)"))
        #expect(lines("00110007", fromClient: false) == ["0.000000 #1 < Acknowledge channel=0 sequence=7"])
        #expect(lines("00180007")[0].hasSuffix("AcknowledgeAll channel=3 sequence=7"))
        #expect(lines("68656c6c6f")[0].hasSuffix("Unreliable bytes=5: 68 65 6c 6c 6f  |hello|"))
        #expect(lines("0003 02 0006 04 00150009".replacing(" ", with: "")).count == 3)
        #expect(lines("0003ff")[1].contains("not understood"))
    }

    @Test("A conversation whose beginning is missing is read as well as can be")
    func midway() {
        var transcript = Transcript()
        let lines = transcript.lines(for: captured(bytes(hex: "000900006364ffff") ?? [], fromClient: true))
        #expect(lines.last == "    message channel=0 bytes=2: 63 64  |cd|")
        #expect(transcript.lines(for: captured(Array("GET /".utf8), fromClient: false))[0].contains("Unreliable"))
        var other = Transcript()
        #expect(other.lines(for: captured(Array("GET /".utf8), fromClient: false)).isEmpty)
        #expect(other.conversationCount == 0)
    }

    @Test("A name cannot reach a terminal's controls")
    func names() {
        var transcript = Transcript()
        let hex = "00010000000300000001000002001b5b324a00"
        #expect(
            transcript.lines(for: captured(bytes(hex: hex) ?? [], fromClient: true))[0].contains("protocol=?[2J"))
    }
}
