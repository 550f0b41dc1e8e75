"""Runs what the documents tell people to type. See scripts/interop/documents."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOKEN = "only-here"
# What needs real peers, privileges or much time is run by another check: the words to find it by, and where.
ELSEWHERE = {
    r"make (run|test|release|deb|bench|check|format|sanitize|fuzz)\b": ("^{0}:", "Makefile"),
    r"make -C Benchmarks": ("make -s -C Benchmarks", "scripts/check"),
    r"python3 Benchmarks/budgets\.py": ("Benchmarks/budgets.py", "scripts/check"),
    r"(sudo )?python3 Benchmarks/(\w+)\.py": ("Benchmarks/{1}.py", "Makefile"),
    r"swift build -c release --static-swift-stdlib": ("swift build -c release --static-swift-stdlib", "scripts/check"),
    r"BATON_BENCH=1 swift build": ("BATON_BENCH=1 swift build", "Makefile"),
    r"swift run soe-examples": ("soe-examples", "scripts/interop/soe"),
    r"baton serve --config lan\.yaml|(sudo )?baton lan (gateway|join)": ('"{1}"', "scripts/interop/lan-peers/party.py"),
    r"baton lan doctor": ('"doctor"', "scripts/interop/lan-peers/party.py"),
    r"baton ldn proxy": ("ldn proxy", "scripts/interop/ldn_proxy"),
    r"baton soe decode": ("soe decode", "scripts/interop/soe"),
    r"baton netplay join .*--exec": ('"--exec"', "Tests/BatonServerTests/Lifecycle/JoinExecTests.swift"),
    r"baton netplay join": ('"join"', "scripts/interop/retroarch-peers/bridge_peers.py"),
    r"retroarch .*-C (your|rooms)": ("retroarch", "scripts/interop/rooms"),
    # `--connect` is the long form of `-C`.
    r"retroarch .*-C '": ('"--connect"', "scripts/interop/retroarch-peers/ra_peers.py"),
    r"retroarch .*-C ": ('"-C"', "scripts/interop/retroarch-peers/bridge_peers.py"),
}
# The same for commands that are mentioned within a sentence or a table.
PLAYED_BY = {
    "lan join": ('"lan", "join"', "scripts/interop/lan-peers/party.py"),
    "lan gateway": ('"lan", "gateway"', "scripts/interop/lan-peers/party.py"),
    "lan doctor": ('"lan", "doctor"', "scripts/interop/lan-peers/party.py"),
    "lan status": ('"lan", "status"', "scripts/interop/lan-peers/party.py"),
    "ldn proxy": ('"ldn", "proxy"', "scripts/interop/ldn-peers/ldn_proxy.py"),
    "netplay check": ('"netplay", "check"', "scripts/interop/retroarch-peers/bridge_peers.py"),
    "netplay daemon": ('"netplay", "daemon"', "scripts/interop/daemon"),
    "netplay join": ('"netplay", "join"', "scripts/interop/retroarch-peers/bridge_peers.py"),
    "soe decode": ('"soe", "decode"', "scripts/interop/soe"),
    "config manual": ('"config", "manual"', "scripts/man"),
}
TYPED = re.compile(r"^(?:sudo |export |[A-Z_]+=\S+ )*(?:baton|make|python3|swift|curl|retroarch|scripts/\S+) ")


def check(what, condition, detail=""):
    if not condition:
        raise AssertionError(f"{what} {detail}")
    print(f"ok: {what}", flush=True)


def typed(page):
    """The commands in blocks of a page, without remarks."""
    fenced = False
    for line in page.read_text().splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not fenced and not line.startswith("    "):
            continue
        # A remark stands behind two spaces or more.
        command = re.split(r"\s{2,}", line.strip())[0]
        if TYPED.match(command) and not re.search(r"[a-z] (carried|would)\b|^baton$|^make it", command):
            yield command


class Program:
    """What the program says of itself."""

    def __init__(self, baton):
        text = subprocess.run([baton, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout
        self.root = json.loads(text)["command"]

    def fault(self, words):
        """Why a command line is none; `None` if it is one."""
        command, names = self.root, self._options(self.root)
        for position, word in enumerate(words):
            children = {child["commandName"]: child for child in command.get("subcommands", [])}
            if word in children:
                command = children[word]
                names = self._options(command)
            elif children and word != "help" and not word.startswith("-"):
                options = word.replace("\\", "").split("|")
                if len(options) > 1 and all(option in children for option in options):
                    return None
                return f"there is no {' '.join(words[:position + 1])}"
            else:
                break
        for word in words:
            name = re.match(r"--([a-z][a-z0-9-]*)$", word)
            if word == "--exec":
                return None
            if name and name[1] not in names | {"help", "version", "generate-completion-script"}:
                return f"{' '.join(words)} has no {word}"
        return None

    def path(self, words):
        """The command that a line names, without the names of groups: `lan join`, or nothing for a group alone."""
        command, names = self.root, []
        for word in words:
            child = next((c for c in command.get("subcommands", []) if c["commandName"] == word), None)
            if not child:
                break
            command = child
            names.append(word)
        return "" if command.get("subcommands") else " ".join(names)

    @staticmethod
    def _options(command):
        return {name["name"] for argument in command.get("arguments", []) for name in argument.get("names") or []}


def mentioned(program):
    """Every command that the pages mention is one; which they are."""
    count, paths = 0, set()
    for page in [*PAGES, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        text = page.read_text()
        for command in [*re.findall(r"`(?:sudo )?baton ([^`\n]*)`", text),
                        *(c.split("baton ", 1)[1] for c in typed(page) if re.match(r"(sudo )?baton ", c))]:
            words = re.split(r"[ =\[]+", re.split(r"[,;]|\.\.\.", command)[0].strip())
            fault = program.fault(words)
            if fault:
                raise AssertionError(f"{page.relative_to(ROOT)}: {fault}")
            paths.add(program.path(words))
            count += 1
    check(f"{count} commands that the pages mention are commands", count > 60)
    return paths - {""}


class Server:
    """A server at the default ports, which the documents name."""

    def __init__(self, baton, folder, arguments, **environment):
        self.log = folder / "server.log"
        self.process = subprocess.Popen(
            [baton, "serve", *arguments], stdout=subprocess.DEVNULL, stderr=self.log.open("w"),
            env={**os.environ, **environment}, cwd=folder)
        deadline = time.monotonic() + 60
        while "listening protocol=admin" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start: {self.log.read_text()}")
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            check("the server ends well", self.process.wait(30) == 0, self.log.read_text()[-2000:])
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class Typist:
    """Types commands as they stand, and remembers them."""

    def __init__(self, folder, program_folder, program):
        self.folder, self.program = folder, program
        self.done, self.paths = set(), {"serve"}
        self.environment = {**os.environ, "PATH": f"{program_folder}:{os.environ['PATH']}"}

    def type(self, command, codes=(0,), hears="", **environment):
        run = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env={**self.environment, **environment}, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check(f"$ {command}", run.returncode in codes and hears in run.stdout, f"-> {run.returncode}: {run.stdout[-2000:]}")
        self.note(command)
        return run.stdout

    def note(self, command):
        """What was typed, which may be several lines."""
        self.done.add(command)
        for line in command.splitlines():
            if "baton " in line:
                self.paths.add(self.program.path(line.split("baton ", 1)[1].split()))


def newcomer(baton, folder, typist):
    """The README's walk through a server with a token, as one script."""
    block = re.search(r"^    export BATON_CTL_TOKEN=.*?(?=^\S)", (ROOT / "README.md").read_text(), re.M | re.S)[0]
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    check("the README's walk has two protocols, a ban and a drain",
          sum("baton probe" in line for line in lines) == 2 and any("ctl ban " in line for line in lines)
          and "baton ctl drain start" in lines)
    with Server(baton, folder, ["--dev"], BATON_ADMIN__TOKEN=TOKEN):
        # The path that it exports is that of a build in the project's folder.
        exported = lines[0].replace("$PWD/.build/debug", str(folder / "bin"))
        output = typist.type("\n".join(["set -euo pipefail", exported, *lines[1:]]))
        check("the bans are listed", "203.0.113.7" in output and "cheats" in output and "floods" in output, output)
        check("the player is told that he is banned", "the relay refuses: Banned: cheats" in output, output)
        typist.done.update(lines)
    with Server(baton, folder, ["--dev"], BATON_ADMIN__TOKEN=TOKEN):
        typist.type('baton ctl ban address 203.0.113.7 --reason "cheats" --for 1h', BATON_CTL_TOKEN=TOKEN)
        # Somebody plays, so the server stays.
        with player("stays"):
            for verb in ("start", "status", "stop"):
                typist.type(f"baton ctl drain {verb}", BATON_CTL_TOKEN=TOKEN)
        # The tables of the operations page.
        for command in ("status", "listeners", "rooms", "peers", "drain status", "bans --json > bans.json",
                        "import-bans bans.json", "log-level", "log-level debug", "reload"):
            typist.type(f"baton ctl {command}", BATON_CTL_TOKEN=TOKEN)
        listed = json.loads(typist.type("baton ctl bans --json", BATON_CTL_TOKEN=TOKEN))
        typist.type(f"baton ctl unban {listed['bans'][0]['id']}", BATON_CTL_TOKEN=TOKEN)
        for command in [c for c in typed(ROOT / "docs/players.md") if c.startswith("baton probe")]:
            typist.type(command, hears=": ok: ")
        with player("first"), player("second"):
            peers = json.loads(typist.type("baton ctl peers --protocol json --json", BATON_CTL_TOKEN=TOKEN))["peers"]
            first = next(peer["peer"] for peer in peers if peer["name"] == "first")
            typist.type(f"baton ctl kick json {first}", BATON_CTL_TOKEN=TOKEN)
            typist.type("baton ctl close json relay", BATON_CTL_TOKEN=TOKEN)
            left = json.loads(typist.type("baton ctl peers --protocol json --json", BATON_CTL_TOKEN=TOKEN))["peers"]
            check("who was parted from is gone", not left, left)
        # It follows until it is stopped.
        typist.type("timeout 2 baton ctl events", codes=(124,), BATON_CTL_TOKEN=TOKEN)


