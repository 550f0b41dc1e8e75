#!/usr/bin/env python3
"""Plays through `baton ldn proxy` and says what held.

    ldn_proxy.py BATON MASTER-HOST:PORT [NAME...]

Each scenario runs a proxy of its own. Status 1 if any fails.
"""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from ldn_wire import *

SCENARIOS = []
VERSION = 7


def scenario(function):
    SCENARIOS.append(function)
    return function


def expect_closed(line):
    """What is said until the end of a connection; the packets."""
    said = []
    try:
        while True:
            said.append(line.receive())
    except (ConnectionError, OSError) as error:
        assert not isinstance(error, TimeoutError), "it should have been closed"
        return said


class Host:
    """`baton ldn proxy`, once it hosts."""

    def __init__(self, baton, master, *arguments, title="0100000000001000"):
        self.log_file = tempfile.NamedTemporaryFile("w+")
        command = [baton, "ldn", "proxy", "--master", "%s:%d" % master, "--title", title, "--version", str(VERSION)]
        self.process = subprocess.Popen([*command, *arguments], stderr=self.log_file)
        self.port, self.session = None, None
        deadline = time.monotonic() + 20
        while not (found := re.search(r"hosting .*external_port=(\d+) network=([0-9a-f]{32})", self.log())):
            assert self.process.poll() is None, "it ended: " + self.log()
            assert time.monotonic() < deadline, "it does not host: " + self.log()
            time.sleep(0.02)
        self.port, self.session = int(found[1]), bytes.fromhex(found[2])

    def log(self):
        with open(self.log_file.name) as file:
            return file.read()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log_file.close()


class Player:
    """A client of the master, and its line to the host."""

    def __init__(self, master, host, source=None, connects=True):
        self.master = Client(master, source=source).hello()
        self.source = source
        self.host = host
        self.line = None
        self.introduce()
        if connects:
            self.connect()

    def introduce(self):
        self.master.send(connect(self.host.session, version=VERSION))
        while True:
            kind, payload = self.master.receive()
            if kind == EXTERNAL_PROXY:
                break
            assert kind == SYNC_NETWORK, f"type {kind} instead of ExternalProxy"
        self.config = payload
        self.network = NetworkInfo(self.master.expect(CONNECTED))
        address, family, port = struct.unpack_from("<4s12xiH", self.config)
        assert family == 2 and port == self.host.port, (family, port, self.host.port)
        self.endpoint = (socket.inet_ntoa(address), port)

    def dial(self, source=None):
        """A connection to the proxy on which nothing is said yet."""
        return Client(self.endpoint, source=source or self.source, timeout=20)

    def connect(self):
        self.line = self.dial()
        self.line.send(packet(EXTERNAL_PROXY, self.config))
        self.address, mask = struct.unpack("<II", self.line.expect(PROXY_CONFIG))
        assert mask == 0xFFFF0000

    def say(self, *packets):
        self.line.send(*packets)

    def hears(self, kind=PROXY_DATA):
        return self.line.expect(kind)

    def mark(self, text, *others):
        """Says something to all: whoever hears that first has not been sent anything before by this player."""
        self.say(datagram(BROADCAST, text))
        return all(player.hears()[20:] == text for player in (self, *others))

    def leave(self):
        self.master.send(packet(DISCONNECT, bytes(4)))

    def close(self):
        if self.line:
            self.line.close()
        self.master.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@scenario
