#!/usr/bin/env python3
"""Real RetroArch guests in rooms without a host, at HOST:PORT.

Exit code 0 only if all of this was seen:

  - three RetroArch guests join a room by an id they agreed on, and play;
  - a guest of protocol 5 without zlib, which is scripted, plays beside them;
  - the battery memory that the first one brought is in the state others get,
    also when it has left and another one gives it;
  - whoever leaves, the others keep playing, in step;
  - one that only looks on keeps the game alive, and hands it to a newcomer;
  - guests that name no id meet those with the same core and content, and nobody
    else.
"""
import argparse
import base64
import os
import shutil
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import make_rom  # noqa: E402
import ra_peers  # noqa: E402
from scripted_guest import ScriptedGuest  # noqa: E402

BATTERY = bytes((7 * i + 3) & 0xFF for i in range(0x2000))
# How often the ROM turns its loop in a frame, at most: it counts the turns.
TURNS_PER_FRAME = 130


class Party:
    def __init__(self, address, work, limit):
        self.address, self.work, self.limit = address, work, limit
        self.guests = []
        core_dir = next((d for d in ra_peers.CORE_DIRS
                         if os.path.exists(os.path.join(d, ra_peers.CORE))), None)
        if core_dir is None or shutil.which("retroarch") is None:
            raise RuntimeError("missing: install " + " ".join(ra_peers.PACKAGES))
        self.core_dir, self.core = core_dir, os.path.join(core_dir, ra_peers.CORE)
        self.info = os.path.join(work, "info")
        os.makedirs(self.info)
        with open(os.path.join(self.info, ra_peers.CORE.replace(".so", ".info")), "w") as out:
            out.write(ra_peers.CORE_INFO)

    def start(self, name, session=None, tag=0, spectates=False, battery=None):
        home = os.path.join(self.work, name + "-files")
        saves = os.path.join(home, "saves", ".netplay")
        for folder in (saves, os.path.join(home, "states")):
            os.makedirs(folder)
        if battery:
            # Where RetroArch looks for the battery of a game that it plays over the network.
            with open(os.path.join(saves, "game.srm"), "wb") as out:
                out.write(battery)
        rom = os.path.join(home, "game.nes")
        with open(rom, "wb") as out:
            out.write(make_rom.build(True, tag))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            command_port = probe.getsockname()[1]
        config = ra_peers.BASE_CONFIG % {"core_dir": self.core_dir, "info": self.info,
                                         "work": home, "announce": "false"}
        config += 'network_cmd_enable = "true"\nnetwork_cmd_port = "%d"\n' % command_port
        config += 'netplay_start_as_spectator = "%s"\n' % ("true" if spectates else "false")
        host, port = self.address
        where = ["--connect", "%s|%d|%s" % (host, port, session)] if session else [
            "--connect", host, "--port", str(port)]
        guest = ra_peers.Peer(name, self.work, self.core, rom, config, where)
        guest.command_port = command_port
        self.guests.append(guest)
        return guest

    def wait(self, what, condition):
        return ra_peers.wait_for(what, self.limit, condition, [g for g in self.guests if not g.left])

    def wait_line(self, guest, line):
        self.wait("%s: %s" % (guest.name, line), lambda: line in guest.text())
        print("%s: %s" % (guest.name, line))

    def leave(self, guest):
        guest.left = True
        guest.stop()
        print("%s has left" % guest.name)


ra_peers.Peer.left = False


