"""aioquic as everything a LAN relay may meet: two honest players who play all the time, and all that hostile ones do.

    hostile.py PORT ADMIN-PORT PID CONFIGURATION

What each attack must leave behind is looked up in the relay's metrics; after each the honest players still play."""

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import sys

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, StreamDataReceived

PORT, ADMIN_PORT, PID, CONFIGURATION = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
RELAY = ("127.0.0.1", PORT)
LIMIT = 20


def frame(source, target="ff:ff:ff:ff:ff:ff", body=bytes(46), kind=0x88B5):
    octets = [bytes.fromhex(mac.replace(":", "")) for mac in (target, source)]
    return octets[0] + octets[1] + struct.pack(">H", kind) + body


def whole(data):
    return struct.pack(">BBHHH", 0x10, 0, 0, len(data), 0) + data


def message(type, **members):
    text = json.dumps({"type": type, **members}).encode()
    return struct.pack(">I", len(text)) + text


class Peer(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.heard, self.pending, self.end = [], b"", None
        # The numbers of the frames from an honest friend.
        self.friend, self.numbers = None, []

    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            if self.friend and event.data[14:20] == self.friend:
                self.numbers.append(struct.unpack(">Q", event.data[22:30])[0])
        elif isinstance(event, StreamDataReceived) and event.stream_id == 0:
            self.pending += event.data
            while len(self.pending) >= 4 and len(self.pending) >= 4 + int.from_bytes(self.pending[:4], "big"):
                length = int.from_bytes(self.pending[:4], "big")
                self.heard.append(json.loads(self.pending[4 : 4 + length]))
                self.pending = self.pending[4 + length :]
        elif isinstance(event, ConnectionTerminated):
            self.end = event

    def say(self, data, stream=0, end=False):
        self._quic.send_stream_data(stream, data, end)
        self.transmit()

    def datagram(self, data):
        self._quic.send_datagram_frame(data)
        self.transmit()

    def hello(self, mac, room="party", **members):
        self.mac = mac
        self.say(message("hello", version=1, role="client", room=room, mac=mac, datagram=1522, splits=True, **members))

    def said(self, type):
        return [m for m in self.heard if m["type"] == type]


def configuration(**changes):
    options = {"alpn_protocols": ["baton-lan/1"], "max_datagram_frame_size": 65535, "max_datagram_size": 1400}
    return QuicConfiguration(
        is_client=True, server_name="localhost", verify_mode=ssl.CERT_NONE, **{**options, **changes})


async def dial(source, **changes):
    connection = QuicConnection(configuration=configuration(**changes))
    _, peer = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Peer(connection), local_addr=(source, 0))
    peer.connect(RELAY)
    await asyncio.wait_for(peer.wait_connected(), LIMIT)
    return peer


async def join(source, mac, room="party", **members):
    peer = await dial(source)
    peer.hello(mac, room, **members)
    await until(lambda: peer.said("welcome"), f"{mac} is welcomed")
    return peer


async def until(condition, what):
    for _ in range(LIMIT * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"in vain waited until {what}")


def ask(method, path):
    admin = http.client.HTTPConnection("127.0.0.1", ADMIN_PORT, timeout=LIMIT)
    admin.request(method, path, headers={"Authorization": "Bearer open-sesame"})
    answer = admin.getresponse()
    return answer.status, answer.read().decode()


def metric(name):
    """A metric's value by its line's beginning; 0 where there is none yet."""
    lines = ask("GET", "/metrics")[1].splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith(name + " "))


def closed(reason):
    return metric(f'baton_connections_closed_total{{protocol="lan",reason="{reason}"}}')


def refused(reason):
    return metric(f'baton_connections_refused_total{{protocol="lan",reason="{reason}"}}')


def dropped(reason):
    return metric(f'baton_dropped_messages_total{{protocol="lan",reason="{reason}"}}')


