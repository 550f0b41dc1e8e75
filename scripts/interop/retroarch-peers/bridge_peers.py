#!/usr/bin/env python3
"""Real RetroArch guests that know nothing of tunnels, through `baton netplay join`.

A real host opens a session with a password. A guest types a wrong one and must
learn at once that it is over; a second one types the right one through the same
bridge and plays; a third one is started by the bridge itself. `baton netplay
check` must call the host reachable while it plays, and not afterwards.

usage: bridge_peers.py TUNNEL_HOST:PORT BATON
exit:  0 if all of that was so, 1 if not
"""
import base64
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import make_rom  # noqa: E402
import ra_peers  # noqa: E402

# One key of the menu's keyboard: the one that is chosen when it opens.
PASSWORD = "1"
BUTTON_START, BUTTON_A = 3, 8
LIMIT = 30
TOLD_WITHIN = 2.0

# Without a menu a guest cannot be asked for a password. Its pad is a socket.
GUEST_CONFIG = """menu_driver = "rgui"
network_remote_enable = "true"
network_remote_enable_user_p1 = "true"
network_remote_base_port = "%d"
"""


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Party:
    def __init__(self, tunnel, baton, work):
        self.work, self.baton = work, baton
        self.core, self.base = ra_peers.stage(work)
        self.rom = os.path.join(work, "loop.nes")
        with open(self.rom, "wb") as out:
            out.write(make_rom.build(True, 0))
        self.recorder = ra_peers.Recorder(tunnel, 0)
        self.tunnel = "127.0.0.1:%d" % self.recorder.port
        self.peers = []

    def host(self):
        config = self.base + ra_peers.HOST_CONFIG % {"port": self.recorder.port}
        config += 'netplay_password = "%s"\n' % PASSWORD
        host = ra_peers.Peer("host", self.work, self.core, self.rom, config, ["--host"])
        self.peers.append(host)
        session = ra_peers.wait_for("tunnel session", LIMIT, self.recorder.session_id, [host])
        self.session = base64.b64encode(session).decode()
        return host

    def guest(self, name, args, launcher=()):
        """A guest that has been asked for the password."""
        before = len(self.recorder.totals())
        pad = free_udp_port()
        config = self.base.replace('menu_driver = "null"\n', "") + GUEST_CONFIG % pad
        guest = ra_peers.Peer(name, self.work, self.core, self.rom, config, args, launcher)
        guest.pad = pad
        self.peers.append(guest)
        # Its own connection, and the link on which the host has sent its header.
        ra_peers.wait_for(
            name + " reaches the host", LIMIT,
            lambda: len(self.recorder.totals()) >= before + 2
            and all(down >= 24 or up >= 24 for up, down in self.recorder.totals()[before:]),
            [guest])
        time.sleep(1)  # some frames, in which the menu's keyboard opens
        return guest

    def close(self):
        for peer in self.peers:
            peer.stop()
        self.recorder.close()


def press(guest, button):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pad:
        for state in (1, 0):
            pad.sendto(struct.pack("=iiiiHxx", 0, 1, 0, button, state), ("127.0.0.1", guest.pad))
            time.sleep(0.25)


def wait(what, limit, check):
    end = time.monotonic() + limit
    while not check():
        if time.monotonic() > end:
            raise RuntimeError("%s: not within %g s" % (what, limit))
        time.sleep(0.05)


def established(port):
    """How many connections a listener of this machine has."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[3] == "01" and int(row[1].split(":")[1], 16) == port)


def check(party):
    done = subprocess.run([party.baton, "netplay", "check", party.tunnel, "--session", party.session],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    print("check: " + (done.stdout + done.stderr).strip())
    return done.returncode


def play(party, guest):
    wait(guest.name + " joins", LIMIT, lambda: 'onnected to: "host"' in guest.text())
    print("%s: %s" % (guest.name, guest.netplay_lines()[-1]))
    before = party.recorder.totals()
    time.sleep(2)
    after = party.recorder.totals()
    moved = sum(1 for b, a in zip(before, after) if a[0] > b[0] + 100 and a[1] > b[1] + 100)
    if moved < 2 or not guest.alive() or ra_peers.BAD.search(guest.text()):
        raise RuntimeError("%s does not play: %s" % (guest.name, guest.netplay_lines()[-3:]))


def through_one_bridge(party, bridge):
    line = bridge.stdout.readline()
    port = int(line.split("--port ")[1].split()[0])
    print("bridge: " + line.strip())
    to_bridge = ["-C", "127.0.0.1", "--port", str(port)]

    wrong = party.guest("wrong", to_bridge)
    began = time.monotonic()
    press(wrong, BUTTON_START)
    wait("the wrong password is told", TOLD_WITHIN, lambda: "Netplay disconnected" in wrong.text())
    wait("the connection ends", TOLD_WITHIN, lambda: established(port) == 0)
    print("wrong: told and parted %.1f s after it began to press Start: %s"
          % (time.monotonic() - began, wrong.netplay_lines()[-2]))
    wrong.stop()

    right = party.guest("right", to_bridge)
    press(right, BUTTON_A)
    press(right, BUTTON_START)
    play(party, right)
    if check(party) != 0:
        raise RuntimeError("the host plays and is not called reachable")
    return right


def started_by_a_bridge(party):
    bridge = [party.baton, "netplay", "join", party.tunnel, "--session", party.session, "--exec"]
    guest = party.guest("launched", [], bridge)
    press(guest, BUTTON_A)
    press(guest, BUTTON_START)
    play(party, guest)
    guest.stop()
    if guest.process.returncode != 0:
        raise RuntimeError("the bridge ended with %d" % guest.process.returncode)
    print("launched: ended with its bridge, exit code 0")


def run(party):
    host = party.host()
    print("session " + party.session)
    bridge = subprocess.Popen([party.baton, "netplay", "join", party.tunnel, "--session", party.session],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        right = through_one_bridge(party, bridge)
        started_by_a_bridge(party)
        right.stop()
        host.stop()
        if check(party) != 1:
            raise RuntimeError("the host has left and is called reachable")
    finally:
        bridge.terminate()
        code = bridge.wait(10)
    if code != 0:
        raise RuntimeError("the bridge ended with %d" % code)


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    host, _, port = sys.argv[1].rpartition(":")
    work = tempfile.mkdtemp(prefix="bridge-peers-")
    try:
        party = Party((host, int(port)), os.path.abspath(sys.argv[2]), work)
        try:
            run(party)
        finally:
            party.close()
    except RuntimeError as err:
        print("FAIL: %s" % err)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
