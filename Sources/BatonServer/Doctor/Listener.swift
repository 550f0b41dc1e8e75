import QUICTransport
import RelayCore
import SOE
import SOEGateway

/// Somewhere the configuration wants to listen.
struct Listener: Sendable {
    enum Transport: Sendable {
        case tcp, udp
    }

    var name: String
    var endpoint: Endpoint
    var transport: Transport

    /// What can tell whether it works; `nil` where nothing can.
    ///
    /// - Parameter isPublic: whether it is asked by the name that players use, which a certificate has to be for.
    func probe(in configuration: Configuration, isPublic: Bool = false) -> (any ProbeClient)? {
        switch name {
        case "json": JSONProbe()
        case "netplay": NetplayProbe()
        case "lobby": LobbyProbe()
        case "ldn": LDNMasterProbe()
        case "soe": configuration.soe.map { SOEProbe($0.probing) }
        case "lan":
            configuration.lan.flatMap { lan in
                if isPublic, lan.certificate != nil { return LANRelayProbe(fingerprint: nil) }
                return (try? lan.presentCertificate()).map { LANRelayProbe(fingerprint: $0.fingerprint) }
            }
        default: nil
        }
    }
}

extension Configuration {
    /// In the order of the configuration, those of TCP first, by the names of their sections.
    var everyListener: [Listener] {
        listeners.map { Listener($0, .tcp) } + datagramListeners.map { Listener($0, .udp) }
    }
}

extension Listener {
    fileprivate init(_ listener: (path: String, endpoint: Endpoint), _ transport: Transport) {
        self.init(
            name: String(listener.path.prefix { $0 != "[" }.dropLast(".listen".count)), endpoint: listener.endpoint,
            transport: transport)
    }
}

extension Configuration.SOE {
    /// What a client of the game would say.
    fileprivate var probing: SOEParameters {
        var parameters = SOEParameters()
        parameters.dialect = gateway.dialect
        parameters.protocolName = gateway.protocolNames.first ?? "baton"
        parameters.udpLength = gateway.udpLength
        return parameters
    }
}
