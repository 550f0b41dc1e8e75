"""A server and clients for the checks of its administration."""
import json
import re
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

TOKEN = "only-for-this-check"


def check(what, condition, detail=""):
    if not condition:
        raise AssertionError(f"{what} {detail}")
    print(f"ok: {what}", flush=True)


def eventually(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            print(f"ok: {what}", flush=True)
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def exactly(peer, count):
    data = b""
    while len(data) < count:
        piece = peer.recv(count - len(data))
        if not piece:
            raise EOFError("the connection has ended")
        data += piece
    return data


class Server:
    """`baton serve` with a configuration of its own, on ports of the system's choice."""

    def __init__(self, baton, folder, configuration):
        self.baton = baton
        self.folder = folder
        self.config = folder / "baton.yaml"
        self.config.write_text(configuration)
        self.log_file = folder / "log"
        self.process = subprocess.Popen(
            [baton, "serve", "--config", self.config], stderr=self.log_file.open("w"))
        self.port("admin")

    @property
    def log(self):
        return self.log_file.read_text()

    def lines(self, event):
        return [line for line in self.log.splitlines() if line.endswith(f"event={event}") or f"event={event} " in line]

    def ports(self, protocol):
        return [int(port) for port in
                re.findall(rf"listening protocol={protocol} address=127\.0\.0\.1:(\d+)", self.log)]

    def port(self, protocol):
        def found():
            if self.process.poll() is not None:
                raise AssertionError(f"the server has ended: {self.log}")
            return self.ports(protocol)
        deadline = time.monotonic() + 60
        while not found():
            if time.monotonic() > deadline:
                raise AssertionError(f"no {protocol}: {self.log}")
            time.sleep(0.05)
        return found()[0]

    def ask(self, method, path, body=None, token=TOKEN):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port('admin')}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def api(self, method, path, body=None):
        status, text = self.ask(method, "/api/v1" + path, body)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {text}")
        return json.loads(text) if text else None

    def metrics(self):
        status, text = self.ask("GET", "/metrics")
        assert status == 200, text
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def stop(self, by=signal.SIGINT, seconds=30):
        """Waits until the server has ended: at once, or by SIGTERM when nobody plays any more."""
        self.process.send_signal(by)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server does not end: {self.log[-2000:]}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class JSONClient:
    """A client of the JSON relay."""

    def __init__(self, port, name, address="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))
        self.send({"payloadType": "INIT", "source": name})
        self.answer = self.receive()

    def send(self, message):
        body = json.dumps(message).encode()
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def receive(self):
        (length,) = struct.unpack(">i", exactly(self.socket, 4))
        return json.loads(exactly(self.socket, length))

    def close(self):
        self.socket.close()


class Tunnel:
    """A netplay host and its guest: what is written into one of `guest` and `link` comes out of the other."""

    def __init__(self, port):
        connect = lambda: socket.create_connection(("127.0.0.1", port), timeout=60)
        self.host = connect()
        self.host.sendall(b"RATS" + bytes(12))
        session = exactly(self.host, 16)[4:]
        self.guest = connect()
        self.guest.sendall(b"RATS" + session)
        self.link = connect()
        self.link.sendall(exactly(self.host, 16))

    def close(self):
        for peer in (self.host, self.guest, self.link):
            peer.close()
