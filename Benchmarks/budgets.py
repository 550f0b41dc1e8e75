#!/usr/bin/env python3
"""The gate for performance: counts, never times, so that a busy machine changes nothing.

    python3 Benchmarks/budgets.py [--baton PATH] [--record] [--no-valgrind]

Counts what the server asks of the C library and the kernel per relayed message in steady state, the memory of an idle
pair and of a stalled one and, where valgrind is installed, instructions per message. Status 1 if a figure exceeds its
budget in budgets.json. --record writes what was measured as the new budgets, with the slack noted there; budgets
marked "fixed" are promises and stay.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import bench
from bench import Failure

BUDGETS = bench.HERE / "budgets.json"
ALLOCATIONS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
NOT_A_CALL = ALLOCATIONS | {"clock_gettime"}  # the clock is read without entering the kernel
VALGRIND_SECONDS = 85  # for everything under valgrind
INSTRUCTION_MESSAGES = 4000


# ---- Counting calls --------------------------------------------------------------------------------------------------


class Counters:
    """The totals of count.c, read from the file the server has mapped."""

    def __init__(self):
        self.file = bench.scratch() / "counts"
        self.file.unlink(missing_ok=True)
        self.environment = {"LD_PRELOAD": str(bench.BUILD / "count.so"), "COUNTS_FILE": str(self.file)}

    def read(self, _relay=None):
        data = self.file.read_bytes()
        records = (data[i : i + 32] for i in range(0, len(data), 32))
        return {r[:24].rstrip(b"\0").decode(): int.from_bytes(r[24:], sys.byteorder) for r in records}


def difference(before, after):
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def per_message(result, before, after):
    """Allocations and system calls per message, and which they were."""
    changed = {name: count / result["messages"] for name, count in difference(before, after).items()}
    allocations = sum(rate for name, rate in changed.items() if name in ALLOCATIONS)
    calls = sum(rate for name, rate in changed.items() if name not in NOT_A_CALL)
    notable = ", ".join(f"{name} {rate:.3f}" for name, rate in sorted(changed.items(), key=lambda x: -x[1]) if rate >= 0.001)
    return allocations, calls, notable


LOADS = {
    "tunnel": (["tunnel-pingpong", "--pairs", 64, "--messages", 100_000], ["tunnel-pingpong", "--pairs", 1, "--messages", 20_000]),
    "json": (["json-unicast", "--clients", 64, "--messages", 100_000], ["json-unicast", "--clients", 2, "--messages", 20_000]),
}


def count_calls(protocol, start, figures, details):
    """System calls are counted on one pair alone: with many, how many events a wakeup brings depends on the machine."""
    counters = Counters()
    with start(protocol, environment=counters.environment) as relay:
        many, single = (
            bench.measure_running(relay, relay.port, [str(w) for w in words], counters.read) for words in LOADS[protocol]
        )
    allocations, calls, notable = per_message(*many)
    figures[f"{protocol}.mallocs_per_message"] = allocations
    details[f"{protocol}.mallocs_per_message"] = f"many at once; {calls:.2f} system calls; {notable}"
    _, calls, notable = per_message(*single)
    figures[f"{protocol}.system_calls_per_message"] = calls
    details[f"{protocol}.system_calls_per_message"] = f"one pair; {notable}"


# ---- Memory ----------------------------------------------------------------------------------------------------------


def memory_of(start, words):
    def settled(relay):
        time.sleep(0.3)
        return relay.memory()

    with start("tunnel") as relay:
        return bench.measure_running(relay, relay.port, words, settled)


def measure_idle(start, figures, details):
    result, before, after = memory_of(start, ["idle", "--pairs", "2064", "--warmup", "64"])
    figures["idle.bytes_per_pair"] = (after - before) / result["pairs"]
    details["idle.bytes_per_pair"] = f"{result['pairs']} pairs; {before / 2**20:.1f} MiB before"


def measure_stalled(start, figures, details):
    result, before, after = memory_of(start, ["stalled", "--bytes", str(64 << 20)])
    if result["messages_after_stall"] == 0:
        raise Failure("the other pair got nothing through while one reader was stalled")
    figures["stalled.growth_bytes"] = after - before
    details["stalled.growth_bytes"] = (
        f"{result['accepted'] / 2**20:.1f} MiB taken off the writer (kernel buffers included); "
        f"the other pair passed {result['messages']} messages meanwhile"
    )


# ---- Instructions ----------------------------------------------------------------------------------------------------


def instructions(start, binary, protocol, messages, end):
    """All instructions of a server's life under callgrind that relays so many messages."""
    # One pair: with many, how many events a wakeup brings would depend on the machine.
    words = {"tunnel": ["tunnel-pingpong", "--pairs", 1], "json": ["json-unicast", "--clients", 2]}[protocol]
    words += ["--warmup", 500, "--messages", messages]
    out = bench.scratch() / "callgrind.out"
    out.unlink(missing_ok=True)
    prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]

    def left():
        seconds = end - time.monotonic()
        if seconds < 1:
            raise Failure(f"valgrind took more than {VALGRIND_SECONDS} s")
        return seconds

    with start(protocol, binary=binary, prefix=prefix, start_seconds=left(), patience=15) as relay:
        bench.measure_running(relay, relay.port, [str(w) for w in words], lambda _: None, left())
    totals = re.search(r"^(?:totals|summary): (\d+)", out.read_text(errors="replace"), re.M) if out.exists() else None
    if not totals:
        raise Failure("callgrind wrote no totals")
    return int(totals[1])


