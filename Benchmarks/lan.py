#!/usr/bin/env python3
"""Measures the LAN bridge beside other layer-2 bridges, and its engine alone.

    sudo python3 Benchmarks/lan.py [--reps N] [--secs S] [--quick] [--markdown FILE] [--keep JSON] [--runs JSON]

The bridges are measured by Benchmarks/lan/lanbench.py in network namespaces, all of them in every repetition. A ratio is
ours by the best user-space peer of the same repetition; the median of the repetitions counts. Without root the bridges are
left out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import markers

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "Benchmarks/build"
PEERS = ["openvpn", "tinc", "fastd"]
ALLOCATIONS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")

# What is compared with the best peer: title, where it is, unit, aim, larger is better.
COMPARED = [
    ("TCP up", ("up", "mbps"), "Mbit/s", 2.0, True),
    ("TCP down", ("down", "mbps"), "Mbit/s", 2.0, True),
    ("UDP 64 B without loss", ("udp64", "clean_pps"), "/s", 2.0, True),
    ("UDP 512 B without loss", ("udp512", "clean_pps"), "/s", 2.0, True),
    ("UDP 1200 B without loss", ("udp1200", "clean_pps"), "/s", 2.0, True),
    ("UDP 64 B, flooded", ("udp64", "flood_pps"), "/s", None, True),
    ("UDP 1200 B, flooded", ("udp1200", "flood_pps"), "/s", None, True),
    ("CPU of all, TCP up", ("up", "cpu_s_per_gb"), "s/GB", 0.5, False),
    ("CPU of all, TCP down", ("down", "cpu_s_per_gb"), "s/GB", 0.5, False),
    ("CPU of all, UDP 512 B, 10,000/s", ("udp512", "cpu_s_per_mpkt"), "us each", 0.5, False),
    ("round trip, idle, median", ("idle", "p50"), "ms", 0.8, False),
    ("round trip, idle, 99 %", ("idle", "p99"), "ms", None, False),
    ("round trip of another player under load, 99 %", ("up", "ping", "p99"), "ms", None, False),
]

# What has an aim of its own.
ABSOLUTE = [
    ("first ping after the start of all", ("first_ping_s",), "s", 0.5),
    ("relay killed and started: first ping", ("restart_s",), "s", 0.5),
    ("link of a client down for 3 s: first ping", ("flap_s",), "s", 0.3),
    ("memory (RSS) of the relay", ("rss", "relay"), "MB", 30),
    ("memory (RSS) of the gateway", ("rss", "gw"), "MB", 30),
    ("memory (RSS) of a client", ("rss", "c1"), "MB", 30),
]


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def spread(values, form=number):
    middle = form(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({form(min(values))}..{form(max(values))})"


def ratio(value):
    return f"{value:.2f}"


def met(isMet):
    return "met" if isMet else "NOT MET"


class Runs:
    """What lanbench has written, by contestant and repetition."""

    def __init__(self, runs):
        self.runs = runs
        self.reps = sorted({run["rep"] for run in runs})

    def value(self, name, rep, path):
        for run in self.runs:
            if run["name"] == name and run["rep"] == rep:
                for key in path:
                    run = run.get(key) if isinstance(run, dict) else None
                return run
        return None

    def values(self, name, path):
        found = (self.value(name, rep, path) for rep in self.reps)
        return [value for value in found if value is not None]

    def best(self, rep, path, larger):
        found = [(value, name) for name in PEERS if (value := self.value(name, rep, path)) is not None]
        return (max if larger else min)(found, default=(None, None))

    def ratios(self, path, larger):
        """Ours by the best peer's, once per repetition."""
        pairs = ((self.value("ours", rep, path), self.best(rep, path, larger)[0]) for rep in self.reps)
        return [ours / best for ours, best in pairs if ours is not None and best]


def compared(runs):
    rows = []
    for title, path, unit, aim, larger in COMPARED:
        ours, ratios = runs.values("ours", path), runs.ratios(path, larger)
        if not ours or not ratios:
            rows.append([title, "not measured", "", "", "", ""])
            continue
        medians = [(statistics.median(v), name) for name in PEERS if (v := runs.values(name, path))]
        best, name = (max if larger else min)(medians)
        middle = statistics.median(ratios)
        rows.append(
            [
                title,
                f"{spread(ours)} {unit}",
                f"{name} {number(best)}",
                spread(ratios, ratio),
                "" if aim is None else f"at {'least' if larger else 'most'} {aim}",
                "" if aim is None else met(middle >= aim if larger else middle <= aim),
            ]
        )
    return rows + [loaded(runs)]


def loaded(runs):
    """How much another player's round trip suffers: beside nothing but the same bridge at rest."""

    def growth(name):
        pairs = ((runs.value(name, rep, ("up", "ping", "p99")), runs.value(name, rep, ("idle", "p99"))) for rep in runs.reps)
        return [busy / idle for busy, idle in pairs if busy and idle]

    ours = growth("ours")
    peers = [(statistics.median(v), name) for name in PEERS if (v := growth(name))]
    title = "the same 99 %, loaded by idle"
    if not ours or not peers:
        return [title, "not measured", "", "", "", ""]
    best, name = min(peers)
    return [title, spread(ours, ratio), f"{name} {best:.2f}", "", "at most 2.0", met(statistics.median(ours) <= 2)]


