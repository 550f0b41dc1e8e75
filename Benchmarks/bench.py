"""What run.py and budgets.py share: starting relays and the load generator, and reading the kernel's accounts.

Every process gets its own process group, which is ended whatever happens; everything listens on 127.0.0.1 on a port
the kernel chose.
"""

import atexit
import ctypes
import http.client
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = HERE / "build"
LISTENING = re.compile(r"listening protocol=\"?(\w+)\"? address=\"?[^\s\"]*:(\d+)")


class Failure(Exception):
    """A run that gave no figure, with the reason."""


def build():
    subprocess.run(["make", "-s", "-C", str(HERE)], check=True)


# ---- Processes -------------------------------------------------------------------------------------------------------

_groups = set()
_directory = None
_logs = itertools.count(1)
_libc = ctypes.CDLL(None)


def scratch():
    """A directory for logs and counters, removed at the end."""
    global _directory
    if _directory is None:
        _directory = tempfile.TemporaryDirectory(prefix="baton-bench-")
    return Path(_directory.name)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _start(command, log, **options):
    process = subprocess.Popen(
        [str(word) for word in command], stderr=log, start_new_session=True, preexec_fn=_die_with_parent, **options
    )
    _groups.add(process.pid)
    return process


def _end(process, patience):
    """SIGINT, some patience, SIGKILL: to the whole group."""
    if process.pid in _groups:
        for sign, seconds in ((signal.SIGINT, patience), (signal.SIGKILL, 5)):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            try:
                process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        try:
            os.killpg(process.pid, signal.SIGKILL)  # children that outlived the first process
        except ProcessLookupError:
            pass
        _groups.discard(process.pid)
    return process.poll()


@atexit.register
def end_everything():
    for group in list(_groups):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
    _groups.clear()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that atexit runs


