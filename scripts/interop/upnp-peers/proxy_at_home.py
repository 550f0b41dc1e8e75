"""Runs `baton ldn proxy` at home, in igd_lab.sh, with a master and a player on the internet."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

BATON = sys.argv[1]
ROUTER = os.environ["LAB_ROUTER"]
INTERNET = os.environ["LAB_INTERNET"]
HOME_ADDRESS = "192.168.77.2"
PUBLIC_ADDRESS = "203.0.114.7"
MASTER_ADDRESS = "203.0.114.9"
PEERS = pathlib.Path(__file__).resolve().parents[1] / "ldn-peers"

# Joins the network by the master, and by the token the proxy; hears its own broadcast from there.
PLAYER = """
import struct, sys
from ldn_wire import *
master, session = (sys.argv[1], int(sys.argv[2])), bytes.fromhex(sys.argv[3])
with Client(master).hello() as client:
    client.send(connect(session, version=0))
    config, _ = client.expect(EXTERNAL_PROXY, CONNECTED)
    address = socket.inet_ntoa(config[:4]), struct.unpack_from("<H", config, 20)[0]
    with Client(address) as line:
        line.send(packet(EXTERNAL_PROXY, config))
        line.expect(PROXY_CONFIG)
        line.send(datagram(BROADCAST, b"from the internet"))
        assert line.expect(PROXY_DATA)[20:] == b"from the internet"
print("%s:%d" % address)
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def mapped():
    """What the router's kernel lets in: external port -> home's address and port."""
    rules = run("ip", "netns", "exec", ROUTER, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").stdout
    return {int(port): target for port, target in re.findall(r"dport (\d+) dnat ip to (\S+)", rules)}


def lease(port):
    """Seconds that the router will keep the mapping."""
    listed = run("upnpc", "-l").stdout
    found = re.search(rf"TCP +{port}->{HOME_ADDRESS}:\d+ +'Baton ldn' '' (\d+)", listed)
    check(found, listed)
    return int(found[1])


class Program:
    """Something of Baton's, and its log."""

    def __init__(self, *command, prefix=()):
        self.log_file = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen([*prefix, BATON, *command], stderr=self.log_file)

    def log(self):
        with open(self.log_file.name) as file:
            return file.read()

    def says(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.log())):
            check(self.process.poll() is None, "it ended: " + self.log())
            check(time.monotonic() < end, f"no {pattern} in: {self.log()}")
            time.sleep(0.1)
        return found

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if kind:
            print(f"--- the log of {self.process.args}\n{self.log()}", file=sys.stderr)
        self.log_file.close()


def proxy(port):
    return Program("ldn", "proxy", "--master", f"{MASTER_ADDRESS}:{port}")


def main():
    run("ip", "netns", "exec", ROUTER, "nft", "add", "rule", "inet", "filter", "postrouting", "oif", "wan0", "masquerade")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as configuration:
        configuration.write(f'ldn: {{listen: "{MASTER_ADDRESS}:0"}}\n')
        configuration.flush()
        inside = ("ip", "netns", "exec", INTERNET)
        with Program("serve", "--config", configuration.name, prefix=inside) as master:
            port = master.says(r"listening protocol=ldn address=\S+:(\d+)")[1]
            play(port, inside)


def play(port, inside):
    with proxy(port) as host:
        outside, session = host.says(r"hosting .*external_port=(\d+) network=([0-9a-f]{32})").groups()
        begun = time.monotonic()
        outside = int(outside)
        check(39990 <= outside <= 39999, outside)
        targets = mapped()
        check(list(targets) == [outside] and re.fullmatch(HOME_ADDRESS + r":3999\d", targets[outside]), targets)
        check(50 < lease(outside) <= 60, lease(outside))
        player = [*inside, "env", f"PYTHONPATH={PEERS}", "python3", "-c", PLAYER, MASTER_ADDRESS, port, session]
        joined = run(*player)
        check(joined.stdout.strip() == f"{PUBLIC_ADDRESS}:{outside}", joined)
        # Renewed after 50 s; without that, less than 6 would be left.
        time.sleep(max(0, 54.5 - (time.monotonic() - begun)))
        left = lease(outside)
        check(left > 40, f"not renewed: {left} s left")
        joined = run(*player)
        check(joined.stdout.strip() == f"{PUBLIC_ADDRESS}:{outside}", joined)
        check(host.end(signal.SIGTERM) == 0, "the exit code is 0")
        check(mapped() == {}, mapped())
        print(f"mapped, joined from the internet, renewed ({left} s left at 55 s), taken back by TERM")
    other = run("upnpc", "-a", HOME_ADDRESS, "2222", "39990", "TCP", "300")
    check("is redirected" in other.stdout, other.stdout)
    with proxy(port) as host:
        outside = int(host.says(r"hosting .*external_port=(\d+)")[1])
        check(outside == 39991, outside)
        run("upnpc", "-d", str(outside), "TCP")
        check(host.end(signal.SIGINT) == 0, "a mapping that is gone already counts as taken back")
        check("event=port_removed" in host.log() and "event=port_left" not in host.log(), host.log())
        check(list(mapped()) == [39990], "only ours is taken back")
    run("upnpc", "-d", "39990", "TCP")
    os.kill(int(os.environ["LAB_GATEWAY_PID"]), signal.SIGTERM)
    with proxy(port) as host:
        check(host.process.wait(timeout=30) == 69, "the exit code is 69")
        check("no router in this network" in host.log() and "--port" in host.log(), host.log())
    print("PASS: a P2P proxy at home is reached from the internet for as long as it runs")


main()
