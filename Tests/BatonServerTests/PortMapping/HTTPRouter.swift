import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A router's HTTP side on loopback: its description, and SOAP answers as a test wants them.
final class HTTPRouter: Sendable {
    /// A call of the control protocol.
    struct Call: Equatable {
        /// Such as `AddPortMapping`.
        var action: String
        var service: String
        var arguments: [String: String]
    }

    enum Reply {
        case done([String: String] = [:])
        case fault(Int)
        /// The connection is closed without a word.
        case hangUp
    }

    private let calls = NIOLockedValueBox<[Call]>([])
    private let services: [String]
    private let reply: @Sendable (Call) -> Reply
    private let channel: any Channel

    /// Runs a router that describes itself by these services for as long as `body` takes.
    static func with(
        services: [String] = ["WANIPConnection:1"], _ reply: @escaping @Sendable (Call) -> Reply,
        _ body: (HTTPRouter) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let inbox = NIOLockedValueBox<HTTPRouter?>(nil)
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let router = inbox.withLockedValue({ $0 }) else { throw ChannelError.ioOnClosedChannel }
                    try channel.pipeline.syncOperations.addHandler(Handler(router: router))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(host: "127.0.0.1", port: 0).get()
        let router = HTTPRouter(services: services, reply: reply, channel: channel)
        inbox.withLockedValue { $0 = router }
        let result: Result<Void, any Error>
        do { result = .success(try await body(router)) } catch { result = .failure(error) }
        inbox.withLockedValue { $0 = nil }
        try await channel.close().get()
        try result.get()
    }

    private init(services: [String], reply: @escaping @Sendable (Call) -> Reply, channel: any Channel) {
        self.services = services
        self.reply = reply
        self.channel = channel
    }

    var description: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/root.xml" }

    /// What it was asked, without questions after its state.
    var asked: [Call] {
        calls.withLockedValue { $0.filter { !$0.action.hasPrefix("Get") } }
    }

    func takeCall(_ call: Call) -> Reply {
        calls.withLockedValue { $0.append(call) }
        return reply(call)
    }

    /// As routers have it: the services are in a device in a device in the root device.
    var root: String {
        let list = services.enumerated().map { index, name in
            """
            <service><serviceType>urn:schemas-upnp-org:service:\(name)</serviceType><serviceId>urn:upnp-org:serviceId:\(index)
            </serviceId><controlURL>/control/\(index)</controlURL><eventSubURL>/event</eventSubURL><SCPDURL>/scpd.xml</SCPDURL>
            </service>
            """
        }
        return """
            <?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
            <deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
            <deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
            <deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
            <serviceList>\(list.joined())</serviceList></device></deviceList></device></deviceList></device></root>
            """
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let router: HTTPRouter
        private var received = ""

        init(router: HTTPRouter) {
            self.router = router
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            guard let end = received.firstRange(of: "\r\n\r\n") else { return }
            let (head, body) = (received[..<end.lowerBound], received[end.upperBound...])
            let length = head.firstMatch(of: /Content-Length: ([0-9]+)/).flatMap { Int($0.1) } ?? 0
            guard body.utf8.count >= length else { return }
            if let response = response(head, body) {
                let text =
                    "HTTP/1.1 \(response.status) X\r\nContent-Length: \(response.body.utf8.count)\r\nConnection: close\r\n\r\n"
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text + response.body)), promise: nil)
            }
            context.close(promise: nil)
        }

        private func response(_ head: Substring, _ body: Substring) -> (status: Int, body: String)? {
            guard let action = head.firstMatch(of: /SOAPAction: "urn:schemas-upnp-org:service:([^#]*)#([A-Za-z]*)"/)
            else {
                return (200, router.root)
            }
            var arguments: [String: String] = [:]
            for match in body.matches(of: /<(New[A-Za-z]*)>([^<]*)<\/New/) {
                arguments[String(match.1)] = String(match.2)
            }
            let call = Call(action: String(action.2), service: String(action.1), arguments: arguments)
            switch router.takeCall(call) {
            case .done(let values):
                let elements = values.map { "<\($0)>\($1)</\($0)>" }.joined()
                return (200, Self.envelope("<u:\(call.action)Response>\(elements)</u:\(call.action)Response>"))
            case .fault(let code):
                let error =
                    "<UPnPError><errorCode>\(code)</errorCode><errorDescription>x</errorDescription></UPnPError>"
                return (500, Self.envelope("<s:Fault><detail>\(error)</detail></s:Fault>"))
            case .hangUp: return nil
            }
        }

        private static func envelope(_ body: String) -> String {
            """
            <?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>\(body)</s:Body>
            </s:Envelope>
            """
        }
    }
}
