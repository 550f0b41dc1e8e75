"""One SOE session without sockets: datagrams, messages and time in; datagrams and messages out."""
import collections
import struct

import soe_wire as wire

WINDOW = 96
AHEAD = 256


class Sender:
    def __init__(self):
        self.next = 0
        self.queue = collections.deque()
        self.flying = {}  # sequence -> [packet, sent at, times, has been overtaken]

    @property
    def idle(self):
        return not self.queue and not self.flying


class Receiver:
    def __init__(self):
        self.expected = 0
        self.stash = {}
        self.unit, self.missing = b"", 0
        self.ack_all = False
        self.singles = []


class Session:
    def __init__(self, role, dialect, name, now, session_id, key=None, udp_length=None, crc_length=2, compress=False,
                 seed=0):
        self.role, self.dialect, self.name, self.id = role, dialect, name, session_id
        self.key = key
        self.own_length = udp_length or dialect.udp_length
        self.send_length = self.own_length
        self.coding = wire.Coding(dialect)
        self.wanted = (seed, crc_length, 1 if compress else 0, 4 if dialect.chained else 0)
        self.senders, self.receivers, self.ciphers = {}, {}, {}
        self.out, self.messages = [], collections.deque()
        self.open, self.reason = False, None
        self.srtt, self.rttvar, self.rto = None, 0.0, 0.3
        self.resent = self.damaged = 0
        self.heard = self.said = now
        self.asked = None

    # Handshake

    def ask(self, now):
        self.asked = now
        name = self.name if self.dialect.named else None
        self.out.append(wire.request(self.dialect.version, self.id, self.own_length, name))

    def answer(self, peer_length):
        seed, crc_length, first, second = self.wanted
        self.coding = wire.Coding(self.dialect, seed, crc_length, first, second)
        self.send_length = min(self.own_length, peer_length)
        self.open = True
        version = self.dialect.version if self.dialect.versioned else None
        self.out.append(wire.response(self.id, seed, crc_length, first, second, self.send_length, version))

    # Application

    def cipher(self, channel, direction):
        if self.key is None:
            return None
        return self.ciphers.setdefault((channel, direction), wire.RC4(self.key))

    def send(self, message, channel=0):
        cipher = self.cipher(channel, "out")
        unit = cipher.apply(message) if cipher else message
        if (cipher or self.dialect.escapes) and unit[:1] == b"\0":
            unit = b"\0" + unit
        elif unit[:2] == b"\0\x19" or not unit:
            unit = b"\0\x19" + wire.pack_length(len(unit), multi=False) + unit
        sender = self.senders.setdefault(channel, Sender())
        room = self.send_length - 4 - self.coding.overhead - self.dialect.spare
        if len(unit) <= room:
            sender.queue.append((wire.DATA, unit))
            return
        unit = struct.pack(">I", len(unit)) + unit
        for at in range(0, len(unit), room):
            sender.queue.append((wire.FRAGMENT, unit[at:at + room]))

    def send_raw(self, message):
        assert message[:1] != b"\0" and len(message) + self.coding.crc_length <= self.send_length
        packet = message
        self.out.append(packet + wire.trailer(self.coding.seed, self.coding.crc_length, packet))

    @property
    def idle(self):
        return all(sender.idle for sender in self.senders.values())

    def disconnect(self, reason):
        if self.open:
            packet = struct.pack(">HIH", wire.DISCONNECT, self.id, reason)
            self.out.extend([self.coding.seal(packet)] * 3)
        self.open, self.reason = False, reason

    # Datagrams

    def receive(self, datagram, now):
        if datagram[0] == 0 and len(datagram) > 1 and datagram[1] in wire.CONTEXTLESS:
            self.receive_plain(datagram, now)
            return
        if not self.open:
            return
        try:
            code, body = self.coding.open(datagram)
        except wire.Damaged:
            self.damaged += 1
            return
        self.heard = now
        self.handle(code, body, now)

    def receive_plain(self, datagram, now):
        if datagram[1] == wire.RESPONSE and self.role == "client" and not self.open and self.reason is None:
            (sid, seed, crc_length, first, second, length) = struct.unpack_from(">IIBBBI", datagram, 2)
            if sid != self.id:
                return
            self.coding = wire.Coding(self.dialect, seed, crc_length, first, second)
            self.send_length = min(self.own_length, length)
            self.open, self.heard = True, now
        elif datagram[1] == wire.REQUEST and self.role == "server":
            if struct.unpack_from(">I", datagram, 6)[0] == self.id:
                seed, crc_length, first, second = self.wanted
                version = self.dialect.version if self.dialect.versioned else None
                self.out.append(
                    wire.response(self.id, seed, crc_length, first, second, self.send_length, version))

    def handle(self, code, body, now):
        if code is None:
            self.messages.append(("raw", body))
        elif code == wire.MULTI:
            for part in wire.parts(body, multi=True):
                if part[0] == 0:
                    self.handle(part[1], part[2:], now)
                else:
                    self.messages.append(("raw", part))
        elif wire.DATA <= code < wire.DATA + 4 or wire.FRAGMENT <= code < wire.FRAGMENT + 4:
            is_fragment = code >= wire.FRAGMENT
            self.arrive((code - wire.DATA) % 4, struct.unpack_from(">H", body)[0], is_fragment, body[2:])
        elif wire.ACK <= code < wire.ACK + 4:
            self.acknowledged(code - wire.ACK, struct.unpack_from(">H", body)[0], False, now)
        elif wire.ACK_ALL <= code < wire.ACK_ALL + 4:
            self.acknowledged(code - wire.ACK_ALL, struct.unpack_from(">H", body)[0], True, now)
        elif code == wire.DISCONNECT:
            if struct.unpack_from(">I", body)[0] == self.id:
                self.open = False
                self.reason = struct.unpack_from(">H", body, 4)[0] if len(body) > 5 else 0
                self.ended_by_peer = True
        elif code == wire.STAT_REQUEST and self.role == "server" and len(body) >= 38:
            answer = body[:2] + struct.pack(">I", int(now * 1000) & 0xFFFFFFFF) + body[22:38] + bytes(16)
            self.out.append(self.coding.seal(struct.pack(">H", wire.STAT_RESPONSE) + answer))

    ended_by_peer = False

    def arrive(self, channel, sequence, is_fragment, data):
        receiver = self.receivers.setdefault(channel, Receiver())
        ahead = (sequence - receiver.expected) & 0xFFFF
        if ahead >= 32768:
            receiver.ack_all = True
        elif ahead == 0:
            receiver.ack_all = True
            self.assemble(receiver, channel, is_fragment, data)
            receiver.expected = (receiver.expected + 1) & 0xFFFF
            while receiver.expected in receiver.stash:
                self.assemble(receiver, channel, *receiver.stash.pop(receiver.expected))
                receiver.expected = (receiver.expected + 1) & 0xFFFF
        elif ahead <= AHEAD:
            receiver.stash[sequence] = (is_fragment, data)
            receiver.singles.append(sequence)

    def assemble(self, receiver, channel, is_fragment, data):
        if not is_fragment:
            assert not receiver.missing, "data between fragments"
            self.deliver_unit(channel, data)
            return
        if not receiver.missing:
            receiver.missing, receiver.unit, data = struct.unpack_from(">I", data)[0], [], data[4:]
        receiver.unit.append(data)
        receiver.missing -= len(data)
        assert receiver.missing >= 0, "fragments hold more than was announced"
        if receiver.missing == 0:
            self.deliver_unit(channel, b"".join(receiver.unit))

    def deliver_unit(self, channel, unit):
        if unit[:2] == b"\0\x19" and len(unit) > 2:
            try:
                for message in wire.parts(unit[2:], multi=False):
                    self.deliver(channel, message)
            except wire.Malformed:
                pass  # A bundle that is cut short says nothing more.
            return
        self.deliver(channel, unit)

    def deliver(self, channel, message):
        cipher = self.cipher(channel, "in")
        if (cipher or self.dialect.escapes) and len(message) > 1 and message[0] == 0:
            message = message[1:]
        self.messages.append((channel, cipher.apply(message) if cipher else message))

    # Acknowledgements and time

    def acknowledged(self, channel, sequence, and_before, now):
        sender = self.senders.get(channel)
        if not sender:
            return
        gone = [s for s in sender.flying if s == sequence or (and_before and (sequence - s) & 0xFFFF < 32768)]
        for s in gone:
            entry = sender.flying.pop(s)
            if entry[2] == 1:
                self.measure(now - entry[1])
        if gone and not and_before:
            # What was sent well before a packet that has arrived is lost.
            for s, entry in sender.flying.items():
                if 3 <= (sequence - s) & 0xFFFF < 32768 and entry[2] == 1:
                    entry[3] = True

    def measure(self, sample):
        if self.srtt is None:
            self.srtt, self.rttvar = sample, sample / 2
        else:
            self.rttvar += (abs(self.srtt - sample) - self.rttvar) / 4
            self.srtt += (sample - self.srtt) / 8
        self.rto = min(2.0, max(0.03, self.srtt + 4 * self.rttvar))

    def tick(self, now):
        """Sends what is due; call it after each turn of input and every few milliseconds."""
        if self.role == "client" and not self.open and self.reason is None:
            if self.asked is None or now - self.asked > 0.3:
                self.ask(now)
            return
        if not self.open:
            return
        packets = []
        for channel, receiver in self.receivers.items():
            if receiver.ack_all:
                packets.append(struct.pack(">HH", wire.ACK_ALL + channel, (receiver.expected - 1) & 0xFFFF))
                receiver.ack_all = False
            packets += [struct.pack(">HH", wire.ACK + channel, s) for s in receiver.singles]
            receiver.singles = []
        for channel, sender in self.senders.items():
            for s, entry in sender.flying.items():
                if entry[3] or now - entry[1] > self.rto * min(8, 2 ** (entry[2] - 1)):
                    entry[1], entry[2], entry[3] = now, entry[2] + 1, False
                    self.resent += 1
                    packets.append(entry[0])
            oldest = next(iter(sender.flying), sender.next)
            while sender.queue and (sender.next - oldest) & 0xFFFF < WINDOW:
                base, data = sender.queue.popleft()
                packet = struct.pack(">HH", base + channel, sender.next) + data
                sender.flying[sender.next] = [packet, now, 1, False]
                sender.next = (sender.next + 1) & 0xFFFF
                packets.append(packet)
        if not packets and now - self.said > 5:
            packets.append(struct.pack(">H", wire.HEARTBEAT))
        if packets:
            self.said = now
        self.bundle(packets)

    def bundle(self, packets):
        """Puts small packets into MultiPackets."""
        room = self.send_length - self.coding.overhead
        group, size = [], 2
        for packet in packets:
            if group and (len(packet) > 254 or size + 1 + len(packet) > room):
                self.flush(group)
                group, size = [], 2
            group.append(packet)
            size += 1 + len(packet)
            if len(packet) > 254:
                self.flush(group)
                group, size = [], 2
        self.flush(group)

    def flush(self, group):
        if len(group) == 1:
            self.out.append(self.coding.seal(group[0]))
        elif group:
            body = b"".join(bytes([len(packet)]) + packet for packet in group)
            self.out.append(self.coding.seal(struct.pack(">H", wire.MULTI) + body))
