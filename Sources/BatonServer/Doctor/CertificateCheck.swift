import QUICTransport
import RelayCore

/// Whether the LAN relay's certificate can be used, and for how long.
enum CertificateCheck {
    /// Who renews certificates does so earlier.
    private static let margin: Int64 = 14 * 86_400

    static func findings(for configuration: Configuration, at now: Timestamp) -> [Finding] {
        guard let lan = configuration.lan else { return [] }
        do throws(BatonError) {
            return [finding(try lan.presentCertificate(), isSigned: lan.certificate != nil, at: now)]
        } catch {
            return [
                .problem(
                    "certificate", "\(error)",
                    advice: "put them there as PEM, and let the user that the server runs as read them")
            ]
        }
    }

    private static func finding(_ certificate: TLSCertificate?, isSigned: Bool, at now: Timestamp) -> Finding {
        guard let certificate else {
            return .ok("certificate", "lan: the server makes a certificate of its own when it starts")
        }
        // Who pins a certificate does not look at its dates.
        guard isSigned else { return .ok("certificate", "lan: players compare \(certificate.fingerprint)") }
        let end = Timestamp(seconds: certificate.expires)
        if end <= now {
            return .problem(
                "certificate", "lan: the certificate ended at \(end.settingText), and no player takes it any more",
                advice: "have it renewed; the server reads it again by itself")
        }
        if end.seconds - now.seconds < margin {
            return .warning(
                "certificate", "lan: the certificate ends soon, at \(end.settingText)",
                advice: "see why it was not renewed; the server reads it again by itself")
        }
        return .ok("certificate", "lan: the certificate is good until \(end.settingText)")
    }
}
