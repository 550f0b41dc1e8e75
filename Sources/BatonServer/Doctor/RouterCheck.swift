import NIOPosix

/// Whether the router does what `port_mapping` asks of it.
enum RouterCheck {
    static func findings(for configuration: Configuration) async -> [Finding] {
        guard configuration.portMapping.mode == .upnp else {
            return [.ok("upnp", "port_mapping is off: no router is asked for anything")]
        }
        do {
            let failure = try await NIOThreadPool.singleton.runIfActive { failureToFind() }
            guard let failure else { return [.ok("upnp", "a router answers, and is connected")] }
            return [
                .problem(
                    "upnp", failure.sentence,
                    advice:
                        "switch UPnP on in the router, and let this machine's firewall pass answers from its UDP port "
                        + "1900; or open the ports by hand and set port_mapping to off")
            ]
        } catch {
            return [.warning("upnp", "the router could not be asked: \(error)", advice: "try again")]
        }
    }

    private static func failureToFind() -> PortMappingFailure? {
        do throws(PortMappingFailure) {
            _ = try UPnPFinder().find()
            return nil
        } catch {
            return error
        }
    }
}
