#!/usr/bin/env python3
"""A LAN party in network namespaces, with Baton between its players. See scripts/interop/lan."""
import json, os, shutil, signal, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../Benchmarks/lan"))
import lanbench
from lanbench import Bad, H1MAC, LANIP, LANIP6, MAC, RELAY_IP, PORT, WAN, sh

BATON = os.environ["BATON"]
FAILED = []

def say(good, text, detail=""):
    print(("ok: " if good else "FAIL: ") + text + (f" ({detail})" if detail and not good else ""), flush=True)
    if not good:
        FAILED.append(text)

def eventually(check, limit=10.0):
    """Waits for a condition; how long it took, or None."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        if check():
            return time.monotonic() - start
        time.sleep(0.02)
    return None

class Party:
    """The lab of the bench, with programs of Baton that are known by the node they run on."""
    def __init__(self, clients=2, room=""):
        self.lab = lanbench.Lab(clients, "off")
        self.work = tempfile.mkdtemp(prefix="baton-party-")
        self.config = f"{self.work}/baton.yaml"
        self.programs = {}
        self.write_config(room)

    def write_config(self, more=""):
        with open(self.config, "w") as file:
            file.write(f'lan:\n  listen: "{RELAY_IP}:{PORT}"\n  public_address: "{RELAY_IP}:{PORT}"\n'
                       f"  identity: {self.work}/identity.pem\n{more}")

    def __enter__(self):
        self.lab.up()
        self.link = self.run("relay", "lan", "link", "party", "--config", self.config, "--no-qr").stdout.strip()
        return self

    def __exit__(self, *_):
        for node in list(self.programs):
            # TERM has a relay wait for its rooms.
            self.stop(node, signal.SIGINT if node == "relay" else signal.SIGTERM)
        self.lab.down()
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, node, *arguments, timeout=30):
        return subprocess.run(self.lab.cmd(node, BATON, *arguments), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)

    def start(self, node, *arguments, log=None):
        path = f"{self.work}/{log or node}.log"
        with open(path, "w") as file:
            self.programs[log or node] = subprocess.Popen(self.lab.cmd(node, BATON, *arguments), stdout=file,
                                                          stderr=file, stdin=subprocess.DEVNULL)

    def relay(self):
        self.start("relay", "serve", "--config", self.config)
        eventually(lambda: "listening" in self.log("relay"))

    def gateway(self, link=None):
        self.start("gw", "lan", "gateway", link or self.link, "--interface", "lan0", "--identity", f"{self.work}/gw.json")

    def player(self, node, *more, link=None, address=True):
        self.start(node, "lan", "join", link or self.link, "--tap", "party0", "--mac", MAC[node], "--identity",
                   f"{self.work}/{node}.json", *more)
        if eventually(lambda: "UP" in self.ip(node, "link", "show", "party0"), 10) is None:
            raise Bad(f"{node} does not join: {self.log(node)}")
        if address:
            self.address(node)

    def address(self, node):
        self.ip(node, "addr", "replace", LANIP[node] + "/24", "dev", "party0")
        self.ip(node, "addr", "replace", LANIP6[node] + "/64", "dev", "party0", "nodad")

    def all_up(self):
        self.relay()
        self.gateway()
        for node in self.lab.clients:
            self.player(node)
        for node in self.lab.clients:
            if not self.hears(node):
                raise Bad(f"{node} does not see the LAN: {self.log(node)}{self.log('gw')}{self.log('relay')}")

    def ip(self, node, *arguments):
        return self.lab.ip(node, *arguments, check=False)

    def log(self, name):
        try:
            return open(f"{self.work}/{name}.log").read()
        except OSError:
            return ""

    def pid(self, node):
        """The program itself, which `ip netns exec` has become."""
        return self.programs[node].pid

    def stop(self, node, how=signal.SIGTERM):
        program = self.programs.pop(node, None)
        if program and program.poll() is None:
            program.send_signal(how)
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                say(False, f"{node} ends when it is told to")
        return program.returncode if program else None

    def pings(self, source, target):
        return subprocess.run(self.lab.cmd(source, "ping", "-c1", "-W0.3", "-n", target), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode == 0

    def hears(self, source, target=LANIP["h1"], limit=10.0):
        return eventually(lambda: self.pings(source, target), limit) is not None

    def back_in(self, source="c1", target=LANIP["h1"], limit=10.0):
        return eventually(lambda: self.pings(source, target), limit)

# --- frames ----------------------------------------------------------------
def frames():
    with Party() as party:
        party.all_up()
        results = lanbench.l2check(party.lab)
        for name, seen in results.items():
            good = all(value == ("no" if name.startswith("hostile:") else "ok") for value in seen.values())
            say(good, f"frame {name}", str(seen))
        for node in party.lab.clients + ["h1"]:
            party.ip(node, "neigh", "flush", "all")
        say(party.pings("c1", LANIP["c2"]), "players see each other")
        full = subprocess.run(party.lab.cmd("c1", "ping", "-c2", "-i0.2", "-W1", "-s1472", "-Mdo", LANIP["h1"]),
                              stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        say(full.returncode == 0, "packets of 1500 bytes cross whole")
        offloads(party)
        dhcp(party)

def offloads(party):
    """A machine of the LAN leaves the cutting up of its flows to a card that is none, as virtual machines do."""
    for node, card in (("h1", "eth0"), ("lan", "p-h1"), ("lan", "p-gw")):
        sh(party.lab.cmd(node, "ethtool", "-K", card, "tx", "on", "tso", "on", "gso", "on", "sg", "on"), check=False)
    heard = lambda node, card: int(sh(party.lab.cmd(node, "cat", f"/sys/class/net/{card}/statistics/rx_packets")))
    server = subprocess.Popen(party.lab.cmd("h1", "iperf3", "-s", "-1"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: ":5201" in sh(party.lab.cmd("h1", "ss", "-ltn")))
        before = heard("gw", "lan0"), heard("c1", "party0")
        sent = subprocess.run(party.lab.cmd("c1", "iperf3", "-c", LANIP["h1"], "-R", "-n", "40M"), capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL)
        long, short = heard("gw", "lan0") - before[0], heard("c1", "party0") - before[1]
        say(sent.returncode == 0 and short > 20_000 and short > 1.2 * long,
            f"40 MB that a machine of the LAN sends in {long} long frames arrive in {short}", sent.stdout + sent.stderr)
    finally:
        server.kill()
        server.wait()
    status = party.run("gw", "lan", "status", "--json").stdout
    say("card-overlong" not in status, "and none of them is lost for its length", status)

def dhcp(party):
    """A player's card gets its address from the party's DHCP server, as any card does."""
    server = subprocess.Popen(
        party.lab.cmd("h1", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
                      "--interface=eth0", "--bind-interfaces", "--no-ping", "--log-facility=-", "--pid-file=",
                      "--dhcp-range=10.77.0.100,10.77.0.120,5m", f"--dhcp-leasefile={party.work}/leases"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    script = f"{party.work}/udhcpc"
    with open(script, "w") as file:
        file.write('#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/24" dev "$interface"\nexit 0\n')
    os.chmod(script, 0o755)
    party.ip("c1", "addr", "flush", "dev", "party0", "scope", "global")
    try:
        client = subprocess.run(
            party.lab.cmd("c1", "udhcpc", "-i", "party0", "-f", "-q", "-n", "-t", "5", "-T", "1", "-s", script),
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        card = party.ip("c1", "-4", "addr", "show", "party0")
        say(client.returncode == 0 and "10.77.0.1" in card, "the party's DHCP server gives a player an address",
            client.stderr + card)
        say(party.hears("c1"), "and the player sees the LAN from there")
    finally:
        server.terminate()
        server.wait()

# --- the README ------------------------------------------------------------
def readme():
    """The three lines of the README as they stand there, each on a machine with nothing of Baton's but the program."""
    text = open(os.path.join(HERE, "../../../README.md")).read()
    section = text.split("## A friend at a LAN party\n")[1].split("\n## ")[0]
    relay, gateway, player = [line.strip() for line in section.split("\n") if line.startswith("    ")]
    line = section.split("`lan.yaml`, `")[1].split("`")[0].replace("relay.example.org", RELAY_IP)
    with Party(clients=1) as party:
        os.mkdir(f"{party.work}/bin")
        os.symlink(BATON, f"{party.work}/bin/baton")
        with open(f"{party.work}/lan.yaml", "w") as file:
            file.write(line + "\n")

        def type_in(node, text, link=""):
            library = f"{party.work}/{node}-lib"
            os.makedirs(library, exist_ok=True)
            text = text.removeprefix("sudo ")
            return subprocess.Popen(
                party.lab.cmd(node, "unshare", "-m", "sh", "-c", f"mount --bind {library} /var/lib && exec {text}"),
                cwd=party.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env={"PATH": f"{party.work}/bin:{os.environ['PATH']}", "LINK": link})

        printing = type_in("relay", section.split("`baton lan link")[1].split("`")[0].join(("baton lan link", " --no-qr")))
        link = printing.communicate(timeout=30)[0].strip()
        programs = [type_in("relay", relay), type_in("gw", gateway, link), type_in("c1", player, link)]
        try:
            up = eventually(lambda: "UP" in party.ip("c1", "link", "show", "baton0"))
            party.ip("c1", "addr", "add", LANIP["c1"] + "/24", "dev", "baton0")
            said = "" if up is not None and party.hears("c1") else link
        finally:
            for program in reversed(programs):
                program.send_signal(signal.SIGINT)
            ends = [program.communicate(timeout=15)[0] for program in programs]
        say(not said and up is not None, "the README's three lines join a player to the LAN", said + "".join(ends))

