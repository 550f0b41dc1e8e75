"""All protocols at once, under load and under an operator's hands. See scripts/interop/soak."""
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ldn-peers"))
import ldn_wire  # noqa: E402
from server import TOKEN, JSONClient, Server, Tunnel, check, eventually, exactly  # noqa: E402

CHATS, SESSIONS, NETWORKS, LINES = 6, 4, 3, 3
MESSAGE = "x" * 200


class Load:
    """Somebody who plays on until he is told to stop, or until the server parts from him."""

    def __init__(self, name):
        self.name, self.rounds, self.ending, self.failure = name, 0, threading.Event(), None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        try:
            self.open()
            while not self.ending.is_set():
                self.round()
                self.rounds += 1
                time.sleep(0.002)
        except Exception as error:
            self.failure = error
        finally:
            try:
                self.close()
            except OSError:
                pass

    @property
    def is_over(self):
        return not self.thread.is_alive()

    def stop(self):
        self.ending.set()
        self.thread.join(60)


class Chat(Load):
    """Two clients of the JSON relay, one of which says what the other has to hear."""

    def __init__(self, port, number, address="127.0.0.1"):
        super().__init__(f"chat {number}")
        self.port, self.number, self.address = port, number, address
        self.sent = self.heard = 0

    def open(self):
        self.one = JSONClient(self.port, f"one-{self.number}", self.address)
        self.two = JSONClient(self.port, f"two-{self.number}")

    def round(self):
        for _ in range(5):
            self.one.send({"payloadType": "MESSAGE", "destination": f"two-{self.number}", "payload": MESSAGE})
            self.sent += 1
        while self.heard < self.sent:
            readable, _, _ = select.select([self.one.socket, self.two.socket], [], [], 60)
            if self.two.socket in readable:
                assert self.two.receive()["payload"] == MESSAGE
                self.heard += 1
            else:
                # Nobody writes to it: it has been parted from.
                raise EOFError(f"{self.name}: {self.one.receive() if readable else 'nothing for a minute'}")

    def close(self):
        self.one.close(), self.two.close()


class Session(Load):
    """A netplay host and its guest."""

    def __init__(self, port, number):
        super().__init__(f"session {number}")
        self.port = port
        self.bytes = 0

    def open(self):
        self.tunnel = Tunnel(self.port)

    def round(self):
        for source, target in ((self.tunnel.guest, self.tunnel.link), (self.tunnel.link, self.tunnel.guest)):
            source.sendall(b"\1" * 1500)
            exactly(target, 1500)
            self.bytes += 1500

    def close(self):
        self.tunnel.close()


class Network(Load):
    """A network of two players at the LDN master."""

    def __init__(self, port, number):
        super().__init__(f"network {number}")
        self.address, self.number = ("127.0.0.1", port), number
        self.datagrams = 0

    def open(self):
        self.first = ldn_wire.Client(self.address, timeout=60).hello()
        self.second = ldn_wire.Client(self.address, timeout=60).hello()
        network = self.first.host(ldn_wire.create(title=0x0100_0000_0000_2000 + self.number))
        self.second.join(network)
        self.first.sync()

    def round(self):
        text = struct.pack("<I", self.rounds) * 50
        self.second.send(ldn_wire.datagram(ldn_wire.player(1), text, source=ldn_wire.player(2)))
        kind, payload = self.first.receive()
        while kind == ldn_wire.SYNC_NETWORK:
            # A drain closes the network to newcomers, which its host is told.
            kind, payload = self.first.receive()
        assert (kind, payload[20:]) == (ldn_wire.PROXY_DATA, text)
        self.datagrams += 1

    def close(self):
        self.first.close(), self.second.close()


class Line(Load):
    """A client of the game behind the gateway: the program's own, which checks each echo."""

    def __init__(self, baton, port, number):
        super().__init__(f"line {number}")
        self.command = [baton, "soe", "ping", "--json", "--connect", f"127.0.0.1:{port}", "--sizes", "64,500,3000",
                        "--count", "200", "--inflight", "8", "--timeout", "60"]
        self.messages = 0

    def open(self):
        pass

    def round(self):
        run = subprocess.run(self.command, capture_output=True, text=True, timeout=120)
        report = json.loads(run.stdout or '{"ok": false}')
        assert report["ok"], f"{run.stdout} {run.stderr}"
        self.messages += report["received"]

    def close(self):
        pass


