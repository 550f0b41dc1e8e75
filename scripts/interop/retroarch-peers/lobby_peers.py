#!/usr/bin/env python3
"""Real RetroArch peers for a lobby under its fixed name, lobby.libretro.com:80.

usage: lobby_peers.py ROOM_TIMEOUT

The name must lead to the lobby already, and the lobby must know a relay "nyc". A host announces itself behind that
relay, two guests join with what the list says, and so does one with a direct host; then the first host leaves and the
lobby must forget its room within ROOM_TIMEOUT seconds. Exit status: 0 if all of it happened, else 1.
"""
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from ra_peers import Peer, games, stage, wait_for  # noqa: E402

LOBBY = "http://lobby.libretro.com"
LIMIT = 40  # seconds for a step; the first announcement comes 5 s after hosting starts
DIRECT_PORT = 45435

RELAYED = """netplay_use_mitm_server = "true"
netplay_mitm_server = "nyc"
"""
DIRECT = """netplay_use_mitm_server = "false"
netplay_ip_port = "%d"
""" % DIRECT_PORT


def get(path):
    with urllib.request.urlopen(LOBBY + path, timeout=10) as answer:
        return answer.read().decode()


def room(username):
    """The room of a host, as the list has it; None if it is not there."""
    return next((r["fields"] for r in json.loads(get("/list")) if r["fields"]["username"] == username), None)


def expect(what, found, wanted):
    if found != wanted:
        raise RuntimeError("%s is %r instead of %r" % (what, found, wanted))


def join(name, place, host, start, peers):
    guest = start(name, "", ["--connect", place])
    peers.append(guest)
    wait_for(name + " connected", LIMIT, lambda: 'onnected to: "%s"' % host in guest.text(), peers)
    print("%s joined %s by %s" % (name, host, place))
    return guest


def run(work, timeout):
    core, base = stage(work, announce=True)
    roms = games(work, 1)
    peers = []

    def start(name, config, arguments):
        return Peer(name, work, core, roms[0], base + config, arguments)

    try:
        expect("the list at the start", get("/list"), "[]\n")
        relayed = start("relayed", RELAYED, ["--host"])
        direct = start("direct", DIRECT, ["--host"])
        peers += [relayed, direct]

        there = wait_for("relayed in the list", LIMIT, lambda: room("relayed"), peers)
        tunnel = dict(line.split("=", 1) for line in get("/tunnel?name=nyc").splitlines())
        expect("host_method", there["host_method"], 3)
        expect("the relay's place", (there["mitm_ip"], str(there["mitm_port"])),
               (tunnel["tunnel_addr"], tunnel["tunnel_port"]))
        expect("connectable", there["connectable"], True)
        expect("core and version", (there["core_name"], there["retroarch_version"]), ("Nestopia", "1.14.0"))
        print("the list has: " + json.dumps(there))
        place = "%(mitm_ip)s|%(mitm_port)s|%(mitm_session)s" % there
        guests = [join(name, place, "relayed", start, peers) for name in ("guest1", "guest2")]
        wait_for("guest1 playing", LIMIT, lambda: "You have joined as player" in guests[0].text(), peers)
        session = urllib.parse.quote(there["mitm_session"], safe="")
        answer = json.loads(get("/api/v1/reachability?relay=nyc&session=" + session))
        expect("reachability through the relay", answer["result"], "reachable")

        there = wait_for("direct in the list", LIMIT, lambda: room("direct"), peers)
        expect("host_method", there["host_method"], 0)
        expect("ip and port", (there["ip"], there["port"]), ("127.0.0.1", DIRECT_PORT))
        expect("connectable and is_retroarch", (there["connectable"], there["is_retroarch"]), (True, True))
        answer = json.loads(get("/api/v1/reachability?port=%d" % DIRECT_PORT))
        expect("reachability", (answer["result"], answer["message"]),
               ("reachable", "Your room can be reached from the internet."))
        print("reachability: " + answer["message"])
        join("guest3", "127.0.0.1|%d" % DIRECT_PORT, "direct", start, peers)
        nobody = json.loads(get("/api/v1/reachability?port=1"))
        expect("reachability of port 1", nobody["message"], "Nobody answers on port 1.")

        for peer in guests + [relayed]:
            peer.stop()
            peers.remove(peer)
        left = time.time()
        while room("relayed"):
            if time.time() - left > timeout + 5:
                raise RuntimeError("the lobby still lists a host that has left")
            time.sleep(0.5)
        print("the lobby forgot a host %.0f s after it had left" % (time.time() - left))
        if not room("direct"):
            raise RuntimeError("the lobby forgot a host that is there")
        print("PASS")
    except RuntimeError:
        for peer in peers:
            print("--- %s\n%s" % (peer.name, "\n".join(peer.netplay_lines()[-8:])))
        raise
    finally:
        for peer in peers:
            peer.stop()


def main():
    work = tempfile.mkdtemp(prefix="ra-lobby-")
    try:
        run(work, float(sys.argv[1]))
    except (RuntimeError, OSError) as err:
        print("FAIL: %s" % err)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