# --- faults ----------------------------------------------------------------
def faults():
    with Party() as party:
        party.all_up()
        party.stop("relay", signal.SIGKILL)
        time.sleep(1)
        party.relay()
        took = party.back_in()
        say(took is not None, f"the relay is killed and started again: back after {took or 0:.2f} s")

        party.stop("gw", signal.SIGKILL)
        time.sleep(0.5)
        party.gateway()
        took = party.back_in()
        say(took is not None, f"the gateway is killed and started again: back after {took or 0:.2f} s")

        party.ip("c1", "link", "set", "wan0", "down")
        time.sleep(3)
        party.ip("c1", "link", "set", "wan0", "up")
        took = party.back_in()
        say(took is not None, f"a player's link is down for 3 s: back after {took or 0:.2f} s")

        party.ip("c1", "addr", "del", WAN["c1"] + "/24", "dev", "wan0")
        party.ip("c1", "addr", "add", "203.0.113.99/24", "dev", "wan0")
        took = party.back_in()
        say(took is not None, f"a player's address changes: back after {took or 0:.2f} s")
        say(eventually(lambda: "203.0.113.1 dev wan0" in party.ip("c1", "route"), 3) is not None,
            "the way to the relay is pinned again", party.ip("c1", "route"))

        party.stop("c1", signal.SIGKILL)
        party.player("c1")
        say(party.hears("c1", limit=3), "a player that was killed takes its place again at once", party.log("c1"))
        say(party.programs["c2"].poll() is None and party.hears("c2"), "nothing of this has disturbed another player")

        second_bridges(party)

