#!/usr/bin/env python3
"""Measures the SOE library beside ENet and beside an echo in C.

    python3 Benchmarks/soe.py [--rounds N] [--bench PATH] [--markdown FILE] [--scale S]

In every round all contestants run directly after each other, in an order that changes; each round gives one ratio, and the
median of the rounds counts. Processor time is that of both programs, from the scheduler's accounts.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import markers

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "Benchmarks/build"
DATAGRAM = 1400  # the longest datagram of both protocols: ENet's default is near it


class Failure(Exception):
    pass


def process_time(pid):
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


class Echo:
    def __init__(self, program):
        environment = {**os.environ, "UDP_LENGTH": str(DATAGRAM)}
        self.process = subprocess.Popen([program, "echo"], stdout=subprocess.PIPE, text=True, env=environment)
        found = re.match(r"listening (\d+)$", self.process.stdout.readline())
        if not found:
            raise Failure(f"{program} does not listen")
        self.port = found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def client(program, *words):
    environment = {**os.environ, "UDP_LENGTH": str(DATAGRAM)}
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=180, env=environment)
    if done.returncode != 0:
        raise Failure(f"{Path(program).name} {' '.join(map(str, words))}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def echo_run(program, size, in_flight, count):
    with Echo(program) as server:
        client(program, "load", server.port, size, in_flight, max(in_flight, count // 10))  # warm
        before = process_time(server.process.pid)
        result = client(program, "load", server.port, size, in_flight, count)
        # The server's time covers the warming up inside the run as well: a tenth more messages.
        used = (process_time(server.process.pid) - before) / 1.1 + result["cpu_ns"]
    return {
        "rate": result["messages"] / result["seconds"],
        "throughput": result["messages"] * size / result["seconds"] / 1e6,
        "cpu": used / result["messages"],
        "median": result["median_us"],
    }


SUITES = [
    # title, size, in flight, count, figure, unit, peer, aim (a ratio ours / theirs), larger is better
    ("64 bytes, 64 in flight: rate", 64, 64, 300_000, "rate", "messages/s", "enet", 1.0, True),
    ("64 bytes, 64 in flight: CPU of both ends", 64, 64, 300_000, "cpu", "ns per message", "enet", 1.2, False),
    ("16 KiB, 64 in flight: throughput", 16_384, 64, 20_000, "throughput", "MB/s each way", "enet", 1.0, True),
    ("1 MiB, 4 in flight: throughput", 1 << 20, 4, 300, "throughput", "MB/s each way", "enet", 1.0, True),
    ("64 bytes, 1 in flight: median round trip", 64, 1, 30_000, "median", "us", "udp_echo", 1.5, False),
]


def compare(ours, rounds, scale):
    rows, cache = [], {}
    for title, size, in_flight, count, figure, unit, peer, aim, larger in SUITES:
        count = max(in_flight, int(count * scale))
        key = (size, in_flight, peer)
        if key not in cache:
            runs = []
            for number in range(rounds):
                programs = [("ours", ours), ("theirs", BUILD / peer)]
                result = {}
                for name, program in programs if number % 2 == 0 else programs[::-1]:
                    print(f"  {title}, round {number + 1}: {name}", file=sys.stderr, flush=True)
                    result[name] = echo_run(program, size, in_flight, count)
                runs.append(result)
            cache[key] = runs
        runs = cache[key]
        ratios = [run["ours"][figure] / run["theirs"][figure] for run in runs]
        ratio = statistics.median(ratios)
        rows.append(
            [
                title,
                f"{statistics.median(run['ours'][figure] for run in runs):,.0f} {unit}",
                {"enet": "ENet", "udp_echo": "C"}[peer] + f" {statistics.median(run['theirs'][figure] for run in runs):,.0f}",
                f"{ratio:.2f} ({min(ratios):.2f}..{max(ratios):.2f})",
                f"at {'least' if larger else 'most'} {aim}",
                "met" if (ratio >= aim if larger else ratio <= aim) else "NOT MET",
            ]
        )
    return rows


def allocations(program, size, count):
    """How often a run of the protocol alone asks the C library for memory."""
    with tempfile.NamedTemporaryFile() as counts:
        environment = {**os.environ, "LD_PRELOAD": str(BUILD / "count.so"), "COUNTS_FILE": counts.name}
        subprocess.run([program, "alone", str(size), str(count)], check=True, capture_output=True, env=environment)
        data = Path(counts.name).read_bytes()
    total = 0
    for offset in range(0, len(data), 32):
        name = data[offset : offset + 24].rstrip(b"\0").decode()
        if name in ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"):
            total += int.from_bytes(data[offset + 24 : offset + 32], sys.byteorder)
    return total


def alone(ours, scale):
    rows = []
    small = max((client(ours, "alone", 64, int(3_000_000 * scale)) for _ in range(3)), key=lambda r: -r["cpu_ns"])
    rate = small["messages"] / small["cpu_ns"] * 1e3
    rows.append(["64 bytes: messages per second of one core", f"{rate:.2f} M", "", "", "at least 1.5 M", "met" if rate >= 1.5 else "NOT MET"])
    large = max((client(ours, "alone", 16_384, int(50_000 * scale)) for _ in range(3)), key=lambda r: -r["cpu_ns"])
    speed = large["messages"] * 16_384 / large["cpu_ns"] * 1e3
    rows.append(["16 KiB: bytes per second of one core", f"{speed:,.0f} MB", "", "", "at least 400 MB", "met" if speed >= 400 else "NOT MET"])
    count = 200_000
    each = (allocations(ours, 64, 2 * count) - allocations(ours, 64, count)) / (1.1 * count)
    rows.append(["64 bytes: allocations per message", f"{each:.4f}", "", "", "0", "met" if round(each, 2) == 0 else "NOT MET"])
    return rows


@contextlib.contextmanager
def silent_clients(server, sessions, *words):
    """Clients in C that have opened a session each and are silent but for a heartbeat every 25 seconds."""
    command = [BUILD / "soe_idle", server.port, str(sessions), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().split() != ["open", str(sessions)]:
            raise Failure("the idle sessions did not open")
        time.sleep(1)
        yield
    finally:
        process.kill()
        process.wait()


def share_of_a_core(pid, seconds):
    before, clock = process_time(pid), time.monotonic()
    time.sleep(seconds)
    return (process_time(pid) - before) / (time.monotonic() - clock) / 1e9


def idle(ours, sessions, seconds):
    """What silent sessions cost; beside it an echo in C, which is woken as often and keeps nothing of anybody."""
    with Echo(ours) as server:
        pid = server.process.pid
        memory = lambda: sum(
            int(line.split()[1]) * 1024
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            if line.startswith(("Private_Dirty:", "Swap:"))
        )
        client(ours, "load", server.port, 64, 64, 10_000)
        start = memory()
        with silent_clients(server, sessions):
            each = (memory() - start) / sessions
            share = share_of_a_core(pid, seconds)
    with Echo(BUILD / "udp_echo") as server, silent_clients(server, sessions, "plain"):
        limit = share_of_a_core(server.process.pid, seconds)
    return [
        [f"{sessions:,} idle sessions: memory of each", f"{each:,.0f} bytes", "", "", "at most 4,096", "met" if each <= 4096 else "NOT MET"],
        [f"{sessions:,} idle sessions: share of a core", f"{share:.2%}", f"C {limit:.2%}", f"{share / limit:.2f}", "under 1 %", "met" if share < 0.01 else "NOT MET"],
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bench", type=Path, default=ROOT / ".build/release/soe-bench")
    parser.add_argument("--markdown", type=Path, help="replace the results in this file")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--idle-seconds", type=int, default=30)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    ours = options.bench.resolve()
    rows = alone(ours, options.scale) + idle(ours, 10_000, options.idle_seconds)
    if (BUILD / "enet").exists():
        rows = compare(ours, options.rounds, options.scale) + rows
    else:
        print("ENet is missing (libenet-dev): not compared", file=sys.stderr)
    head = ["", "SOE", "peer", "SOE / peer", "aim", ""]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---", "---:", "---:", "---", "---", "---"], *rows]]
    text = (
        f"Measured on {date.today().isoformat()} on {os.cpu_count()} cores, load average {load:.1f} at the start; "
        f"{options.rounds} rounds, median (lowest..highest).\n\n" + "\n".join(lines) + "\n"
    )
    print(text)
    if options.markdown:
        markers.fill(options.markdown, "soe", text)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        raise SystemExit(f"failed: {failure}")
