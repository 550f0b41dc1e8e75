/// Why a router does not do what it was asked for.
package enum PortMappingFailure: Error, Sendable, Equatable {
    /// Nobody in the network said it is a router that maps ports.
    case noGateway
    /// The router has no connection to the internet.
    case notConnected
    /// The external port, or each of those that may be used, is somebody else's.
    case portTaken
    /// The router takes no lease that ends.
    case onlyPermanentLeases
    /// What was to be taken back is not there.
    case noSuchEntry
    /// The router has another reason, as an error of UPnP.
    case refused(code: Int, meaning: String)
    /// The router is silent, or hangs up.
    case noAnswer
    /// The end came before an answer.
    case stopping

    /// One word, for logs and metrics.
    package var word: String {
        switch self {
        case .noGateway: "no_gateway"
        case .notConnected: "gateway_not_connected"
        case .portTaken: "port_taken"
        case .onlyPermanentLeases: "only_permanent_leases"
        case .noSuchEntry: "no_such_entry"
        case .refused: "refused"
        case .noAnswer: "no_answer"
        case .stopping: "stopping"
        }
    }

    package var sentence: String {
        switch self {
        case .noGateway: "no router in this network offers to map ports (is UPnP switched on in it?)"
        case .notConnected: "the router says that it is not connected to the internet"
        case .portTaken: "the router has given the port, and those tried in its place, to others"
        case .onlyPermanentLeases: "the router takes permanent mappings only"
        case .noSuchEntry: "the router knows no such mapping"
        case .refused(let code, let meaning): "the router refused: \(meaning) (UPnP error \(code))"
        case .noAnswer: "the router does not answer"
        case .stopping: "the server stops"
        }
    }
}