async def parted(peer, code, count, before):
    """The relay says why it parts, and counts it."""
    await until(lambda: any(m["code"] == code for m in peer.said("disconnect")), f"{code} is said")
    await until(lambda: peer.end is not None, f"the connection ends after {code}")
    await until(lambda: count() > before, f"{code} is counted")


class Honest:
    """Two players who send each other a numbered frame all the time."""

    async def start(self):
        self.peers = [await join("127.0.0.1", f"02:4c:41:4e:01:0{n}") for n in (1, 2)]
        for one, other in (self.peers, self.peers[::-1]):
            one.friend = bytes.fromhex(other.mac.replace(":", ""))
        self.sent, self.task = 0, asyncio.create_task(self.play())

    async def play(self):
        while True:
            self.sent += 1
            for one, other in (self.peers, self.peers[::-1]):
                one.datagram(whole(frame(one.mac, other.mac, struct.pack(">Q", self.sent) + bytes(40))))
            await asyncio.sleep(0.02)

    async def check(self, what):
        """What is sent from now on arrives, on both sides, on the connections they always had."""
        start = self.sent
        await until(lambda: all(p.numbers and p.numbers[-1] > start for p in self.peers), f"they play after {what}")
        assert all(p.end is None for p in self.peers), f"an honest player was parted from by {what}"
        print(f"ok: {what}", flush=True)


async def wrong_protocol(source):
    before = metric("baton_lan_handshakes_failed_total")
    for protocols in (["h3"], ["baton-lan/2"], None):
        try:
            # Who names no protocol is through with its own part of the handshake before the relay has seen that.
            peer = await dial(source, alpn_protocols=protocols)
        except ConnectionError:
            continue
        await until(lambda: peer.end is not None, f"{protocols} is not let in")
        assert peer.end.error_code == 0x100 + 120, f"no_application_protocol expected, not {peer.end}"
    await until(lambda: metric("baton_lan_handshakes_failed_total") >= before + 3, "failed handshakes are counted")


async def bad_control(source):
    for data, code in (
        (struct.pack(">I", 16385) + bytes(16385), "frame_too_large"),
        (b"GET / HTTP/1.1\r\n\r\n", "frame_too_large"),
        (bytes(4), "empty_frame"),
        (struct.pack(">I", 16384) + b"[" * 16384, "bad_json"),
        (message("hello", version=1), "bad_member"),
        (struct.pack(">I", 2) + b"{}", "type_missing"),
        (os.urandom(3) + b"\xff" * 3000, None),
    ):
        before, peer = closed("bad_control"), await dial(source)
        peer.say(data)
        if code:
            await parted(peer, code, lambda: closed("bad_control"), before)
        else:
            await until(lambda: peer.end is not None, "garbage ends the connection")


async def wrong_words(source):
    before, peer = closed("second_hello"), await join(source, "02:4c:41:4e:02:01")
    peer.hello("02:4c:41:4e:02:02")
    await parted(peer, "second_hello", lambda: closed("second_hello"), before)
    before, peer = closed("not_for_relays"), await dial(source)
    peer.say(message("welcome", version=1, peer=1, mtu=1500, tap_mtu=1400))
    await parted(peer, "not_for_relays", lambda: closed("not_for_relays"), before)
    before, peer = closed("control_flood"), await join(source, "02:4c:41:4e:02:03")
    peer.say(message("get_stats") * 2000)
    await parted(peer, "control_flood", lambda: closed("control_flood"), before)
    before, peer = closed("no_hello"), await dial(source)
    peer.say(message("hello", version=1)[:7])
    await parted(peer, "no_hello", lambda: closed("no_hello"), before)


async def early_datagrams(source):
    before, peer = closed("malformed"), await dial(source)
    peer.say(b"\0")
    for number in range(1500):
        peer.datagram(whole(frame("02:4c:41:4e:03:01")) if number % 2 else os.urandom(number % 1200))
        if number % 50 == 0:
            await asyncio.sleep(0.01)
    await parted(peer, "malformed", lambda: closed("malformed"), before)


