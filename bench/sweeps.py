"""Trials of Figure 16 beside everything else that holds elections, by turns in one run.

    python bench/sweeps.py [--rounds 5] [--seconds 1] [--raftscope CHECKOUT]

The curve 150-300: five servers, the leader crashes, two of the survivors have shorter logs, a trial
ends when all survivors name a new leader. A message takes 5 ms and nothing else takes time, except
where a line says so. Every round runs everything once, one after the other; ratios are taken round
by round, because machines swing. What cannot be run here is listed with its reason.

Programs that hold the same experiment must give the same distribution: the Kolmogorov-Smirnov
distance of their times to the engine's must stay below what two samples of one distribution pass
once in a thousand times, or this ends with an error.

raftscope is in no package registry: give the path of a copy of its repository.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measure import (
    BUILD,
    ROOT,
    Missing,
    compile_alone,
    figure,
    header,
    is_newer,
    ratios,
    show,
    surroundings,
    tool,
)

from electionlab import _core, fig16

CURVE = "150-300"
DELAY_MS = 5.0
WRITE_MS = 5.0
PEERS = ROOT / "bench" / "peers"

Times = npt.NDArray[np.float64]
Command = list[str]


def model(write_ms: float) -> fig16.Model:
    """Constant latencies."""
    return fig16.Model(
        name="constant", one_way_delay_ms=DELAY_MS, write_delay_ms=write_ms, processing_ms=0.0
    )


CONSTANT, WRITES = model(0.0), model(WRITE_MS)


def engine(latencies: fig16.Model, trials: int, seed: int = 1, threads: int = 1) -> Times:
    """Times without a leader, by the engine."""
    arguments = fig16.experiment(CURVE, latencies, seed=seed)
    table = _core.run_trials(**arguments, trials=trials, threads=threads)
    return np.asarray(table["agreed_ms"], dtype=np.float64)


# --- the peers ------------------------------------------------------------------------------------


def by_hand() -> Command:
    """The limit."""
    return [str(compile_alone("peers/figure16.cpp"))]


def rust() -> Command:
    """An event loop with the standard library's heap."""
    rustc, source, made = tool("rustc", "rustup"), PEERS / "rust_loop.rs", BUILD / "rust_loop"
    if not is_newer(made, source):
        BUILD.mkdir(parents=True, exist_ok=True)
        flags = ["--edition", "2021", "-C", "opt-level=3", "-C", "lto", "-C", "codegen-units=1"]
        build([rustc, *flags, "-o", str(made), str(source)], PEERS)
    return [str(made)]


def etcd() -> Command:
    """The raft of etcd, from the Go module proxy."""
    go, made = tool("go", "https://go.dev"), BUILD / "etcd"
    build([go, "build", "-o", str(made), "."], PEERS / "etcd")
    return [str(made)]


def heap_loop() -> Command:
    """An event loop in plain Python."""
    return [sys.executable, str(PEERS / "heap_loop.py")]


def simpy() -> Command:
    """A process for each server."""
    if importlib.util.find_spec("simpy") is None:
        raise Missing("SimPy is not installed (pip install simpy)")
    return [sys.executable, str(PEERS / "simpy_election.py")]


def mesa() -> Command:
    """An agent for each server."""
    if importlib.util.find_spec("mesa") is None:
        raise Missing("Mesa is not installed (pip install mesa)")
    return [sys.executable, str(PEERS / "mesa_election.py")]


