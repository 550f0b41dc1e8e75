"""LDN packets by their offsets, and a client that speaks them over a socket. Shares nothing with the server's code."""

import socket
import struct
import time

INITIALIZE, PASSPHRASE, CREATE, CREATE_PRIVATE, EXTERNAL_PROXY, EXTERNAL_PROXY_TOKEN, EXTERNAL_PROXY_STATE = range(7)
SYNC_NETWORK, REJECT, REJECT_REPLY, SCAN, SCAN_REPLY, SCAN_REPLY_END, CONNECT, CONNECT_PRIVATE, CONNECTED = range(7, 16)
DISCONNECT, PROXY_CONFIG, PROXY_CONNECT, PROXY_CONNECT_REPLY, PROXY_DATA, PROXY_DISCONNECT = range(16, 22)
SET_ACCEPT_POLICY, SET_ADVERTISE_DATA = 22, 23
PING, NETWORK_ERROR = 254, 255

BROADCAST, LEGACY_BROADCAST = 0x0A72FFFF, 0xC0A800FF


def player(last):
    """10.114.0.last"""
    return 0x0A720000 | last


def packet(kind, payload=b""):
    return struct.pack("<4sBBHi", b"RLDN", kind, 1, 0, len(payload)) + payload


def fields(size, *placed):
    """Bytes of a struct: (format, offset, value...) for what is not zero."""
    data = bytearray(size)
    for form, offset, *values in placed:
        struct.pack_into("<" + form, data, offset, *values)
    return bytes(data)


def initialize(identity=b"\0" * 22):
    return packet(INITIALIZE, identity)


def passphrase(text):
    return packet(PASSPHRASE, text.encode().ljust(128, b"\0"))


def network_config(title, scene, most, version):
    return fields(0x20, ("q", 0, title), ("H", 0x0A, scene), ("B", 0x12, most), ("H", 0x14, version))


def ryu_config(external=0, internal=0, private="0.0.0.0"):
    family = 2 if external else 0
    address = socket.inet_aton(private)
    return fields(0x28, ("16s", 0, b"1.2.3"), ("4s", 0x10, address), ("i", 0x20, family), ("HH", 0x24, external, internal))


def create(name="host", title=0x0100152000200000, scene=1, most=8, version=515, advertise=b"", **proxy):
    head = fields(0xBC, ("33s", 0x44, name.encode()), ("32s", 0x74, network_config(title, scene, most, version)),
                  ("40s", 0x94, ryu_config(**proxy)))
    return packet(CREATE, head + advertise)


def create_private(session, name="host", reserved=(), title=0x0100152000200000, most=8, version=515):
    placed = [("16s", 0x54, session), ("33s", 0x64, name.encode()), ("32s", 0x94, network_config(title, 1, most, version)),
              ("40s", 0x114, ryu_config())]
    for index, (address, mac) in enumerate(reserved):
        placed += [("I6s", 0xB4 + 12 * index, address, mac)]
    return packet(CREATE_PRIVATE, fields(0x13C, *placed))


def connect(session, name="guest", version=515, packed=False):
    at = 0x7C if packed else 0x80
    placed = [("33s", 0x44, name.encode()), ("I", 0x74, version), ("16s", at + 0x10, session)]
    return packet(CONNECT, fields(at + 0x480, *placed))


def connect_private(session, name="guest", version=515, packed=False):
    placed = [("16s", 0x54, session), ("33s", 0x64, name.encode()), ("I", 0x94, version)]
    return packet(CONNECT_PRIVATE, fields(0xBC if packed else 0xC0, *placed))


def scan(title=None, scene=None, session=None, kind=None, ssid=None):
    flag, placed = 0, []
    if title is not None:
        flag, placed = flag | 1, placed + [("q", 0, title)]
    if scene is not None:
        flag, placed = flag | 0x20, placed + [("H", 0x0A, scene)]
    if session is not None:
        flag, placed = flag | 2, placed + [("16s", 0x10, session)]
    if kind is not None:
        flag, placed = flag | 4, placed + [("I", 0x20, kind)]
    if ssid is not None:
        flag, placed = flag | 0x10, placed + [("B33s", 0x2A, len(ssid), ssid)]
    return packet(SCAN, fields(0x60, *placed, ("B", 0x5C, flag)))


