#!/usr/bin/env python3
"""Measures the server beside the same work done in C, by HAProxy and by socat.

    python3 Benchmarks/run.py [suite ...] [--rounds N] [--baton PATH] [--markdown FILE] [--json FILE]

Figures are processor time per message, from the scheduler's own accounts, so that a busy machine disturbs them little;
what remains is taken out by running peer and server in turn and comparing only neighbours: each round gives one ratio,
and the median of the rounds counts. docs/benchmarks.md tells more.
"""

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import date, datetime, timezone
from pathlib import Path

import bench
import markers
from bench import CONTESTANTS, Failure, median

OURS = "subject"
NOISY = 0.25  # a peer that varies more than this between rounds makes its ratios doubtful


class Suite:
    """One kind of load, what is computed from a run, and whom the server is compared with.

    `peers` maps a peer to the ratio aimed at (None: no aim); `aim` is a limit on the server's own figure.
    """

    def __init__(self, title, words, unit, sample, figure, peers, aim=None, settle=0.0, most_rounds=99, scaled=None, ratios=True):
        self.title, self.words, self.unit, self.sample, self.figure = title, words, unit, sample, figure
        self.peers, self.aim, self.settle, self.most_rounds = peers, aim, settle, most_rounds
        self.scaled, self.ratios = scaled, ratios


def cpu_per_message(result, before, after):
    return (after - before) / result["messages"]


def cpu_per_mebibyte(result, before, after):
    return (after - before) / 1000 / (result["bytes"] / 2**20)


def cpu_per_request(result, before, after):
    return (after - before) / 1000 / result["messages"]


def memory_per_pair(result, before, after):
    return (after - before) / result["pairs"]


def memory_after_crowd(result, before, after):
    if result["messages"] != 8 * result["sent"]:
        raise Failure(f"{result['messages']} deliveries of {result['sent']} broadcasts")
    return after - before


def memory_growth(result, before, after):
    if result["messages_after_stall"] == 0:
        raise Failure("the other pair got nothing through while one reader was stalled")
    return after - before


def longest_answer(result, before, after):
    return result["longest_answer_seconds"] * 1000


def cpu(relay):
    return relay.cpu()


def memory(relay):
    return relay.memory()