def _members(group):
    """Process ids of a process group."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(entry)
    return found


# ---- Relays ----------------------------------------------------------------------------------------------------------


class Relay:
    """A running relay. `mode` is how the load generator reaches it: tunnel, raw (a plain forwarder), json or ldn."""

    patience = 5

    def __init__(self, name, command, ready, environment=None, listener=None, start_seconds=20):
        self.name = name
        self.log = scratch() / f"{next(_logs)}-{name}.log"
        with open(self.log, "wb") as log:
            self.process = _start(
                command,
                log,
                stdin=subprocess.DEVNULL,
                stdout=log,
                env={**os.environ, **(environment or {})},
                pass_fds=[listener.fileno()] if listener else [],
            )
        try:
            self.port = self._wait(ready, start_seconds)
        except BaseException:
            self.stop()
            raise

    def _wait(self, ready, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            port = ready(self.log.read_text(errors="replace"))
            if port:
                return port
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended at once: {self._last_words()}")
            time.sleep(0.01)
        raise Failure(f"{self.name} did not listen within {seconds} s: {self._last_words()}")

    def _last_words(self):
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:]) or "no output"

    def cpu(self):
        """Nanoseconds on a processor so far, from the scheduler, of all threads of all processes."""
        total = 0
        for pid in _members(self.process.pid):
            for task in Path("/proc", pid, "task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return total

    def memory(self):
        """Bytes this relay has written to and nobody shares, swapped out or not.

        Clean pages are left out: the kernel drops and rereads them as it likes, which would pass for growth.
        """
        total = 0
        for pid in _members(self.process.pid):
            for line in Path("/proc", pid, "smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Dirty:", "Swap:")):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self):
        return _end(self.process, self.patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _c_relay_port(log):
    found = re.search(r"^listening (\d+)$", log, re.M)
    return found and int(found[1])


def _relay(*words):
    return lambda backend: Relay(words[0], [BUILD / words[1], *words[2:]], _c_relay_port)


def _raw_relay(backend):
    return Relay("c-raw", [BUILD / "relay", "--backend", backend], _c_relay_port)


def _haproxy(backend, environment=None):
    if not shutil.which("haproxy"):
        raise Failure("haproxy is not installed")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        port = listener.getsockname()[1]
        return Relay(
            "haproxy",
            ["haproxy", "-db", "-q", "-f", HERE / "peers" / "haproxy.cfg"],
            lambda log: port,  # the socket listens already; the backlog holds who comes early
            {"LISTEN_FD": str(listener.fileno()), "BACKEND_PORT": str(backend), **(environment or {})},
            listener,
        )


def _haproxy_splice(backend):
    return _haproxy(backend, {"SPLICE": "1"})


def _socat(backend):
    if not shutil.which("socat"):
        raise Failure("socat is not installed")

    def port(log):
        found = re.search(r"listening on AF=2 127\.0\.0\.1:(\d+)", log)
        return found and int(found[1])

    return Relay("socat", [HERE / "peers" / "socat.sh"], port, {"BACKEND_PORT": str(backend)})


class Contestant:
    """`words` are options of the load generator that hold for this one alone."""

    def __init__(self, name, modes, start, words=()):
        self.name, self.modes, self.start, self.words = name, modes, start, list(words)


def baton(binary, prefix=(), environment=None, start_seconds=20, patience=5, name="baton", words=(), settings=None):
    """The server under test; `start` takes the protocol whose port is wanted, `settings` is another configuration."""

    def start(protocol):
        if not Path(binary).is_file():
            raise Failure(f"there is no {shown(binary)}: build it or name one with --baton")
        wanted = {"tunnel": "netplay", "json": "json", "ldn": "ldn", "http": "lobby"}[protocol]
        usual = HERE / "peers" / ("lobby.yaml" if protocol == "http" else "relay.yaml")
        relay = Relay(
            "baton",
            [*prefix, Path(binary).resolve(), "serve", "--config", settings or usual],
            lambda log: dict(LISTENING.findall(log)).get(wanted),
            environment,
            start_seconds=start_seconds,
        )
        relay.patience = patience
        if protocol == "http":
            try:
                fill_lobby(relay.port)
            except BaseException:
                relay.stop()
                raise
        return relay

    contestant = Contestant(name, {"tunnel", "json", "ldn", "http"}, start, words)
    global _subject
    _subject = _subject or contestant
    return contestant


_subject = None
ROOMS = 5000


def fill_lobby(port):
    """Announces rooms like those of real hosts, and keeps the list for the others to serve."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(ROOMS):
        form = urllib.parse.urlencode({
            "username": f"player {number:05}", "core_name": "Snes9x", "core_version": "1.62.3 46f8a6b",
            "game_name": f"Super Game {number % 700} (Europe) (En,Fr,De)", "game_crc": f"{number * 2654435761 % 2**32:08X}",
            "port": "55435", "mitm_server": "nyc", "has_password": number % 5 == 0, "has_spectate_password": "0",
            "force_mitm": "1", "retroarch_version": "1.14.0", "frontend": "win32 x64", "subsystem_name": "N/A",
            "mitm_session": f"{number:016}", "mitm_custom_addr": "", "mitm_custom_port": "0",
        })
        connection.request("POST", "/add", form)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failure(f"room {number} was answered with {answer.status}")
        answer.read()
    connection.request("GET", "/list")
    page = connection.getresponse().read()
    if len(json.loads(page)) != ROOMS:
        raise Failure("the list does not have all rooms")
    list_file().write_bytes(page)
    connection.close()


def list_file():
    return scratch() / "list"


def _page():
    """The file that others serve: what baton's list was."""
    if not list_file().exists():
        (_subject or baton(ROOT / ".build/release/baton")).start("http").stop()
    return list_file()


def _c_http(protocol):
    return Relay("c-http", [BUILD / "http", _page()], _c_relay_port)