def datagram(to, data, source=0, length=None, ports=(49152, 7777), protocol=17):
    info = struct.pack("<IHIHi", source, ports[0], to, ports[1], protocol)
    return packet(PROXY_DATA, info + struct.pack("<I", len(data) if length is None else length) + data)


def state(address, connected=False):
    return packet(EXTERNAL_PROXY_STATE, fields(8, ("IB", 0, address, connected)))


class NetworkInfo:
    """The 0x480 bytes of a network, read."""

    def __init__(self, data):
        assert len(data) == 0x480, f"a network of {len(data)} bytes"
        self.title, self.scene = struct.unpack_from("<q", data, 0)[0], struct.unpack_from("<H", data, 0x0A)[0]
        self.session, self.host_mac = data[0x10:0x20], data[0x20:0x26]
        self.ssid = data[0x27 : 0x27 + data[0x26]]
        self.policy, self.most, self.count = data[0x62], data[0x66], data[0x67]
        size = struct.unpack_from("<H", data, 0x26A)[0]
        self.advertised = data[0x26C : 0x26C + size]
        self.nodes = []
        for index in range(8):
            at = 0x68 + 0x40 * index
            address, mac, node, is_connected, name = struct.unpack_from("<I6sBB33s", data, at)
            self.nodes.append((bool(is_connected), address, mac, node, name.rstrip(b"\0").decode()))

    @property
    def names(self):
        return [node[4] for node in self.nodes if node[0]]

    @property
    def addresses(self):
        return [node[1] for node in self.nodes if node[0]]


class Client:
    """A TCP connection to a master."""

    def __init__(self, address, timeout=5, source=None):
        self.socket = socket.create_connection(address, timeout=timeout, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.answers_pings = True
        self.identity = None
        self.network = None

    def send(self, *packets):
        self.socket.sendall(b"".join(packets))

    def receive(self):
        """The next packet: its type and payload. ConnectionError when the server has hung up.

        Pings of the server are answered and not shown, as clients do it, unless `answers_pings` is off.
        """
        while True:
            kind, payload = self._receive()
            if not (self.answers_pings and kind == PING and payload[0] == 0):
                return kind, payload
            self.send(packet(PING, payload))

    def _receive(self):
        while len(self.buffer) < 12 or len(self.buffer) < 12 + struct.unpack_from("<i", self.buffer, 8)[0]:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.buffer += data
        magic, kind, version, _, size = struct.unpack_from("<4sBBHi", self.buffer)
        assert (magic, version) == (b"RLDN", 1), "no LDN header"
        payload, self.buffer = self.buffer[12 : 12 + size], self.buffer[12 + size :]
        return kind, payload

    def expect(self, *kinds):
        """The payloads of the next packets, which must be of these types."""
        payloads = []
        for kind in kinds:
            got, payload = self.receive()
            assert got == kind, f"expected type {kind}, got {got} {payload[:32].hex()}"
            payloads.append(payload)
        return payloads[0] if len(payloads) == 1 else payloads

    def hello(self, identity=b"\0" * 22, words=""):
        self.send(passphrase(words), initialize(identity))
        self.identity = self.expect(INITIALIZE)
        return self

    @property
    def mac(self):
        return self.identity[16:]

    def host(self, request=None):
        """Opens a network that the master relays for."""
        self.send(request or create())
        config, info = self.expect(PROXY_CONFIG, CONNECTED)
        self.network = NetworkInfo(info)
        self.address = struct.unpack_from("<I", config)[0]
        return self.network

    def join(self, network, **options):
        self.send(connect(network.session, **options))
        config, info = self.expect(PROXY_CONFIG, CONNECTED)
        self.network = NetworkInfo(info)
        self.address = struct.unpack_from("<I", config)[0]
        return self.network

    def scan(self, **options):
        """All networks that a scan finds."""
        self.send(scan(**options))
        found = []
        while True:
            kind, payload = self.receive()
            if kind == SCAN_REPLY_END:
                return found
            assert kind == SCAN_REPLY, f"type {kind} in the answer to a scan"
            found.append(NetworkInfo(payload))

    def error(self):
        return struct.unpack("<i", self.expect(NETWORK_ERROR))[0]

    def sync(self):
        return NetworkInfo(self.expect(SYNC_NETWORK))

    def hears_nothing(self):
        """Whether nothing is on its way: the answer to a ping of ours comes first."""
        mark = int(time.monotonic() * 1000) & 255
        self.send(packet(PING, bytes([1, mark])))
        return self.receive() == (PING, bytes([1, mark]))

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
