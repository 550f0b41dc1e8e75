import CLinuxNet
package import LANBridge

/// A network interface by its name, to be asked and to be set.
package struct Link: Sendable, Hashable, CustomStringConvertible {
    package let name: String

    package init(_ name: String) { self.name = name }

    package var description: String { name }

    /// Its number in the kernel; `nil` if there is no such interface.
    package var index: Int32? { value(CLINUXNET_INDEX) }
    package var mtu: Int? { value(CLINUXNET_MTU).map(Int.init) }
    package var isUp: Bool { value(CLINUXNET_IS_UP) == 1 }
    /// Whether there is a carrier: a cable with something at its other end.
    package var isRunning: Bool { value(CLINUXNET_IS_RUNNING) == 1 }

    /// `nil` if there is no such interface, or it is no Ethernet.
    package var mac: MACAddress? {
        var octets = [UInt8](repeating: 0, count: 6)
        guard clinuxnet_link_address(name, &octets) == 0 else { return nil }
        return MACAddress(bits: octets.reduce(0) { $0 << 8 | UInt64($1) })
    }

    package func set(mtu: Int) throws(NetworkFailure) {
        try NetworkFailure.check(
            clinuxnet_set_link_value(name, CLINUXNET_MTU, Int32(clamping: mtu)), "set the MTU of \(name) to \(mtu)")
    }

    package func set(isUp: Bool) throws(NetworkFailure) {
        try NetworkFailure.check(
            clinuxnet_set_link_value(name, CLINUXNET_IS_UP, isUp ? 1 : 0), "switch \(name) \(isUp ? "on" : "off")")
    }

    package func set(mac: MACAddress) throws(NetworkFailure) {
        let octets = stride(from: 40, through: 0, by: -8).map { UInt8(mac.bits >> UInt64($0) & 0xFF) }
        try NetworkFailure.check(clinuxnet_set_link_address(name, octets), "give \(name) the address \(mac)")
    }

    private func value(_ which: clinuxnet_link_value) -> Int32? {
        let value = clinuxnet_link_value(name, which)
        return value < 0 ? nil : value
    }
}

/// What an interface does to frames, so that they are no longer those of the wire.
package struct Offloads: OptionSet, Sendable, Codable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// Joins frames that come in.
    package static let joining = Offloads(rawValue: Int32(CLINUXNET_GRO) | Int32(CLINUXNET_LRO))
    /// Cuts up frames on their way out.
    package static let cutting = Offloads(rawValue: Int32(CLINUXNET_GSO) | Int32(CLINUXNET_TSO))
    /// Leaves checksums to the hardware.
    package static let checksums = Offloads(rawValue: Int32(CLINUXNET_TX_CHECKSUM))
}

extension Link {
    /// Those that are on.
    package var offloads: Offloads { Offloads(rawValue: max(0, clinuxnet_offloads(name))) }

    /// Switches some off or on. Returns those that changed: not all can be on every card.
    @discardableResult
    package func set(_ offloads: Offloads, isOn: Bool) -> Offloads {
        Offloads(rawValue: max(0, clinuxnet_set_offloads(name, offloads.rawValue, isOn ? 1 : 0)))
    }
}
