import CLinuxNet
import CMiniUPnP
import Foundation
import RelayCore

/// Finds a router by UPnP (SSDP, then its description).
package struct UPnPFinder: GatewayFinder {
    /// How long routers are given to answer, in milliseconds.
    private static let patience: Int32 = 2500
    /// Who says he is a router is looked at, at most so many.
    private static let maxCandidates = 8

    package init() {}

    package func find() throws(PortMappingFailure) -> any Gateway {
        // Where routers are asked for. Without a network the library would complain to standard error.
        guard clinuxnet_reaches(0, "239.255.255.250", 1900, 0) == 1 else { throw .noGateway }
        let devices = cminiupnp_discover(Self.patience)
        defer { freeUPNPDevlist(devices) }
        var descriptions: [String] = []
        var device = devices
        while let current = device, descriptions.count < Self.maxCandidates {
            let description = String(cString: current.pointee.descURL)
            if !descriptions.contains(description) { descriptions.append(description) }
            device = current.pointee.pNext
        }
        var failure = PortMappingFailure.noGateway
        for description in descriptions {
            do throws(PortMappingFailure) {
                return try UPnPGateway(describedAt: description)
            } catch .notConnected {
                failure = .notConnected
            } catch {}
        }
        throw failure
    }
}

/// A router that speaks UPnP's Internet Gateway Device protocol, version 1 or 2.
struct UPnPGateway: Gateway {
    /// How long the router may take to accept a connection, in milliseconds.
    private static let connectTimeout: Int32 = 2000

    /// Where it is asked.
    private let control: String
    /// WANIPConnection or WANPPPConnection.
    private let service: String
    /// This machine's address, as the router sees it.
    private let localAddress: String

    /// Reads the router's description from its URL and asks whether it is connected.
    init(describedAt description: String) throws(PortMappingFailure) {
        var (urls, data) = (UPNPUrls(), IGDdatas())
        var local = [CChar](repeating: 0, count: 64)
        guard Self.answers(description),
            UPNP_GetIGDFromUrl(description, &urls, &data, &local, Int32(local.count)) == 1
        else {
            throw .noGateway
        }
        defer { FreeUPNPUrls(&urls) }
        guard !Self.text(data.first.servicetype).isEmpty else { throw .noGateway }
        if UPNPIGD_IsConnected(&urls, &data) == 0 {
            // A router for DSL often offers both kinds of service, of which one is in use.
            guard !Self.text(data.second.servicetype).isEmpty else { throw .notConnected }
            swap(&data.first, &data.second)
            FreeUPNPUrls(&urls)
            GetUPNPUrls(&urls, &data, description, 0)
            guard UPNPIGD_IsConnected(&urls, &data) != 0 else { throw .notConnected }
        }
        guard let control = urls.controlURL else { throw .noGateway }
        self.control = String(cString: control)
        service = Self.text(data.first.servicetype)
        localAddress = Self.text(local)
    }

    func add(_ entry: GatewayEntry) throws(PortMappingFailure) -> IPAddress? {
        guard Self.answers(control) else { throw .noAnswer }
        let target = entry.mapping.target
        let address = target.address == IPAddress(ipv4: 0) ? localAddress : "\(target.address)"
        let (external, transport) = ("\(entry.externalPort)", entry.mapping.transport.rawValue)
        // Many routers let a machine overwrite its own entries: another program's, then.
        if let holder = holder(of: external, transport), holder != (address, "\(target.port)") { throw .portTaken }
        let code = UPNP_AddPortMapping(
            control, service, external, "\(target.port)", address, "Baton \(entry.mapping.name)", transport, nil,
            "\(entry.leaseSeconds)")
        try Self.check(code)
        return externalAddress
    }

    func remove(_ transport: PortMapping.Transport, externalPort: UInt16) throws(PortMappingFailure) {
        guard Self.answers(control) else { throw .noAnswer }
        try Self.check(UPNP_DeletePortMapping(control, service, "\(externalPort)", transport.rawValue, nil))
    }

    /// Whether somebody is there at all. The library would complain to standard error, which is our log.
    private static func answers(_ url: String) -> Bool {
        guard let url = URL(string: url), let host = url.host else { return false }
        return clinuxnet_reaches(1, host, UInt16(clamping: url.port ?? 80), connectTimeout) == 1
    }

    /// Where an external port leads; `nil` if nowhere, or if the router does not say.
    private func holder(of port: String, _ transport: String) -> (address: String, port: String)? {
        let empty = [CChar](repeating: 0, count: 128)
        var (address, target, name, isEnabled, lease) = (empty, empty, empty, empty, empty)
        let code = UPNP_GetSpecificPortMappingEntry(
            control, service, port, transport, nil, &address, &target, &name, &isEnabled, &lease)
        return code == UPNPCOMMAND_SUCCESS ? (Self.text(address), Self.text(target)) : nil
    }

    private var externalAddress: IPAddress? {
        var text = [CChar](repeating: 0, count: 64)
        guard UPNP_GetExternalIPAddress(control, service, &text) == UPNPCOMMAND_SUCCESS else { return nil }
        return IPAddress(Self.text(text))
    }

    private static func check(_ code: Int32) throws(PortMappingFailure) {
        switch code {
        case UPNPCOMMAND_SUCCESS: return
        case ..<0: throw .noAnswer
        case 714: throw .noSuchEntry
        // Given to another machine, or to the router itself.
        case 718, 729: throw .portTaken
        case 725: throw .onlyPermanentLeases
        default: throw .refused(code: Int(code), meaning: strupnperror(code).map { String(cString: $0) } ?? "unknown")
        }
    }

    private static func text(_ bytes: [CChar]) -> String {
        String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The text in an array of C, which Swift sees as a tuple.
    private static func text<Tuple>(_ tuple: Tuple) -> String {
        withUnsafeBytes(of: tuple) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