SUITES = {
    "tunnel64": Suite(
        "64 pairs, 64-byte messages to and fro",
        ["tunnel-pingpong", "--pairs", 64, "--size", 64],
        "ns of CPU per message",
        cpu,
        cpu_per_message,
        {"c-copy": 1.3, "haproxy": 1.0},
        scaled=("--messages", 200_000),
    ),
    "transcoding": Suite(
        "64 pairs of a guest without compression and a host with it, 20-byte INPUT messages to and fro",
        ["tunnel-input", "--pairs", 64, "--compression", "host"],
        "ns of CPU per message",
        cpu,
        cpu_per_message,
        {"baton-plain": 2.0},
        scaled=("--messages", 200_000),
    ),
    "tunnelbulk": Suite(
        "one pair, one way, as fast as it goes",
        ["tunnel-bulk", "--pairs", 1],
        "us of CPU per MiB",
        cpu,
        cpu_per_mebibyte,
        {"c-splice": None, "c-copy": None, "haproxy": 1.0, "haproxy-splice": None, "socat": None},
        scaled=("--bytes", 2 << 30),
    ),
    "jsonunicast": Suite(
        "32 pairs of JSON clients, 64-byte payloads to and fro",
        ["json-unicast", "--clients", 64, "--size", 64],
        "ns of CPU per message",
        cpu,
        cpu_per_message,
        {"c-json": None},
        scaled=("--messages", 150_000),
    ),
    "jsonfanin": Suite(
        "32 JSON senders to one receiver, windows of 8, acknowledged",
        ["json-fanin", "--senders", 32, "--window", 8, "--size", 64],
        "ns of CPU per message",
        cpu,
        cpu_per_message,
        {"c-json": None, "c-json-read": None},
        scaled=("--messages", 150_000),
    ),
    "lobbylist": Suite(
        "8 clients ask for the list of a lobby with 5,000 rooms, again and again",
        ["http-list", "--clients", 8, "--warmup", 200],
        "us of CPU per request",
        cpu,
        cpu_per_request,
        {"c-http": None, "nginx": None},
        aim=1_000,  # 1,000 requests a second on one core
        scaled=("--messages", 3_000),
    ),
    "ldnfanout": Suite(
        "8 LDN networks of 8 players who all broadcast 128-byte datagrams",
        ["ldn-fanout", "--clients", 64, "--size", 128],
        "ns of CPU per delivery",
        cpu,
        cpu_per_message,
        {"c-ldn": 1.3},
        scaled=("--messages", 1_000_000),
    ),
    "ldncrowd": Suite(
        "500 LDN networks of 8 players, each of whom broadcasts 4 datagrams of 128 bytes a second, for 30 s",
        ["ldn-crowd", "--clients", 4000, "--size", 128, "--rate", 4, "--seconds", 30],
        "bytes grown",
        memory,
        memory_after_crowd,
        {},
        aim=4_000_000,
        settle=0.3,
        most_rounds=1,
        ratios=False,
    ),
    "ldnscan": Suite(
        "one LDN client scans among 5,000 networks, again and again; two others play meanwhile",
        ["ldn-scan", "--clients", 5000, "--size", 128],
        "ms until the slowest answer",
        cpu,
        longest_answer,
        {},
        aim=1_000,  # later, clients show nothing
        scaled=("--messages", 500),
    ),
    "ldnidle": Suite(
        "4,000 silent LDN sessions",
        ["ldn-idle", "--clients", 4064, "--warmup", 64],
        "bytes per session",
        memory,
        memory_per_pair,
        {"c-ldn": None},
        aim=8_192,
        settle=0.3,
        most_rounds=2,
    ),
    "idle": Suite(
        "4,000 pairs that have exchanged their headers and are silent",
        ["idle", "--pairs", 4064, "--warmup", 64],
        "bytes per idle pair",
        memory,
        memory_per_pair,
        {"c-copy": None, "haproxy": None},
        aim=5_000,
        settle=0.3,
        most_rounds=2,
    ),
    "stalled": Suite(
        "a writer against a reader that never reads; another pair plays on",
        ["stalled", "--bytes", 64 << 20],
        "bytes grown",
        memory,
        memory_growth,
        {"c-copy": None, "haproxy": None},
        aim=1_000_000,
        settle=0.3,
        most_rounds=2,
        ratios=False,  # a few pages more or less: their ratio would say nothing
    ),
}


# ---- Measuring -------------------------------------------------------------------------------------------------------


def one_run(suite, contestant, scale):
    words = list(suite.words) + contestant.words
    if suite.scaled:
        words += [suite.scaled[0], max(1, int(suite.scaled[1] * scale))]
    mode = next(m for m in modes(suite) if m in contestant.modes)
    result, before, after = bench.measure(contestant, mode, [str(w) for w in words], suite.sample, suite.settle)
    return {"figure": suite.figure(result, before, after), "result": result}


def modes(suite):
    """How a suite's load can be brought to a contestant."""
    word = suite.words[0].split("-")[0]
    return (word,) if word in ("json", "ldn", "http") else ("raw", "tunnel")


def fits(contestant, suite):
    return any(mode in contestant.modes for mode in modes(suite))


def run_suite(name, subject, rounds, scale):
    """Every round runs peer and subject in turn (the order changes with each round) and gives one ratio per peer."""
    suite = SUITES[name]
    report = {"suite": name, "title": suite.title, "unit": suite.unit, "aim": suite.aim, "subject": subject.name, "peers": {}}
    figures = report["figures"] = []
    if not fits(subject, suite):
        report["failure"] = f"{subject.name} does not speak this suite's protocol"
        return report
    peers = {p: {"aim": aim, "figures": [], "ours": [], "results": []} for p, aim in suite.peers.items()}
    report["peers"] = peers
    for number in range(min(rounds, suite.most_rounds)):
        if not peers:
            print(f"  {name} round {number + 1}: {subject.name}", file=sys.stderr, flush=True)
            try:
                run = one_run(suite, subject, scale)
            except Failure as failure:
                report["failure"] = str(failure)
                return report
            figures.append(run["figure"])
            report.setdefault("results", []).append(run["result"])
        for peer_name, peer in peers.items():
            if "failure" in peer:
                continue
            turns = [(peer_name, CONTESTANTS[peer_name]), (OURS, subject)]
            values = {}
            for turn, contestant in turns if number % 2 == 0 else reversed(turns):
                print(f"  {name} round {number + 1}: {contestant.name}", file=sys.stderr, flush=True)
                try:
                    values[turn] = one_run(suite, contestant, scale)
                except Failure as failure:
                    if turn == OURS:
                        report["failure"] = str(failure)
                        return report
                    peer["failure"] = str(failure)
                    break
            if len(values) == 2:
                peer["figures"].append(values[peer_name]["figure"])
                peer["results"].append(values[peer_name]["result"])
                peer["ours"].append(values[OURS]["figure"])
            if OURS in values:
                figures.append(values[OURS]["figure"])
                report.setdefault("results", []).append(values[OURS]["result"])
    return report


