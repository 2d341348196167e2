"""How cost grows: with nodes for every protocol, with the number of trials, with threads.

    python bench/growth.py [--most-nodes 10000] [--most-trials 10000000] [--seconds 0.2]
                           [--table docs/pictures/growth.csv] [--plot docs/pictures/growth.png]

Nodes: a cluster from a cold start is run for about --seconds of CPU time; when nothing is left to
happen (most ring elections end) the next seed begins. Events a second do not count building; bytes
a node are what the process grows by, building and running, so that messages under way count too.
Every size of every protocol runs in a process of its own, which may take 30 s and 6 GiB: what does
not fit stands in the table as left out, with the reason, and larger sizes are not tried.

Trials: a leader crash among five nodes of Raft, by the clock, with one thread and with two by
turns, in blocks of a quarter of a million at most; up to 10,000 trials the median of nine. Nothing
is extrapolated: --most-trials 100000000 runs as many, for a quarter of an hour or more.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import ROOT, header, surroundings

from electionlab import _core
from electionlab._experiments import leader_crash
from electionlab.cluster import make_config
from electionlab.protocols import make_protocol

NODES = (3, 5, 10, 30, 100, 300, 1000, 3000, 10_000)
COLUMNS = (
    "what", "size", "threads", "per_second", "bytes_per_node", "done", "seconds", "left_out",
)  # fmt: skip
PATIENCE = 30.0
MEMORY = 6 << 30
BLOCK = 250_000
#: Bytes a node are told from so many nodes on: a smaller cluster fits into what is there already.
LARGE = 300

#: Who is drawn in one panel, in this order; the docs group them alike.
FAMILIES = {
    "majorities": ("raft", "viewstamped", "multi_paxos", "zab", "paxos"),
    "numbers": ("bully", "garcia_molina", "invitation", "ring"),
    "leases and services": ("lease", "etcd", "kubernetes", "zk_recipe", "zk_lock"),
    "detectors": ("heartbeat", "swim", "omega"),
    "rings and graphs": (
        "le_lann", "chang_roberts", "franklin", "peterson", "hirschberg_sinclair", "itai_rodeh",
        "flood_max",
    ),
}  # fmt: skip

Row = dict[str, Any]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def one_size(name: str, nodes: int, wanted: float) -> None:
    """In a process of its own: a row as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    protocol = make_protocol(name, nodes)
    before, took, done, grown, seed = resident(), 0.0, 0, 0, 0
    while took < wanted and seed < 1000:
        seed += 1
        cluster = _core.Cluster(name, nodes, protocol.options, make_config(seed=seed), False)
        events = -1
        while took < wanted and cluster.events > events:
            events = cluster.events
            start = time.process_time()
            cluster.run_engine(None, 5000, "never", None, False)
            took += time.process_time() - start
        done += cluster.events
        grown = max(grown, resident() - before)
        del cluster
    print(json.dumps(row(name, nodes, 1, done, took, round(grown / nodes))))


def row(
    what: str, size: int, threads: int, done: int, took: float, bytes_per_node: int | str = ""
) -> Row:
    """What was measured."""
    return {
        "what": what, "size": size, "threads": threads,
        "per_second": round(done / took) if took > 0 else "",
        "bytes_per_node": bytes_per_node if size >= LARGE else "",
        "done": done, "seconds": round(took, 4), "left_out": "",
    }  # fmt: skip


