"""Packets of the SOE protocol, written from its description alone: nothing here looks at Baton's code."""
import struct
import zlib

REQUEST, RESPONSE, MULTI, DISCONNECT, HEARTBEAT, STAT_REQUEST, STAT_RESPONSE = 1, 2, 3, 5, 6, 7, 8
DATA, FRAGMENT, ACK, ACK_ALL, GROUP = 0x09, 0x0D, 0x11, 0x15, 0x19
PORT_ALIVE, UNKNOWN_SENDER, REMAP = 0x1C, 0x1D, 0x1E
CONTEXTLESS = {REQUEST, RESPONSE, PORT_ALIVE, UNKNOWN_SENDER, REMAP, 0x1F, 0x20}


class Damaged(Exception):
    """A datagram whose CRC is not that of its bytes."""


class Malformed(Exception):
    """Bytes that are no packet."""


class RC4:
    def __init__(self, key):
        self.s = list(range(256))
        self.i = self.j = 0
        j = 0
        for i in range(256):
            j = (j + self.s[i] + key[i % len(key)]) & 255
            self.s[i], self.s[j] = self.s[j], self.s[i]

    def apply(self, data):
        s, i, j = self.s, self.i, self.j
        out = bytearray(len(data))
        for n, byte in enumerate(data):
            i = (i + 1) & 255
            a = s[i]
            j = (j + a) & 255
            b = s[j]
            s[i], s[j] = b, a
            out[n] = byte ^ s[(a + b) & 255]
        self.i, self.j = i, j
        return bytes(out)


def crc32(seed, data):
    return zlib.crc32(data, zlib.crc32(struct.pack("<I", seed)))


def trailer(seed, length, data):
    return struct.pack(">I", crc32(seed, data))[4 - length:]


def pack_length(value, multi):
    if value < 255 or (multi and value == 255):
        return bytes([value])
    if value < 65535:
        return b"\xff" + struct.pack(">H", value)
    return b"\xff\xff\xff" + struct.pack(">I", value)


def unpack_length(data, at, multi):
    """The length and where it ends."""
    try:
        if data[at] < 255:
            return data[at], at + 1
        if multi and data[at + 1] == 0:
            return 255, at + 1
        (value,) = struct.unpack_from(">H", data, at + 1)
        if value < 65535:
            return value, at + 3
        return struct.unpack_from(">I", data, at + 3)[0], at + 7
    except (IndexError, struct.error):
        raise Malformed("a length is cut off") from None


def parts(body, multi):
    at = 0
    while at < len(body):
        length, at = unpack_length(body, at, multi)
        if at + length > len(body) or (multi and length < 2):
            raise Malformed("a part that does not fit")
        yield body[at:at + length]
        at += length


def request(version, session_id, udp_length, name):
    tail = b"" if name is None else name.encode() + b"\0"
    return struct.pack(">HIII", REQUEST, version, session_id, udp_length) + tail


def response(session_id, seed, crc_length, first, second, udp_length, version):
    head = struct.pack(">HIIBBBI", RESPONSE, session_id, seed, crc_length, first, second, udp_length)
    return head if version is None else head + struct.pack(">I", version)


def xor_chain(body, key, decode):
    out = bytearray()
    whole = len(body) // 4 * 4
    for (word,) in struct.iter_unpack("<I", body[:whole]):
        out += struct.pack("<I", word ^ key)
        key = word if decode else word ^ key
    out += bytes(byte ^ (key & 255) for byte in body[whole:])
    return bytes(out)


class Dialect:
    """What games do differently."""

    def __init__(self, name, version=3, named=True, versioned=True, udp_length=512, style="flag", chained=False,
                 escapes=False, codes_raw=False, spare=0):
        self.name, self.version, self.named, self.versioned = name, version, named, versioned
        self.udp_length, self.style, self.chained = udp_length, style, chained
        self.escapes, self.codes_raw, self.spare = escapes, codes_raw, spare


DIALECTS = {
    d.name: d for d in (
        Dialect("v3"),
        Dialect("udplibrary", escapes=True, codes_raw=True),
        Dialect("swg", version=2, named=False, udp_length=496, style="trailing", chained=True, escapes=True,
                codes_raw=True),
        Dialect("everquest", named=False, versioned=False, style="letter", chained=True, escapes=True, codes_raw=True,
                spare=1),
    )
}


class Coding:
    """What a session's response made of its contextual datagrams."""

    def __init__(self, dialect, seed=0, crc_length=0, first=0, second=0):
        self.dialect, self.seed, self.crc_length, self.first, self.second = dialect, seed, crc_length, first, second

    @property
    def overhead(self):
        return self.crc_length + (1 if self.first == 1 else 0)

    def seal(self, packet):
        body = packet[2:]
        if self.first == 1:
            body = self._deflate(body)
        if self.second == 4:
            body = xor_chain(body, self.seed, decode=False)
        packet = packet[:2] + body
        return packet + trailer(self.seed, self.crc_length, packet)

    def open(self, datagram):
        """Op code (None for raw data) and body."""
        end = len(datagram) - self.crc_length
        if end < 1 or trailer(self.seed, self.crc_length, datagram[:end]) != datagram[end:]:
            raise Damaged()
        packet = datagram[:end]
        raw = packet[0] != 0
        if raw and not self.dialect.codes_raw:
            return None, packet
        if len(packet) < 2:
            return None, packet
        head, body = (packet[:1], packet[1:]) if raw else (packet[:2], packet[2:])
        if not raw and head[1] == 0 and not self.dialect.codes_raw:
            return None, packet[1:]
        if body or not raw:
            if self.second == 4:
                body = xor_chain(body, self.seed, decode=True)
            if self.first == 1:
                body = self._inflate(body)
        if raw:
            return None, head + body
        return (None, b"\0" + body) if head[1] == 0 else (head[1], body)

    def _deflate(self, body):
        level = 1 if self.dialect.style == "letter" else -1
        short = zlib.compress(body, level) if len(body) > 30 else body
        small = len(short) < len(body)
        if self.dialect.style == "flag":
            return b"\1" + short if small else b"\0" + body
        if self.dialect.style == "letter":
            return b"\x5a" + short if small else b"\xa5" + body
        return short + b"\1" if small else body + b"\0"

    def _inflate(self, body):
        if not body:
            raise Malformed("no flag")
        flag, body = (body[-1], body[:-1]) if self.dialect.style == "trailing" else (body[0], body[1:])
        if flag == (0xA5 if self.dialect.style == "letter" else 0):
            return body
        try:
            return zlib.decompressobj().decompress(body, 1 << 16)
        except zlib.error as error:
            raise Malformed(str(error)) from None