def _nginx(protocol):
    if not shutil.which("nginx"):
        raise Failure("nginx is not installed")
    _page()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = scratch() / "nginx.conf"
    settings.write_text((HERE / "peers/nginx.conf").read_text().replace("DIRECTORY", str(scratch())).replace("PORT", str(port)))
    scratch().chmod(0o755)  # its worker is nobody

    def listens(log):
        with socket.socket() as client:
            return port if client.connect_ex(("127.0.0.1", port)) == 0 else None

    return Relay("nginx", ["nginx", "-c", settings], listens)


CONTESTANTS = {
    c.name: c
    for c in (
        Contestant("c-copy", {"tunnel"}, _relay("c-copy", "relay", "--mode", "copy")),
        Contestant("c-splice", {"tunnel"}, _relay("c-splice", "relay", "--mode", "splice")),
        Contestant("c-raw", {"raw"}, _raw_relay),
        Contestant("haproxy", {"raw"}, _haproxy),
        Contestant("haproxy-splice", {"raw"}, _haproxy_splice),
        Contestant("socat", {"raw"}, _socat),
        Contestant("c-json", {"json"}, _relay("c-json", "json_relay", "--flush", "batch")),
        Contestant("c-ldn", {"ldn"}, _relay("c-ldn", "ldn_relay")),
        Contestant("c-http", {"http"}, _c_http),
        Contestant("nginx", {"http"}, _nginx),
        Contestant("c-json-read", {"json"}, _relay("c-json-read", "json_relay", "--flush", "read")),
    )
}


def limit(protocol, prefix=(), environment=None, start_seconds=20, patience=5):
    """The relay in C for a protocol, started like baton."""
    command = {"tunnel": ["relay", "--mode", "copy"], "json": ["json_relay", "--flush", "batch"], "ldn": ["ldn_relay"]}[protocol]
    relay = Relay("limit", [*prefix, BUILD / command[0], *command[1:]], _c_relay_port, environment, start_seconds=start_seconds)
    relay.patience = patience
    return relay


# ---- The load generator ----------------------------------------------------------------------------------------------


class Load:
    """The load generator, driven by its lines (load/main.c tells which)."""

    def __init__(self, words):
        self.log = scratch() / f"{next(_logs)}-load.log"
        with open(self.log, "wb") as log:
            self.process = _start(
                [BUILD / "load", *words], log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        self.rest = b""

    def line(self, word, seconds):
        """The rest of the next line, which must begin with `word`."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"the load generator said no \"{word}\" within {seconds} s")
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                raise Failure(self.log.read_text(errors="replace").strip() or "the load generator ended")
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        first, _, text = line.decode().partition(" ")
        if first != word:
            raise Failure(f"the load generator said \"{line.decode()}\" instead of \"{word}\"")
        return text

    def say(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise Failure(self.log.read_text(errors="replace").strip() or "the load generator ended") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        _end(self.process, 1)
        self.process.stdout.close()


def measure(contestant, mode, words, sample, settle=0.0, seconds=90):
    """One run: returns the generator's result and what `sample(relay)` said before and after the measured phase."""
    if mode == "raw":
        with Load([*words, "--mode", "raw"]) as load:
            backend = load.line("backend", 10)
            with contestant.start(backend) as relay:
                load.say(f"peer {relay.port}")
                return _measured(load, relay, sample, settle, seconds)
    with contestant.start(mode) as relay:
        with Load([*words, "--port", str(relay.port)]) as load:
            return _measured(load, relay, sample, settle, seconds)


def measure_running(relay, port, words, sample, seconds=90.0):
    """The same with a relay that runs already."""
    with Load([*words, "--port", str(port)]) as load:
        return _measured(load, relay, sample, 0.0, seconds)


def _measured(load, relay, sample, settle, seconds):
    load.line("ready", seconds)
    time.sleep(settle)
    before = sample(relay)
    load.say("go")
    result = json.loads(load.line("result", seconds))
    time.sleep(settle)
    return result, before, sample(relay)


# ---- Words -----------------------------------------------------------------------------------------------------------


def shown(path):
    """A path for people: from the project's root where it is below it, else its last part."""
    path = Path(path)
    if not path.is_absolute():
        return str(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