def second_bridges(party):
    """A second gateway is refused; a player's machine that joins room and LAN once more is found out, and the storm ends."""
    party.lab.veth("lan", "p-c2", "c2", "lan0")
    party.ip("lan", "link", "set", "p-c2", "master", "sw", "up")
    party.ip("c2", "link", "set", "lan0", "up")
    party.start("c2", "lan", "gateway", party.link, "--interface", "lan0", "--identity", f"{party.work}/gw2.json", log="gw2")
    say(eventually(lambda: "the room has a gateway already" in party.log("gw2")) is not None,
        "a second gateway on the same LAN is told that there is one", party.log("gw2"))
    party.stop("gw2")
    named = lambda: "a second bridge joins this LAN" in party.log("gw")
    say(not named(), "as long as there is no second bridge none is named", party.log("gw"))

    party.ip("c2", "link", "add", "both", "type", "bridge", "forward_delay", "0")
    for card in ("party0", "lan0"):
        party.ip("c2", "link", "set", card, "master", "both")
    party.ip("c2", "link", "set", "both", "up")
    party.pings("h1", "10.77.0.200")
    took = eventually(named, 15)
    say(took is not None, f"a second bridge is named after {took or 0:.1f} s", party.log("gw"))
    heard = lambda: int(sh(party.lab.cmd("h1", "cat", "/sys/class/net/eth0/statistics/rx_packets")))
    calm = lambda before: (time.sleep(1), heard() - before < 100)[1]
    say(eventually(lambda: calm(heard()), 5) is not None, "and the storm is over")
    say(party.programs["gw"].poll() is None and party.programs["c1"].poll() is None, "and all programs run on")

