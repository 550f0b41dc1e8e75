#!/usr/bin/env python3
"""Plays whole LDN sessions against a master and says what held.

    ldn_client.py HOST:PORT [--slow] [--api HOST:PORT] [NAME...]

Runs every scenario, or those named. --slow includes those that wait for the master's timers, --api what it tells the web.
Status 1 if any fails.
"""

import argparse
import json
import pathlib
import socket
import struct
import sys
import threading
import time
import traceback
import urllib.request

from ldn_wire import *

SCENARIOS = []
API = None  # the address of the master's statistics
FIXTURES = pathlib.Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "ldn"
TITLES = iter(range(0x0100_0000_0000_1000, 2**62))  # each scenario plays a game of its own


def scenario(function):
    SCENARIOS.append((function.__name__, function, False))
    return function


def slow(function):
    SCENARIOS.append((function.__name__, function, True))
    return function


@scenario
def handshake_and_identity(master):
    with Client(master).hello() as first, Client(master).hello() as second:
        assert first.identity[:16] != second.identity[:16] and first.mac != second.mac
        assert first.mac[0] & 3 == 2, "a local address of one station"
        first.send(initialize())
        assert first.hears_nothing(), "a second Initialize is not answered"
        first.close()
        # The master may not have seen the end yet, and gives nobody an address that is in use.
        for _ in range(50):
            with Client(master).hello(first.identity) as again:
                if again.mac == first.mac:
                    assert again.identity[:16] != first.identity[:16]
                    return
            time.sleep(0.1)
        raise AssertionError("who returns keeps its MAC address")


@scenario
def nothing_is_waited_for(master):
    with Client(master) as client:
        title = next(TITLES)
        client.send(initialize(), scan(title=title), create(title=title))
        client.expect(INITIALIZE, SCAN_REPLY_END, PROXY_CONFIG, CONNECTED)
    with Client(master) as early:
        early.send(create(), connect(bytes(16)), scan(title=title))
        assert (early.error(), early.error()) == (-1, 5), "before Initialize"
        kind, _ = early.receive()
        assert kind in (SCAN_REPLY, SCAN_REPLY_END)


@scenario
def host_scan_join(master):
    title = next(TITLES)
    with Client(master).hello() as host, Client(master).hello() as guest:
        network = host.host(create(title=title, advertise=b"\xaa\xbb\xcc"))
        assert host.address == player(1) and network.ssid == b"12345678" * 4
        assert network.advertised == b"\xaa\xbb\xcc" and network.host_mac == host.mac
        for found in (guest.scan(title=title), guest.scan(session=network.session),
                      guest.scan(title=title, scene=1, kind=2, ssid=b"12345678" * 4)):
            assert [n.session for n in found] == [network.session]
        for options in ({"title": title, "scene": 2}, {"title": -1}, {"title": title, "kind": 3},
                        {"title": title, "ssid": b"1234"}):
            assert guest.scan(**options) == []
        joined = guest.join(network)
        assert joined.names == ["host", "guest"] and guest.address == player(2)
        assert host.sync().names == ["host", "guest"]
        assert guest.scan(title=title) == [], "one's own network is not shown"


@scenario
def both_sizes_of_both_requests(master):
    with Client(master).hello() as host:
        network = host.host(create(title=next(TITLES)))
        for request in (connect(network.session), connect(network.session, packed=True),
                        connect_private(network.session), connect_private(network.session, packed=True)):
            with Client(master).hello() as guest:
                guest.send(request)
                _, info = guest.expect(PROXY_CONFIG, CONNECTED)
                assert NetworkInfo(info).names == ["host", "guest"]


@scenario
def refusals(master):
    with Client(master).hello() as host, Client(master).hello() as second, Client(master).hello() as third:
        network = host.host(create(title=next(TITLES), most=2))

        def answer(client, request):
            client.send(request)
            return client.error()

        assert answer(second, connect(bytes(range(16)))) == 6
        assert answer(second, connect(network.session, version=514)) == 3
        assert answer(second, connect(network.session, version=516)) == 4
        assert answer(second, connect(network.session, version=515 + 0x10000)) == 4
        assert answer(host, create()) == -1, "a host opens no other network"
        second.join(network)
        assert answer(third, connect(network.session)) == 2


@scenario
def passphrases(master):
    title, secret = next(TITLES), "Ryujinx-0badf00d"
    with Client(master).hello(words=secret) as host, Client(master).hello() as other:
        network = host.host(create(title=title))
        assert other.scan(title=title) == [] and other.scan(session=network.session) == []
        other.send(connect(network.session))
        assert other.error() == 6, "the id alone lets nobody in"
        other.send(passphrase("Ryujinx-0BADF00D"))
        assert other.scan(title=title) == [], "not a valid passphrase: none"
        other.send(passphrase(secret))
        assert len(other.scan(title=title)) == 1
        other.join(network)


