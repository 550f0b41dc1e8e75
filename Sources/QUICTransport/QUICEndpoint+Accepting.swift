internal import CNgtcp2
internal import RelayCore

/// Packets with a long header: of handshakes, and of strangers.
extension QUICEndpoint {
    func receiveLong(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, from remote: Endpoint, at now: Instant) {
        var ids = ngtcp2_version_cid()
        let code = ngtcp2_pkt_decode_version_cid(&ids, bytes, count, Self.localIDBytes)
        if code == NGTCP2_ERR_VERSION_NEGOTIATION {
            return sendVersionNegotiation(for: ids, received: count, to: remote, at: now)
        }
        guard code == 0, let destination = ids.dcid else { return self.count(\.malformed) }
        let raw = UnsafeRawBufferPointer(start: destination, count: ids.dcidlen)
        if ids.dcidlen == Self.localIDBytes,
            let connection = connection(withLocalID: raw.loadUnaligned(as: UInt64.self))
        {
            return read(bytes, count, for: connection, at: now)
        }
        if let initial = WireID(raw), let connection = byInitialID[initial] {
            return read(bytes, count, for: connection, at: now)
        }
        guard credentials != nil, let connection = accept(bytes, count, from: remote, at: now) else { return }
        read(bytes, count, for: connection, at: now)
    }

    /// A stranger's first packet: a connection for him, or an answer that costs nothing to remember.
    private func accept(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, from remote: Endpoint, at now: Instant
    ) -> QUICConnection? {
        var header = ngtcp2_pkt_hd()
        guard ngtcp2_accept(&header, bytes, count) == 0 else {
            self.count(\.malformed)
            return nil
        }
        let limits = configuration.acceptance
        guard connectionCount < limits.maxConnections else { return refuse(header, to: remote, at: now) }
        var originalID = header.dcid
        var isProven = false
        if header.token.len > 0, header.token.base[0] == UInt8(NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY) {
            // A token of another server, or too old, or of another address, means nothing: he is a stranger as before.
            isProven =
                ngtcp2_crypto_verify_retry_token(
                    &originalID, header.token.base, header.token.len, tokenSecret, tokenSecret.count, header.version,
                    sender.address, sender.length, &header.dcid, 10_000_000_000, now.library) == 0
            guard isProven else { return refuse(header, code: UInt64(NGTCP2_INVALID_TOKEN), to: remote, at: now) }
        }
        if !isProven, handshakes >= limits.retryAbove {
            sendRetry(&header, to: remote, at: now)
            return nil
        }
        guard handshakes < limits.maxHandshakes, delegate?.admits(remote) ?? false else {
            return refuse(header, to: remote, at: now)
        }
        guard let initial = WireID(header.dcid) else { return nil }
        let connection = add(remote: remote, serverName: "", isCalled: false) { connection in
            build(connection, header: header, originalID: originalID, isProven: isProven, at: now)
        }
        guard let connection else { return nil }
        self.count(\.accepted)
        connection.initialID = initial
        byInitialID[initial] = connection
        return connection
    }

    private func build(
        _ connection: QUICConnection, header: ngtcp2_pkt_hd, originalID: ngtcp2_cid, isProven: Bool, at now: Instant
    ) -> Bool {
        var id = ngtcp2_cid()
        let key = makeID(&id)
        var parameters = transportParameters()
        parameters.original_dcid = originalID
        if isProven {
            parameters.retry_scid = header.dcid
            parameters.retry_scid_present = 1
        }
        parameters.stateless_reset_token_present = 1
        let hasToken = withUnsafeMutableBytes(of: &parameters.stateless_reset_token) { bytes in
            guard let token = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            return makeResetToken(token, for: &id)
        }
        guard hasToken else { return false }
        var settings = settings(at: now)
        if isProven { settings.token = header.token }
        var callbacks = QUICConnection.callbacks(isServer: true)
        var path = ngtcp2_path()
        path.local = ngtcp2_addr(addr: local.address, addrlen: local.length)
        path.remote = ngtcp2_addr(addr: connection.remoteStorage.address, addrlen: connection.remoteStorage.length)
        var peerID = header.scid
        guard
            ngtcp2_conn_server_new_versioned(
                &connection.library, &peerID, &id, &path, header.version, NGTCP2_CALLBACKS_VERSION, &callbacks,
                NGTCP2_SETTINGS_VERSION, &settings, NGTCP2_TRANSPORT_PARAMS_VERSION, &parameters, nil,
                connection.context) == 0
        else { return false }
        guard let credentials, connection.beginTLS(asServerWith: credentials) else { return false }
        connection.keepAlive(every: configuration.keepAlive)
        route(key, to: connection)
        return true
    }

