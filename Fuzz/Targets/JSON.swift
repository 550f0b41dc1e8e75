import JSONRelay
import NIOCore
import RelayCore
import RelayTesting

func fuzzJSONEngine(_ bytes: [UInt8]) {
    var script = StreamScript(bytes)
    let harness = script.run(on: JSONRelayEngine(configuration: .init(), random: .seeded(1)))
    precondition(harness.connected.isEmpty && harness.engine.roomCount == 0)
    precondition(harness.engine.nextDeadline == nil)
}

func fuzzJSONWire(_ bytes: [UInt8]) {
}