# ---- Reporting -------------------------------------------------------------------------------------------------------


def spread(values, form):
    if not values:
        return "-"
    return f"{form(median(values))} ({form(min(values))}..{form(max(values))})"


def whole(value):
    return f"{value:,.0f}"


def ratio(value):
    return f"{value:.2f}"


def rows(report):
    """Lines of the table: who, figure, ratio, aim, verdict."""
    lines = []
    aim = report["aim"]
    verdict = ""
    if aim and report["figures"]:
        verdict = "met" if median(report["figures"]) <= aim else "NOT MET"
    lines.append([report["subject"], spread(report["figures"], whole), "", f"at most {whole(aim)}" if aim else "", verdict])
    for name, peer in report["peers"].items():
        if "failure" in peer:
            lines.append([name, "not measured: " + peer["failure"], "", "", ""])
            continue
        if not peer["figures"]:
            continue
        notes = []
        row = [name, spread(peer["figures"], whole), "-", f"at most {peer['aim']:.1f}" if peer["aim"] else ""]
        if SUITES[report["suite"]].ratios and min(peer["figures"]) > 0:
            ratios = [ours / theirs for ours, theirs in zip(peer["ours"], peer["figures"])]
            row[2] = spread(ratios, ratio)
            if peer["aim"]:
                notes.append("met" if median(ratios) <= peer["aim"] else "NOT MET")
            if (max(peer["figures"]) - min(peer["figures"])) / median(peer["figures"]) > NOISY:
                notes.append("noisy")
        lines.append(row + [", ".join(notes)])
    return lines


HEAD = ["", "{unit}", "{subject} / this one", "aim", ""]


def head(report):
    return [cell.format(**report) for cell in HEAD]


def extra(report):
    """A sentence about what else a run showed, from its own results."""
    results = report.get("results") or []
    if not results:
        return ""
    if report["suite"] == "stalled":
        gap = max(r["longest_gap_seconds"] for r in results) * 1000
        taken = max(r["accepted"] for r in results) / 2**20
        return f"The stalled pair's writer got rid of at most {taken:.1f} MiB (kernel buffers included); the other pair never waited longer than {gap:.1f} ms."
    if report["suite"] == "ldncrowd":
        run = results[0]
        return (
            f"{whole(run['messages'] / run['seconds'])} deliveries a second, none lost, doubled or out of order; from player to "
            f"player {run['mean_latency_seconds'] * 1000:.2f} ms in the mean, {run['longest_latency_seconds'] * 1000:.0f} ms at most."
        )
    if report["suite"] == "ldnscan":
        mean = sum(r["mean_answer_seconds"] for r in results) / len(results) * 1000
        gap = max(r["longest_gap_seconds"] for r in results) * 1000
        return f"An answer of {results[0]['found']} networks took {mean:.2f} ms in the mean; those who played never waited longer than {gap:.1f} ms."
    if report["suite"] == "lobbylist":
        rate = 1_000_000 / median(report["figures"])
        page = results[0]["page"] / 2**20
        return f"{report['subject']} would answer {whole(rate)} requests a second on one core, each with {page:.1f} MiB."
    rates = [r["messages"] / r["seconds"] for r in results if r.get("messages") and r["seconds"] > 0]
    if rates:
        return f"{report['subject']} carried {whole(median(rates))} messages a second here, the generator being on the same machine."
    if report["suite"] == "tunnelbulk":
        speeds = [r["bytes"] / r["seconds"] / 2**20 for r in results]
        return f"{report['subject']} carried {whole(median(speeds))} MiB a second here, the generator being on the same machine."
    return ""


