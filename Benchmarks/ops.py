#!/usr/bin/env python3
"""What operating costs those who play: instructions per relayed message, delays while /metrics is read, ban look-ups.

    python3 Benchmarks/ops.py [--baton PATH] [--bench PATH] [--rounds N] [--markdown FILE]

Instructions are counted twice: without an admin listener and without a ban, and with an open stream of events, /metrics
read over and over, and 1,000 bans. The rest is time, and means what the machine's other work lets it mean.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import bench
import markers
from bench import ROOT, Failure

TOKEN = "only-for-the-benchmark"
BANS = 1000
SCRAPES = 5
ROOMS = 5000
LOADS = {"tunnel": ["tunnel-pingpong", "--pairs", 1], "json": ["json-unicast", "--clients", 2]}


# ---- The operator ----------------------------------------------------------------------------------------------------


class Operator:
    """Whoever has the admin listener's token."""

    def __init__(self, relay):
        end = time.monotonic() + 60
        while not (port := dict(bench.LISTENING.findall(relay.log.read_text(errors="replace"))).get("admin")):
            if time.monotonic() > end:
                raise Failure("the admin listener does not listen")
            time.sleep(0.05)
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)

    def ask(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status not in (200, 201, 204):
            raise Failure(f"{method} {path}: {answer.status} {text}")
        return text

    def metrics(self):
        return self.ask("GET", "/metrics")

    def ban_strangers(self, count):
        """Addresses and blocks, names and patterns; none is about a player of the benchmark."""
        kinds = [
            lambda n: {"subject": "address", "value": f"198.51.{n // 256}.{n % 256}"},
            lambda n: {"subject": "address", "value": f"2001:db8:{n:x}::/48"},
            lambda n: {"subject": "name", "value": f"cheater {n}"},
            lambda n: {"subject": "name", "value": f"*cheat{n}er*", "protocol": "ldn"},
        ]
        bans = [{**kinds[n % len(kinds)](n), "reason": "cheats"} for n in range(count)]
        self.ask("POST", "/api/v1/bans/import", {"bans": bans})
        if sum(int(n) for n in re.findall(r"^baton_bans\{.*\} (\d+)$", self.metrics(), re.M)) != count:
            raise Failure("the server does not have all bans")

    @contextlib.contextmanager
    def following(self):
        """An open stream of events, as a dashboard has one."""
        stream = http.client.HTTPConnection(self.connection.host, self.connection.port, timeout=60)
        stream.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {TOKEN}"})
        if stream.getresponse().status != 200:
            raise Failure("there is no stream of events")
        try:
            yield
        finally:
            stream.close()


# ---- Instructions ----------------------------------------------------------------------------------------------------


def bare_settings():
    """The settings of the other benchmarks without their admin listener."""
    path = bench.scratch() / "bare.yaml"
    text, _, rest = (bench.HERE / "peers/relay.yaml").read_text().partition("admin:\n")
    if "\n" in rest.strip():
        raise Failure("the section admin is not the last of relay.yaml")
    path.write_text(text)
    return path


def instructions(baton, protocol, messages, is_operated):
    """All instructions of a server's life under callgrind that relays so many messages."""
    out = bench.scratch() / "callgrind.out"
    out.unlink(missing_ok=True)
    prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
    environment, settings = ({"BATON_ADMIN__TOKEN": TOKEN}, None) if is_operated else ({}, bare_settings())
    contestant = bench.baton(baton, prefix, environment, start_seconds=120, patience=30, settings=settings)
    words = [str(w) for w in [*LOADS[protocol], "--warmup", 500, "--messages", messages]]
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(contestant.start(protocol))
        if is_operated:
            operator = Operator(relay)
            operator.ban_strangers(BANS)
            stack.enter_context(operator.following())
        # As often in a long run as in a short one: what reading costs itself cancels out, what it does to messages does not.
        scraper = threading.Thread(target=lambda: [operator.metrics() for _ in range(SCRAPES)]) if is_operated else None
        started = []

        def sample(_):
            if scraper and not started:
                scraper.start()
                started.append(scraper)

        bench.measure_running(relay, relay.port, words, sample, 180)
        for thread in started:
            thread.join()
    totals = re.search(r"^(?:totals|summary): (\d+)", out.read_text(errors="replace"), re.M) if out.exists() else None
    if not totals:
        raise Failure("callgrind wrote no totals")
    return int(totals[1])


def count_instructions(baton, rounds, messages):
    stripped = bench.scratch() / "stripped"
    # valgrind stumbles over Swift's debug information
    subprocess.run(["strip", "-g", "-o", stripped, baton], check=True)
    rows = []
    for protocol in LOADS:
        figures = {False: [], True: []}
        for number in range(rounds):
            for is_operated in (False, True) if number % 2 == 0 else (True, False):
                print(f"  {protocol}, round {number + 1}: {'operated' if is_operated else 'bare'}", file=sys.stderr, flush=True)
                once, twice = (instructions(stripped, protocol, n, is_operated) for n in (messages, 2 * messages))
                figures[is_operated].append((twice - once) / messages)
        ratio = statistics.median(figures[True]) / statistics.median(figures[False])
        rows.append([
            f"{protocol}: instructions per message, operated", spread(figures[True], "{:,.0f}"),
            f"bare {spread(figures[False], '{:,.0f}')}, so {ratio:.4f} of it", "at most 1.02", met(ratio <= 1.02),
        ])
    return rows


# ---- Delays ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def rooms(relay, count):
    """Sessions with a host and a guest each, silent."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            words = ["idle", "--pairs", count // 2, "--guests", 1, "--warmup", 64, "--port", relay.port]
            load = stack.enter_context(bench.Load([str(w) for w in words]))
            load.line("ready", 60)
            load.say("go")
            load.line("result", 120)
        yield


def longest_delay(relay, seconds, meanwhile):
    """Of a pair that plays as fast as it can."""
    words = ["tunnel-pingpong", "--pairs", 1, "--warmup", 500, "--seconds", seconds, "--port", relay.port]
    with bench.Load([str(w) for w in words]) as load:
        load.line("ready", 30)
        load.say("go")
        meanwhile(time.monotonic() + seconds - 0.2)
        return json.loads(load.line("result", 60))["longest_latency_seconds"] * 1000


def measure_metrics(baton, rounds, seconds):
    times, quiet, read = [], [], []
    contestant = bench.baton(baton, environment={"BATON_ADMIN__TOKEN": TOKEN})
    with contestant.start("tunnel") as relay, rooms(relay, ROOMS):
        operator = Operator(relay)
        there = re.search(r'^baton_rooms\{protocol="netplay"\} (\d+)$', operator.metrics(), re.M)
        if not there or int(there[1]) < ROOMS:
            raise Failure(f"there are {there and there[1]} rooms")

        def wait(end):
            time.sleep(max(0, end - time.monotonic()))

        def scrape(end):
            while time.monotonic() < end:
                start = time.perf_counter()
                operator.metrics()
                times.append((time.perf_counter() - start) * 1000)
                time.sleep(0.05)

        for number in range(rounds):
            for figures, meanwhile in ((quiet, wait), (read, scrape)) if number % 2 == 0 else ((read, scrape), (quiet, wait)):
                figures.append(longest_delay(relay, seconds, meanwhile))
        size = len(operator.metrics().encode())
    middle = statistics.median(times)
    return [
        [
            f"/metrics with {ROOMS:,} rooms, a pair playing: time of an answer", f"{middle:.1f} ({min(times):.1f}..{max(times):.1f}) ms",
            f"{len(times)} answers of {size / 1024:.0f} KiB", "under 20 ms", met(middle < 20) + ("" if max(times) < 20 else ", but not always"),
        ],
        [
            "longest delay of a relayed message, /metrics being read 15 to 20 times a second", spread(read, "{:.2f}") + " ms",
            f"not being read {spread(quiet, '{:.2f}')} ms", "no stall: under 20 ms", met(max(read) < 20),
        ],
    ]


# ---- Bans ------------------------------------------------------------------------------------------------------------


def look_up(program, kind, bans, count, rounds):
    runs = []
    for _ in range(rounds):
        done = subprocess.run([program, kind, str(bans), str(count)], check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        runs.append((result["strangers_ns"] / result["count"], result["banned_ns"] / result["count"]))
    return [[run[index] for run in runs] for index in (0, 1)]


def measure_bans(program, rounds):
    rows = []
    for kind, bans, count, title, aim in (
        ("addresses", 100_000, 1_000_000, "100,000 banned addresses", 200),
        ("ranges", 100_000, 1_000_000, "100,000 banned addresses and blocks of every length", 200),
        ("names", 100_000, 1_000_000, "100,000 banned names", 200),
        ("patterns", 1000, 10_000, "1,000 patterns of names, the most there can be", None),
    ):
        strangers, banned = look_up(program, kind, bans, count, rounds)
        worst = max(statistics.median(strangers), statistics.median(banned))
        rows.append([
            f"{title}: look-up of a stranger", spread(strangers, "{:,.0f}") + " ns", f"of somebody banned {spread(banned, '{:,.0f}')} ns",
            f"under {aim} ns" if aim else "", "" if aim is None else met(worst < aim),
        ])
    return rows


# ---- Reporting -------------------------------------------------------------------------------------------------------


def spread(values, form):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}..{form.format(max(values))})"


def met(is_met):
    return "met" if is_met else "NOT MET"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baton", type=Path, default=ROOT / ".build/release/baton", help="the server (default: .build/release/baton)")
    parser.add_argument("--bench", type=Path, default=ROOT / ".build/release/ops-bench", help="the program that looks for bans")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=10_000, help="of the shorter run under valgrind")
    parser.add_argument("--seconds", type=int, default=5, help="of each run with rooms")
    parser.add_argument("--only", choices=["instructions", "metrics", "bans"], help="measure this alone")
    parser.add_argument("--markdown", type=Path, help="replace the results in this file")
    options = parser.parse_args()
    if options.only and options.markdown:
        parser.error("the results of one part alone would replace all")
    load = os.getloadavg()[0]
    bench.build()
    rows = []
    if options.only in (None, "instructions"):
        if shutil.which("valgrind"):
            rows += count_instructions(options.baton.resolve(), options.rounds, options.messages)
        else:
            print("valgrind is missing: no instructions are counted", file=sys.stderr)
    if options.only in (None, "metrics"):
        rows += measure_metrics(options.baton.resolve(), options.rounds, options.seconds)
    if options.only in (None, "bans"):
        rows += measure_bans(options.bench.resolve(), options.rounds)
    head = ["", "figure", "beside", "aim", ""]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---", "---:", "---", "---", "---"], *rows]]
    text = (
        f"Measured on {date.today().isoformat()} on {os.cpu_count()} cores, Linux {platform.release()}, load average "
        f"{load:.1f} at the start; {options.rounds} rounds, median (lowest..highest).\n\n" + "\n".join(lines) + "\n"
    )
    print(text)
    if options.markdown:
        markers.fill(options.markdown, "ops", text)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        raise SystemExit(f"failed: {failure}")
