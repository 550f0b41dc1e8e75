internal import CNgtcp2
internal import Glibc
internal import RelayCore

/// What the library asks of us and tells us while it handles a packet.
extension QUICConnection {
    static func callbacks(isServer: Bool) -> ngtcp2_callbacks {
        var callbacks = ngtcp2_callbacks()
        if isServer {
            callbacks.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb
        } else {
            callbacks.client_initial = ngtcp2_crypto_client_initial_cb
            callbacks.recv_retry = ngtcp2_crypto_recv_retry_cb
        }
        callbacks.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb
        callbacks.encrypt = ngtcp2_crypto_encrypt_cb
        callbacks.decrypt = ngtcp2_crypto_decrypt_cb
        callbacks.hp_mask = ngtcp2_crypto_hp_mask_cb
        callbacks.update_key = ngtcp2_crypto_update_key_cb
        callbacks.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb
        callbacks.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb
        callbacks.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb
        callbacks.version_negotiation = ngtcp2_crypto_version_negotiation_cb
        callbacks.rand = { bytes, count, _ in gnutls_rnd(GNUTLS_RND_NONCE, bytes, count) }
        callbacks.get_new_connection_id = { _, id, token, count, context in
            guard let id, let token else { return NGTCP2_ERR_CALLBACK_FAILURE }
            return with(context) { $0.issueID(id, token: token, count: count) }
        }
        callbacks.remove_connection_id = { _, id, context in
            guard let id else { return 0 }
            return with(context) { $0.retireID(id.pointee) }
        }
        callbacks.handshake_completed = { _, context in with(context) { $0.handshakeCompleted() } }
        callbacks.recv_stream_data = { library, flags, stream, _, bytes, count, context, _ in
            ngtcp2_conn_extend_max_stream_offset(library, stream, UInt64(count))
            ngtcp2_conn_extend_max_offset(library, UInt64(count))
            let isEnded = flags & NGTCP2_STREAM_DATA_FLAG_FIN != 0
            if isEnded { allowAnother(after: stream, library) }
            return with(context) { connection in
                connection.endpoint.delegate?.received(
                    UnsafeRawBufferPointer(start: bytes, count: count), stream: stream,
                    ended: isEnded, from: connection.id)
                return 0
            }
        }
        callbacks.acked_stream_data_offset = { _, stream, offset, count, context, _ in
            with(context) { $0.acknowledged(stream, upTo: offset + count) }
        }
        callbacks.stream_reset = { library, stream, _, code, context, _ in
            allowAnother(after: stream, library)
            return with(context) { connection in
                connection.endpoint.delegate?.reset(stream: stream, code: code, from: connection.id)
                return 0
            }
        }
        callbacks.stream_stop_sending = { _, stream, code, context, _ in
            with(context) { connection in
                connection.endpoint.delegate?.reset(stream: stream, code: code, from: connection.id)
                return 0
            }
        }
        callbacks.stream_close = { library, _, stream, _, context, _ in
            if ngtcp2_conn_is_local_stream(library, stream) == 0, ngtcp2_is_bidi_stream(stream) != 0 {
                ngtcp2_conn_extend_max_streams_bidi(library, 1)
            }
            return with(context) { $0.forget(stream) }
        }
        callbacks.recv_datagram = { _, _, bytes, count, context in
            with(context) { connection in
                connection.counters.received &+= 1
                connection.endpoint.delegate?.received(
                    datagram: UnsafeRawBufferPointer(start: bytes, count: count), from: connection.id)
                return 0
            }
        }
        callbacks.recv_stateless_reset = { _, _, context in
            with(context) { connection in
                connection.wasReset = true
                return 0
            }
        }
        return callbacks
    }

    private func issueID(_ id: UnsafeMutablePointer<ngtcp2_cid>, token: UnsafeMutablePointer<UInt8>, count: Int)
        -> Int32
    {
        guard count == QUICEndpoint.localIDBytes else { return NGTCP2_ERR_CALLBACK_FAILURE }
        let key = endpoint.makeID(id)
        endpoint.route(key, to: self)
        return endpoint.makeResetToken(token, for: id) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE
    }

    private func retireID(_ id: ngtcp2_cid) -> Int32 {
        let key = withUnsafeBytes(of: id.data) { $0.loadUnaligned(as: UInt64.self) }
        endpoint.unroute(key)
        localIDs.removeAll { $0 == key }
        return 0
    }

    private func handshakeCompleted() -> Int32 {
        // GnuTLS lets in who names no protocol at all; QUIC does not (RFC 9001, section 8.1).
        var named = gnutls_datum_t()
        guard gnutls_alpn_get_selected_protocol(session, &named) == 0 else {
            lacksProtocol = true
            return NGTCP2_ERR_CALLBACK_FAILURE
        }
        isConnected = true
        maxDatagram = currentMaxDatagram()
        endpoint.handshakeEnded(self)
        endpoint.delegate?.connected(id, remote: remote)
        return 0
    }

    private func acknowledged(_ stream: Int64, upTo offset: UInt64) -> Int32 {
        guard let before = streams[stream]?.count else { return 0 }
        streams[stream]?.acknowledge(upTo: offset)
        backlog -= before - (streams[stream]?.count ?? 0)
        return 0
    }

    private func forget(_ stream: Int64) -> Int32 {
        guard var state = streams.removeValue(forKey: stream) else { return 0 }
        backlog -= state.count
        state.discard()
        streamsWithWork.removeAll { $0 == stream }
        return 0
    }
}

/// The peer may open another unidirectional stream for one that has come to its end. The library, at this version, does
/// not say that such a stream is closed.
private func allowAnother(after stream: Int64, _ library: OpaquePointer?) {
    guard ngtcp2_conn_is_local_stream(library, stream) == 0, ngtcp2_is_bidi_stream(stream) == 0 else { return }
    ngtcp2_conn_extend_max_streams_uni(library, 1)
}

private func with(_ context: UnsafeMutableRawPointer?, _ body: (QUICConnection) -> Int32) -> Int32 {
    guard let context else { return NGTCP2_ERR_CALLBACK_FAILURE }
    return QUICConnection.from(context)._withUnsafeGuaranteedRef(body)
}
