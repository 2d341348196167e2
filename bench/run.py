"""The benchmark: the engine against a bare event loop, a ring of a million, trials, calls.

    python bench/run.py [--rounds 9]

Builds bench/*.cpp into build/bench with CMake (which must be on the PATH, with a
compiler) and needs electionlab installed. Everything that is compared runs interleaved in one
process; figures are medians with their range, because machines swing. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import electionlab as el
from electionlab import fig16

ROOT = Path(__file__).resolve().parents[1]


def build(name: str) -> Path:
    """Builds a program of the C++ half; returns its path."""
    folder = ROOT / "build" / "bench"
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", folder, "-DELECTIONLAB_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        ["cmake", "--build", folder, "-j2", "--target", name],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = next(p for p in folder.rglob(name) if p.is_file())
    return Path(found)


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(what: str, values: list[float], unit: str) -> None:
    """A line with the median and the range."""
    low, mid, high = min(values), statistics.median(values), max(values)
    print(f"{what:<58} {mid:>10,.2f} {unit}  ({low:,.2f} to {high:,.2f})")


def python_calls(rounds: int) -> None:
    """What a call from Python costs, microseconds."""
    steps = 20_000
    protocol = el.Raft(nodes=5)
    recorded = el.Cluster(protocol, seed=1, initial_leader=1)
    bare = el.Cluster(protocol, seed=1, initial_leader=1, record=False)
    bulk = el.Cluster(protocol, seed=1, initial_leader=1, record=False)
    traced = el.Cluster(protocol, seed=1, initial_leader=1)
    fresh = el.Cluster(protocol, seed=1)

    def repeat(call: Callable[[], object], times: int) -> None:
        for _ in range(times):
            call()

    table: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work, count in [
            ("an empty call: cluster.events", lambda: repeat(lambda: bare.events, steps), steps),
            ("step(), not recording", lambda: repeat(bare.step, steps), steps),
            ("step(), recording", lambda: repeat(recorded.step, steps), steps),
            ("fork() of a fresh cluster", lambda: repeat(fresh.fork, 2000), 2000),
        ]:
            table.setdefault(name, []).append(seconds(work) / count * 1e6)
        table.setdefault("run(), an event, not recording", []).append(
            seconds(lambda: bulk.run(max_events=1_000_000)) / 1_000_000 * 1e6
        )
        table.setdefault("run(), an event, recording", []).append(
            seconds(lambda: traced.run(max_events=100_000)) / 100_000 * 1e6
        )
    for name, values in table.items():
        show(name, values, "us")


def trials_a_second(rounds: int) -> None:
    """Trials of Figure 16, thousands a second, with one thread and with two."""
    print("\nFigure 16, curve 150-300, five servers, through electionlab.fig16:")
    rates: dict[int, list[float]] = {1: [], 2: []}
    trials = 40_000
    for _ in range(rounds):
        for threads, values in rates.items():

            def work(threads: int = threads) -> object:
                return fig16.run(trials=trials, curves=["150-300"], threads=threads, seed=1)

            values.append(trials / seconds(work) / 1e3)
    for threads, values in rates.items():
        show(f"trials, {threads} thread{'s' if threads > 1 else ''}", values, "k/s")


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured: 9")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds {rounds}: must be 1 or more")
    subprocess.run([build("engine_loop"), str(rounds)], check=True)
    print("\nChang and Roberts' election, a million nodes in random order:", flush=True)
    subprocess.run([build("ring_election")], check=True)
    trials_a_second(rounds)
    print("\nCalls from Python, Raft with five nodes in steady state:")
    python_calls(rounds)


if __name__ == "__main__":
    main()
