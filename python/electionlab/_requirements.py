"""What elections are asked for, measured while things go wrong.

Uniqueness, liveness, fault tolerance, performance and stability, with agreement and fairness
beside them, under each of the faults that are tried.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from electionlab import settings
from electionlab._comparable import DELAY_MS, TIMEOUT_MS
from electionlab._figures import Cell, Figure, frame_of, mean, per_hour, quantile, share
from electionlab._threads import for_each_seed
from electionlab._values import above_zero, whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import Protocol
from electionlab.settings import Action, Machine, Network

if TYPE_CHECKING:
    import pandas as pd

# --- faults ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class FaultClass:
    """A kind of trouble that a protocol's guarantee is tried under.

    Attributes:
        name: "crash", "late", "partition", "pause", "drift".
        text: What happens, in words; ``{t}`` stands for the time-out.
        during: From the time-out and the end of the trouble [ms]: arguments for `Cluster`.
    """

    name: str
    text: str
    during: Callable[[float, float], dict[str, Any]]


def _plan(action: Action, t: float, end_ms: float, *, every: float, lasts: float) -> dict[str, Any]:
    plan = settings.at_random(
        action,
        every_ms=every * t,
        repair_after_ms=settings.exponential(lasts * t, min_ms=t / 2),
        until_ms=end_ms,
        keep_up=3,
    )
    return {"actions": [plan]}


def _late(t: float, end_ms: float) -> dict[str, Any]:
    tail = settings.Link(
        one_way_delay_ms=settings.hyperexponential(3, 2 * t, 0.03, min_ms=DELAY_MS[0])
    )
    good = settings.Link(one_way_delay_ms=DELAY_MS)
    return {
        "actions": [settings.at(0, settings.link(tail)), settings.at(end_ms, settings.link(good))]
    }


#: The faults of the table, in its order.
FAULTS: dict[str, FaultClass] = {
    fault.name: fault
    for fault in (
        FaultClass(
            "crash",
            "a random node crashes about every 4 time-outs and is down for about 2",
            lambda t, end: _plan(settings.crash("random"), t, end, every=4, lasts=2),
        ),
        FaultClass(
            "late",
            "3 % of the messages take about two time-outs: beyond the bound that some assume",
            _late,
        ),
        FaultClass(
            "partition",
            "the network splits at random about every 8 time-outs, for about 4",
            lambda t, end: _plan(settings.partition(), t, end, every=8, lasts=4),
        ),
        FaultClass(
            "pause",
            "the leader stands still about every 8 time-outs, for about 3",
            lambda t, end: _plan(settings.pause("leader"), t, end, every=8, lasts=3),
        ),
        FaultClass(
            "drift",
            "every clock runs up to 20 % fast or slow",
            lambda t, end: {"machine": Machine(clock_drift_ppm=(-200_000, 200_000))},
        ),
    )
}


# --- runs under faults ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one run under faults showed.

    Attributes:
        split_brain_share: Share of the time with two leaders at once.
        one_epoch: Whether two nodes led in one epoch.
        recovered_ms: From the end of the faults until all agreed; NaN: not in time.
        agreed_share: Share of the time with agreement on a leader.
        led_share: Share of the time with a leader.
        changes: How often the leader changed.
        unexplained: How many of these no fault explains.
        survived: Failures of a leader after which there was another.
        led_by: By node: how many of its leaderships were lost.
        sent_per_s: Messages sent per second.
        effects: Actions that took effect.
    """

    split_brain_share: float
    one_epoch: bool
    recovered_ms: float
    agreed_share: float
    led_share: float
    changes: int
    unexplained: int
    survived: int
    led_by: tuple[int, ...]
    sent_per_s: float
    effects: int