def relaying(baton, master):
    with Host(baton, master, "--port", "0") as host, Client(master).hello() as seeker:
        found = seeker.scan(title=0x0100000000001000)
        assert [n.session for n in found] == [host.session] and found[0].most == 8 and found[0].names == ["baton"]
        with Player(master, host) as a, Player(master, host) as b, Player(master, host) as c:
            assert [p.address for p in (a, b, c)] == [player(2), player(3), player(4)]
            assert c.network.addresses == [player(n) for n in (1, 2, 3, 4)]
            whole = datagram(player(3), b"one", source=player(2))
            a.say(whole)
            assert packet(*b.line.receive()) == whole, "unchanged"
            for destination in (BROADCAST, LEGACY_BROADCAST):
                a.say(datagram(destination, b"all"))
                for each in (a, b, c):
                    assert packet(*each.line.receive()) == datagram(destination, b"all", source=player(2))
            a.say(datagram(BROADCAST, b"spoofed", source=player(3)), datagram(BROADCAST, b"ab", length=999),
                  datagram(player(99), b"nobody"), packet(SCAN_REPLY_END), packet(200, b"unknown"))
            assert a.mark(b"mark", b, c), "none of these was passed on"
            for kind, size in ((PROXY_CONNECT, 16), (PROXY_CONNECT_REPLY, 16), (PROXY_DISCONNECT, 20)):
                payload = struct.pack("<IHIHi", player(2), 49152, player(4), 7777, 6).ljust(size, b"\0")
                a.say(packet(kind, payload))
                assert c.line.receive() == (kind, payload)
            for number in range(500):
                b.say(datagram(player(2), struct.pack("<I", number)))
            for number in range(500):
                assert a.hears()[20:] == struct.pack("<I", number), "in order"
            # Split into single bytes, and many glued into one.
            for byte in whole:
                a.line.send(bytes([byte]))
            a.line.send(whole * 100)
            for _ in range(101):
                assert packet(*b.line.receive()) == whole


@scenario
def tokens(baton, master):
    with Host(baton, master, "--port", "0") as host, Player(master, host) as a, Player(master, host) as b:
        waiting = [Player(master, host, connects=False) for _ in range(3)]
        for who in reversed(waiting):
            who.connect()
        assert [who.address for who in waiting] == [player(4), player(5), player(6)], "each its own"
        began = time.monotonic()
        with a.dial() as again, a.dial() as rubbish:
            again.send(packet(EXTERNAL_PROXY, a.config))
            rubbish.send(packet(EXTERNAL_PROXY, bytes(38)))
            for number in range(50):
                a.say(datagram(player(3), b"%d" % number))
                assert b.hears()[20:] == b"%d" % number
            assert time.monotonic() - began < 0.9, "nobody waits for those who wait (a slow machine fails here)"
            assert expect_closed(again) == [] and expect_closed(rubbish) == []
            assert time.monotonic() - began > 0.9, "a second is given"
        assert a.mark(b"still here", b, *waiting)
        for who in waiting:
            who.close()


@scenario
def before_the_token(baton, master):
    with Host(baton, master, "--port", "0") as host, Player(master, host) as a:
        with a.dial() as stranger:
            stranger.send(datagram(player(2), b"injected", source=player(1)), datagram(BROADCAST, b"injected"))
            stranger.send(packet(EXTERNAL_PROXY_STATE, struct.pack("<IB3x", player(2), 0)))
            stranger.send(packet(EXTERNAL_PROXY, bytes(38)))
            assert expect_closed(stranger) == []
        assert a.mark(b"nothing came"), "it was not passed on"
        with a.dial() as mute:
            assert expect_closed(mute) == [], "who says nothing is not kept"
        with a.dial() as late:
            late.send(b"GET / HTTP/1.1\r\n\r\n")
            assert expect_closed(late) == []


@scenario
def addresses(baton, master):
    """A token is good from where the master saw its joiner; with --any-address from anywhere."""
    for arguments, is_strict in (([], True), (["--any-address"], False)):
        with Host(baton, master, "--port", "0", *arguments) as host:
            with Player(master, host, source="127.0.0.2", connects=False) as joiner:
                with joiner.dial(source="127.0.0.3") as other:
                    other.send(packet(EXTERNAL_PROXY, joiner.config))
                    if is_strict:
                        assert expect_closed(other) == []
                        joiner.connect()
                    else:
                        other.expect(PROXY_CONFIG)


@scenario
def leaving(baton, master):
    with Host(baton, master, "--port", "0") as host:
        with Player(master, host) as a, Player(master, host) as b, Player(master, host) as c:
            # The line goes: the host tells the master, who tells the player and the others.
            b.line.close()
            while (kind := b.master.receive()[0]) != DISCONNECT:
                assert kind == SYNC_NETWORK
            while len(NetworkInfo(c.master.expect(SYNC_NETWORK)).names) != 3:
                pass
            # The player leaves the network: the master tells the host, whose proxy parts from it.
            c.leave()
            assert expect_closed(c.line) == []
            while NetworkInfo(a.master.expect(SYNC_NETWORK)).addresses != [player(1), player(2)]:
                pass
            assert a.mark(b"alone")
            # And comes back, under another address.
            c.introduce()
            c.connect()
            assert c.address == player(5) and a.mark(b"two", c)


