"""Instructions that five fixed pieces of work take, counted by callgrind: noise cannot move them.

    python bench/fixed_work.py

Counts what the installed engine executes, without the start of Python and without building
anything but a few lines of C that tell callgrind where each piece begins and ends. Needs valgrind
(Debian: valgrind) and a C compiler. The same binary and the same work give the same counts within
0.03 %, on a busy machine too; another compiler gives others. tests/python/test_instructions.py pins
them.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARKS = """
#include <valgrind/callgrind.h>
void work_begins(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void work_ends(const char* name) { CALLGRIND_STOP_INSTRUMENTATION; CALLGRIND_DUMP_STATS_AT(name); }
"""

CRASH = {
    "moments": [{"at_ms": (0.0, 75.0), "action": {"action": "crash", "node": "leader"}}],
    "from": 0,
    "until": "agreed",
    "horizon_ms": 60_000.0,
    "only_leaderless": True,
}


@dataclasses.dataclass(frozen=True)
class Counted:
    """A piece of work: how much was done, and in how many instructions."""

    name: str
    unit: str
    done: int  #: units: the same on every machine, or it was other work
    instructions: int


class Missing(Exception):
    """A tool that is not here; the message says which."""


# --- inside callgrind: only the extension module, not the package ---------------------------------


def heartbeats(core: Any, nodes: int) -> Callable[[], int]:
    """Events of a leader and its followers."""
    cluster = core.Cluster("raft", nodes, {}, {"seed": 1, "initial_leader": 1}, False)

    def run(events: int) -> int:
        cluster.run_engine(None, events, "never", None, False)
        return int(cluster.events)

    before = run(5000)
    return lambda: run(100_000) - before


def trials(core: Any, protocol: str, options: dict[str, Any], config: dict[str, Any]) -> int:
    """Events of trials in which the leader crashes."""
    table = core.run_trials(protocol, 5, options, config, CRASH, trials=2000, threads=1)
    return int(table["events"].sum())


def states(core: Any) -> int:
    """States of Raft with three nodes up to nine steps from the start, in any order of events."""
    request = {"network": "multiset", "bounds": {"epoch": 1, "copies": 1, "depth": 9}}
    return int(core.CheckReport("raft", 3, {}, request, [], [], None).result()["states"])


def inside(module: str, marks: str) -> None:
    """Does the work; callgrind counts between the marks."""
    import numpy  # noqa: F401  (run_trials needs it: loaded before counting)

    spec = importlib.util.spec_from_file_location("electionlab._core", module)
    assert spec is not None
    assert spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    mark = ctypes.CDLL(marks)
    warm = {"seed": 1, "initial_leader": 1}
    figure16 = {"heartbeat_interval_ms": 75.0, "logs": [(1, 2), (1, 2), (1, 2), (1, 1), (1, 1)]}
    constant = warm | {"network": {"one_way_delay_ms": 5.0}}
    work: list[tuple[str, str, Callable[[], int]]] = [
        ("heartbeats of Raft, 5 nodes", "event", heartbeats(core, 5)),
        ("heartbeats of Raft, 100 nodes", "event", heartbeats(core, 100)),
        (
            "leader crashes, Raft, 5 nodes",
            "event",
            lambda: trials(core, "raft", figure16, constant),
        ),
        ("leader crashes, Bully, 5 nodes", "event", lambda: trials(core, "bully", {}, warm)),
        ("checker, Raft, 3 nodes, 9 steps", "state", lambda: states(core)),
    ]
    for number, (name, unit, run) in enumerate(work):
        mark.work_begins()
        done = run()
        mark.work_ends(str(number).encode())
        print(json.dumps([name, unit, done]), flush=True)


# --- outside --------------------------------------------------------------------------------------


def compiled_by(module: Path) -> str:
    """The compiler that a module names in itself: "gcc 12", or "unknown"."""
    found = re.search(rb"GCC: \([^)]*\) (\d+)\.", module.read_bytes())
    return f"gcc {found[1].decode()}" if found else "unknown"


def count() -> list[Counted]:
    """All five counts.

    Raises:
        Missing: valgrind, its header or a C compiler is not here.
    """
    from electionlab import _core

    valgrind, cc = shutil.which("valgrind"), shutil.which("cc") or shutil.which("gcc")
    if valgrind is None:
        raise Missing("valgrind is not installed (Debian: apt-get install valgrind)")
    if cc is None:
        raise Missing("a C compiler is not on the PATH")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        marks = folder / "marks.so"
        built = subprocess.run(
            [cc, "-shared", "-fPIC", "-O2", "-x", "c", "-", "-o", marks],
            input=MARKS, text=True, capture_output=True,
        )  # fmt: skip
        if built.returncode:
            raise Missing(f"valgrind/callgrind.h cannot be used: {built.stderr.strip()[:200]}")
        packages = os.pathsep.join(p for p in sys.path if p.endswith("-packages"))
        quiet = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": packages}
        result = subprocess.run(
            [valgrind, "--tool=callgrind", "--instr-atstart=no", "--quiet",
             f"--callgrind-out-file={folder / 'out'}",
             sys.executable, "-S", __file__, "--inside", str(_core.__file__), str(marks)],
            capture_output=True, text=True, env={**os.environ, **quiet},
        )  # fmt: skip
        if result.returncode:
            raise RuntimeError(f"valgrind failed: {result.stderr.strip()[-1000:]}")
        totals: dict[int, int] = {}
        for file in folder.glob("out.*"):
            text = file.read_text()
            trigger = re.search(r"^desc: Trigger: Client Request: (\d+)$", text, re.M)
            total = re.search(r"^totals: (\d+)", text, re.M)
            if trigger and total:
                totals[int(trigger[1])] = int(total[1])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [Counted(x[0], x[1], x[2], totals[number]) for number, x in enumerate(lines)]


def main() -> None:
    """Prints them."""
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:4])
        return
    from electionlab import _core

    print(f"the engine was compiled by {compiled_by(Path(str(_core.__file__)))}")
    for c in count():
        print(f"{c.name:<32} {c.instructions:>12,} instructions, {c.done:>8,} {c.unit}s: "
              f"{c.instructions / c.done:8.1f} each")  # fmt: skip


if __name__ == "__main__":
    main()