@scenario
def relaying(master):
    with Client(master).hello() as a, Client(master).hello() as b, Client(master).hello() as c:
        network = a.host(create(title=next(TITLES)))
        b.join(network)
        c.join(network)
        a.sync(), a.sync(), b.sync()
        whole = datagram(player(1), b"to the host", source=player(2))
        b.send(whole)
        assert packet(*a.receive()) == whole, "unchanged"
        for destination in (BROADCAST, LEGACY_BROADCAST):
            b.send(datagram(destination, b"all"))
            filled = datagram(destination, b"all", source=player(2))
            for client in (a, b, c):
                assert packet(*client.receive()) == filled, "only the source is filled in"
        b.send(datagram(BROADCAST, b"spoofed", source=player(3)), datagram(BROADCAST, b"ab", length=3),
               datagram(player(99), b"nobody"))
        assert b.hears_nothing() and a.hears_nothing() and c.hears_nothing()
        for kind, size in ((PROXY_CONNECT, 16), (PROXY_CONNECT_REPLY, 16), (PROXY_DISCONNECT, 20)):
            payload = struct.pack("<IHIHi", player(2), 49152, player(3), 7777, 6).ljust(size, b"\0")
            b.send(packet(kind, payload))
            assert c.receive() == (kind, payload)
        for number in range(500):
            b.send(datagram(player(3), struct.pack("<I", number)))
        for number in range(500):
            assert c.expect(PROXY_DATA)[20:] == struct.pack("<I", number), "in order"


@scenario
def strangers_hear_nothing(master):
    with Client(master).hello() as a, Client(master).hello() as b, Client(master).hello() as stranger:
        a.host(create(title=next(TITLES)))
        b.host(create(title=next(TITLES)))
        a.send(datagram(BROADCAST, b"mine"))
        a.expect(PROXY_DATA)
        stranger.send(datagram(BROADCAST, b"from nowhere"))
        assert stranger.hears_nothing() and b.hears_nothing() and a.hears_nothing()


@scenario
def policy_and_advertising(master):
    title = next(TITLES)
    with Client(master).hello() as host, Client(master).hello() as guest, Client(master).hello() as late:
        network = host.host(create(title=title))
        guest.join(network)
        host.sync()
        host.send(packet(SET_ADVERTISE_DATA, b"news"), packet(SET_ACCEPT_POLICY, b"\1"))
        for client in (host, guest):
            assert client.sync().advertised == b"news"
            assert client.sync().policy == 1
        assert late.scan(title=title) == [], "hidden"
        late.send(connect(network.session))
        assert late.error() == 8, "and closed"
        host.send(packet(SET_ACCEPT_POLICY, b"\2"))
        guest.sync()
        assert len(late.scan(title=title)) == 1
        guest.send(packet(SET_ACCEPT_POLICY, b"\1"), packet(SET_ADVERTISE_DATA, b"not mine"))
        assert guest.hears_nothing()
        host.sync()
        host.send(packet(SET_ADVERTISE_DATA, bytes(440)))
        assert host.hears_nothing(), "too much to advertise"


@scenario
def rejecting(master):
    with Client(master).hello() as host, Client(master).hello() as guest:
        network = host.host(create(title=next(TITLES)))
        guest.join(network)
        host.sync()
        host.send(packet(REJECT, struct.pack("<II", 1, 5)))
        assert guest.expect(REJECT, DISCONNECT)[0] == struct.pack("<II", 1, 5)
        assert host.sync().names == ["host"]
        host.expect(REJECT_REPLY)
        for node in (1, 0, 8, 0xFFFFFFFF):
            host.send(packet(REJECT, struct.pack("<II", node, 5)))
            assert host.error() == 9
            host.expect(REJECT_REPLY)
        guest.join(network)
        guest.send(packet(REJECT, struct.pack("<II", 0, 5)))
        assert guest.error() == 9
        guest.expect(REJECT_REPLY)


@scenario
def leaving_and_ghosts(master):
    with Client(master).hello() as host, Client(master).hello() as a, Client(master).hello() as b:
        network = host.host(create(title=next(TITLES)))
        a.join(network)
        b.join(network)
        host.sync(), host.sync()
        a.send(packet(DISCONNECT, bytes(4)))
        assert host.sync().names == ["host", "guest"]
        b.close()
        last = host.sync()
        assert last.names == ["host"] and last.count == 1, "no ghost behind the hole"
        assert a.sync().names[0] == "host" and a.hears_nothing()
        a.join(network)
        assert a.address == player(4) and a.network.nodes[1][0], "the lowest place, a new address"


