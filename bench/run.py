"""All measurements of speed, in one run: the engine, its trials, calls from Python, growth.

    python bench/run.py [--rounds 5] [--only loop trials calls ring growth] [--library FILE]
                        [--raftscope CHECKOUT]

loop    the engine's loop beside bare event loops: 5, 100 and 1,000 nodes
trials  trials of Figure 16 beside a program written by hand, etcd's raft, Rust, Python, SimPy and
        raftscope's model (bench/sweeps.py)
calls   calls from Python beside a minimal pybind11 call (bench/calls.py)
ring    a whole election on a ring of a million
growth  how cost grows with nodes, trials and threads (bench/growth.py); not run unless asked for

electionlab must be installed. C++ programs are built with CMake into build/bench, or, with
--library, compiled against a libelectionlab.a that is already built from the same sources. What is
compared runs by turns; figures are medians with their range, because machines swing, so that only
ratios within one run count. Nothing here is a test, but other orders of events or another
distribution of times end it with an error. The checker's measurements are in bench/peers/run.py.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import calls
import growth
import sweeps
from measure import Missing, compile_engine, header, surroundings

PARTS = ("loop", "trials", "calls", "ring", "growth")


def run_engine(name: str, library: Path | None, *arguments: str) -> None:
    """Builds and runs a program of the C++ half."""
    try:
        program = compile_engine(name, library)
    except Missing as reason:
        print(f"MISSING {name}: {reason}")
    else:
        subprocess.run([program, *arguments], check=True)


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured: 5")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS[:-1], help="parts")
    parser.add_argument("--library", type=Path, help="libelectionlab.a, already built")
    parser.add_argument("--raftscope", type=Path, help="a copy of its repository")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: must be 1 or more")
    surroundings()
    if "loop" in given.only:
        header("the engine's loop")
        run_engine("engine_loop", given.library, str(given.rounds), "100")
    if "trials" in given.only and not sweeps.compare(given.rounds, 1.0, given.raftscope):
        raise SystemExit("not the same distribution")
    if "calls" in given.only:
        calls.measure(max(given.rounds, 20), given.library)
    if "ring" in given.only:
        header("Chang and Roberts' election, a million nodes in random order")
        run_engine("ring_election", given.library)
    if "growth" in given.only:
        growth.measure()


if __name__ == "__main__":
    main()