def turns(guest):
    """How often the game of a RetroArch has turned its loop, as its memory says."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
        ask.settimeout(2)
        ask.sendto(b"READ_CORE_RAM 10 2\n", ("127.0.0.1", guest.command_port))
        low, high = ask.recv(200).split()[2:4]
        return int(high, 16) << 8 | int(low, 16)


def check_play(party, guests, scripted, seconds):
    """All games go on, and stay within a few frames of each other."""
    frame, inputs = scripted.frame, scripted.inputs
    before = [turns(guest) for guest in guests]
    time.sleep(seconds)
    after = [turns(guest) for guest in guests]
    for guest, old, new in zip(guests, before, after):
        if not guest.alive() or ra_peers.BAD.search(guest.text()):
            raise RuntimeError("%s gave up: %s" % (guest.name, guest.netplay_lines()[-3:]))
        if (new - old) & 0xFFFF < 20 * seconds * TURNS_PER_FRAME:
            raise RuntimeError("the game of %s stands still" % guest.name)
    ahead = max((turn - after[0] + 0x8000 & 0xFFFF) - 0x8000 for turn in after)
    behind = min((turn - after[0] + 0x8000 & 0xFFFF) - 0x8000 for turn in after)
    if ahead - behind > 20 * TURNS_PER_FRAME:
        raise RuntimeError("the games have gone apart: %s" % after)
    if scripted.error:
        raise RuntimeError("%s: %s" % (scripted.nick, scripted.error))
    if scripted.frame - frame < 20 * seconds or scripted.inputs - inputs < 20 * seconds * len(scripted.players):
        raise RuntimeError("only %d frames and %d inputs in %g s"
                           % (scripted.frame - frame, scripted.inputs - inputs, seconds))
    print("%s and %s played on: %d frames, %d inputs, games at most %d frames apart" % (
        ", ".join(guest.name for guest in guests), scripted.nick, scripted.frame - frame,
        scripted.inputs - inputs, (ahead - behind) // 120))


def check_battery(state, giver):
    if BATTERY not in state:
        raise RuntimeError("the first guest's battery is not in the state that came of %s" % giver)
    print("the first guest's battery is in the state that came of %s" % giver)


def room_by_id(party, hold):
    session = base64.b64encode(os.urandom(12)).decode()
    guests = []
    for number in (1, 2, 3):
        guest = party.start("guest%d" % number, session, battery=BATTERY if number == 1 else None)
        party.wait_line(guest, "You have joined as player %d" % number)
        guests.append(guest)
    old = ScriptedGuest(party.address, "old", session, protocol=5, compression=0, crc=1)
    old.wait("it does not play", lambda: old.is_playing)
    frame, raw_size, carried, state = old.states[0]
    print("old plays with protocol 5 and a state of %d bytes, sent as %d" % (raw_size, carried))
    check_battery(state, "guest1")
    for guest in guests:
        party.wait_line(guest, "old has joined as player 4")
    check_play(party, guests, old, hold)

    party.leave(guests[0])
    for guest in guests[1:]:
        party.wait_line(guest, "Player guest1 has left the game")
    check_play(party, guests[1:], old, hold)
    late = ScriptedGuest(party.address, "late", session, protocol=6, compression=1, crc=1)
    late.wait("it does not play", lambda: late.is_playing)
    check_battery(late.states[0][3], "another one")
    check_play(party, guests[1:], late, 1)

    watcher = party.start("watcher", session, spectates=True)
    party.wait_line(watcher, 'Connected to: "Baton"')
    time.sleep(1)
    old.close()
    late.close()
    for guest in guests[1:]:
        party.leave(guest)
    before = turns(watcher)
    time.sleep(12)  # A RetroArch that looks on gives up after 10 seconds without a frame.
    heir = party.start("heir", session)
    party.wait_line(heir, "You have joined as player 1")
    last = ScriptedGuest(party.address, "last", session, protocol=6, compression=1, crc=1)
    last.wait("it does not play", lambda: last.is_playing)
    check_battery(last.states[0][3], "a newcomer, who had it of who looked on")
    now = turns(heir)
    if not 0 < (now - before) & 0xFFFF < 400 * TURNS_PER_FRAME:
        raise RuntimeError("the game began anew: %d turns, then %d" % (before, now))
    check_play(party, [watcher, heir], last, 1)
    last.close()


def rooms_by_content(party, hold):
    first = party.start("plain1")
    party.wait_line(first, "You have joined as player 1")
    second = party.start("plain2")
    party.wait_line(second, "You have joined as player 2")
    other = party.start("other", tag=9)
    party.wait_line(other, "You have joined as player 1")
    if "other has joined" in first.text():
        raise RuntimeError("guests with different content met")
    party.leave(first)
    party.wait_line(second, "Player plain1 has left the game")
    before = turns(second)
    time.sleep(1)
    if (turns(second) - before) & 0xFFFF < 20 * TURNS_PER_FRAME:
        raise RuntimeError("the game of plain2 stands still")
    print("plain2 plays on alone")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--hold", type=float, default=3, help="seconds of play to watch each time")
    parser.add_argument("--timeout", type=float, default=20, help="seconds per step")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    work = tempfile.mkdtemp(prefix="room-peers-")
    party = None
    try:
        party = Party((host.strip("[]") or "127.0.0.1", int(port)), work, options.timeout)
        rooms_by_content(party, options.hold)
        room_by_id(party, options.hold)
        print("PASS")
        return 0
    except RuntimeError as error:
        print("FAIL: %s" % error)
        return 1
    finally:
        for guest in party.guests if party else []:
            guest.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