@scenario
def host_death(master):
    with Client(master).hello() as guest:
        host = Client(master).hello()
        guest.join(host.host(create(title=next(TITLES))))
        host.close()
        assert guest.sync().names == ["guest"]
        guest.expect(DISCONNECT)
        assert guest.host(create(title=next(TITLES))).names == ["host"], "free to host"


@scenario
def private_networks(master):
    session = struct.pack("<QQ", next(TITLES), 77)
    with Client(master).hello() as host, Client(master).hello() as guest, Client(master).hello() as other:
        host.host(create_private(session, reserved=[(player(5), host.mac), (player(9), guest.mac)]))
        assert host.address == player(5)
        guest.send(connect_private(session))
        assert struct.unpack_from("<I", guest.expect(PROXY_CONFIG, CONNECTED)[0])[0] == player(9)
        host.sync()
        other.send(create_private(session))
        assert other.error() == -1, "the id is taken"
        host.host(create_private(session))
        guest.expect(DISCONNECT)


@scenario
def moving_on(master):
    with Client(master).hello() as a, Client(master).hello() as b, Client(master).hello() as guest:
        first, second = a.host(create(title=next(TITLES))), b.host(create(title=next(TITLES)))
        guest.join(first)
        a.sync()
        guest.join(second)
        assert a.sync().names == ["host"], "it left the first"
        for _ in range(3):
            assert guest.join(second).names == ["host", "guest"], "one place"
        b.send(connect(second.session))
        b_says = [b.receive()[0] for _ in range(1)]
        while b_says[-1] == SYNC_NETWORK:
            b_says.append(b.receive()[0])
        assert b_says[-1] == NETWORK_ERROR, "joining one's own network ends it"


@scenario
def peer_to_peer(master):
    contacts = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        def serve():
            connection, _ = proxy.accept()
            with connection:
                connection.settimeout(5)
                contacts.append(connection.recv(100))

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        port = proxy.getsockname()[1]
        with Client(master).hello() as host, Client(master).hello() as guest:
            host.send(create(title=next(TITLES), external=port, internal=39991, private="192.168.1.20"))
            token, proxy_config, info = host.expect(EXTERNAL_PROXY_TOKEN, EXTERNAL_PROXY, CONNECTED)
            assert struct.unpack_from("<I", token)[0] == player(1) and token[20:36] == bytes(16)
            assert proxy_config[22:38] == token[4:20]
            assert proxy_config[:4] == socket.inet_aton("192.168.1.20") and struct.unpack_from("<iH", proxy_config, 16) == (2, 39991)
            network = NetworkInfo(info)
            guest.send(connect(network.session))
            mine, _ = guest.expect(EXTERNAL_PROXY, CONNECTED)
            theirs = host.expect(EXTERNAL_PROXY_TOKEN)
            assert mine[22:38] == theirs[4:20] != token[4:20], "a token of its own"
            host.sync()
            guest.send(datagram(BROADCAST, b"x"))
            assert host.hears_nothing(), "the master does not relay here"
            guest.send(packet(DISCONNECT, bytes(4)))
            assert host.expect(EXTERNAL_PROXY_STATE)[:5] == struct.pack("<IB", player(2), 0)
            host.sync()
            guest.send(connect(network.session))
            guest.expect(EXTERNAL_PROXY, CONNECTED)
            host.expect(EXTERNAL_PROXY_TOKEN, SYNC_NETWORK)
            host.send(state(player(3), connected=True), state(player(3)))
            guest.expect(DISCONNECT)
            assert host.sync().names == ["host"]
    serving.join(5)
    assert contacts == [b""], "the master's look says nothing"


@scenario
def unreachable_proxy(master):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
    with Client(master).hello() as host:
        # What is said meanwhile counts afterwards.
        host.send(create(title=next(TITLES), external=port, internal=port), packet(SET_ADVERTISE_DATA, b"later"))
        assert host.error() == 1
        host.expect(PROXY_CONFIG, CONNECTED)
        assert host.sync().advertised == b"later"


@scenario
def malformed_streams(master):
    streams = json.loads((FIXTURES / "malformed.json").read_text())["vectors"]
    for stream in streams:
        with Client(master).hello() as client:
            client.send(bytes.fromhex(stream["hex"]))
            if stream["expect"] == "close":
                try:
                    assert not client.receive(), stream["name"]
                except ConnectionError:
                    continue
            client.send(packet(PING, b"\x01\x63"))
            while client.receive() != (PING, b"\x01\x63"):
                pass