# --- the machine -----------------------------------------------------------
def machine():
    with Party(clients=1) as party:
        party.ip("gw", "link", "set", "lan0", "down")
        sh(party.lab.cmd("gw", "ethtool", "-K", "lan0", "gro", "on"))
        party.ip("gw", "link", "set", "lan0", "up")
        gro = lambda: "generic-receive-offload: on" in sh(party.lab.cmd("gw", "ethtool", "-k", "lan0"))
        before = party.ip("c1", "route")
        party.relay()
        party.gateway()
        party.player("c1")
        say(party.hears("c1"), "a player joins", party.log("c1"))
        say(not gro(), "offloads that join frames are off while the gateway runs")
        say(f"{RELAY_IP} dev wan0" in party.ip("c1", "route"), "the relay has a route of its own")
        party.ip("c1", "route", "add", "default", "via", LANIP["h1"], "dev", "party0")
        say(eventually(lambda: "default" not in party.ip("c1", "route"), 3) is not None,
            "a default route on the virtual card is taken away")

        code = party.stop("c1")
        say(code == 0 and party.ip("c1", "route") == before and "party0" not in party.ip("c1", "link"),
            "SIGTERM restores a player's machine", party.ip("c1", "route"))
        code = party.stop("gw")
        say(code == 0 and gro(), "SIGTERM restores the gateway's card")

        party.gateway()
        party.player("c1")
        party.stop("c1", signal.SIGKILL)
        party.stop("gw", signal.SIGKILL)
        say(f"{RELAY_IP} dev wan0" in party.ip("c1", "route") and not gro(), "(a crash leaves changes behind)")
        party.gateway()
        party.player("c1")
        say("of a run that died" in party.log("c1") and "of a run that died" in party.log("gw"),
            "the next start undoes them", party.log("c1") + party.log("gw"))
        party.stop("c1")
        party.stop("gw")
        say(party.ip("c1", "route") == before and gro(), "and then all is as before")

        for node, command in (("c1", ("join", party.link)), ("gw", ("gateway", party.link, "--interface", "lan0"))):
            refusal = subprocess.run(
                party.lab.cmd(node, "setpriv", "--bounding-set=-all", "--inh-caps=-all", BATON, "lan", *command),
                capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
            say(refusal.returncode == 77 and "sudo setcap cap_net_admin,cap_net_raw+ep" in refusal.stderr,
                f"without privileges 'lan {command[0]}' says what to type", f"{refusal.returncode} {refusal.stderr}")

# --- the doctor ------------------------------------------------------------
class Ward:
    """Faults that are made, and what the doctor has to call them."""
    def __init__(self, party):
        self.party = party
        self.right = self.count = 0

    def examine(self, node, expected, title, *arguments):
        start = time.monotonic()
        answer = self.party.run(node, "lan", "doctor", "--json", *arguments)
        took = time.monotonic() - start
        try:
            named = [finding["fault"] for finding in json.loads(answer.stdout) if finding.get("fault")]
        except ValueError:
            named = [f"no answer: {answer.stderr.strip()[-200:]}"]
        good = (named[:1] == [expected] if expected else not named) and took < 5
        say(good, f"doctor: {title}: {expected or 'nothing wrong'} in {took:.1f} s", f"said {named}")
        if expected:
            self.count += 1
            self.right += good

    def well(self, node="c1"):
        """Waits until a fault that was taken away is over."""
        if not self.party.hears(node, limit=15):
            raise Bad(f"{node} does not recover: {self.party.log(node)}")
        reports = lambda: [json.loads(line) for line in self.party.run(node, "lan", "status", "--json").stdout.splitlines()]
        mine = lambda: [r for r in reports() if r["mac"] == MAC[node]]
        eventually(lambda: any(r["phase"] == "joined" and r["has_gateway"] for r in mine()), 5)

def doctor():
    secret = '  rooms:\n    - {name: closed, password: "swordfish"}\n'
    with Party(clients=2, room=secret) as party:
        party.all_up()
        ward = Ward(party)
        ward.well()
        ward.examine("c1", None, "all is well")
        ip = lambda *arguments: party.ip("c1", *arguments)

        ip("link", "set", "party0", "down")
        ward.examine("c1", "card-down", "the virtual card is switched off")
        ip("link", "set", "party0", "up")
        party.address("c1")
        ward.well()

        ip("link", "set", "party0", "mtu", "1280")
        ward.examine("c1", "card-mtu", "the virtual card's MTU is too small")
        ip("link", "set", "party0", "mtu", "1500")
        party.address("c1")

        ip("link", "set", "party0", "address", "02:00:00:00:00:99")
        ward.examine("c1", "card-mac", "the virtual card has another address")
        ip("link", "set", "party0", "address", MAC["c1"])
        ward.well()

        ip("route", "add", "255.255.255.255", "dev", "wan0")
        ward.examine("c1", "broadcast-route", "another card's metric wins: broadcasts go elsewhere")
        ip("route", "del", "255.255.255.255", "dev", "wan0")
        ip("route", "add", "224.0.0.0/4", "dev", "wan0")
        ward.examine("c1", "multicast-route", "another card's metric wins: multicasts go elsewhere")
        ip("route", "del", "224.0.0.0/4", "dev", "wan0")

        ip("addr", "flush", "dev", "party0", "scope", "global")
        ward.examine("c1", "no-address", "the virtual card has no address")
        party.address("c1")

        party.stop("gw")
        time.sleep(1.2)
        ward.examine("c1", "no-gateway", "the gateway has gone")
        party.gateway()
        ward.well()

        party.programs["relay"].send_signal(signal.SIGSTOP)
        ward.examine("c1", "relay-unreachable", "the relay does not answer")
        party.programs["relay"].send_signal(signal.SIGCONT)
        ward.well()

        ip("link", "set", "wan0", "down")
        ward.examine("c1", "no-route", "the machine is not on the internet")
        ip("link", "set", "wan0", "up")
        ward.well()

        sh(party.lab.cmd("gw", "ethtool", "-K", "lan0", "gro", "on"))
        ward.examine("gw", "lan-offloads", "somebody switched offloads on at the gateway")
        sh(party.lab.cmd("gw", "ethtool", "-K", "lan0", "gro", "off"))
        party.ip("lan", "link", "set", "p-gw", "down")
        eventually(lambda: "NO-CARRIER" in party.ip("gw", "link", "show", "lan0"))
        ward.examine("gw", "lan-cable", "the gateway's cable is pulled out")
        party.ip("lan", "link", "set", "p-gw", "up")
        party.ip("gw", "link", "set", "lan0", "down")
        ward.examine("gw", "lan-card-down", "the gateway's card is switched off")
        party.ip("gw", "link", "set", "lan0", "up")
        ward.well()

        # Nobody plays on c2 from here on: the doctor tries the link himself.
        party.stop("c2")
        identity = ("--identity", f"{party.work}/c2.json")
        ward.examine("c2", None, "a link that is good", party.link, *identity)
        ward.examine("c2", "certificate", "the relay is another one", party.link.split("#")[0] + "#" + "ab" * 32, *identity)
        ward.examine("c2", "certificate", "no authority has signed the relay", party.link.split("#")[0], *identity)
        closed = party.link.replace("/party#", "/closed#")
        ward.examine("c2", "wrong-password", "the room's password is another one", closed, "--password", "guess", *identity)
        ward.examine("c2", "unknown-host", "the relay's name does not exist",
                     party.link.replace(RELAY_IP, "relay.invalid"), *identity)
        party.start("c2", "lan", "join", party.link, "--tap", "party0", "--mac", MAC["c1"], "--identity",
                    f"{party.work}/other.json")
        eventually(lambda: "somebody in the room has this MAC" in party.log("c2"))
        time.sleep(1.2)
        ward.examine("c2", "duplicate-mac", "somebody has this address already")
        say(ward.count >= 12 and ward.right >= ward.count - 1, f"the doctor named {ward.right} of {ward.count} faults right")

def main():
    parts = {"readme": readme, "frames": frames, "faults": faults, "machine": machine, "doctor": doctor}
    for name in sys.argv[1:] or parts:
        print(f"--- {name}", flush=True)
        try:
            parts[name]()
        except (Bad, subprocess.TimeoutExpired, OSError) as error:
            say(False, f"{name} came to its end", str(error))
    print("PASS: the LAN party" if not FAILED else f"{len(FAILED)} failed", flush=True)
    return 1 if FAILED else 0

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
