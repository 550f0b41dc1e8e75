import NIOConcurrencyHelpers
import QUICTransport

/// The files of a certificate that somebody else renews.
final class CertificateFiles: Sendable {
    private let certificate: String
    private let key: String
    private let known = NIOLockedValueBox<[FileTime?]>([])

    init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
        known.withLockedValue { $0 = times }
    }

    /// The certificate, if the files were changed since. Of what cannot be used the reason is told; the one before goes on
    /// serving.
    func changed(_ complain: (String) -> Void) -> TLSCertificate? {
        let times = times
        let isNew = known.withLockedValue { known in
            defer { known = times }
            return known != times
        }
        guard isNew else { return nil }
        do throws(BatonError) {
            return try RelayIdentity.load(certificate: certificate, key: key)
        } catch {
            complain(error.description)
            return nil
        }
    }

    private var times: [FileTime?] { [FileTime(of: certificate), FileTime(of: key)] }
}
