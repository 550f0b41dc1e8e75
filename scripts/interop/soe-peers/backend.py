#!/usr/bin/env python3
"""A backend of the SOE gateway: it echoes what clients say. Written from the gateway's page alone.

  backend.py [--listen 127.0.0.1:0] [--key HEX] [--end-after N] [--garbage]

Prints `listening ADDRESS`, serves one gateway after the other until it is ended, then says in a line of JSON what it has
seen. With --key the first message of a session arrives in the clear, and from then on both directions are encrypted, as
some games' logins do it. With --end-after it ends each session after so many messages. With --garbage it says nonsense.
"""
import argparse
import collections
import json
import signal
import socket
import struct
import sys

HELLO, OPENED, DATA, CLOSED, STATS, ENCRYPT, PAUSE, RESUME, MOVED = range(1, 10)
MARK = b"SOEG\0\1"


class Gateway:
    """One connection from a gateway."""

    def __init__(self, sock, options, seen):
        self.sock, self.options, self.seen = sock, options, seen
        self.paused = collections.defaultdict(list)  # what waits for sessions that are full
        self.full, self.counts = set(), collections.Counter()
        self.out = bytearray()

    def frame(self, kind, session, body=b"", channel=0):
        self.out += struct.pack(">IBBQ", 10 + len(body), kind, channel, session) + body

    def flush(self):
        self.sock.sendall(self.out)
        self.out.clear()

    def run(self):
        self.frame(HELLO, 0, MARK)
        if self.options.garbage:
            self.out += b"\0\0\0\x0a\xff" + bytes(9)
        self.flush()
        held = bytearray()
        while True:
            read = self.sock.recv(1 << 18)
            if not read:
                return
            held += read
            at = 0
            while len(held) - at >= 4:
                (length,) = struct.unpack_from(">I", held, at)
                if len(held) - at - 4 < length:
                    break
                kind, channel, session = struct.unpack_from(">BBQ", held, at + 4)
                self.handle(kind, channel, session, bytes(held[at + 14:at + 4 + length]))
                at += 4 + length
            del held[:at]
            self.flush()

    def handle(self, kind, channel, session, body):
        seen = self.seen
        if kind == HELLO:
            assert body == MARK, body
        elif kind == OPENED:
            flags, wire_id, name_length = struct.unpack_from(">BIB", body)
            name = body[6:6 + name_length].decode()
            seen["resumed" if flags & 1 else "opened"] += 1
            seen["protocols"].add(name)
            assert wire_id and b":" in body[6 + name_length:]
        elif kind == DATA:
            seen["messages"] += 1
            self.counts[session] += 1
            if self.options.key and self.counts[session] == 1:
                self.frame(ENCRYPT, session, b"\3" + self.options.key)
            if session in self.full:
                self.paused[session].append((body, channel))
            else:
                self.frame(DATA, session, body, channel)
            if self.counts[session] == self.options.end_after:
                self.frame(STATS, session)
                self.frame(CLOSED, session, struct.pack(">H", 6))
        elif kind == STATS:
            assert len(body) == 68, len(body)
            seen["stats"] += 1
        elif kind == CLOSED:
            reason, by_client, undelivered = struct.unpack(">HBI", body)
            seen["closed"] += 1
            seen["undelivered"] += undelivered
            seen["reasons"].add((reason, "client" if by_client else "gateway"))
        elif kind == PAUSE:
            seen["pauses"] += 1
            self.full.add(session)
        elif kind == RESUME:
            self.full.discard(session)
            for body, channel in self.paused.pop(session, []):
                self.frame(DATA, session, body, channel)
        elif kind == MOVED:
            seen["moved"] += 1
        else:
            raise ValueError(f"kind {kind}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--key", type=bytes.fromhex)
    parser.add_argument("--end-after", type=int, default=0)
    parser.add_argument("--garbage", action="store_true")
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    door = socket.create_server((host, int(port)))
    print("listening %s:%d" % door.getsockname(), flush=True)
    seen = collections.Counter()
    seen["protocols"], seen["reasons"] = set(), set()

    def end(*_):
        seen["protocols"], seen["reasons"] = sorted(seen["protocols"]), sorted(seen["reasons"])
        print(json.dumps(seen), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        sock, _ = door.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seen["connections"] += 1
        try:
            Gateway(sock, options, seen).run()
        except (ConnectionError, BrokenPipeError):
            pass
        sock.close()


main()