def player(name):
    """A client of the JSON relay who has said his id, and was answered."""
    peer = socket.create_connection(("127.0.0.1", 5300), timeout=30)
    body = json.dumps({"payloadType": "INIT", "source": name}).encode()
    peer.sendall(struct.pack(">i", len(body)) + body)
    peer.recv(1)
    return peer


def operator(baton, folder, typist):
    """The configuration of /etc, the doctor and the probes."""
    typist.type("baton config example > /etc/baton/baton.yaml")
    typist.type("baton check-config /etc/baton/baton.yaml")
    with game() as backend:
        pathlib.Path("/etc/baton/baton.yaml").write_text(
            f'json:\nnetplay:\nlobby:\nldn: {{api: {{}}}}\nsoe: {{protocols: [LoginUdp_9], backend: "{backend}"}}\n'
            f'lan: {{identity: "{folder}/identity.pem"}}\nadmin:\n')
        typist.type("baton check-config /etc/baton/baton.yaml")
        serving(baton, folder, typist)


@contextlib.contextmanager
def game():
    """A game behind the SOE gateway; where it listens."""
    process = subprocess.Popen([sys.executable, ROOT / "scripts/interop/soe-peers/backend.py"],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()


def serving(baton, folder, typist):
    """A server of the configuration of /etc, from near and from afar."""
    with Server(baton, folder, []) as server:
        deadline = time.monotonic() + 30
        while "backend_connected" not in server.log.read_text():
            if time.monotonic() > deadline:
                raise AssertionError(f"the game is not found: {server.log.read_text()}")
            time.sleep(0.05)
        for command in typed(ROOT / "docs/operations.md"):
            if command.startswith("baton probe lan"):
                typist.type(command, codes=(2,), hears="certificate")
            elif command.startswith("baton probe"):
                typist.type(command, hears=": ok: ")
            elif command.startswith("baton doctor"):
                typist.type(command, codes=(0, 1, 2), hears="reachable: relay.example.org: lan")
        fingerprint = re.search(r"fingerprint=([0-9a-f]+)", server.log.read_text())[1]
        typist.type(f"baton probe lan baton://relay.example.org:4443/party#{fingerprint}", hears=": ok: ")
        for command in typed(ROOT / "docs/programmers.md"):
            if command.startswith("curl "):
                typist.type(command, hears="{")
        typist.type("baton healthcheck --ready")
        for command in typed(ROOT / "docs/protocols/ldn.md"):
            if command.startswith("baton ldn probe"):
                typist.type(command)
        for command in typed(ROOT / "docs/protocols/lan.md"):
            if command.startswith("baton lan link"):
                typist.type(command, hears="baton://")
            elif command == "baton serve":
                typist.done.add(command)
        typist.type("baton netplay rooms --json --lobby http://127.0.0.1:8080", codes=(0,))


def tools(baton, folder, typist):
    """What plays SOE and looks into captures."""
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    commands = [c for c in typed(ROOT / "docs/protocols/soe.md") if c.startswith("baton soe")]
    echo = next(c for c in commands if " echo " in c)
    server = subprocess.Popen(["bash", "-c", f"exec {echo}"], env=typist.environment, cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        check(f"$ {echo}", server.stdout.readline() != "")
        typist.note(echo)
        typist.type(next(c for c in commands if " ping " in c), hears='"ok":true')
    finally:
        server.kill()
        server.wait()
    explain(typist, folder)


def explain(typist, folder):
    """Frames of the documents' captures: one of the LAN's vectors, as JSON and as a capture."""
    frames = ROOT / "Tests/Fixtures/lan/frames.json"
    for command in typed(ROOT / "docs/protocols/lan.md"):
        if not command.startswith("baton lan explain"):
            continue
        name = re.search(r"explain (\S+)", command)[1]
        if name.endswith(".json"):
            shutil.copy(frames, folder / name)
        else:
            (folder / name).write_bytes(capture(bytes.fromhex("ffffffffffff" "024c414e0101" "88b5") + bytes(46)))
        typist.type(command)


def capture(frame):
    """A pcapng file of one frame."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = (len(body) + 12).to_bytes(4, "little")
        return kind.to_bytes(4, "little") + size + body + size
    word = lambda value, size=4: value.to_bytes(size, "little")
    head = block(0x0A0D0D0A, word(0x1A2B3C4D) + word(1, 2) + word(0, 2) + b"\xff" * 8)
    interface = block(1, word(1, 2) + word(0, 2) + word(65535))
    return head + interface + block(6, word(0) * 3 + word(len(frame)) * 2 + frame)


def covered(typist, paths):
    """Whatever the pages tell to type was typed, or is by another check."""
    for page in PAGES:
        for command in typed(page):
            if command in typist.done:
                continue
            for pattern, (words, file) in ELSEWHERE.items():
                match = re.match(pattern, command)
                if not match:
                    continue
                words = words.format(*(group or "" for group in match.groups()))
                if re.search(words if words.startswith("^") else re.escape(words), (ROOT / file).read_text(), re.M):
                    break
                raise AssertionError(f"{page.relative_to(ROOT)}: nothing in {file} runs: {command}")
            else:
                raise AssertionError(f"{page.relative_to(ROOT)}: nothing runs: {command}")
    for path in sorted(paths - typist.paths):
        words, file = PLAYED_BY.get(path, ("", ""))
        if not file or words not in (ROOT / file).read_text():
            raise AssertionError(f"nothing runs: baton {path}")
    print("ok: every command in the pages is run")


def main(baton):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "bin").mkdir()
        (folder / "bin" / "baton").symlink_to(baton)
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost relay.example.org your.host rooms.example.org\n")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        settings = pathlib.Path("/etc/baton")
        is_new = not settings.exists()
        settings.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "documents", "/etc/baton"], check=True)
        program = Program(baton)
        typist = Typist(folder, folder / "bin", program)
        try:
            paths = mentioned(program)
            newcomer(baton, folder, typist)
            operator(baton, folder, typist)
            tools(baton, folder, typist)
            covered(typist, paths)
        finally:
            subprocess.run(["umount", "-l", "/etc/hosts", "/etc/baton"], check=True)
            if is_new:
                settings.rmdir()
    print("PASS: what the documents tell to type works")


main(sys.argv[1])