def absolute(runs):
    rows = []
    for title, path, unit, aim in ABSOLUTE:
        ours = runs.values("ours", path)
        peers = [(statistics.median(v), name) for name in PEERS if (v := runs.values(name, path))]
        if not ours:
            rows.append([title, "not measured", "", "", "", ""])
            continue
        best = f"{min(peers)[1]} {number(min(peers)[0])}" if peers else ""
        rows.append([title, f"{spread(ours)} {unit}", best, "", f"at most {aim}", met(statistics.median(ours) <= aim)])
    return rows


def allocations(program, kind, count):
    """How often a run asks the C library for memory."""
    with tempfile.NamedTemporaryFile() as counts:
        environment = {**os.environ, "LD_PRELOAD": str(BUILD / "count.so"), "COUNTS_FILE": counts.name}
        subprocess.run([program, kind, str(count)], check=True, capture_output=True, env=environment)
        data = Path(counts.name).read_bytes()
    records = (data[offset : offset + 32] for offset in range(0, len(data), 32))
    return sum(int.from_bytes(r[24:], sys.byteorder) for r in records if r[:24].rstrip(b"\0").decode() in ALLOCATIONS)


def alone(program):
    rows = []
    for kind, title, aim in (("filter", "the filter alone", 300), ("relay", "the relay's engine, from datagram to datagram", None)):
        times = []
        for _ in range(5):
            done = subprocess.run([program, kind, "2000000"], check=True, capture_output=True, text=True)
            result = json.loads(done.stdout)
            times.append(result["cpu_ns"] / result["frames"])
        verdict = "" if aim is None else met(statistics.median(times) <= aim)
        rows.append([f"{title}: time of a frame", f"{spread(times)} ns", "", "", f"at most {aim}" if aim else "", verdict])
        count = 200_000
        each = (allocations(program, kind, 2 * count) - allocations(program, kind, count)) / (1.1 * count)
        rows.append([f"{title}: allocations of a frame", f"{each:.4f}", "", "", "0", met(round(each, 3) == 0)])
    return rows


def measure(options):
    """Has lanbench measure all contestants; gives its runs."""
    kept = Path(options.keep) if options.keep else Path(tempfile.mkdtemp()) / "runs.json"
    words = [sys.executable, "lanbench.py", "bridge", *PEERS, "ours", "--reps", str(options.reps), "--secs", str(options.secs)]
    words += ["--limit", "20", "--no-l2", "--json", str(kept.resolve())] + (["--quick"] if options.quick else [])
    environment = {**os.environ, "BATON": str(options.baton.resolve())}
    # Its status says whether every contestant managed everything, which some never do.
    subprocess.run(words, cwd=ROOT / "Benchmarks/lan", env=environment, stdout=sys.stderr)
    return json.loads(kept.read_text())


def all_medians(runs):
    names = [name for name in ["bridge", *PEERS, "ours"] if any(run["name"] == name for run in runs.runs)]
    rows = [["all contestants, medians", *names], ["---", *["---:"] * len(names)]]
    for title, path, unit, *_ in COMPARED + ABSOLUTE:
        cells = [number(statistics.median(v)) if (v := runs.values(name, path)) else "-" for name in names]
        rows.append([f"{title}, {unit}", *cells])
    return rows


def table(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--secs", type=int, default=3, help="seconds of each TCP run")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter steps of UDP")
    parser.add_argument("--baton", type=Path, default=ROOT / ".build/release/baton")
    parser.add_argument("--bench", type=Path, default=ROOT / ".build/release/lan-bench")
    parser.add_argument("--keep", help="write every single run to this file")
    parser.add_argument("--runs", type=Path, help="measure no bridges, but take the runs from this file")
    parser.add_argument("--markdown", type=Path, help="replace the results in this file")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    head = [["", "Baton", "best peer", "ours / best", "aim", ""], ["---", "---:", "---:", "---", "---", "---"]]
    rows, everything, reps = [], "", 0
    if options.runs or os.geteuid() == 0:
        runs = Runs(json.loads(options.runs.read_text()) if options.runs else measure(options))
        rows = compared(runs) + absolute(runs)
        everything, reps = "\n" + table(all_medians(runs)), len(runs.reps)
    else:
        print("not root: the other bridges are left out", file=sys.stderr)
    rows += alone(options.bench.resolve())
    text = (
        f"Measured on {date.today().isoformat()} on {os.cpu_count()} cores, Linux {platform.release()}, load average "
        f"{load:.1f} at the start; {reps} repetitions{', --quick' if options.quick else ''}; median (lowest..highest).\n\n"
        + table(head + rows)
        + everything
    )
    print(text)
    if options.markdown:
        markers.fill(options.markdown, "lan", text)


if __name__ == "__main__":
    main()