def trial(
    protocol: Protocol, fault: Mapping[str, Any], end_ms: float, patience_ms: float, seed: int
) -> Trial:
    """One run: `end_ms` under a fault, then an end of it, and `patience_ms` to agree."""
    arguments = dict(fault)
    network = arguments.pop("network", Network(one_way_delay_ms=DELAY_MS))
    cluster = Cluster(protocol, network=network, seed=seed, record=False, **arguments)
    cluster.run(until=end_ms)
    metrics = cluster.metrics
    effects = sum(entry["effective"] for entry in cluster.fault_report["actions"].values())
    # Every node that is down or paused still comes back, cuts are mended: then the clock counts.
    cluster.heal()
    for node in cluster.nodes[: protocol.nodes]:
        if node.role == "down":
            cluster.restart(node.node)
        elif node.role == "paused":
            cluster.resume(node.node)
    found = bool(cluster.run_until_leader(patience_ms, agreed=True))
    recovered = cluster.now - end_ms if found else math.nan
    led = [0] * protocol.nodes
    for failover in metrics["failovers"]:
        led[failover["leader"] - 1] += 1
    return Trial(
        split_brain_share=metrics["split_brain_ms"] / metrics["elapsed_ms"],
        one_epoch=any(v["invariant"] == "one_leader_per_epoch" for v in cluster.violations()),
        recovered_ms=recovered,
        agreed_share=1 - metrics["no_agreed_leader_ms"] / metrics["elapsed_ms"],
        led_share=1 - metrics["no_leader_ms"] / metrics["elapsed_ms"],
        changes=metrics["leader_changes"],
        unexplained=metrics["unexplained_changes"],
        survived=metrics["failures_survived"],
        led_by=tuple(led),
        sent_per_s=metrics["messages"]["sent"] / (metrics["elapsed_ms"] / 1000),
        effects=effects,
    )


def _jain(counts: Sequence[int]) -> float:
    """Jain's index: 1 when all nodes led equally often, 1/n when one node always did."""
    total = sum(counts)
    return total**2 / (len(counts) * sum(c * c for c in counts)) if total else math.nan


def cells_of(
    protocol: Protocol, fault: str, trials: Sequence[Trial], hours: float, seed: int
) -> list[Cell]:
    """The figures of runs under one fault that lasted `hours` each."""
    runs = len(trials)
    led = [sum(counts) for counts in zip(*(t.led_by for t in trials), strict=True)]
    figures: list[tuple[str, str, Figure]] = [
        ("uniqueness", "runs_with_two_leaders_at_once",
         share(sum(t.split_brain_share > 0 for t in trials), runs)),
        ("uniqueness", "time_with_two_leaders", mean(t.split_brain_share for t in trials)),
        ("uniqueness", "runs_with_two_leaders_in_one_epoch",
         share(sum(t.one_epoch for t in trials), runs)
         if protocol.about["epochs"] else (math.nan,) * 3),
        ("liveness", "runs_that_agree_again",
         share(sum(not math.isnan(t.recovered_ms) for t in trials), runs)),
        ("liveness", "recovery_ms", quantile((t.recovered_ms for t in trials), 0.5)),
        ("fault tolerance", "failures_survived_per_h", mean(t.survived / hours for t in trials)),
        ("fault tolerance", "time_led", mean(t.led_share for t in trials)),
        ("agreement", "time_in_agreement", mean(t.agreed_share for t in trials)),
        ("stability", "unexplained_changes_per_h",
         per_hour(sum(t.unexplained for t in trials), hours * runs)),
        ("stability", "leader_changes_per_h",
         per_hour(sum(t.changes for t in trials), hours * runs)),
        ("fairness", "jain_index", (_jain(led), math.nan, math.nan)),
        ("performance", "messages_per_s", mean(t.sent_per_s for t in trials)),
    ]  # fmt: skip
    return [
        Cell(protocol.name, requirement, measure, fault, protocol.nodes, *figure, runs, seed)
        for requirement, measure, figure in figures
    ]