def in_own_process(name: str, nodes: int, wanted: float) -> Row:
    """A size, measured or left out."""
    command = [sys.executable, __file__, "--inside", json.dumps([name, nodes, wanted])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        why = f"more than {PATIENCE:.0f} s"
    else:
        if done.returncode == 0:
            found: Row = json.loads(done.stdout)
            return found
        why = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        why = f"more than {MEMORY >> 30} GiB" if "bad_alloc" in why or "Memory" in why else why
    return dict.fromkeys(COLUMNS, "") | {
        "what": name, "size": nodes, "threads": 1, "left_out": why[:80],
    }  # fmt: skip


def by_nodes(most: int, wanted: float) -> list[Row]:
    """Every protocol of the catalogue, at all sizes that it takes."""
    rows: list[Row] = []
    for about in _core.catalog():
        sizes = sorted({min(n, about["max_nodes"]) for n in NODES if n <= most})
        line = f"{about['name']:<20}"
        for nodes in sizes:
            rows.append(in_own_process(about["name"], nodes, wanted))
            if rows[-1]["left_out"]:
                line += f" {nodes}: left out, {rows[-1]['left_out']}"
                break
            line += f" {nodes}:{rows[-1]['per_second'] / 1e6:.2f}"
        print(line, flush=True)
    return rows


def by_trials(most: int) -> list[Row]:
    """Leader crashes, more and more of them, with one thread and with two by turns."""
    raft = make_protocol("raft", 5)
    config = make_config(initial_leader=1, seed=1)
    experiment = leader_crash((0.0, 50.0), horizon_ms=60_000.0)

    def seconds(trials: int, threads: int) -> float:
        start = time.perf_counter()
        for first in range(0, trials, BLOCK):
            _core.run_trials(
                "raft", 5, raft.options, config, experiment,
                first=first, trials=min(BLOCK, trials - first), threads=threads,
            )  # fmt: skip
        return time.perf_counter() - start

    seconds(1000, 2)
    rows: list[Row] = []
    trials = 1000
    while trials <= most:
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(9 if trials <= 10_000 else 3 if trials <= 1_000_000 else 1):
            for threads, taken in times.items():
                taken.append(seconds(trials, threads))
        for threads, taken in times.items():
            rows.append(row("trials", trials, threads, trials, statistics.median(taken)))
            rows[-1]["bytes_per_node"] = ""
            rate = rows[-1]["per_second"] / 1e3
            print(f"{trials:>11,} trials, {threads} threads: {rate:,.0f} k/s", flush=True)
        trials *= 10
    return rows


# --- the picture ----------------------------------------------------------------------------------

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def plot(rows: list[Row], file: Path) -> None:
    """Events a second and bytes a node by family; trials a second, and what two threads bring."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, len(FAMILIES) + 1, figsize=(19, 8.6), layout="constrained")
    for column, (family, names) in enumerate(FAMILIES.items()):
        speed, memory = panels[:, column]
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            mine = [r for r in rows if r["what"] == name and not r["left_out"]]
            style = {"color": colour, "marker": marker, "ms": 4.5, "lw": 1.3, "label": name}
            speed.plot([r["size"] for r in mine], [r["per_second"] for r in mine], **style)
            large = [r for r in mine if r["bytes_per_node"] not in ("", 0)]
            memory.plot([r["size"] for r in large], [r["bytes_per_node"] for r in large], **style)
        speed.set_title(family)
        for axes in (speed, memory):
            axes.set(xscale="log", yscale="log", xlabel="nodes", xlim=(2, 20_000))
        memory.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    for line, value in enumerate(("per_second", "bytes_per_node")):  # one scale in a line
        found = [float(r[value]) for r in rows if r["what"] != "trials" and r[value] not in ("", 0)]
        for axes in panels[line, :-1]:
            axes.set_ylim(min(found) / 1.5, max(found) * 1.5)
    panels[0, 0].set_ylabel("events a second, one thread")
    panels[1, 0].set_ylabel("bytes a node, messages under way included")
    trials, gain = panels[:, -1]
    count = {
        threads: {r["size"]: r["per_second"] for r in rows
                  if r["what"] == "trials" and r["threads"] == threads}
        for threads in (1, 2)
    }  # fmt: skip
    for threads, colour, marker in ((1, COLOURS[0], "o"), (2, COLOURS[1], "s")):
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        trials.plot(*zip(*count[threads].items(), strict=True), color=colour, marker=marker,
                    ms=4.5, lw=1.3, label=label)  # fmt: skip
    trials.set(xscale="log", yscale="log", xlabel="trials", ylabel="trials a second")
    trials.set_ylim(1e4, 1e7)
    trials.set_title("leader crashes, Raft, 5 nodes")
    trials.legend(fontsize=8, loc="lower right")
    gain.plot([*count[2]], [count[2][n] / count[1][n] for n in count[2]], color=COLOURS[2],
              marker="^", ms=4.5, lw=1.3)  # fmt: skip
    gain.axhline(2, color="0.5", linestyle=":", linewidth=1)
    gain.set(xscale="log", xlabel="trials", ylabel="two threads / one", ylim=(0, 2.5))
    for axes in panels.flat:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=80)


def measure(
    most_nodes: int = 10_000, most_trials: int = 10_000_000, wanted: float = 0.2
) -> list[Row]:
    """Everything, one after the other."""
    header("millions of events a second by number of nodes, cold start, one thread")
    rows = by_nodes(most_nodes, wanted)
    header("trials")
    return rows + by_trials(most_trials)


def read(file: Path) -> list[Row]:
    """A table that was written before."""
    words = ("what", "left_out")
    with file.open(encoding="utf-8", newline="") as text:
        return [
            {k: v if k in words or v == "" else float(v) for k, v in row.items()}
            for row in csv.DictReader(text)
        ]


def main() -> None:
    """Everything, in one go."""
    if sys.argv[1:2] == ["--inside"]:
        one_size(*json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most-nodes", type=int, default=10_000)
    parser.add_argument("--most-trials", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each number of nodes")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "pictures" / "growth.csv")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "pictures" / "growth.png")
    parser.add_argument("--only-plot", action="store_true", help="of the table as it is")
    given = parser.parse_args()
    if given.most_nodes < 3 or given.most_trials < 1000 or not given.seconds > 0:
        parser.error("--most-nodes must be 3 or more, --most-trials 1000, --seconds above 0")
    if not given.only_plot:
        surroundings()
        rows = measure(given.most_nodes, given.most_trials, given.seconds)
        with given.table.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    plot(read(given.table), given.plot)


if __name__ == "__main__":
    main()