async def frame_floods(source):
    """Spoofed frames, a storm, and more bytes than anybody may send."""
    peer = await join(source, "02:4c:41:4e:04:01")
    floods = {
        "mac-spoof": frame("02:4c:41:4e:01:01"),
        "rate-broadcast": frame(peer.mac),
        "rate-multicast": frame(peer.mac, "01:00:5e:00:00:fb"),
        "rate-unknown-unicast": frame(peer.mac, "02:4c:41:4e:09:99"),
        "rate-bytes": frame(peer.mac, "02:4c:41:4e:01:02", bytes(1200)),
        "link-control": frame(peer.mac, "01:80:c2:00:00:00"),
    }
    for reason, data in floods.items():
        before = dropped(reason)
        for _ in range(200):
            if dropped(reason) > before:
                break
            for _ in range(100):
                peer._quic.send_datagram_frame(whole(data))
            peer.transmit()
            await asyncio.sleep(0.01)
        else:
            raise AssertionError(f"nothing was dropped for {reason}")
    assert peer.end is None, "frames that are only dropped end no connection"
    peer.close()


async def stream_floods(source):
    for first in (4, 2):
        before, peer = closed("too_many_streams"), await join(source, f"02:4c:41:4e:05:0{first}")
        for number in range(400):
            if peer.end is not None:
                break
            peer.say(b"x", stream=first + 4 * number, end=number % 2 == 0)
            await asyncio.sleep(0.005)
        await until(lambda: peer.end is not None, "a flood of streams ends")
        await until(lambda: closed("too_many_streams") > before, "too_many_streams is counted")


async def ends_in_the_middle(source):
    before, half = closed("peer_closed"), message("hello", version=1, role="client", room="party")[:20]
    for ending in ("reset", "close", "end", "silence"):
        peer = await dial(source)
        peer.say(half)
        if ending == "reset":
            peer._quic.reset_stream(0, 7)
            peer.transmit()
        elif ending == "close":
            peer.close(error_code=99, reason_phrase="never mind")
        elif ending == "end":
            peer.say(b"", end=True)
        else:
            peer.transmit = lambda: None
    await until(lambda: closed("peer_closed") >= before + 3, "who ends in the middle is forgotten")


async def half_open(source):
    """First packets of handshakes that never go on, from ports that are one each; then somebody honest comes."""
    retries = metric("baton_lan_retries_total")
    loop, sockets = asyncio.get_running_loop(), []
    for _ in range(400):
        connection = QuicConnection(configuration=configuration())
        connection.connect(RELAY, now=loop.time())
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((source, 0))
        for data, _ in connection.datagrams_to_send(now=loop.time()):
            sender.sendto(data, RELAY)
        sockets.append(sender)
        if len(sockets) % 20 == 0:
            await asyncio.sleep(0.01)
    await until(lambda: metric("baton_lan_retries_total") > retries, "strangers must prove their address")
    late = await join("127.0.0.30", "02:4c:41:4e:06:01")
    late.close()
    for sender in sockets:
        sender.close()


async def noise(source):
    before = metric("baton_lan_malformed_packets_total")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for number in range(5000):
            data = os.urandom(number % 1400 + 1)
            heads = (b"", b"\xc0\0\0\0\1\x08", b"\xc0\xba\xba\xba\xba\x08", b"\xe0\0\0\0\1\x08", b"\x40")
            sender.sendto(heads[number % 5] + data, RELAY)
            if number % 100 == 0:
                await asyncio.sleep(0.005)
    await until(lambda: metric("baton_lan_malformed_packets_total") > before, "noise is counted")


async def guessing(source):
    for number in range(12):
        peer = await dial(source)
        peer.hello("02:4c:41:4e:07:01", "closed", password=f"guess{number}")
        code = "wrong_password" if number < 10 else "too_many_failures"
        await until(lambda: [m["code"] for m in peer.said("reject")] == [code], f"guess {number} is answered {code}")
    assert refused("wrong_password") == 10 and refused("too_many_failures") == 2, "refusals are counted by reason"
    welcome = await join("127.0.0.31", "02:4c:41:4e:07:01", "closed", password="swordfish")
    welcome.close()