    // MARK: Answers without a connection

    private func sendRetry(_ header: inout ngtcp2_pkt_hd, to remote: Endpoint, at now: Instant) {
        guard retries.take(at: now, rate: configuration.acceptance.retries) else { return count(\.refused) }
        var id = ngtcp2_cid()
        _ = makeID(&id)
        var token = [UInt8](repeating: 0, count: 256)
        let length = ngtcp2_crypto_generate_retry_token(
            &token, tokenSecret, tokenSecret.count, header.version, sender.address, sender.length, &id, &header.dcid,
            now.library)
        guard length > 0 else { return }
        count(\.retries)
        answer(remote) { place, room in
            ngtcp2_crypto_write_retry(place, room, header.version, &header.scid, &id, &header.dcid, token, Int(length))
        }
    }

    private func refuse(
        _ header: ngtcp2_pkt_hd, code: UInt64 = UInt64(NGTCP2_CONNECTION_REFUSED), to remote: Endpoint, at now: Instant
    ) -> QUICConnection? {
        count(\.refused)
        guard mayAnswer(at: now) else { return nil }
        var (theirs, ours) = (header.scid, header.dcid)
        answer(remote) { place, room in
            ngtcp2_crypto_write_connection_close(place, room, header.version, &theirs, &ours, code, nil, 0)
        }
        return nil
    }

    private func sendVersionNegotiation(
        for ids: ngtcp2_version_cid, received: Int, to remote: Endpoint, at now: Instant
    ) {
        // Shorter packets would make the answer an amplifier (RFC 9000, section 5.2.2).
        guard credentials != nil, received >= 1200 else { return count(\.malformed) }
        guard mayAnswer(at: now) else { return }
        count(\.versionNegotiations)
        let versions = [UInt32(NGTCP2_PROTO_VER_V1)]
        let random = Self.randomBytes(1)[0]
        answer(remote) { place, room in
            ngtcp2_pkt_write_version_negotiation(
                place, room, random, ids.scid, ids.scidlen, ids.dcid, ids.dcidlen, versions, versions.count)
        }
    }

    /// Tells a peer that its connection is not known here. Shorter than the packet it answers, so that two endpoints
    /// cannot answer each other for ever (RFC 9000, section 10.3.3).
    func sendStatelessReset(for id: UnsafePointer<UInt8>, received: Int, to remote: Endpoint, at now: Instant) {
        let randomCount = min(received - 1 - 16, 38)
        guard credentials != nil, randomCount >= 5, mayAnswer(at: now) else { return count(\.malformed) }
        var unknown = ngtcp2_cid()
        ngtcp2_cid_init(&unknown, id, Self.localIDBytes)
        var token = [UInt8](repeating: 0, count: 16)
        guard makeResetToken(&token, for: &unknown) else { return }
        let random = Self.randomBytes(randomCount)
        count(\.statelessResets)
        answer(remote) { place, room in
            ngtcp2_pkt_write_stateless_reset(place, room, token, random, random.count)
        }
    }

    private func answer(_ remote: Endpoint, _ write: (UnsafeMutablePointer<UInt8>, Int) -> ngtcp2_ssize) {
        if batch.isFull { transmit() }
        guard let place = batch.place(after: nil) else { return }
        let count = write(place, configuration.maxUDPPayload)
        if count > 0 { _ = batch.commit(Int(count), after: nil, to: remote) }
    }
}