class Party(Load):
    """Two virtual cards in a room of the LAN relay; frames go from one to the other."""

    def __init__(self, baton, link, folder):
        super().__init__("party")
        self.link = link
        self.players, self.sockets, self.lost = [], [], 0
        for number in (0, 1):
            log = (folder / f"player{number}").open("w")
            self.players.append(subprocess.Popen(
                [baton, "lan", "join", link, "--tap", f"party{number}", "--mac", f"02:4c:41:4e:02:0{number}",
                 "--identity", folder / f"player{number}.json"], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        self.logs = [folder / "player0", folder / "player1"]

    def open(self):
        def is_up(number):
            # /sys shows the cards of another namespace.
            run = subprocess.run(["ip", "-br", "link", "show", f"party{number}"], capture_output=True, text=True)
            return "LOWER_UP" in run.stdout
        eventually("the virtual cards are up", lambda: is_up(0) and is_up(1))
        for number in (0, 1):
            card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
            card.bind((f"party{number}", 0x88B5))
            card.settimeout(1)
            self.sockets.append(card)

    def round(self):
        source, target = bytes.fromhex("024c414e0200"), bytes.fromhex("024c414e0201")
        frame = target + source + b"\x88\xb5" + struct.pack(">I", self.rounds) + bytes(900)
        self.sockets[0].send(frame)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            try:
                if self.sockets[1].recv(2000) == frame:
                    break
            except TimeoutError:
                pass
        else:
            self.lost += 1
        time.sleep(0.01)

    def close(self):
        for card in self.sockets:
            card.close()

    def end(self):
        for player in self.players:
            player.send_signal(signal.SIGINT)
        for player in self.players:
            try:
                player.wait(20)
            except subprocess.TimeoutExpired:
                player.kill()
                player.wait()


def configuration(folder, backend, rate):
    return f"""
json: {{listen: "127.0.0.1:0", message_rate: {rate}}}
netplay: {{listen: "127.0.0.1:0"}}
lobby: {{listen: "127.0.0.1:0", database: "{folder}/lobby.sqlite"}}
ldn: {{listen: "127.0.0.1:0"}}
soe: {{listen: "127.0.0.1:0", backend: "{backend}", protocols: [SoePingPong]}}
lan: {{listen: "127.0.0.1:0", identity: "{folder}/identity.pem"}}
admin: {{listen: "127.0.0.1:0", token: {TOKEN}, bans_database: "{folder}/bans.sqlite"}}
drain_timeout: 60s
"""


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def memory(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) << 10


def room_of(server, name):
    """The room and the number of a peer."""
    for room in server.api("GET", "/rooms")["rooms"]:
        for peer in room["peers"]:
            if peer["name"] == name:
                return room["id"], peer["peer"]
    raise AssertionError(f"nobody is called {name}")


class Operator:
    """What an operator does while people play."""

    def __init__(self, server, folder, backend, port):
        self.server, self.folder, self.backend, self.port = server, folder, backend, port
        self.acts = {"kick": 0, "ban": 0, "reload": 0, "look": 0}

    def kick(self, number):
        chat = Chat(self.port, f"kicked-{number}").start()
        eventually("a chat that is to be kicked", lambda: chat.rounds > 0)
        _, peer = room_of(self.server, f"one-kicked-{number}")
        self.server.api("DELETE", f"/peers/json/{peer}")
        eventually("it is over", lambda: chat.is_over)
        self.acts["kick"] += 1
        return chat

    def ban(self, number):
        address = f"127.0.{number // 200 + 1}.{number % 200 + 1}"
        chat = Chat(self.port, f"banned-{number}", address).start()
        eventually("a chat that is to be banned", lambda: chat.rounds > 0)
        ban = self.server.api("POST", "/bans", {"subject": "address", "value": address, "reason": "soak"})
        started = time.monotonic()
        eventually("it is over", lambda: chat.is_over)
        check("within a second", time.monotonic() - started < 1 or os.environ.get("SLOW_MACHINE"))
        refused = JSONClient(self.port, "again", address)
        check("it is told why", refused.answer["payload"] == "Banned: soak", refused.answer)
        if number % 2:
            self.server.api("DELETE", f"/bans/{ban['id']}")
        self.acts["ban"] += 1
        return chat

    def reload(self, number):
        self.server.config.write_text(configuration(self.folder, self.backend, 100_000 + number))
        answer = self.server.api("POST", "/reload")
        check("a reload leaves nothing for a restart", answer["restartNeeded"] == [], answer)
        self.acts["reload"] += 1

    def look(self):
        for path in ("/status", "/rooms", "/peers", "/history", "/listeners"):
            self.server.api("GET", path)
        self.server.metrics()
        self.acts["look"] += 1


def adds_up(metrics, protocol):
    """Connections that began are there, or have ended for a reason that is counted."""
    label = f'protocol="{protocol}"'
    opened = metrics[f"baton_connections_opened_total{{{label}}}"]
    peers = metrics[f"baton_peers{{{label}}}"]
    closed = sum(value for name, value in metrics.items()
                 if name.startswith("baton_connections_closed_total{") and label in name)
    check(f"{protocol}: {opened:.0f} connections are {peers:.0f} there and {closed:.0f} ended", opened == peers + closed)


def main(baton, seconds):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        backend_log = folder / "backend"
        backend = subprocess.Popen(
            [sys.executable, HERE.parent / "soe-peers" / "backend.py"], stdout=backend_log.open("w"))
        address = eventually("a game is there", lambda: re.search(r"listening (\S+)", backend_log.read_text()))[1]
        server = Server(baton, folder, configuration(folder, address, 100_000))
        party = None
        try:
            eventually("and the gateway is with it", lambda: server.lines("backend_connected"))
            fingerprint = re.search(r"fingerprint=([0-9a-f]+)", server.lines("lan_identity")[0])[1]
            party = Party(baton, f"baton://127.0.0.1:{server.port('lan')}/party#{fingerprint}", folder)
            chats = [Chat(server.port("json"), number) for number in range(CHATS)]
            sessions = [Session(server.port("netplay"), number) for number in range(SESSIONS)]
            networks = [Network(server.port("ldn"), number) for number in range(NETWORKS)]
            lines = [Line(baton, server.port("soe"), number) for number in range(LINES)]
            loads = [load.start() for load in chats + sessions + networks + lines + [party]]
            play(server, folder, address, chats, sessions, networks, lines, party, loads, seconds)
        except BaseException:
            print(server.log[-6000:], file=sys.stderr)
            if party:
                print("".join(log.read_text()[-2000:] for log in party.logs), file=sys.stderr)
            raise
        finally:
            if party:
                party.end()
            server.kill()
            backend.terminate()
            backend.wait()


def play(server, folder, backend, chats, sessions, networks, lines, party, loads, seconds):
    for load in loads:
        eventually(f"{load.name} plays", lambda: load.rounds > 0 or load.is_over)
        check(f"{load.name} is well", not load.is_over, load.failure)
    operator = Operator(server, folder, backend, server.port("json"))
    parted = []
    # Warm: whatever is made once is made.
    parted += [operator.kick(0), operator.ban(0)]
    operator.reload(0), operator.look()
    lobby(server)
    time.sleep(2)
    start, files, bytes_at_start = time.monotonic(), descriptors(server), memory(server)
    drained = False
    number = 0
    while time.monotonic() - start < seconds:
        number += 1
        parted.append(operator.kick(number))
        parted.append(operator.ban(number))
        operator.reload(number)
        operator.look()
        lobby(server)
        if not drained and time.monotonic() - start > seconds / 2:
            drained = True
            drain(server)
        for load in loads:
            check(f"{load.name} plays on", not load.is_over, load.failure)
        time.sleep(min(1, seconds / 30))
    check("a drain was among it", drained)
    eventually("no more descriptors than before", lambda: descriptors(server) <= files + 4)
    grown = memory(server) - bytes_at_start
    check(f"memory has grown by {grown / 1e6:.1f} MB", grown < 24e6)
    finish(server, chats, sessions, networks, lines, party, loads, parted, operator)


def lobby(server):
    """A host is listed and looks at the list."""
    url = f"http://127.0.0.1:{server.port('lobby')}/list"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.status == 200
        answer.read()


def drain(server):
    server.api("POST", "/drain")
    eventually("the server drains", lambda: server.ask("GET", "/readyz")[0] == 503)
    late = socket.create_connection(("127.0.0.1", server.port("netplay")), timeout=60)
    late.sendall(b"RATS" + bytes(12))
    check("nobody opens a session", late.recv(16) == b"")
    late.close()
    server.api("DELETE", "/drain")
    eventually("the drain is taken back", lambda: server.ask("GET", "/readyz")[0] == 200)


def finish(server, chats, sessions, networks, lines, party, loads, parted, operator):
    for load in loads:
        load.stop()
        check(f"{load.name} ended when it was to, after {load.rounds} rounds", load.failure is None, load.failure)
    frames = party.rounds
    check(f"the party lost {party.lost} of {frames} frames", party.lost <= frames / 100)
    party.end()
    eventually("everybody has gone", lambda: not server.api("GET", "/peers")["peers"])
    metrics = server.metrics()
    for protocol in ("json", "netplay", "ldn", "lan"):
        adds_up(metrics, protocol)

    def relayed(protocol, what):
        return metrics[f'baton_relayed_{what}_total{{protocol="{protocol}"}}']
    sent = sum(chat.sent for chat in chats + parted)
    heard = sum(chat.heard for chat in chats + parted)
    dropped = sum(value for name, value in metrics.items()
                  if name.startswith("baton_dropped_messages_total{") and 'protocol="json"' in name)
    count = relayed("json", "messages")
    # Of those that were parted from, some words were under way.
    check(f"json: {sent} sent, {count:.0f} relayed, {dropped:.0f} dropped, {heard} heard",
          heard <= count <= sent - dropped and sent - heard <= 5 * len(parted))
    count = relayed("netplay", "bytes")
    check(f"netplay: {count:.0f} bytes", count == sum(session.bytes for session in sessions))
    count = relayed("ldn", "messages")
    check(f"ldn: {count:.0f} datagrams", count >= sum(network.datagrams for network in networks))
    count = relayed("soe", "messages")
    check(f"soe: {count:.0f} messages", count == 2 * sum(line.messages for line in lines))
    check(f"lan: {relayed('lan', 'messages'):.0f} datagrams of {party.rounds} frames",
          relayed("lan", "messages") >= party.rounds - party.lost)
    closed = lambda reason: metrics[f'baton_connections_closed_total{{protocol="json",reason="{reason}"}}']
    check("each kick is counted", closed("kicked") == operator.acts["kick"])
    check("each ban is counted", closed("banned") == operator.acts["ban"])
    check("nobody read too slowly", not any('reason="slow_reader"' in name for name in metrics))
    check("each reload is counted", metrics['baton_config_reloads_total{result="success"}'] == operator.acts["reload"])
    for protocol in ("json", "netplay", "ldn", "soe", "lan"):
        latency, messages = metrics[f'baton_forward_latency_seconds_count{{protocol="{protocol}"}}'], relayed(protocol, "messages")
        check(f"{protocol}: the time of {latency:.0f} messages was taken", latency == messages)
    check("no errors were logged", " error " not in server.log and " critical " not in server.log)
    check("the server ends well", server.stop(signal.SIGTERM) == 0)
    print(f"the server lasts: {operator.acts}")


try:
    main(sys.argv[1], float(sys.argv[2]))
except AssertionError:
    traceback.print_exc()
    sys.exit(1)
