import NIOCore
import Netplay
import RelayCore
import RelayTesting

/// Whatever is decoded takes its bytes from the front, and what is not leaves them alone.
func fuzzTunnelWire(_ bytes: [UInt8]) {
    var opening = ByteBuffer(bytes: bytes)
    switch Result(catching: { () throws(TunnelWireError) in try TunnelOpening.decode(from: &opening) }) {
    case .success(.openSession), .success(.join), .success(.link):
        precondition(opening.readableBytes == bytes.count - 16)
    case .success(.bareNetplay), .success(nil), .failure:
        precondition(opening.readableBytes == bytes.count)
    }
    var words = ByteBuffer(bytes: bytes)
    var before = words.readableBytes
    while let message = try? OwnerMessage.decode(from: &words) {
        precondition(before - words.readableBytes == (message == .ping ? 4 : 16))
        before = words.readableBytes
    }
}

func fuzzTunnelEngine(_ bytes: [UInt8]) {
    var script = StreamScript(bytes)
    let harness = script.run(on: NetplayEngine(configuration: .init(), random: .seeded(1)))
    precondition(harness.connected.isEmpty && harness.engine.roomCount == 0)
    precondition(harness.engine.nextDeadline == nil)
}
