"""What it costs to use the engine from Python, beside the least that such a call can cost.

    python bench/calls.py [--rounds 40] [--library FILE] [--instructions]

Raft with five nodes in steady state. `step()` returns an event; beside it stands a minimal pybind11
call that returns a small registered struct (bench/call/minimal_call.cpp). A bulk run stands beside
the same loop driven in C++ (bench/call_loop.cpp), a recorded run beside one that is not. All take
turns in one run, many times; what is told is CPU time: its least, its lower quartile, its median.
The goals are held against the lower quartiles, which a busy machine moves least. With
--instructions a bulk run is also counted by callgrind, inside Python and in C++.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib.util
import itertools
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fixed_work
from measure import BUILD, Missing, compile_alone, compile_engine, header, surroundings, tool

import electionlab as el

STEPS = 5000
FORKS = 1000
EVENTS = 100_000

Work = Callable[[], object]


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


class InCpp:
    """The loop in C++, a process that waits for its turns."""

    def __init__(self, library: Path | None) -> None:
        self.program = compile_engine("call_loop", library)
        self.process = subprocess.Popen(
            [self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.seconds(5000)

    def seconds(self, events: int) -> float:
        """CPU time of so many events."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(events, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline()) / 1e9

    def instructions(self) -> float:
        """Instructions an event, counted by callgrind."""
        valgrind = tool("valgrind", "Debian: apt-get install valgrind")

        def count(given: str) -> int:
            result = subprocess.run(
                [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", self.program],
                input=given, check=True, capture_output=True, text=True,
            )  # fmt: skip
            return int(result.stderr.rpartition("Collected :")[2].split()[0])

        return (count(f"5000\n{EVENTS}\n") - count("5000\n")) / EVENTS

    def close(self) -> None:
        """Ends it."""
        self.process.communicate()


def cpu_seconds(work: Work) -> float:
    """How much CPU time a piece of work takes in this thread."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def repeat(call: Work, times: int) -> Work:
    """That so many calls are made."""

    def made() -> None:
        for _ in itertools.repeat(None, times):
            call()

    return made


def quartile(values: list[float]) -> float:
    """The lower one."""
    return sorted(values)[(len(values) - 1) // 4]


class Table:
    """Microseconds by name, one for each round."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def put(self, name: str, seconds: float, count: int) -> None:
        """One measurement of so many calls or events."""
        self.values.setdefault(name, []).append(seconds / count * 1e6)

    def show(self) -> None:
        """All of them."""
        print(f"{'us, CPU time':<42} {'least':>9} {'quartile':>9} {'median':>9}")
        for name, values in self.values.items():
            ordered = sorted(values)
            three = (ordered[0], quartile(values), ordered[len(ordered) // 2])
            print(f"{name:<42} " + " ".join(f"{value:9.4f}" for value in three), flush=True)

    def goal(self, what: str, value: float, goal: str) -> None:
        """A figure that has a goal."""
        print(f"{what:<56} {value:7.2f}   goal: {goal}", flush=True)

    def ratio(self, ours: str, theirs: str, goal: str) -> None:
        """Of two quartiles, if both were measured."""
        if theirs in self.values:
            value = quartile(self.values[ours]) / quartile(self.values[theirs])
            self.goal(f"{ours} / {theirs}", value, goal)


Warm = Callable[[bool], el.Cluster]


def one_round(table: Table, warm: Warm, loop: Any, cpp: InCpp | None) -> None:
    """Everything once."""
    plain, recorded = warm(False), warm(True)
    calls: list[tuple[str, Work, int]] = [
        ("step(), not recorded", plain.step, STEPS),
        ("step(), recorded", recorded.step, STEPS),
        ("cluster.events", lambda: plain.events, STEPS),
        ("fork(), not recorded", plain.fork, FORKS),
        ("fork(), recorded", recorded.fork, FORKS),
        ("run(max_events=0)", lambda: plain.run(max_events=0), FORKS),
    ]
    if loop is not None:
        calls.insert(0, ("a minimal call, struct", loop.step, STEPS))
        calls.insert(3, ("a minimal call, number", lambda: loop.number, STEPS))
    for name, call, times in calls:
        table.put(name, cpu_seconds(repeat(call, times)), times)
    for name, cluster in (("not recorded", warm(False)), ("recorded", warm(True))):
        work = functools.partial(cluster.run, max_events=EVENTS)
        table.put(f"run(), an event, {name}", cpu_seconds(work), EVENTS)
        if cpp is not None and name == "not recorded":
            table.put("the loop in C++, an event", cpp.seconds(EVENTS), EVENTS)
    looked_at = warm(True)
    looked_at.run(max_events=EVENTS)
    table.put("the trace at the first look, an event", cpu_seconds(lambda: looked_at.trace), EVENTS)


def measure(rounds: int, library: Path | None = None, instructions: bool = False) -> None:
    """All figures, by turns."""
    header("calls from Python, Raft with five nodes in steady state")
    protocol = el.Raft(nodes=5)

    def warm(record: bool) -> el.Cluster:
        cluster = el.Cluster(protocol, seed=1, initial_leader=1, record=record)
        cluster.run(max_events=5000)
        return cluster

    loop, cpp = None, None
    try:
        loop = minimal_call().Loop()
    except Missing as reason:
        print(f"MISSING the minimal call: {reason}")
    try:
        cpp = InCpp(library)
    except Missing as reason:
        print(f"MISSING the loop in C++: {reason}")
    table = Table()
    gc.disable()
    for _ in range(rounds):
        one_round(table, warm, loop, cpp)
        gc.collect()
    gc.enable()
    table.show()
    table.ratio("step(), not recorded", "a minimal call, struct", "at most 1.5")
    table.ratio("step(), recorded", "a minimal call, struct", "at most 1.5")
    table.ratio("run(), an event, recorded", "run(), an event, not recorded", "at most 1.5")
    for name in ("fork(), not recorded", "fork(), recorded"):
        table.goal(f"{name}, us", quartile(table.values[name]), "below 2")
    if cpp is not None:
        both = ("run(), an event, not recorded", "the loop in C++, an event")
        ours, theirs = (quartile(table.values[name]) for name in both)
        more = (ours - theirs) * 1e3
        table.goal("run(), not recorded, more than the loop in C++, ns", more, "below 5")
    if cpp is not None and instructions:
        try:
            in_python = fixed_work.count()[0]
            each = in_python.instructions / in_python.done
            alone = cpp.instructions()
            print(f"instructions an event: run() {each:.1f}, the loop in C++ {alone:.1f}")
        except (Missing, fixed_work.Missing) as reason:
            print(f"MISSING the count of instructions: {reason}")
    if cpp is not None:
        cpp.close()


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40, help="how often each is measured: 40")
    parser.add_argument("--library", type=Path, help="libelectionlab.a, already built")
    parser.add_argument("--instructions", action="store_true", help="count them as well")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be 1 or more")
    BUILD.mkdir(parents=True, exist_ok=True)
    surroundings()
    measure(given.rounds, given.library, given.instructions)


if __name__ == "__main__":
    main()
