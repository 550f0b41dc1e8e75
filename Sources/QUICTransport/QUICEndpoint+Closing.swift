internal import CNgtcp2
internal import RelayCore

/// How a connection ends, on the wire and in words.
extension QUICEndpoint {
    /// Closes for the application. Before the handshake is complete the library says APPLICATION_ERROR instead, since
    /// the peer could not trust the sentence.
    func writeClose(_ connection: QUICConnection, _ request: (code: UInt64, reason: String), at now: Instant) {
        var reason = Array(request.reason.utf8.prefix(256))
        let count = reason.count
        reason.withUnsafeMutableBufferPointer { bytes in
            var error = ngtcp2_connection_close_error()
            ngtcp2_connection_close_error_set_application_error(&error, request.code, bytes.baseAddress, count)
            write(&error, of: connection, at: now)
        }
    }

    /// Closes for the transport.
    func writeError(_ connection: QUICConnection, _ code: Int32, at now: Instant) {
        var error = ngtcp2_connection_close_error()
        if code == NGTCP2_ERR_CRYPTO, let library = connection.library {
            ngtcp2_connection_close_error_set_transport_error_tls_alert(
                &error, ngtcp2_conn_get_tls_alert(library), nil, 0)
        } else {
            ngtcp2_connection_close_error_set_transport_error_liberr(&error, code, nil, 0)
        }
        write(&error, of: connection, at: now)
    }

    private func write(_ error: inout ngtcp2_connection_close_error, of connection: QUICConnection, at now: Instant) {
        _ = connection.write(at: now) { library, path, place, room in
            ngtcp2_conn_write_connection_close_versioned(
                library, path, NGTCP2_PKT_INFO_VERSION, nil, place, room, &error, now.library)
        }
    }
}

extension QUICConnection {
    func reason(for code: Int32) -> QUICCloseReason {
        switch code {
        case NGTCP2_ERR_DRAINING: wasReset ? .reset : peersReason
        case NGTCP2_ERR_IDLE_CLOSE: .idle
        case NGTCP2_ERR_HANDSHAKE_TIMEOUT: .handshakeTimeout
        case NGTCP2_ERR_RECV_VERSION_NEGOTIATION, NGTCP2_ERR_VERSION_NEGOTIATION_FAILURE: .version
        case NGTCP2_ERR_CRYPTO where objection != nil: .certificate(objection ?? "")
        case NGTCP2_ERR_CRYPTO: .failed("TLS alert \(library.map { ngtcp2_conn_get_tls_alert($0) } ?? 0)")
        default: .failed(ngtcp2_strerror(code).map { String(cString: $0) } ?? "error \(code)")
        }
    }

    /// What the peer said when it closed.
    private var peersReason: QUICCloseReason {
        var error = ngtcp2_connection_close_error()
        ngtcp2_conn_get_connection_close_error(library, &error)
        let words = String(
            decoding: UnsafeBufferPointer(start: error.reason, count: min(error.reasonlen, 256)), as: UTF8.self)
        return error.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
            ? .application(code: error.error_code, reason: words) : .transport(code: error.error_code, reason: words)
    }
}
