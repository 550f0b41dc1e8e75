internal import CNgtcp2
internal import Glibc
public import RelayCore

extension QUICEndpoint {
    /// Begins a connection to a server. What becomes of it the delegate hears: `connected` or `closed`.
    ///
    /// - Parameters:
    ///   - name: the server's name, as in its certificate: sent to it (SNI), and compared when authorities are trusted.
    ///   - trust: how the server proves who it is.
    public func connect(to remote: Endpoint, name: String, trust: ServerTrust, at now: Instant) throws(TLSError)
        -> PeerID
    {
        let credentials = try ClientCredentials(trust)
        let connection = add(remote: remote, serverName: name, isCalled: true) { connection in
            build(connection, credentials: credentials, at: now)
        }
        guard let connection else { throw TLSError(description: "the library refuses to begin a connection") }
        return connection.id
    }

    private func build(_ connection: QUICConnection, credentials: ClientCredentials, at now: Instant) -> Bool {
        var destination = ngtcp2_cid()
        let random = Self.randomBytes(18)
        ngtcp2_cid_init(&destination, random, random.count)
        var id = ngtcp2_cid()
        let key = makeID(&id)
        var parameters = transportParameters()
        var settings = settings(at: now)
        var callbacks = QUICConnection.callbacks(isServer: false)
        var path = ngtcp2_path()
        path.local = ngtcp2_addr(addr: local.address, addrlen: local.length)
        path.remote = ngtcp2_addr(addr: connection.remoteStorage.address, addrlen: connection.remoteStorage.length)
        guard
            ngtcp2_conn_client_new_versioned(
                &connection.library, &destination, &id, &path, UInt32(NGTCP2_PROTO_VER_V1), NGTCP2_CALLBACKS_VERSION,
                &callbacks, NGTCP2_SETTINGS_VERSION, &settings, NGTCP2_TRANSPORT_PARAMS_VERSION, &parameters, nil,
                connection.context) == 0, connection.beginTLS(asClientWith: credentials)
        else { return false }
        connection.keepAlive(every: configuration.keepAlive)
        route(key, to: connection)
        return true
    }

    func settings(at now: Instant) -> ngtcp2_settings {
        var settings = ngtcp2_settings()
        ngtcp2_settings_default_versioned(NGTCP2_SETTINGS_VERSION, &settings)
        settings.initial_ts = now.library
        settings.cc_algo = NGTCP2_CC_ALGO_CUBIC
        settings.max_tx_udp_payload_size = configuration.maxUDPPayload
        settings.ack_thresh = configuration.acknowledgeEvery
        settings.handshake_timeout = configuration.handshakeTimeout.library
        return settings
    }

    func transportParameters() -> ngtcp2_transport_params {
        var parameters = ngtcp2_transport_params()
        ngtcp2_transport_params_default_versioned(NGTCP2_TRANSPORT_PARAMS_VERSION, &parameters)
        let window = UInt64(configuration.streamWindow)
        parameters.initial_max_stream_data_bidi_local = window
        parameters.initial_max_stream_data_bidi_remote = window
        parameters.initial_max_stream_data_uni = window
        parameters.initial_max_data = window * 4
        parameters.initial_max_streams_bidi = UInt64(configuration.maxPeerStreams)
        parameters.initial_max_streams_uni = UInt64(configuration.maxPeerStreams)
        parameters.max_idle_timeout = configuration.idleTimeout.library
        parameters.max_datagram_frame_size = 65_535
        parameters.active_connection_id_limit = 4
        return parameters
    }
}

extension QUICConnection {
    private static let priorities =
        "%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM"
        + ":+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1"

    func beginTLS(asServerWith credentials: ServerCredentials) -> Bool {
        serverCredentials = credentials
        let flags: Int32 = GNUTLS_SERVER
        guard let session = newSession(UInt32(flags) | GNUTLS_NO_AUTO_SEND_TICKET.rawValue),
            ngtcp2_crypto_gnutls_configure_server_session(session) == 0
        else { return false }
        return finish(session, credentials.pointer)
    }

    func beginTLS(asClientWith credentials: ClientCredentials) -> Bool {
        clientCredentials = credentials
        let flags: Int32 = GNUTLS_CLIENT
        guard let session = newSession(UInt32(flags)),
            ngtcp2_crypto_gnutls_configure_client_session(session) == 0
        else { return false }
        if !serverName.isEmpty {
            guard gnutls_server_name_set(session, GNUTLS_NAME_DNS, serverName, serverName.utf8.count) == 0 else {
                return false
            }
        }
        gnutls_session_set_verify_function(session) { session in
            guard let session, let pointer = gnutls_session_get_ptr(session),
                let context = pointer.assumingMemoryBound(to: ngtcp2_crypto_conn_ref.self).pointee.user_data
            else { return -1 }
            return QUICConnection.from(context)._withUnsafeGuaranteedRef { connection in
                guard let credentials = connection.clientCredentials else { return -1 }
                connection.objection = credentials.objection(to: session, name: connection.serverName)
                return connection.objection == nil ? 0 : -1
            }
        }
        return finish(session, credentials.pointer)
    }

    private func newSession(_ flags: UInt32) -> gnutls_session_t? {
        gnutls_init(&session, flags | GNUTLS_NO_END_OF_EARLY_DATA.rawValue)
        guard let session, gnutls_priority_set_direct(session, Self.priorities, nil) == 0 else { return nil }
        return session
    }

    private func finish(_ session: gnutls_session_t, _ credentials: gnutls_certificate_credentials_t) -> Bool {
        gnutls_session_set_ptr(session, reference)
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials))
        var name = Array(endpoint.configuration.applicationProtocol.utf8)
        let count = UInt32(name.count)
        let code = name.withUnsafeMutableBufferPointer { bytes in
            var datum = gnutls_datum_t(data: bytes.baseAddress, size: count)
            return gnutls_alpn_set_protocols(session, &datum, 1, GNUTLS_ALPN_MANDATORY.rawValue)
        }
        ngtcp2_conn_set_tls_native_handle(library, UnsafeMutableRawPointer(session))
        return code == 0
    }

    func keepAlive(every interval: Duration) {
        if interval > .zero { ngtcp2_conn_set_keep_alive_timeout(library, interval.library) }
    }
}

extension Duration {
    var library: ngtcp2_duration { ngtcp2_duration(max(0, wholeNanoseconds)) }
}
