"""How cost grows: with nodes for every protocol, with the number of trials, with threads.

    python bench/growth.py [--most-nodes 10000] [--most-trials 10000000] [--seconds 0.2]
                           [--table docs/pictures/growth.csv] [--plot docs/pictures/growth.png]

Nodes: a cluster from a cold start is run for about --seconds; when nothing is left to happen (most
ring elections end) the next seed begins. Events a second do not count building; bytes a node are
the growth of the process, building and running, so that messages under way count too. Every
protocol runs in a process of its own, which may take 30 s and 6 GiB: what it did not reach by then
is said, and left out. Trials: a leader crash among five nodes, with one thread and with two, in
blocks of a million at most; --most-trials 100000000 takes minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
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
COLUMNS = ("what", "size", "threads", "per_second", "bytes_per_node", "done", "seconds")
PATIENCE = 30.0
MEMORY = 6 << 30
BLOCK = 1_000_000

Row = dict[str, Any]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def one_protocol(name: str, sizes: list[int], wanted: float) -> None:
    """In a process of its own: a line of JSON for each size."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for nodes in sizes:
        protocol = make_protocol(name, nodes)
        before, took, done, grown, seed = resident(), 0.0, 0, 0, 0
        while took < wanted and seed < 1000:
            seed += 1
            config = make_config(seed=seed)
            cluster = _core.Cluster(name, nodes, protocol.options, config, False)
            events = -1
            while took < wanted and cluster.events > events:
                events = cluster.events
                start = time.perf_counter()
                cluster.run_engine(None, 5000, "never", None, False)
                took += time.perf_counter() - start
            done += cluster.events
            grown = max(grown, resident() - before)
            del cluster
        row = {"what": name, "size": nodes, "threads": 1, "per_second": round(done / took),
               "bytes_per_node": round(grown / nodes) if nodes >= 100 else "",
               "done": done, "seconds": round(took, 3)}  # fmt: skip
        print(json.dumps(row), flush=True)


def by_nodes(most: int, wanted: float) -> list[Row]:
    """Every protocol of the catalogue, at all sizes that it takes."""
    rows: list[Row] = []
    for about in _core.catalog():
        sizes = [n for n in NODES if n <= min(most, about["max_nodes"])]
        command = [sys.executable, __file__, "--inside", json.dumps([about["name"], sizes, wanted])]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            text, why = done.stdout, done.stderr.strip().splitlines()[-1:] or [""]
        except subprocess.TimeoutExpired as late:
            text = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
            why = [f"more than {PATIENCE:.0f} s"]
        found = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        rows += found
        line = " ".join(f"{r['size']}:{r['per_second'] / 1e6:.2f}" for r in found)
        left = f"; not {sizes[len(found)]}: {why[0]}" if len(found) < len(sizes) else ""
        print(f"{about['name']:<22} {line}{left}", flush=True)
    return rows


def by_trials(most: int) -> list[Row]:
    """Leader crashes, more and more of them, with one thread and with two by turns."""
    raft = make_protocol("raft", 5)
    config = make_config(initial_leader=1, seed=1)
    experiment = leader_crash((0.0, 50.0), horizon_ms=60_000.0)
    rows: list[Row] = []
    trials = 1000
    while trials <= most:
        for threads in (1, 2):
            start = time.perf_counter()
            for first in range(0, trials, BLOCK):
                _core.run_trials(
                    "raft", 5, raft.options, config, experiment,
                    first=first, trials=min(BLOCK, trials - first), threads=threads,
                )  # fmt: skip
            took = time.perf_counter() - start
            rows.append({"what": "trials", "size": trials, "threads": threads,
                         "per_second": round(trials / took), "bytes_per_node": "",
                         "done": trials, "seconds": round(took, 3)})  # fmt: skip
            print(f"{trials:>11,} trials, {threads} threads: {trials / took / 1e3:,.0f} k/s")
        trials *= 10
    return rows


def plot(rows: list[Row], file: Path) -> None:
    """Three panels: events a second, bytes a node, trials a second."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(r["what"] for r in rows if r["what"] != "trials"))
    figure, (speed, memory, trials) = plt.subplots(1, 3, figsize=(15, 5.5), layout="constrained")
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for i, name in enumerate(names):
        mine = [r for r in rows if r["what"] == name]
        style = {"color": colours[i % 20], "marker": "osv^D"[i // 20 * 2 + i % 2], "ms": 4,
                 "lw": 2.5 if name == "raft" else 1.1}  # fmt: skip
        speed.plot([r["size"] for r in mine], [r["per_second"] for r in mine], label=name, **style)
        large = [r for r in mine if r["bytes_per_node"] not in ("", 0)]
        memory.plot([r["size"] for r in large], [r["bytes_per_node"] for r in large], **style)
    for threads, marker in ((1, "o"), (2, "s")):
        mine = [r for r in rows if r["what"] == "trials" and r["threads"] == threads]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        trials.plot([r["size"] for r in mine], [r["per_second"] for r in mine],
                    marker=marker, color="C3" if threads == 2 else "C0", label=label)  # fmt: skip
    for axes, x, y in (
        (speed, "nodes", "events a second, one thread"),
        (memory, "nodes", "bytes a node, messages under way included"),
        (trials, "trials", "leader-crash trials a second, Raft, 5 nodes"),
    ):
        axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
        axes.grid(alpha=0.3)
    trials.set_ylim(bottom=1e3)
    trials.legend()
    figure.legend(*speed.get_legend_handles_labels(), loc="outside lower center", ncols=9,
                  fontsize="small")  # fmt: skip
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
    with file.open(encoding="utf-8", newline="") as text:
        return [
            {k: v if k == "what" or v == "" else float(v) for k, v in row.items()}
            for row in csv.DictReader(text)
        ]


def main() -> None:
    """Everything, in one go."""
    if sys.argv[1:2] == ["--inside"]:
        one_protocol(*json.loads(sys.argv[2]))
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