class Requirements:
    """The requirements of an election as measured; see `requirements`.

    Attributes:
        protocol: What was tried.
        cells: Every figure.
        effects: By fault: how many actions took effect in all runs together.
    """

    def __init__(self, protocol: Protocol, cells: list[Cell], effects: dict[str, int]) -> None:
        self.protocol = protocol
        self.cells = cells
        self.effects = effects

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each figure, with the columns of `Cell`."""
        return frame_of(self.cells)

    def __str__(self) -> str:
        lines = [
            f"{self.protocol!r}, {self.cells[0].runs} runs each, from seed {self.cells[0].seed}"
        ]
        for fault, effects in self.effects.items():
            lines.append(f"{fault or 'no faults'} ({effects} actions took effect)")
            for cell in self.cells:
                if cell.fault == fault:
                    lines.append(f"  {cell.requirement:<16}{cell.measure:<36}{cell}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.frame.drop(columns=["protocol"]).to_html(index=False))


def requirements(
    protocol: Protocol,
    faults: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = tuple(FAULTS),
    *,
    runs: int = 100,
    seconds: float = 20.0,
    patience_s: float = 20.0,
    timeout_ms: float = TIMEOUT_MS,
    seed: int = 1,
    threads: int = 0,
) -> Requirements:
    """Measures what an election is asked for, under trouble.

    Each run has ``seconds`` of trouble; then every fault ends, and the cluster has ``patience_s``
    to agree. Uniqueness, liveness, fault tolerance, performance and stability are the five
    requirements; agreement and fairness stand beside them. docs/compare.md defines each figure.

    Args:
        protocol: With its options; a `UserProtocol` is not taken.
        faults: Names of `FAULTS`; or a dictionary from a name of yours to arguments of `Cluster`
            (``{"lossy": {"network": el.Network(loss_probability=0.2)}}``).
        runs: How many for each fault, 1 and up.
        seconds: Simulated time under trouble, above 0.
        patience_s: Simulated time to agree afterwards, above 0.
        timeout_ms: What the faults of `FAULTS` are scaled by.
        seed: Seed of the first run; run i has seed + i.
        threads: How many at once; 0: as many as there are cores.

    Returns:
        The figures, each with its 95 % confidence interval.

    Raises:
        ValueError: An argument is out of range, or a fault is unknown.
    """
    if not isinstance(protocol, Protocol):
        raise ValueError(
            f"protocol={protocol!r}: must be a protocol such as electionlab.Raft(nodes=5)"
        )
    runs = whole_number("runs", runs, 1, 10**7)
    seed = whole_number("seed", seed, 0, 2**62)
    threads = whole_number("threads", threads, 0, 1024)
    timeout_ms = above_zero("timeout_ms", timeout_ms)
    end_ms = 1000 * above_zero("seconds", seconds)
    patience_ms = 1000 * above_zero("patience_s", patience_s)
    cells: list[Cell] = []
    effects: dict[str, int] = {}
    for name, arguments in _faults(faults, timeout_ms, end_ms).items():
        trials = for_each_seed(
            functools.partial(trial, protocol, arguments, end_ms, patience_ms), seed, runs, threads
        )
        effects[name] = sum(t.effects for t in trials)
        cells += cells_of(protocol, name, trials, end_ms / 3_600_000, seed)
    return Requirements(protocol, cells, effects)


def _faults(faults: Any, timeout_ms: float, end_ms: float) -> dict[str, Mapping[str, Any]]:
    if isinstance(faults, Mapping):
        for name, arguments in faults.items():
            if not isinstance(arguments, Mapping):
                raise ValueError(
                    f"faults[{name!r}]={arguments!r}: must be a dict of Cluster arguments"
                )
        return dict(faults)
    if isinstance(faults, str):
        faults = [faults]
    if not isinstance(faults, Iterable):
        raise ValueError(f"faults={faults!r}: must be names of electionlab.FAULTS, or a dict")
    chosen: dict[str, Mapping[str, Any]] = {}
    for name in faults:
        if name not in FAULTS:
            raise ValueError(f"faults={name!r}: must be one of {', '.join(FAULTS)}")
        chosen[name] = FAULTS[name].during(timeout_ms, end_ms)
    return chosen
