internal import CNgtcp2
internal import Glibc
internal import RelayCore

/// Everything a connection writes goes straight into its endpoint's batch.
extension QUICConnection {
    enum DatagramWrite {
        case written
        /// The congestion window is used up: it may go later.
        case held
        /// The connection has just ended.
        case over
    }

    /// Writes one datagram, in two pieces.
    func write(datagram head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at now: Instant) -> DatagramWrite
    {
        // The library takes no empty pieces.
        let pieces = head.isEmpty ? (vector(body), vector(head)) : (vector(head), vector(body))
        let pieceCount = (head.isEmpty ? 0 : 1) + (body.isEmpty ? 0 : 1)
        // One call may bring a packet without the datagram, when something else had to go first.
        for _ in 0..<8 {
            var isAccepted: Int32 = 0
            let count = withUnsafePointer(to: pieces) { pieces in
                pieces.withMemoryRebound(to: ngtcp2_vec.self, capacity: 2) { vectors in
                    write(at: now) { library, path, place, room in
                        ngtcp2_conn_writev_datagram_versioned(
                            library, path, NGTCP2_PKT_INFO_VERSION, nil, place, room, &isAccepted, 0, 0, vectors,
                            pieceCount,
                            now.library)
                    }
                }
            }
            if count < 0 {
                endpoint.fail(self, Int32(count), at: now)
                return .over
            }
            if isAccepted != 0 {
                counters.sent &+= 1
                return .written
            }
            if count == 0 { return .held }
        }
        return .held
    }

    /// Whether it has to be asked for what it has to write.
    var isDue: Bool {
        hasWork || unanswered >= endpoint.configuration.acknowledgeEvery || !urgent.isEmpty || !bulk.isEmpty
            || !streamsWithWork.isEmpty
    }

    /// When it has to be looked after next.
    var deadline: Instant {
        guard let library else { return .zero }
        let expiry = Instant(nanoseconds: Int64(clamping: ngtcp2_conn_get_expiry(library)))
        return unanswered == 0 ? expiry : max(expiry, unansweredSince + endpoint.configuration.acknowledgeDelay)
    }

    /// Sends what waits and may go: streams, then urgent datagrams, then the others, then acknowledgements and the like.
    func pump(at now: Instant) {
        hasWork = false
        unanswered = 0
        writeStreams(at: now)
        writeQueue(at: now)
        while ending == nil {
            let count = write(at: now) { library, path, place, room in
                ngtcp2_conn_write_pkt_versioned(library, path, NGTCP2_PKT_INFO_VERSION, nil, place, room, now.library)
            }
            if count < 0 { return endpoint.fail(self, Int32(count), at: now) }
            if count == 0 { return }
        }
    }

    private func writeQueue(at now: Instant) {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        while ending == nil, let datagram = urgent.next(at: now, expired: &counters.expired) {
            guard datagram.count <= maxDatagram else {
                counters.oversized &+= 1
                urgent.removeFirst()
                continue
            }
            guard case .written = write(datagram: datagram, nothing, at: now) else { return }
            urgent.removeFirst()
        }
        while ending == nil, let datagram = bulk.next(at: now, expired: &counters.expired) {
            guard datagram.count <= maxDatagram else {
                counters.oversized &+= 1
                bulk.removeFirst()
                continue
            }
            guard case .written = write(datagram: datagram, nothing, at: now) else { return }
            bulk.removeFirst()
        }
    }

    private func writeStreams(at now: Instant) {
        guard !streamsWithWork.isEmpty else { return }
        var remaining: [Int64] = []
        for stream in streamsWithWork where !write(stream: stream, at: now) {
            remaining.append(stream)
            if ending != nil { return }
        }
        streamsWithWork = remaining
    }

    /// Writes what a stream has. Returns whether nothing is left of it.
    private func write(stream: Int64, at now: Instant) -> Bool {
        while ending == nil, let state = streams[stream], state.hasWork {
            let (bytes, ends) = state.next()
            var piece = vector(bytes)
            var taken: ngtcp2_ssize = -1
            let count = write(at: now) { library, path, place, room in
                ngtcp2_conn_writev_stream_versioned(
                    library, path, NGTCP2_PKT_INFO_VERSION, nil, place, room, &taken,
                    ends ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE, stream, &piece,
                    bytes.isEmpty ? 0 : 1, now.library)
            }
            if taken >= 0 { streams[stream]?.didSend(Int(taken)) }
            switch Int32(truncatingIfNeeded: count) {
            case NGTCP2_ERR_STREAM_DATA_BLOCKED: return false
            case NGTCP2_ERR_STREAM_SHUT_WR, NGTCP2_ERR_STREAM_NOT_FOUND: return true
            case ..<0:
                endpoint.fail(self, Int32(count), at: now)
                return true
            case 0: return false
            default: continue
            }
        }
        return true
    }

    /// Lets the library write one packet, and puts it into the batch.
    func write(
        at now: Instant,
        _ body: (
            _ library: OpaquePointer, _ path: UnsafeMutablePointer<ngtcp2_path>, _ place: UnsafeMutablePointer<UInt8>,
            _ room: Int
        ) -> ngtcp2_ssize
    ) -> ngtcp2_ssize {
        guard let library else { return 0 }
        let endpoint = endpoint
        if endpoint.batch.isFull { endpoint.transmit() }
        let last = groupBatch == endpoint.batchNumber ? group : nil
        guard let place = endpoint.batch.place(after: last) else { return 0 }
        let path = endpoint.path
        let count = body(library, path, place, endpoint.configuration.maxUDPPayload)
        guard count > 0 else { return count }
        group = endpoint.batch.commit(Int(count), after: last, to: destination(path.pointee.remote))
        groupBatch = endpoint.batchNumber
        return count
    }

    /// Where a packet goes: usually where the last one went.
    private func destination(_ address: ngtcp2_addr) -> Endpoint {
        guard let bytes = address.addr else { return remote }
        if isRemote(address) { return remote }
        return Endpoint(bytes) ?? remote
    }

    func isRemote(_ address: ngtcp2_addr) -> Bool {
        address.addrlen == remoteStorage.length
            && memcmp(address.addr, remoteStorage.pointer, Int(remoteStorage.length)) == 0
    }
}

private func vector(_ bytes: UnsafeRawBufferPointer) -> ngtcp2_vec {
    ngtcp2_vec(
        base: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: UInt8.self),
        len: bytes.count)
}

extension Instant {
    /// In the library's form. Its time may not be negative; ours is not either, wherever its zero is.
    var library: ngtcp2_tstamp { ngtcp2_tstamp(max(0, nanoseconds)) }
}