def count_instructions(protocol, start, binary, end, figures, details):
    """N and 2N messages: the difference is the steady state, without the start and the end of the server."""
    n = INSTRUCTION_MESSAGES
    once, twice = (instructions(start, binary, protocol, messages, end) for messages in (n, 2 * n))
    figures[f"{protocol}.instructions_per_message"] = (twice - once) / n
    details[f"{protocol}.instructions_per_message"] = f"one pair; {n} and {2 * n} messages; {once / 1e6:.0f} million in all for the first"


# ---- Judging ---------------------------------------------------------------------------------------------------------


def form(value):
    return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"


def judge(budgets, figures, details, skipped):
    """Prints every figure beside its budget; returns the lines about those that exceed it."""
    exceeded = []
    width = max(len(name) for name in budgets)
    for name, entry in budgets.items():
        budget = entry["budget"]
        if name not in figures:
            print(f"{name:{width}}  not measured: {skipped.get(name, 'its run failed')}")
            continue
        limit = "no budget recorded" if budget is None else f"budget {form(budget)}"
        print(f"{name:{width}}  {form(figures[name]):>12}  {limit:24}  {details.get(name, '')}".rstrip())
        if budget is not None and figures[name] > budget:
            exceeded.append(f"EXCEEDED: {name} is {form(figures[name])}, its budget {form(budget)} ({entry['why']})")
    return exceeded


def record(budgets, figures):
    for name, entry in budgets.items():
        if name in figures:
            entry["measured"] = round(figures[name], 3)
            if not entry.get("fixed"):
                entry["budget"] = round(figures[name] * (1 + entry["slack"]), 3)
    BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baton", type=Path, default=bench.ROOT / ".build/release/baton", help="the server (default: .build/release/baton)")
    parser.add_argument("--record", action="store_true", help="make what is measured the new budgets")
    parser.add_argument("--no-valgrind", action="store_true", help="leave out instructions")
    parser.add_argument("--limits", action="store_true", help="measure the relays in C instead of baton, judging nothing")
    options = parser.parse_args()

    bench.build()
    budgets = json.loads(BUDGETS.read_text())
    figures, details, skipped = {}, {}, {}

    def start(protocol, binary=None, prefix=(), environment=None, start_seconds=20, patience=5):
        if options.limits:
            return bench.limit(protocol, prefix, environment, start_seconds, patience)
        return bench.baton(binary or options.baton, prefix, environment, start_seconds, patience).start(protocol)

    failures = []
    for measure, *arguments in (
        (count_calls, "tunnel", start),
        (count_calls, "json", start),
        (measure_idle, start),
        (measure_stalled, start),
    ):
        try:
            measure(*arguments, figures, details)
        except Failure as failure:
            failures.append(f"FAILED: {' '.join([measure.__name__, *(a for a in arguments if isinstance(a, str))])}: {failure}")

    # Instructions are a luxury: where valgrind is missing or too slow that is said, not punished.
    end = time.monotonic() + VALGRIND_SECONDS
    stripped = bench.scratch() / "stripped"
    for protocol in ("tunnel", "json"):
        name = f"{protocol}.instructions_per_message"
        if options.no_valgrind:
            skipped[name] = "--no-valgrind"
        elif not shutil.which("valgrind"):
            skipped[name] = "valgrind is not installed"
        elif f"{protocol}.mallocs_per_message" in figures:
            try:
                if not options.limits and not stripped.exists():
                    # valgrind stumbles over Swift's debug information
                    subprocess.run(["strip", "-g", "-o", stripped, options.baton], check=True)
                count_instructions(protocol, start, stripped, end, figures, details)
            except (Failure, OSError, subprocess.CalledProcessError) as failure:
                skipped[name] = str(failure)

    if options.limits:
        judge({name: {**entry, "budget": None} for name, entry in budgets.items()}, figures, details, skipped)
        print("\n".join(failures))
        return 1 if failures else 0
    if options.record:
        record(budgets, figures)
    complaints = judge(budgets, figures, details, skipped) + failures
    print("\n".join(complaints) if complaints else "all within budget")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