def print_report(report):
    print(f"\n{report['suite']}: {report['title']}")
    if "failure" in report:
        print(f"  FAILED: {report['failure']}")
    if not report["figures"]:
        return
    table = [head(report)] + rows(report)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if extra(report):
        print("  " + extra(report))
    sys.stdout.flush()


def version(command, pattern):
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, text)
    return found and found[1]


def machine():
    cpu_name = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "processor": cpu_name[1] if cpu_name else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "haproxy": version(["haproxy", "-v"], r"version (\S+)"),
        "nginx": version(["sh", "-c", "nginx -v 2>&1"], r"nginx/(\S+)"),
        "socat": version(["socat", "-V"], r"socat version (\S+)"),
        "cc": version(["cc", "-dumpfullversion"], r"(\S+)"),
    }


def command_line(arguments):
    """The command as somebody at the project's root would type it."""
    words = [bench.shown(word) if word.startswith("/") else word for word in arguments]
    return shlex.join(["python3", "Benchmarks/run.py", *words])


def markdown(reports, facts, command, rounds):
    lines = [
        f"Measured on {date.today().isoformat()} with",
        "",
        "```",
        command,
        "```",
        "",
        f"on {facts['cores']} cores ({facts['processor']}), Linux {facts['kernel']}, load average {facts['load']:.1f} at the start; "
        + "; ".join(f"{name} {facts[name] or 'missing'}" for name in ("haproxy", "nginx", "socat", "cc"))
        + f". {rounds} round{'s' * (rounds > 1)} (at most {min(s.most_rounds for s in SUITES.values())} for idle and stalled); median (lowest..highest).",
    ]
    for report in reports:
        lines += ["", f"**{report['suite']}**: {report['title']}.", ""]
        if "failure" in report:
            lines += [f"Failed: {report['failure']}", ""]
        if not report["figures"]:
            continue
        lines.append("| " + " | ".join(head(report)) + " |")
        lines.append("|---|---:|---:|---|---|")
        lines += ["| " + " | ".join(row) + " |" for row in rows(report)]
        if extra(report):
            lines += ["", extra(report)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="suite", help=", ".join(SUITES) + " (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--baton", type=Path, default=bench.ROOT / ".build/release/baton", help="the server (default: .build/release/baton)")
    parser.add_argument("--subject", default="baton", choices=["baton", *CONTESTANTS], help="measure this one instead of baton")
    parser.add_argument("--scale", type=float, default=1.0, help="make runs longer or shorter")
    parser.add_argument("--markdown", type=Path, help="put the tables between the markers of this file")
    parser.add_argument("--json", type=Path, help="write everything measured")
    options = parser.parse_args()
    for suite in options.suites:
        if suite not in SUITES:
            parser.error(f"no suite {suite}: {', '.join(SUITES)}")
    if not 1 <= options.rounds <= 50 or not 0.01 <= options.scale <= 100:
        parser.error("rounds are 1 to 50, the scale 0.01 to 100")

    bench.build()
    facts = machine()
    # The tunnel that only copies: the same server between ends that agree about compression.
    CONTESTANTS["baton-plain"] = bench.baton(options.baton, name="baton-plain", words=["--compression", "both"])
    subject = bench.baton(options.baton) if options.subject == "baton" else CONTESTANTS[options.subject]
    reports = []
    for suite in options.suites or SUITES:
        reports.append(run_suite(suite, subject, options.rounds, options.scale))
        print_report(reports[-1])

    command = command_line(sys.argv[1:])
    if options.json:
        options.json.write_text(
            json.dumps({"at": datetime.now(timezone.utc).isoformat(), "command": command, "machine": facts, "suites": reports}, indent=1) + "\n"
        )
    if options.markdown:
        markers.fill(options.markdown, "results", markdown(reports, facts, command, options.rounds))
    return 1 if any("failure" in report for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