async def banned(peer_source):
    async def is_told(source, sentence):
        peer = await dial(source)
        peer.hello("02:4c:41:4e:08:01")
        await until(lambda: peer.said("reject"), "the banned are told")
        assert peer.said("reject") == [{"type": "reject", "code": "banned", "sentence": sentence}], peer.heard
        await until(lambda: peer.end is not None, "the connection of the banned ends")

    before = refused("banned")
    await is_told(peer_source, "Banned: floods")
    await until(lambda: refused("banned") == before + 1, "bans are counted")
    present = await join("127.0.0.20", "02:4c:41:4e:08:02")
    with open(CONFIGURATION) as file:
        text = file.read()
    with open(CONFIGURATION, "w") as file:
        file.write(text.replace("bans:", "bans:\n  - {address: 127.0.0.20, reason: shouts}"))
    reloads = 'baton_config_reloads_total{result="success"}'
    before = metric(reloads)
    os.kill(PID, signal.SIGHUP)
    await until(lambda: metric(reloads) > before, "the relay reads its configuration again")
    await is_told("127.0.0.20", "Banned: shouts")
    await until(lambda: present.end is not None, "a ban ends a connection that exists")
    assert [m["code"] for m in present.said("disconnect")] == ["banned"], present.heard
    # So many of the banned that not all are told: they are turned away before they cost anything.
    async def knock():
        try:
            (await dial(peer_source)).close()
        except ConnectionError:
            pass

    before = refused("banned")
    await asyncio.gather(*(knock() for _ in range(60)))
    await until(lambda: refused("banned") > before, "a crowd of the banned is turned away")


async def kicked(source):
    peer = await join(source, "02:4c:41:4e:0a:01")
    peer.datagram(whole(frame("02:4c:41:4e:01:01")))
    me = []

    def is_shown():
        rooms = json.loads(ask("GET", "/api/v1/rooms")[1])["rooms"]
        me[:] = [p for r in rooms if r["protocol"] == "lan" for p in r["peers"] if p["name"] == peer.mac]
        return me and me[0]["traffic"]["dropped"] == {"mac-spoof": 1}

    await until(is_shown, "the operator sees what was dropped")
    traffic = me[0]["traffic"]
    assert traffic["framesReceived"] == 1 and traffic["bytesReceived"] > 60, traffic
    assert 0 < traffic["roundTripSeconds"] < LIMIT, traffic
    before = closed("kicked")
    assert ask("DELETE", f"/api/v1/peers/lan/{me[0]['peer']}")[0] == 204
    await parted(peer, "kicked", lambda: closed("kicked"), before)
    assert ask("DELETE", f"/api/v1/peers/lan/{me[0]['peer']}")[0] == 404


async def main():
    honest = Honest()
    await honest.start()
    await honest.check("honest players play")
    attacks = {
        "other protocols are not let in": wrong_protocol,
        "control frames that are none": bad_control,
        "words at the wrong time, and too many": wrong_words,
        "datagrams before the hello": early_datagrams,
        "floods of frames": frame_floods,
        "floods of streams": stream_floods,
        "resets and ends in the middle of a frame": ends_in_the_middle,
        "half-open handshakes": half_open,
        "noise": noise,
        "guessed passwords": guessing,
        "the banned, and a ban while they run": banned,
        "one whom the operator parts from": kicked,
    }
    for number, (what, attack) in enumerate(attacks.items()):
        source = "127.0.0.9" if attack is banned else f"127.0.0.{40 + number}"
        await asyncio.wait_for(attack(source), 4 * LIMIT)
        await honest.check(what)
    honest.task.cancel()
    for peer in honest.peers:
        lost = honest.sent - len(set(peer.numbers))
        print(f"an honest player lacks {lost} of {honest.sent} frames")
        # All of it is one machine, and who floods competes with who plays for its processors.
        assert lost < honest.sent * 0.1, "the honest players' frames were lost"


asyncio.run(main())
