"""aioquic as the other end of Baton's QUIC: a correct client, hostile ones, and a server."""

import asyncio
import os
import socket
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, StreamDataReceived

ALPN = "echo/1"
# 1400 bytes of UDP payload, else its packets are too small for datagrams of 1000 bytes.
OPTIONS = {"alpn_protocols": [ALPN], "max_datagram_frame_size": 65535, "max_datagram_size": 1400}


class Peer(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.datagrams = []
        self.stream = b""
        self.ended = asyncio.Event()
        self.terminated = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            self.datagrams.append(event.data)
        elif isinstance(event, StreamDataReceived):
            self.stream += event.data
            if event.end_stream:
                self.ended.set()
        elif isinstance(event, ConnectionTerminated) and not self.terminated.done():
            self.terminated.set_result(event)


class Echo(QuicConnectionProtocol):
    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            self._quic.send_datagram_frame(event.data)
        elif isinstance(event, StreamDataReceived):
            self._quic.send_stream_data(event.stream_id, event.data, event.end_stream)
        self.transmit()


async def play(port, certificate, count=100):
    """What a well-behaved client does; the certificate is verified against the file the server wrote."""
    configuration = QuicConfiguration(is_client=True, server_name="localhost", **OPTIONS)
    configuration.load_verify_locations(certificate)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Peer) as peer:
        word = b"hello from aioquic" * 1000
        peer._quic.send_stream_data(0, word, True)
        peer.transmit()
        await peer.ended.wait()
        assert peer.stream == word, "the stream came back changed"
        for number in range(count):
            peer._quic.send_datagram_frame(bytes([number % 256]) * 1000)
            peer.transmit()
            while len(peer.datagrams) <= number:
                await asyncio.sleep(0.001)
        assert [d[0] for d in peer.datagrams] == [n % 256 for n in range(count)], "datagrams lost or out of order"
        await peer.ping()
        peer.change_connection_id()
        await peer.ping()
        peer.request_key_update()
        await peer.ping()


async def refused(port, certificate, **changes):
    """A client that must not get in."""
    configuration = QuicConfiguration(is_client=True, server_name="localhost", **{**OPTIONS, **changes})
    configuration.load_verify_locations(certificate)
    try:
        async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Peer):
            pass
    except ConnectionError:
        return
    raise AssertionError(f"let in with {changes}")


async def break_rules(port, certificate):
    """A client that is let in and then breaks the protocol: the server must say so and go on with others."""
    configuration = QuicConfiguration(is_client=True, server_name="localhost", **OPTIONS)
    configuration.load_verify_locations(certificate)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Peer) as peer:
        # More than the server's flow control allows, on a stream it has not been asked for.
        peer._quic._remote_max_data = 1 << 40
        peer._quic._remote_max_stream_data_bidi_remote = 1 << 40
        stream = peer._quic._get_or_create_stream_for_send(4)
        stream.max_stream_data_remote = 1 << 40
        for _ in range(40):
            peer._quic.send_stream_data(4, bytes(100_000))
        peer.transmit()
        event = await peer.terminated
        assert event.error_code == 3, f"FLOW_CONTROL_ERROR expected, not {event}"


def noise(port):
    """Datagrams that are no QUIC, and some that begin as it does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(2000):
            data = os.urandom(number % 1400 + 1)
            if number % 3 == 0:
                data = bytes([0xC0, 0, 0, 0, 1, 8]) + data
            sender.sendto(data, ("127.0.0.1", port))


async def serve_echo(certificate, key):
    configuration = QuicConfiguration(is_client=False, **OPTIONS)
    configuration.load_cert_chain(certificate, key)
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Echo)
    print(server._transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.Event().wait()


async def call(port, certificate):
    await play(port, certificate)
    await refused(port, certificate, alpn_protocols=["another/1"])
    await break_rules(port, certificate)
    noise(port)
    await asyncio.gather(*(play(port, certificate, count=10) for _ in range(20)))
    print("aioquic as a client: correct, refused, hostile and correct again")


if sys.argv[1] == "serve":
    asyncio.run(serve_echo(sys.argv[2], sys.argv[3]))
else:
    asyncio.run(asyncio.wait_for(call(int(sys.argv[2]), sys.argv[3]), 60))