def build(command: Command, where: Path) -> None:
    """Runs a compiler; what it says is the reason when it fails."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {done.stderr.strip()[-300:]}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peer:
    """A program that holds elections and prints how many in how many seconds."""

    name: str
    command: Callable[[], Command]  #: raises Missing
    trials: int  #: in about a second
    arguments: tuple[str, ...] = ()
    goal: str = ""  #: engine's rate divided by the peer's
    same: bool = False  #: whether it is the very experiment, and can write its times
    seed_at: int = 2  #: which argument its seed is, the first being the delay


def peers(raftscope: Path | None) -> list[Peer]:
    """All of them, those that are missing too."""

    def scope() -> Command:
        node = tool("node", "https://nodejs.org")
        if raftscope is None:
            raise Missing("in no package registry: give a copy of its repository, --raftscope")
        if not (raftscope / "raft.js").exists():
            raise Missing(f"no raft.js in {raftscope}")
        return [node, str(PEERS / "raftscope.js"), str(raftscope)]

    delay = f"{DELAY_MS:g}"
    return [
        Peer(name="by hand, C++", command=by_hand, trials=1_000_000, arguments=(delay, "0"),
             goal="0.33", same=True, seed_at=3),
        Peer(name="Rust loop", command=rust, trials=400_000, arguments=(delay,), same=True),
        Peer(name="etcd's raft, ticks of 1 ms", command=etcd, trials=8000, arguments=("1", delay),
             goal="100"),
        Peer(name="etcd's raft, ticks of 5 ms", command=etcd, trials=8000, arguments=("5", delay),
             goal="100"),
        Peer(name="Python heap loop", command=heap_loop, trials=20_000, arguments=(delay,),
             goal="20", same=True),
        Peer(name="SimPy", command=simpy, trials=1500, arguments=(delay,), goal="400", same=True),
        Peer(name="Mesa", command=mesa, trials=700, arguments=(delay,), same=True),
        Peer(name="raftscope's model", command=scope, trials=1000, arguments=(delay,),
             goal="1,500"),
    ]  # fmt: skip


def run(command: Command, trials: int, *arguments: str) -> float:
    """Elections a second, as the program itself timed them."""
    line = [*command, *arguments]
    words = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    found = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    if found["elections"] != trials:
        raise SystemExit(f"{line}: {found['elections']:.0f} elections, not {trials}")
    return found["elections"] / found["seconds"]


def peer_rate(peer: Peer, command: Command, trials: int) -> float:
    """One measurement of a peer."""
    return run(command, trials, str(trials), *peer.arguments)


# --- the same distribution ------------------------------------------------------------------------


def distance(a: Times, b: Times) -> tuple[float, float]:
    """Two samples' Kolmogorov-Smirnov distance, and what it passes once in a thousand times."""
    grid = np.concatenate([a, b])
    a, b = np.sort(a), np.sort(b)
    shares = [np.searchsorted(x, grid, side="right") / len(x) for x in (a, b)]
    limit = math.sqrt(-math.log(0.001 / 2) / 2 * (len(a) + len(b)) / (len(a) * len(b)))
    return float(np.max(np.abs(shares[0] - shares[1]))), limit


def times_of(peer: Peer, command: Command, trials: int, folder: Path, write_ms: float = 0) -> Times:
    """What a peer measured."""
    file = folder / "times"
    arguments = [str(trials), *peer.arguments]
    if peer.seed_at == 3:
        arguments[2] = f"{write_ms:g}"
    arguments.append("7")
    if peer.seed_at == 3:  # the range, too
        arguments += CURVE.split("-")
    run(command, trials, *arguments, str(file))
    return np.fromfile(file)


def same_distribution(found: dict[Peer, Command], scale: float) -> bool:
    """Prints the distances; whether all are what chance allows."""
    header("the same distribution as the engine's? Kolmogorov-Smirnov distance of the times")
    good = True
    ours = {0.0: engine(CONSTANT, 200_000, seed=3), WRITE_MS: engine(WRITES, 200_000, seed=4)}
    with tempfile.TemporaryDirectory() as folder:
        for peer, command in found.items():
            if not peer.same:
                continue
            trials = max(500, min(200_000, int(2 * scale * peer.trials)))
            for write_ms in (0.0, WRITE_MS) if peer.seed_at == 3 else (0.0,):
                theirs = times_of(peer, command, trials, Path(folder), write_ms)
                far, limit = distance(ours[write_ms], theirs)
                good = good and far < limit
                name = peer.name + (f", writes of {write_ms:g} ms" if write_ms else "")
                verdict = "yes" if far < limit else "NO"
                print(f"{name:<36} {far:.5f}, limit {limit:.5f} with {trials:,} trials: {verdict}")
    return good


