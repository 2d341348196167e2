"""What it costs to use the engine from Python, beside the least that such a call can cost.

    python bench/calls.py [--rounds 9]

Raft with five nodes in steady state. `step()` returns an event; beside it stands a minimal pybind11
call that returns a small registered struct (bench/call/minimal_call.cpp), by turns in one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import BUILD, Missing, compile_alone, header, ratios, seconds, show, surroundings

import electionlab as el

STEPS = 20_000


def minimal_call() -> Any:
    """The module with the minimal call, built for this Python."""
    if importlib.util.find_spec("pybind11") is None:
        raise Missing("pybind11 is not installed (pip install pybind11)")
    flags = subprocess.run(
        [sys.executable, "-m", "pybind11", "--includes"], check=True, capture_output=True, text=True
    ).stdout.split()
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    made: Path = compile_alone(
        "call/minimal_call.cpp", "-shared", "-fPIC", "-fvisibility=hidden", *flags,
        name=f"minimal_call{suffix}",
    )  # fmt: skip
    spec = importlib.util.spec_from_file_location("minimal_call", made)
    if spec is None or spec.loader is None:
        raise Missing(f"{made} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def repeat(call: Callable[[], object], times: int) -> None:
    """Calls it so often."""
    for _ in range(times):
        call()


def measure(rounds: int) -> None:
    """All figures, by turns."""
    header("calls from Python, Raft with five nodes in steady state")
    protocol = el.Raft(nodes=5)

    def warm(record: bool) -> el.Cluster:
        return el.Cluster(protocol, seed=1, initial_leader=1, record=record)

    stepped, recorded, bulk, traced = warm(False), warm(True), warm(False), warm(True)
    forked, forked_recorded = warm(False), el.Cluster(protocol, seed=1)
    forked.run(max_events=1000)
    table: dict[str, list[float]] = {}

    def put(name: str, work: Callable[[], object], count: int) -> None:
        table.setdefault(name, []).append(seconds(work) / count * 1e6)

    try:
        loop = minimal_call().Loop()
    except Missing as reason:
        loop = None
        print(f"MISSING the minimal call: {reason}")
    for _ in range(rounds):
        if loop is not None:
            put("a minimal call: struct", lambda: repeat(loop.step, STEPS), STEPS)
        put("step(), not recording", lambda: repeat(stepped.step, STEPS), STEPS)
        put("step(), recording", lambda: repeat(recorded.step, STEPS), STEPS)
        if loop is not None:
            put("a minimal call: number", lambda: repeat(lambda: loop.number, STEPS), STEPS)
        put("cluster.events", lambda: repeat(lambda: stepped.events, STEPS), STEPS)
        put("fork(), not recording", lambda: repeat(forked.fork, 2000), 2000)
        put("fork(), recording, a fresh one", lambda: repeat(forked_recorded.fork, 2000), 2000)
        put("run(), an event, not recording", lambda: bulk.run(max_events=500_000), 500_000)
        put("run(), an event, recording", lambda: traced.run(max_events=50_000), 50_000)
        put(
            "run(max_events=0), the call",
            lambda: repeat(lambda: bulk.run(max_events=0), 2000),
            2000,
        )
    goals = {"fork(), not recording": "below 2"}
    for name, values in table.items():
        show(name, values, "us", goals.get(name, ""), digits=3)
    if loop is not None:
        least = table["a minimal call: struct"]
        show("step() / minimal call", ratios(table["step(), not recording"], least), goal="1.5")
        show("step(), recording / minimal call", ratios(table["step(), recording"], least))
    pair = table["run(), an event, recording"], table["run(), an event, not recording"]
    show("a traced run / an untraced one", ratios(*pair), goal="at most 1.5")


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured: 9")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error(f"--rounds {rounds}: must be 1 or more")
    BUILD.mkdir(parents=True, exist_ok=True)
    surroundings()
    measure(rounds)


if __name__ == "__main__":
    main()
