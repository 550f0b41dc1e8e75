#!/usr/bin/env python3
"""A client and a server of the SOE protocol over UDP, written from its description alone.

  soe_peer.py echo [--listen 127.0.0.1:0]                     prints `listening ADDRESS`, echoes until it is ended
  soe_peer.py ping --connect ADDRESS --count N --sizes A,B --inflight W
                                                              one line of JSON; exit code 0 only if every echo is right

With --clear-first the client's first message is sent in the clear, and encryption begins with the echo of it.

Both take --dialect, --protocol, --key HEX, --udp N; the server chooses --crc 0...4 and --compress.
"""
import argparse
import collections
import json
import random
import select
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
import soe_session  # noqa: E402
import soe_wire as wire  # noqa: E402

TURN = 0.005


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def bound(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.setblocking(False)
    sock.bind(address)
    return sock


def arrived(sock):
    """What has come within a turn."""
    if not select.select([sock], [], [], TURN)[0]:
        return
    for _ in range(256):
        try:
            yield sock.recvfrom(65535)
        except (BlockingIOError, ConnectionRefusedError):
            return


def flush(sock, session, address):
    for datagram in session.out:
        try:
            sock.sendto(datagram, address)
        except (BlockingIOError, ConnectionRefusedError):
            pass
    session.out.clear()


def echo(options):
    sock = bound(options.listen)
    print("listening %s:%d" % sock.getsockname(), flush=True)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    sessions, echoed = {}, 0
    while not stopping:
        for datagram, sender in arrived(sock):
            session = sessions.get(sender)
            if datagram[:2] == b"\0\1" and (session is None or not session.open):
                name = datagram[14:].split(b"\0")[0].decode() if options.dialect.named else None
                version = int.from_bytes(datagram[2:6], "big")
                if version != options.dialect.version or (options.dialect.named and name != options.protocol):
                    continue
                session = sessions[sender] = soe_session.Session(
                    "server", options.dialect, options.protocol, time.monotonic(),
                    int.from_bytes(datagram[6:10], "big"), options.key, options.udp, options.crc, options.compress,
                    seed=random.getrandbits(32))
                session.answer(int.from_bytes(datagram[10:14], "big"))
            elif session is not None:
                session.receive(datagram, time.monotonic())
        for address, session in sessions.items():
            while session.messages:
                channel, message = session.messages.popleft()
                if channel == "raw":
                    session.send_raw(message)
                else:
                    session.send(message, channel)
                echoed += 1
            session.tick(time.monotonic())
            flush(sock, session, address)
    print(json.dumps({"sessions": len(sessions), "echoed": echoed, "open": sum(s.open for s in sessions.values()),
                      "reasons": sorted(s.reason for s in sessions.values() if s.reason is not None),
                      "resent": sum(s.resent for s in sessions.values())}), flush=True)


def message(number, sizes):
    """Each one differs from its neighbours, and some begin with zeros, or look like a bundle."""
    body = bytes((131 * number + 7 * j + 13 * (j >> 8)) & 255 for j in range(sizes[number % len(sizes)]))
    if number % 7 == 3:
        body = b"\0" * min(2, len(body)) + body[2:]
    if number % 11 == 5:
        body = (b"\0\x19\2hi" + body)[:max(len(body), 1)]
    return body


def ping(options):
    sock = bound(("127.0.0.1", 0))
    began = time.monotonic()
    session = soe_session.Session(
        "client", options.dialect, options.protocol, began, random.getrandbits(31) + 1,
        None if options.clear_first else options.key, options.udp)
    waiting = {channel: collections.deque() for channel in range(4)}
    sent = received = bad = 0
    opened = None
    channels = options.channels
    while received < options.count and session.reason is None and time.monotonic() - began < options.timeout:
        if session.open and opened is None:
            opened = time.monotonic() - began
        while session.open and sent < options.count and sent - received < options.inflight:
            if options.clear_first and sent == 1 and received == 0:
                break  # The other end begins with its echo.
            channel = sent % channels
            body = message(sent, options.sizes)
            session.send(body, channel)
            waiting[channel].append(body)
            sent += 1
            session.key = options.key
        session.tick(time.monotonic())
        flush(sock, session, options.connect)
        for datagram, _ in arrived(sock):
            session.receive(datagram, time.monotonic())
        while session.messages:
            channel, body = session.messages.popleft()
            received += 1
            if channel == "raw" or not waiting[channel] or waiting[channel].popleft() != body:
                bad += 1
    # The last acknowledgements, or the other end has something left to say.
    last = time.monotonic()
    while session.open and (not session.idle or time.monotonic() - last < 0.05) and time.monotonic() - last < 5:
        session.tick(time.monotonic())
        flush(sock, session, options.connect)
        for datagram, _ in arrived(sock):
            session.receive(datagram, time.monotonic())
    ended = session.reason
    session.disconnect(6)
    flush(sock, session, options.connect)
    ok = received == sent == options.count and bad == 0 and ended is None
    print(json.dumps({"ok": ok, "sent": sent, "received": received, "bad": bad, "resent": session.resent,
                      "handshake_seconds": opened, "seconds": round(time.monotonic() - began, 3), "reason": ended}))
    return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["echo", "ping"])
    parser.add_argument("--listen", type=endpoint, default=("127.0.0.1", 0))
    parser.add_argument("--connect", type=endpoint)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[64])
    parser.add_argument("--inflight", type=int, default=8)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--dialect", type=wire.DIALECTS.__getitem__, default=wire.DIALECTS["v3"])
    parser.add_argument("--protocol", default="SoePingPong")
    parser.add_argument("--key", type=bytes.fromhex)
    parser.add_argument("--clear-first", action="store_true")
    parser.add_argument("--udp", type=int)
    parser.add_argument("--crc", type=int, default=2)
    parser.add_argument("--compress", action="store_true")
    options = parser.parse_args()
    return echo(options) if options.part == "echo" else ping(options)


sys.exit(main())