# --- speed ----------------------------------------------------------------------------------------


def rate_of(latencies: fig16.Model, trials: int, threads: int = 1) -> float:
    """The engine's trials a second."""
    start = time.perf_counter()
    engine(latencies, trials, threads=threads)
    return trials / (time.perf_counter() - start)


def two_at_once(command: Command, trials: int, *arguments: str) -> float:
    """Elections a second of two processes that share nothing: the ideal of two threads."""
    line = [*command, str(trials), *arguments]
    both = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [p.communicate()[0].split() for p in both]
    return 2 * trials / max(float(words[3]) for words in texts)


def measure(rounds: int, scale: float, found: dict[Peer, Command]) -> None:
    """Everything by turns, then the ratios."""
    rates: dict[str, list[float]] = {}

    def put(name: str, rate: float) -> None:
        rates.setdefault(name, []).append(rate)

    for _ in range(rounds):
        many = max(2000, int(300_000 * scale))
        put("engine", rate_of(CONSTANT, many))
        for peer, command in found.items():
            put(peer.name, peer_rate(peer, command, max(100, int(peer.trials * scale))))
            if peer.seed_at == 3:
                trials = max(100, int(peer.trials * scale))
                put(f"{peer.name}, writes", run(command, trials, str(trials), f"{DELAY_MS:g}",
                                                f"{WRITE_MS:g}"))  # fmt: skip
                put("two by hand", two_at_once(command, trials, *peer.arguments))
        put("engine, writes", rate_of(WRITES, many))
        put("engine, fitted", rate_of(fig16.FITTED, many // 3))
        put("engine, two threads", rate_of(CONSTANT, 2 * many, threads=2))

    header(f"trials, thousands a second: median (range) of {rounds} rounds by turns")
    names = {"engine, writes": f"engine, writes of {WRITE_MS:g} ms",
             "engine, fitted": "engine, the latencies fitted to the paper",
             "two by hand": "by hand, two processes"}  # fmt: skip
    for name, values in rates.items():
        digits = 0 if min(values) > 1e5 else 2
        show(names.get(name, name), [v / 1e3 for v in values], digits=digits)
    header("ratios, round by round")
    for peer in found:
        wide = ratios(rates["engine"], rates[peer.name])
        show(f"engine / {peer.name}", wide, goal=peer.goal, digits=2 if min(wide) < 10 else 0)
    if "by hand, C++, writes" in rates:
        values = ratios(rates["engine, writes"], rates["by hand, C++, writes"])
        show("engine / by hand, C++, writes", values, goal="0.33")
        ideal = ratios(rates["two by hand"], rates["by hand, C++"])
        ours = ratios(rates["engine, two threads"], rates["engine"])
        show("two threads / one, the engine", ours)
        show("two processes / one, by hand", ideal)
        show("  the engine's of the ideal", ratios(ours, ideal), goal="0.9")
    needed = [1e7 / r for r in rates["engine, fitted"]]
    print(f"ten million trials at the fitted rate: {figure(needed, 0)} s on one thread")


def main() -> None:
    """Everything, in one go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured: 5")
    parser.add_argument("--seconds", type=float, default=1.0, help="about, of each measurement: 1")
    parser.add_argument("--raftscope", type=Path, help="a copy of its repository")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or not 0.001 <= arguments.seconds <= 60:
        parser.error("--rounds must be 1 or more, --seconds 0.001 to 60")
    surroundings()
    if not compare(arguments.rounds, arguments.seconds, arguments.raftscope):
        raise SystemExit("not the same distribution")


def compare(rounds: int, scale: float, raftscope: Path | None) -> bool:
    """Builds what can be built, measures, and says whether the distributions agree."""
    found: dict[Peer, Command] = {}
    missing: list[str] = []
    for peer in peers(raftscope):
        try:
            found[peer] = peer.command()
        except Missing as reason:
            missing.append(f"MISSING {peer.name}: {reason}")
    good = same_distribution(found, scale)
    measure(rounds, scale, found)
    print("\n".join(missing))
    return good


if __name__ == "__main__":
    main()
