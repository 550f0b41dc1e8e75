"""Runs `baton serve` at home, in igd_lab.sh, and looks from everywhere what the router makes of it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BATON = sys.argv[1]
ROUTER = os.environ["LAB_ROUTER"]
INTERNET = os.environ["LAB_INTERNET"]
HOME_ADDRESS = "192.168.77.2"
PUBLIC_ADDRESS = "203.0.114.7"
PORT = 55435
LEASE = 5

# Asks a netplay tunnel for a session, as a host does, and succeeds if it gets one.
PLAYER = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as tunnel:
    tunnel.sendall(b"RATS" + bytes(12))
    answer = tunnel.recv(16)
sys.exit(0 if answer[:4] == b"RATS" and any(answer[4:]) else 1)
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def eventually(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"not in {seconds} s: {what}")
        time.sleep(0.1)


def mapped():
    """What the router's kernel lets in: external port -> home's address and port."""
    rules = run("ip", "netns", "exec", ROUTER, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").stdout
    return {int(port): target for port, target in re.findall(r"dport (\d+) dnat ip to (\S+)", rules)}


def player_gets_in(port):
    """Somebody on the internet connects to the home's public address."""
    return run("ip", "netns", "exec", INTERNET, "python3", "-c", PLAYER, PUBLIC_ADDRESS, str(port)).returncode == 0


class Baton:
    """One server at home."""

    def __init__(self, folder):
        configuration = os.path.join(folder, "baton.yaml")
        with open(configuration, "w") as file:
            file.write(f"netplay: {{listen: ['0.0.0.0:{PORT}', '[::]:{PORT}']}}\nadmin: {{listen: '127.0.0.1:0'}}\n")
            file.write(f"port_mapping: upnp\nport_mapping_lease: {LEASE}s\ndrain_timeout: 1s\n")
        self.log_file = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen([BATON, "serve", "--config", configuration], stderr=self.log_file)
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        strange = [line for line in self.log().splitlines() if not re.match(r"\d{4}-\d\d-\d\dT\S+Z ", line)]
        check(kind or not strange, f"the log has lines that are none: {strange}")
        if kind:
            print("--- the server's log\n" + self.log(), file=sys.stderr)
        self.log_file.close()

    def log(self):
        with open(self.log_file.name) as file:
            return file.read()

    def line(self, event, after=0, seconds=20):
        """The first line about an event beyond the first `after`."""

        def found():
            check(self.process.poll() is None or event in self.log(), f"the server ended before {event}")
            lines = [line for line in self.log().splitlines() if line.endswith(f"event={event}")]
            return lines[after] if len(lines) > after else None

        return eventually(f"the log says {event}", found, seconds)

    def admin(self, path):
        address = re.search(r"protocol=admin address=(\S+)", self.log())[1]
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name):
        found = re.search(re.escape(name) + r" (\d+)", self.admin("/metrics"))
        return int(found[1]) if found else 0

    def end(self, number):
        begun = time.monotonic()
        self.process.send_signal(number)
        check(self.process.wait(timeout=10) == 0, "the exit code is 0")
        return time.monotonic() - begun


def mapped_renewed_and_taken_back(folder):
    with Baton(folder) as server:
        server.line("listening")
        bound = time.monotonic()
        line = server.line("port_mapped")
        check(f"protocol=netplay address=0.0.0.0:{PORT} external={PUBLIC_ADDRESS}:{PORT}" in line, line)
        check(bound - server.started < 2, "the search for a router delays the start")
        check(mapped() == {PORT: f"{HOME_ADDRESS}:{PORT}"}, mapped())
        listed = run("upnpc", "-l").stdout
        check(re.search(rf"TCP +{PORT}->{HOME_ADDRESS}:{PORT} +'Baton netplay' '' [1-{LEASE}]\b", listed), listed)
        check(player_gets_in(PORT), "a player from the internet gets in")
        eventually("two renewals", lambda: server.metric('baton_port_mapping_events_total{event="renewed"}') >= 2)
        check(player_gets_in(PORT), "a player from the internet gets in after two leases")
        check(server.metric('baton_port_mappings{protocol="netplay"}') == 1, "the metric")
        check(f'"external":"{PUBLIC_ADDRESS}:{PORT}"' in server.admin("/api/v1/status"), "the status")
        with socket.create_connection((HOME_ADDRESS, PORT), timeout=5) as host:
            host.sendall(b"RATS" + bytes(12))
            check(len(host.recv(16)) == 16, "a session")
            server.process.send_signal(signal.SIGTERM)
            server.line("draining")
            check(mapped() == {PORT: f"{HOME_ADDRESS}:{PORT}"}, "a drain keeps the port open")
            check(server.process.wait(timeout=10) == 0, "the exit code is 0")
        server.line("port_removed")
        check(mapped() == {}, mapped())
        check(not player_gets_in(PORT), "nobody gets in after the end")


def a_taken_port_leads_to_the_next(folder):
    other = run("upnpc", "-a", HOME_ADDRESS, "2222", str(PORT), "TCP", "300")
    check("is redirected" in other.stdout, other.stdout)
    with Baton(folder) as server:
        line = server.line("port_mapped")
        check(f"external={PUBLIC_ADDRESS}:{PORT + 1} " in line, line)
        check(player_gets_in(PORT + 1), "a player gets in by the next port")
        server.end(signal.SIGINT)
    check(mapped() == {PORT: f"{HOME_ADDRESS}:2222"}, f"only ours is taken back: {mapped()}")
    run("upnpc", "-d", str(PORT), "TCP")
    check(mapped() == {}, mapped())


def a_router_that_restarts_is_found_again(folder):
    """And a server that is killed leaves nothing for longer than its lease."""
    gateway = int(os.environ["LAB_GATEWAY_PID"])
    with Baton(folder) as server:
        server.line("port_mapped")
        os.kill(gateway, signal.SIGTERM)
        server.line("port_not_renewed")
        run("ip", "netns", "exec", ROUTER, "nft", "flush", "chain", "inet", "filter", "prerouting_miniupnpd")
        line = server.line("port_lost")
        check("reason=no_gateway" in line or "reason=no_answer" in line, line)
        restarted = subprocess.Popen(
            os.environ["LAB_GATEWAY"].split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.line("port_mapped", after=1)
            check(player_gets_in(PORT), "a player gets in again")
            server.process.kill()
            eventually("the lease of a killed server ends", lambda: mapped() == {})
        finally:
            restarted.terminate()
            restarted.wait()


def without_a_router_it_serves_on(folder):
    """The gateway is gone by now."""
    with Baton(folder) as server:
        line = server.line("port_not_mapped")
        check("reason=no_gateway" in line and " warning " in line, line)
        check(run("python3", "-c", PLAYER, "127.0.0.1", str(PORT)).returncode == 0, "players at home get in")
        check('"failure":"no_gateway"' in server.admin("/api/v1/status"), "the status")
        check(server.end(signal.SIGINT) < 2, "a search that goes on holds the end up")


for scene in [
    mapped_renewed_and_taken_back,
    a_taken_port_leads_to_the_next,
    a_router_that_restarts_is_found_again,
    without_a_router_it_serves_on,
]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        scene(folder)
    print(f"{scene.__name__.replace('_', ' ')}: {time.monotonic() - begun:.1f} s", flush=True)
print("PASS: a real UPnP router lets players in for as long as the server runs")
