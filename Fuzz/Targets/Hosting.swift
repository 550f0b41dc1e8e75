import NIOCore
import Netplay

/// Whatever is decoded is the one reading of its bytes: written again it is the same. Answers never exceed the request.
func fuzzHostingWire(_ bytes: [UInt8]) {
    let datagram = ByteBuffer(bytes: bytes)
    if let request = try? HostingRequest.decode(datagram) {
        var again = ByteBuffer()
        precondition(request.encode(into: &again) && again == datagram)
        let answer = HostingAnswer(HostingInvitation(port: 1, session: TunnelID("PIbhU6O6BXl7GfyK")))
        precondition(answer.encoded(forRequestOf: bytes.count).readableBytes <= bytes.count)
    }
    if let answer = HostingAnswer.decode(datagram) {
        precondition(answer.encoded(forRequestOf: bytes.count).readableBytes == bytes.count)
    }
}

/// A core's description is any text.
func fuzzCoreDescription(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let core = CoreDescription(text) else { return }
    precondition(CoreDescription(core.textForHosting)?.name == core.name)
}
