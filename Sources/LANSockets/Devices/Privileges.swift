import CLinuxNet

/// What the process may do with networks.
package enum Privileges {
    /// Make cards, set routes (CAP_NET_ADMIN).
    package static var networkAdministration: Bool { clinuxnet_has_net_admin() == 1 }
    /// See and send frames (CAP_NET_RAW).
    package static var rawFrames: Bool { clinuxnet_has_net_raw() == 1 }

    /// A descriptor that becomes readable when the process is told to stop.
    package static func stopSignals() throws(NetworkFailure) -> CInt {
        try NetworkFailure.check(clinuxnet_stop_signals(), "hear signals")
    }
}
