#!/usr/bin/env python3
"""What the operator's view costs the players: metrics, dashboard and bans.

    python3 Benchmarks/operators.py [--baton PATH] [--without PATH] [--bench PATH] [--markdown FILE]

--without names a build from before them, for the instructions per relayed message. The other figures are times: of
/metrics with 5,000 rooms, of a pair of players meanwhile, and of a look among 100,000 bans.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import bench
import budgets

BEGIN, END = "<!-- operators -->", "<!-- /operators -->"
ROOMS, SCRAPES = 5000, 60


def verdict(value, aim, form):
    return [form(value), f"at most {form(aim)}", "" if value <= aim else "NOT MET"]


# ---- Instructions ----------------------------------------------------------------------------------------------------


def instructions(binary, name):
    """Instructions for each relayed message of the tunnel and of the JSON relay."""
    stripped = bench.scratch() / name
    subprocess.run(["strip", "-g", "-o", stripped, binary], check=True)

    def start(protocol, binary=None, prefix=(), environment=None, start_seconds=20, patience=5):
        return bench.baton(binary, prefix, environment, start_seconds, patience).start(protocol)

    figures = {}
    for protocol in ("tunnel", "json"):
        budgets.count_instructions(protocol, start, stripped, time.monotonic() + 300, figures, {})
    return {protocol: figures[f"{protocol}.instructions_per_message"] for protocol in ("tunnel", "json")}


def data_path(with_it, without):
    if not without:
        print("no build without them is named (--without): instructions are not compared", file=sys.stderr)
        return []
    ours, others = instructions(with_it, "with"), instructions(without, "without")
    return [
        [f"instructions per message, {protocol}, with and without: {ours[protocol]:,.0f} and {others[protocol]:,.0f}",
         *verdict(ours[protocol] / others[protocol] - 1, 0.02, lambda part: f"{100 * part:+.1f} %")]
        for protocol in ("tunnel", "json")
    ]


# ---- /metrics --------------------------------------------------------------------------------------------------------


class Pair(threading.Thread):
    """A host and its guest, who say a byte to and fro as fast as they can; what the slowest took is kept."""

    def __init__(self, port):
        super().__init__(daemon=True)
        exactly = lambda peer, count: peer.recv(count, socket.MSG_WAITALL)
        connect = lambda: socket.create_connection(("127.0.0.1", port), timeout=60)
        host = connect()
        host.sendall(b"RATS" + bytes(12))
        session = exactly(host, 16)[4:]
        self.guest = connect()
        self.guest.sendall(b"RATS" + session)
        self.link = connect()
        self.link.sendall(exactly(host, 16))
        self.host, self.times, self.ending = host, [], threading.Event()

    def run(self):
        for peer in (self.guest, self.link):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self.ending.is_set():
            before = time.monotonic()
            self.guest.sendall(b"\1" * 64)
            self.link.recv(64, socket.MSG_WAITALL)
            self.link.sendall(b"\1" * 64)
            self.guest.recv(64, socket.MSG_WAITALL)
            self.times.append(time.monotonic() - before)

    def phase(self, work):
        """The round trips while something is done: the median and the slowest of a thousand."""
        self.times = []
        work()
        times = sorted(self.times)
        return statistics.median(times), times[int(len(times) * 0.999)]


def hosts(port):
    """Sessions that wait for their guests, from addresses of which none has too many."""
    for number in range(ROOMS):
        host = socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.{1 + number // 500}.1", 0), timeout=60)
        host.sendall(b"RATS" + bytes(12))
        if len(host.recv(16, socket.MSG_WAITALL)) != 16:
            raise bench.Failure("a host was not let in")
        yield host


def metrics(binary):
    with bench.baton(binary).start("tunnel") as relay:
        admin = dict(bench.LISTENING.findall(relay.log.read_text()))["admin"]
        waiting = list(hosts(relay.port))
        connection = http.client.HTTPConnection("127.0.0.1", int(admin), timeout=60)
        sizes = []

        def ask():
            before = time.monotonic()
            connection.request("GET", "/metrics")
            text = connection.getresponse().read()
            sizes.append(len(text))
            return time.monotonic() - before, text

        if f'baton_rooms{{protocol="netplay"}} {ROOMS}' not in ask()[1].decode():
            raise bench.Failure("not all rooms are there")
        pair = Pair(relay.port)
        pair.start()
        time.sleep(0.5)
        times = []
        quiet = pair.phase(lambda: time.sleep(5))
        busy = pair.phase(lambda: times.extend((ask()[0], time.sleep(0.05))[0] for _ in range(SCRAPES)))
        pair.ending.set()
        pair.join()
        for host in waiting:
            host.close()
    milliseconds = lambda value: f"{1000 * value:.1f} ms"
    return [
        [f"`/metrics` with {ROOMS:,} rooms ({sizes[-1] / 1024:.0f} KiB), median of {SCRAPES}",
         *verdict(statistics.median(times), 0.020, milliseconds)],
        ["the slowest of them", milliseconds(max(times)), "", ""],
        ["a pair's round trip meanwhile, median and slowest of a thousand",
         f"{milliseconds(busy[0])}, {milliseconds(busy[1])}", f"without: {milliseconds(quiet[0])}, {milliseconds(quiet[1])}", ""],
    ]


# ---- Bans ------------------------------------------------------------------------------------------------------------


def bans(program):
    runs = []
    for _ in range(5):
        run = subprocess.run([program, "100000", "2000000"], capture_output=True, text=True, check=True)
        runs.append(json.loads(run.stdout))
    if runs[0]["found"] != 2_000_000 or runs[0]["strangers_found"] > 20_000:
        raise bench.Failure(f"a ban was not found, or one that is none: {runs[0]}")
    nanoseconds = lambda value: f"{value:,.0f} ns"
    return [
        [f"a look among 100,000 bans, {what}", *verdict(statistics.median(run[key] for run in runs), 200, nanoseconds)]
        for key, what in (("address", "for an address that is banned"), ("stranger", "for one that is not"),
                          ("name", "for a name, half of which are banned"))
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baton", type=Path, default=bench.ROOT / ".build/release/baton")
    parser.add_argument("--without", type=Path, help="a build without metrics in full, dashboard and bans")
    parser.add_argument("--bench", type=Path, default=bench.ROOT / ".build/release/ban-bench")
    parser.add_argument("--markdown", type=Path, help="replace the results in this file")
    options = parser.parse_args()
    bench.build()
    load = os.getloadavg()[0]
    rows = metrics(options.baton) + bans(options.bench) + data_path(options.baton, options.without)
    head = [["", "baton", "aim", ""], ["---", "---:", "---", "---"]]
    text = (f"Measured on {date.today().isoformat()} on {os.cpu_count()} cores, load average {load:.1f} at the start.\n\n"
            + "\n".join("| " + " | ".join(row) + " |" for row in head + rows) + "\n")
    print(text)
    if options.markdown:
        old = options.markdown.read_text()
        if BEGIN not in old or END not in old:
            raise SystemExit(f"{options.markdown} has no {BEGIN} ... {END}: left alone")
        options.markdown.write_text(old[: old.index(BEGIN)] + f"{BEGIN}\n{text}{END}" + old[old.index(END) + len(END) :])


if __name__ == "__main__":
    try:
        main()
    except bench.Failure as failure:
        raise SystemExit(f"failed: {failure}")