@scenario
def the_hosts_death(baton, master):
    with Host(baton, master, "--port", "0") as host, Player(master, host) as a:
        host.process.kill()
        assert expect_closed(a.line) == []
        while a.master.receive()[0] != DISCONNECT:
            pass
        assert a.master.host(create(title=0x77)).names == ["host"], "free to host"


@scenario
def prompt_ends(baton, master):
    for number in (signal.SIGTERM, signal.SIGINT):
        with Host(baton, master, "--port", "0") as host, Player(master, host) as a:
            with a.dial() as waiting:
                waiting.send(packet(EXTERNAL_PROXY, bytes(38)))
                began = time.monotonic()
                assert host.end(number) == 0, host.log()
                assert time.monotonic() - began < 5, "a stop is prompt"
                assert expect_closed(a.line) == [] and expect_closed(waiting) == []
            while a.master.receive()[0] != DISCONNECT:
                pass


@scenario
def no_master_no_port(baton, master):
    def fails(*arguments):
        outcome = subprocess.run([baton, "ldn", "proxy", *arguments], capture_output=True, text=True, timeout=30)
        assert outcome.returncode == 69, outcome
        return outcome.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "in use" in fails("--master", "%s:%d" % master, "--port", str(port))
    assert "cannot be reached" in fails("--master", f"127.0.0.1:{port}", "--port", "0")


@scenario
def a_full_network(baton, master):
    with Host(baton, master, "--port", "0") as host, Client(master).hello() as ninth:
        players = [Player(master, host) for _ in range(7)]
        ninth.send(connect(host.session, version=VERSION))
        assert ninth.error() == 2
        assert players[0].mark(b"all seven", *players[1:])
        for each in players:
            each.close()


@scenario
def ten_thousand_reconnects(baton, master):
    with Host(baton, master, "--port", "0") as host, Player(master, host) as stays:
        def reconnect(count):
            client = Client(master, timeout=30).hello()
            for number in range(count):
                client.send(connect(host.session, version=VERSION))
                while (got := client.receive())[0] != EXTERNAL_PROXY:
                    pass
                line = Client(("127.0.0.1", host.port), timeout=30)
                line.send(packet(EXTERNAL_PROXY, got[1]))
                line.expect(PROXY_CONFIG)
                if number % 2:
                    # The line first: the host tells the master, who parts from the player.
                    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    line.close()
                    while client.receive()[0] != DISCONNECT:
                        pass
                else:
                    client.send(packet(DISCONNECT, bytes(4)))
                    expect_closed(line)
                    line.close()
            client.close()

        # The player that stays is told of every change, and reads it.
        reading = threading.Thread(target=lambda: expect_closed(stays.master), daemon=True)
        reading.start()
        reconnect(500)
        files, memory = host.open_files(), host.memory()
        workers = [threading.Thread(target=reconnect, args=(9500 // 5,)) for _ in range(5)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert stays.mark(b"still here"), "the one that stayed"
        deadline = time.monotonic() + 10
        while host.open_files() > files and time.monotonic() < deadline:
            time.sleep(0.1)
        assert host.open_files() <= files, (files, host.open_files())
        grown = host.memory() - memory
        print(f"  10,000 reconnects: {host.open_files()} open files as before, memory {grown / 1024:+.0f} KiB")
        assert grown < 16 << 20, grown


def main():
    baton, (address, _, port), names = sys.argv[1], sys.argv[2].rpartition(":"), sys.argv[3:]
    failures = 0
    for play in SCENARIOS:
        if names and play.__name__ not in names:
            continue
        began = time.monotonic()
        try:
            play(baton, (address, int(port)))
            print(f"PASS {play.__name__} ({time.monotonic() - began:.2f} s)", flush=True)
        except Exception:
            failures += 1
            print(f"FAIL {play.__name__}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
