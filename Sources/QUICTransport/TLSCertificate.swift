internal import CNgtcp2
internal import Crypto
internal import Glibc

/// Why a certificate or key cannot be used, in one sentence.
public struct TLSError: Error, Hashable, CustomStringConvertible {
    public let description: String
}

/// A server's certificate chain and private key. Where they are kept, and when they are read again, is the caller's
/// business.
public struct TLSCertificate: Sendable {
    /// The chain, the server's own certificate first (PEM, RFC 7468).
    public let certificatePEM: [UInt8]
    /// The private key (PEM: PKCS #8 or SEC 1).
    public let keyPEM: [UInt8]
    /// What a client pins.
    public let fingerprint: CertificateFingerprint
    /// When the server's own certificate ends, in seconds since 1970.
    public let expires: Int64

    /// Checks that both can be read and belong together.
    public init(certificatePEM: [UInt8], keyPEM: [UInt8]) throws(TLSError) {
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
        (fingerprint, expires) = try Self.leaf(of: certificatePEM)
        _ = try ServerCredentials(certificatePEM: certificatePEM, keyPEM: keyPEM)
    }

    /// A new P-256 key with a certificate signed by itself: for clients that pin its fingerprint.
    ///
    /// - Parameters:
    ///   - name: the server's name, in the subject and as a DNS name.
    ///   - seconds: the present, in seconds since 1970: valid from an hour before, for so many `days`.
    public static func selfSigned(name: String, at seconds: Int, days: Int = 3650) throws(TLSError) -> TLSCertificate {
        // GnuTLS writes out keys whose first byte is zero a byte short, which others refuse: the key is made and
        // written by swift-crypto.
        let keyPEM = Array(P256.Signing.PrivateKey().pemRepresentation.utf8)
        var key: gnutls_x509_privkey_t?
        gnutls_x509_privkey_init(&key)
        defer { gnutls_x509_privkey_deinit(key) }
        try withDatum(keyPEM) { datum throws(TLSError) in
            try check(gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, nil, 0), "cannot import the key")
        }
        var certificate: gnutls_x509_crt_t?
        gnutls_x509_crt_init(&certificate)
        defer { gnutls_x509_crt_deinit(certificate) }
        var generator = SystemRandomNumberGenerator()
        var serial = [0x40] + (0..<15).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let nameBytes = Array(name.utf8)
        try check(gnutls_x509_crt_set_version(certificate, 3), "version")
        try check(gnutls_x509_crt_set_serial(certificate, &serial, serial.count), "serial number")
        try check(gnutls_x509_crt_set_activation_time(certificate, seconds - 3600), "activation time")
        try check(gnutls_x509_crt_set_expiration_time(certificate, seconds + days * 86_400), "expiration time")
        try check(
            gnutls_x509_crt_set_dn_by_oid(certificate, "2.5.4.3", 0, nameBytes, UInt32(nameBytes.count)), "name")
        try check(
            gnutls_x509_crt_set_subject_alt_name(
                certificate, GNUTLS_SAN_DNSNAME, nameBytes, UInt32(nameBytes.count), 0), "DNS name")
        try check(gnutls_x509_crt_set_key(certificate, key), "key")
        try check(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), "cannot sign")
        var text = gnutls_datum_t()
        try check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text), "cannot export")
        defer { free(text.data) }
        return try TLSCertificate(
            certificatePEM: Array(UnsafeBufferPointer(start: text.data, count: Int(text.size))), keyPEM: keyPEM)
    }

    /// 32 bytes that nobody can guess without the key, and that are the same after a restart: a peer learns at once,
    /// by a stateless reset, that its connection did not survive (RFC 9000, section 10.3.2).
    var resetSecret: [UInt8] {
        Array(SHA256.hash(data: Array("baton stateless reset".utf8) + keyPEM))
    }

    private static func leaf(
        of pem: [UInt8]
    ) throws(TLSError) -> (fingerprint: CertificateFingerprint, expires: Int64) {
        var certificate: gnutls_x509_crt_t?
        gnutls_x509_crt_init(&certificate)
        defer { gnutls_x509_crt_deinit(certificate) }
        try withDatum(pem) { datum throws(TLSError) in
            try check(gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM), "cannot read the certificate")
        }
        var der = gnutls_datum_t()
        try check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der), "cannot read the certificate")
        defer { free(der.data) }
        let fingerprint = CertificateFingerprint(ofDER: UnsafeRawBufferPointer(start: der.data, count: Int(der.size)))
        return (fingerprint, Int64(gnutls_x509_crt_get_expiration_time(certificate)))
    }
}

