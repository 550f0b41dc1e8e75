"""A netplay guest of few words, for what no RetroArch of today does: protocol 5,
no zlib, and any command at any time. It plays without a game: no button is ever
pressed, and the savestate it has is the last one it was given."""
import base64
import hashlib
import socket
import struct
import threading
import time
import zlib

INPUT, NOINPUT = 0x03, 0x04
NICK, PASSWORD, INFO, SYNC = 0x20, 0x21, 0x22, 0x23
SPECTATE, PLAY, MODE, MODE_REFUSED = 0x24, 0x25, 0x26, 0x27
CRC, REQUEST_SAVESTATE, LOAD_SAVESTATE = 0x40, 0x41, 0x42
PAUSE, RESUME, STALL, RESET = 0x43, 0x44, 0x45, 0x46
CHAT, PING_REQUEST, PING_RESPONSE = 0x1000, 0x1100, 0x1101


def text(value, length=32):
    return value.encode().ljust(length, b"\0")[:length]


class ScriptedGuest:
    def __init__(self, address, nick, session=None, protocol=5, compression=0, core="Nestopia",
                 core_version="scripted", crc=0, password=None, play=True, state=None):
        self.nick, self.protocol, self.compression = nick, protocol, compression
        self.core, self.core_version, self.crc, self.password = core, core_version, crc, password
        self.wants_to_play, self.state = play, state
        self.header = None
        self.settings = {}
        self.client = None
        self.frame = None        # the frame expected next from the host
        self.next = None         # the frame of our own next input
        self.is_playing = False
        self.is_paused = False
        self.players = {}        # client -> frame expected next of it
        self.log = []            # (command, payload) of all that was neither INPUT nor NOINPUT
        self.inputs = 0
        self.states = []         # (frame, raw size, bytes carried, raw state)
        self.error = None
        self.lock = threading.Lock()
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if session is not None:
            self.socket.sendall(b"RATS" + base64.b64decode(session))
        highest = protocol if protocol >= 6 else 0
        self.socket.sendall(b"RANP" + struct.pack(">IIIII", 0x00040008, compression, highest, 5, 0x2D9))
        threading.Thread(target=self._run, daemon=True).start()
        threading.Thread(target=self._play, daemon=True).start()

    def send(self, command, payload=b""):
        with self.lock:
            self.socket.sendall(struct.pack(">II", command, len(payload)) + payload)

    def close(self):
        self.error = self.error or "closed here"
        self.socket.close()

    def wait(self, what, condition, limit=10):
        end = time.time() + limit
        while time.time() < end:
            if condition():
                return
            if self.error:
                break
            time.sleep(0.02)
        raise RuntimeError("%s: %s: %s" % (self.nick, what, self.error or "nothing within %g s" % limit))

    def said(self, command):
        return [payload for c, payload in self.log if c == command]

    def _read(self, count):
        data = b""
        while len(data) < count:
            got = self.socket.recv(count - len(data))
            if not got:
                raise EOFError("the host closed")
            data += got
        return data

    def _run(self):
        try:
            self.socket.settimeout(None)
            self.header = self._read(24)
            if self.header[:4] != b"RANP":
                raise ValueError("the host said %r" % self.header[:4])
            salt, chosen = struct.unpack(">II", self.header[12:20])
            if chosen != self.protocol:
                raise ValueError("the host chose protocol %d" % chosen)
            self.send(NICK, text(self.nick))
            if salt:
                digest = hashlib.sha256(b"%08X" % salt + (self.password or "").encode()).hexdigest()
                self.send(PASSWORD, digest.encode())
            while True:
                command, size = struct.unpack(">II", self._read(8))
                self._receive(command, self._read(size))
        except (OSError, EOFError, ValueError) as error:
            self.error = self.error or str(error)

    def _receive(self, command, body):
        if command not in (INPUT, NOINPUT):
            self.log.append((command, body))
        if command == INPUT:
            frame, client = struct.unpack(">II", body[:8])
            if client == 0:
                return self._end_frame(frame)
            expected = self.players.get(client)
            if expected is None:
                raise ValueError("INPUT of client %d, who does not play" % client)
            if frame > expected:
                raise ValueError("INPUT %d of client %d instead of %d" % (frame, client, expected))
            if frame == expected:
                self.players[client] = frame + 1
                self.inputs += 1
        elif command == NOINPUT:
            self._end_frame(*struct.unpack(">I", body))
        elif command == INFO:
            self.send(INFO, struct.pack(">I", self.crc) + text(self.core) + text(self.core_version))
        elif command == SYNC:
            self.frame, client = struct.unpack(">II", body[:8])
            self.client, self.is_paused = client & 0x7FFFFFFF, client >> 31 == 1
            for device in range(16):
                bitmap, = struct.unpack(">I", body[88 + 4 * device:92 + 4 * device])
                for number in range(32):
                    if number and bitmap >> number & 1:
                        self.players[number] = self.frame
            if self.wants_to_play:
                self.send(PLAY, struct.pack(">I", 0))
        elif command == MODE:
            frame, mode, devices = struct.unpack(">III", body[:12])
            client = mode & 0xFFFF
            if mode >> 30 & 1:
                if frame != self.frame:
                    raise ValueError("MODE for frame %d instead of %d" % (frame, self.frame))
                if mode >> 31:
                    self.next, self.is_playing = frame, True
                else:
                    self.players[client] = frame
            elif mode >> 31:
                self.is_playing = False
            else:
                self.players.pop(client, None)
        elif command == LOAD_SAVESTATE:
            frame, raw_size = struct.unpack(">II", body[:8])
            if frame != self.frame:
                raise ValueError("LOAD_SAVESTATE for frame %d instead of %d" % (frame, self.frame))
            state = zlib.decompress(body[8:]) if self.compression else body[8:]
            if len(state) != raw_size:
                raise ValueError("a state of %d bytes instead of %d" % (len(state), raw_size))
            self.state = state
            self.states.append((frame, raw_size, len(body) - 8, state))
            for client in self.players:
                self.players[client] = max(self.players[client], frame)
            if self.is_playing:
                self.next = max(self.next, frame)
        elif command == REQUEST_SAVESTATE and self.state is not None:
            frame = self.next if self.is_playing else self.frame
            content = zlib.compress(self.state) if self.compression else self.state
            self.send(LOAD_SAVESTATE, struct.pack(">II", frame, len(self.state)) + content)
            self.frame = max(self.frame, frame)
        elif command == PAUSE:
            self.is_paused = True
        elif command == RESUME:
            self.is_paused = False
        elif command == PING_REQUEST:
            self.send(PING_RESPONSE)
        elif command in (0x01, 0x02):
            raise ValueError("the host said %s" % ("NAK", "DISCONNECT")[command - 1])

    def _end_frame(self, frame):
        if self.frame is None or frame > self.frame:
            raise ValueError("frame %d of the host instead of %s" % (frame, self.frame))
        self.frame = max(self.frame, frame + 1)

    def _play(self):
        """Sixty inputs a second, never more than 30 frames ahead of anybody."""
        while not self.error:
            time.sleep(1 / 60)
            if not self.is_playing or self.is_paused:
                continue
            slowest = min([self.frame] + list(self.players.values()))
            while self.is_playing and self.next <= slowest:
                try:
                    self.send(INPUT, struct.pack(">III", self.next, self.client, 0))
                except OSError:
                    return
                self.next += 1
                if self.next > slowest:
                    break