@scenario
def ninth_player(master):
    with Client(master).hello() as host, Client(master).hello() as ninth:
        network = host.host(create(title=next(TITLES), most=255))
        assert network.most == 8
        others = [Client(master).hello() for _ in range(7)]
        for number, other in enumerate(others):
            assert other.join(network).count == number + 2
        ninth.send(connect(network.session))
        assert ninth.error() == 2
        assert [n.count for n in ninth.scan(title=network.title)] == [8], "full ones are shown"
        for other in others:
            other.close()


@scenario
def slow_player(master):
    """One player reads nothing: the others get everything, and it is parted from."""
    with Client(master).hello() as host, Client(master).hello() as lazy, Client(master).hello() as quick:
        network = host.host(create(title=next(TITLES)))
        lazy.join(network)
        quick.join(network)
        host.sync(), host.sync()
        received = []

        def read():
            while not received or received[-1] != b"the end":
                kind, payload = quick.receive()
                if kind == PROXY_DATA:
                    received.append(payload[20:])

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        sent, is_parted = 0, False
        while not is_parted:
            assert sent < 20_000, "the slow player was never parted from"
            host.send(datagram(BROADCAST, struct.pack("<I", sent).ljust(1400)))
            sent += 1
            kind = None
            while kind != PROXY_DATA:
                kind, payload = host.receive()
                is_parted |= kind == SYNC_NETWORK and len(NetworkInfo(payload).names) == 2
        host.send(datagram(BROADCAST, b"the end"))
        reading.join(10)
        assert [struct.unpack_from("<I", data)[0] for data in received[:-1]] == list(range(sent)), "all of it, in order"


@scenario
def pings_of_clients(master):
    with Client(master).hello() as client:
        for number in (0, 9, 255):
            client.send(packet(PING, bytes([1, number])))
            assert client.expect(PING) == bytes([1, number])
        client.send(packet(PING, bytes([0, 3])))
        assert client.hears_nothing(), "an answer is not answered"


@slow
def pings_of_the_master(master):
    with Client(master, timeout=15).hello() as client, Client(master, timeout=30).hello() as silent:
        client.answers_pings = silent.answers_pings = False
        for number in range(3):
            payload = client.expect(PING)
            assert payload == bytes([0, number])
            client.send(packet(PING, payload))
        silent.expect(PING)
        try:
            silent.receive()
            raise AssertionError("it should have been parted from")
        except ConnectionError:
            pass


def web(path):
    with urllib.request.urlopen(f"http://{API}{path}", timeout=10) as answer:
        assert answer.status == 200 and answer.headers.get_content_type() == "application/json"
        return json.load(answer)


def statistics(master):
    title, secret = next(TITLES), "Ryujinx-5ec2e700"
    before = web("/api")
    with Client(master).hello() as host, Client(master).hello() as guest, Client(master).hello(words=secret) as hidden:
        network = host.host(create(name="An<n>a 1", title=title))
        guest.join(network)
        host.send(packet(SET_ACCEPT_POLICY, b"\1"))
        host.sync(), host.sync()
        hidden.host(create(title=title))
        for _ in range(50):  # what is told is up to a second old
            games = [game for game in web("/api/public_games") if int(game["title_id"], 16) == title]
            if games and games[0]["status"] == "Not Joinable":
                break
            time.sleep(0.1)
        assert len(games) == 1, "the private network is not listed"
        game = games[0]
        assert game["id"] == network.session.hex() and game["title_id"] == f"{title:016X}"
        assert (game["player_count"], game["max_player_count"], game["mode"]) == (2, 8, "Master Server Proxy")
        assert game["players"] == ["Anna1", "guest"] and game["title_version"] == "1.2.3"
        assert web("/api/games")[game["id"]] == game
        for _ in range(50):
            after = web("/api")
            if after["private_game_count"] > before["private_game_count"]:
                break
            time.sleep(0.1)
        assert after["private_game_count"] == before["private_game_count"] + 1, "but counted"


def main():
    global API
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("master", metavar="HOST:PORT")
    arguments.add_argument("--slow", action="store_true", help="wait for the master's timers too")
    arguments.add_argument("--api", metavar="HOST:PORT", help="where the master's statistics are")
    arguments.add_argument("names", nargs="*", metavar="NAME")
    options = arguments.parse_args()
    host, _, port = options.master.rpartition(":")
    failures = 0
    if options.api:
        API = options.api
        scenario(statistics)
    for name, play, is_slow in SCENARIOS:
        if name not in options.names if options.names else is_slow and not options.slow:
            continue
        began = time.monotonic()
        try:
            play((host.strip("[]"), int(port)))
            print(f"PASS {name} ({time.monotonic() - began:.2f} s)")
        except Exception:
            failures += 1
            print(f"FAIL {name}\n{traceback.format_exc()}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