/// The SHA-256 of a certificate (DER): names a server better than any authority can.
public struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    public init(ofDER der: UnsafeRawBufferPointer) {
        bytes = Array(SHA256.hash(data: der))
    }

    /// Reads 64 hexadecimal digits, with or without colons between pairs.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
            guard pair.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let byte = UInt8(pair, radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    /// 64 hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// How a client knows that a server is the one it means.
public enum ServerTrust: Sendable {
    /// Its certificate has this fingerprint; neither its name nor its dates matter.
    case pinned(CertificateFingerprint)
    /// Its certificate is signed, for the name that is asked for and for the present of the machine's clock, by one of
    /// these (PEM).
    case authorities(pem: [UInt8])
    /// The same, by one of those that the system trusts.
    case systemAuthorities
}

/// The library's form of a certificate and key; lives as long as sessions that use it.
final class ServerCredentials {
    let pointer: gnutls_certificate_credentials_t

    init(certificatePEM: [UInt8], keyPEM: [UInt8]) throws(TLSError) {
        pointer = try allocateCredentials()
        let allocated = pointer
        try withDatum(certificatePEM) { certificate throws(TLSError) in
            var certificate = certificate
            try withDatum(keyPEM) { key throws(TLSError) in
                try check(
                    gnutls_certificate_set_x509_key_mem2(allocated, &certificate, &key, GNUTLS_X509_FMT_PEM, nil, 0),
                    "the certificate and the key do not fit together")
            }
        }
    }

    deinit { gnutls_certificate_free_credentials(pointer) }
}

/// The library's form of what a client trusts.
final class ClientCredentials {
    let pointer: gnutls_certificate_credentials_t
    let trust: ServerTrust

    init(_ trust: ServerTrust) throws(TLSError) {
        self.trust = trust
        pointer = try allocateCredentials()
        switch trust {
        case .pinned: break
        case .authorities(let pem):
            let allocated = pointer
            try withDatum(pem) { datum throws(TLSError) in
                let count = gnutls_certificate_set_x509_trust_mem(allocated, &datum, GNUTLS_X509_FMT_PEM)
                try check(count, "cannot read the authorities")
                guard count > 0 else { throw TLSError(description: "there is no certificate among the authorities") }
            }
        case .systemAuthorities:
            try check(gnutls_certificate_set_x509_system_trust(pointer), "cannot read the system's authorities")
        }
    }

    deinit { gnutls_certificate_free_credentials(pointer) }

    /// Why the server's certificate is not good enough; `nil` if it is.
    func objection(to session: gnutls_session_t, name: String) -> String? {
        switch trust {
        case .pinned(let expected):
            var count: UInt32 = 0
            guard let certificates = gnutls_certificate_get_peers(session, &count), count > 0 else {
                return "the server sent none"
            }
            let der = UnsafeRawBufferPointer(start: certificates[0].data, count: Int(certificates[0].size))
            let found = CertificateFingerprint(ofDER: der)
            return found == expected ? nil : "its fingerprint is \(found), expected was \(expected)"
        case .authorities, .systemAuthorities:
            var status: UInt32 = 0
            let code = gnutls_certificate_verify_peers3(session, name, &status)
            guard code == 0 else { return message(code) }
            guard status != 0 else { return nil }
            var text = gnutls_datum_t()
            guard gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0 else {
                return "status \(status)"
            }
            defer { free(text.data) }
            let words = String(decoding: UnsafeBufferPointer(start: text.data, count: Int(text.size)), as: UTF8.self)
            return words.split(whereSeparator: { $0 == "\0" || $0 == "\n" }).joined(separator: " ")
        }
    }
}

private func allocateCredentials() throws(TLSError) -> gnutls_certificate_credentials_t {
    var pointer: gnutls_certificate_credentials_t?
    try check(gnutls_certificate_allocate_credentials(&pointer), "no memory")
    guard let pointer else { throw TLSError(description: "no memory") }
    return pointer
}

private func withDatum<Result>(
    _ bytes: [UInt8], _ body: (inout gnutls_datum_t) throws(TLSError) -> Result
) throws(TLSError) -> Result {
    // The library reads past nothing it was not given, but its type has no constant form: it gets a copy.
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    defer { copy.deallocate() }
    copy.initialize(from: bytes, count: bytes.count)
    var datum = gnutls_datum_t(data: copy, size: UInt32(bytes.count))
    return try body(&datum)
}

private func check(_ code: Int32, _ what: String) throws(TLSError) {
    guard code < 0 else { return }
    throw TLSError(description: "\(what): \(message(code))")
}

private func message(_ code: Int32) -> String {
    gnutls_strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
