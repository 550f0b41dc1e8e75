#!/usr/bin/env python3
"""A UDP proxy that loses, doubles, delays and swaps datagrams.

  lossy_proxy.py TARGET [--listen ADDRESS] [--loss 0.2] [--double 0.02] [--delay 0.002] [--jitter 0.004] [--seed N]

It prints `listening ADDRESS` and serves until it is ended; then it prints what it has done. Delays that differ swap
datagrams.
"""
import argparse
import heapq
import random
import select
import signal
import socket
import time


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def buffered():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.setblocking(False)
    return sock


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=endpoint)
    parser.add_argument("--listen", type=endpoint, default=("127.0.0.1", 0))
    parser.add_argument("--loss", type=float, default=0.2)
    parser.add_argument("--double", type=float, default=0.02)
    parser.add_argument("--delay", type=float, default=0.002)
    parser.add_argument("--jitter", type=float, default=0.004)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    door = buffered()
    door.bind(options.listen)
    print("listening %s:%d" % door.getsockname(), flush=True)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    ways = {}     # a client's address -> the socket that the target sees
    clients = {}  # that socket -> the client's address
    late, order = [], 0
    passed = lost = doubled = 0
    while not stopping:
        now = time.monotonic()
        while late and late[0][0] <= now:
            _, _, sock, datagram, address = heapq.heappop(late)
            try:
                sock.sendto(datagram, address)
            except (BlockingIOError, ConnectionRefusedError):
                pass
        wait = max(0.0, late[0][0] - now) if late else 0.1
        for sock in select.select([door, *clients], [], [], wait)[0]:
            while True:
                try:
                    datagram, sender = sock.recvfrom(65535)
                except (BlockingIOError, ConnectionRefusedError):
                    break
                if sock is door:
                    if sender not in ways:
                        ways[sender] = buffered()
                        clients[ways[sender]] = sender
                    way = (ways[sender], datagram, options.target)
                else:
                    way = (door, datagram, clients[sock])
                if dice.random() < options.loss:
                    lost += 1
                    continue
                copies = 2 if dice.random() < options.double else 1
                passed, doubled = passed + 1, doubled + copies - 1
                for _ in range(copies):
                    order += 1
                    at = time.monotonic() + options.delay + dice.random() * options.jitter
                    heapq.heappush(late, (at, order, *way))
    print(f"passed {passed}, lost {lost}, doubled {doubled}", flush=True)


main()
