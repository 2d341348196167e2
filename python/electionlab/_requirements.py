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

from electionlab._comparable import DELAY_MS, TIMEOUT_MS, actors_of
from electionlab._faults import FAULTS, Setting
from electionlab._figures import Cell, Figure, cell, frame_of, mean, per_hour, quantile, share
from electionlab._threads import for_each_seed
from electionlab._values import above_zero, whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import Protocol
from electionlab.settings import Machine, Network
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    import pandas as pd

#: Arguments of `Cluster` that make the trouble of the run with a seed.
Trouble = Callable[[int], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one run under faults showed.

    Attributes:
        split_brain_share: Share of the time with two leaders at once.
        splits: How often two nodes began to act as leader at once, be it for an instant.
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
    splits: int
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


def begin(
    protocol: Protocol | UserProtocol, trouble: Mapping[str, Any], network: Network, seed: int
) -> Cluster:
    """A cluster with trouble ahead; the network is what the trouble does not say otherwise."""
    arguments = {"network": network, "one_leader_at_a_time": True, **trouble}
    return Cluster(protocol, seed=seed, record=False, **arguments)


def end_faults(cluster: Cluster) -> None:
    """Mends every link; every member that is down or paused comes back."""
    cluster.heal()
    for node in cluster.nodes[: cluster.members]:
        if node.role == "down":
            cluster.restart(node.node)
        elif node.role == "paused":
            cluster.resume(node.node)


def trial(
    make: Callable[[int], Protocol | UserProtocol],
    trouble: Trouble,
    network: Network,
    end_ms: float,
    patience_ms: float,
    seed: int,
) -> Trial:
    """One run: `end_ms` under trouble, then an end of it, and `patience_ms` to agree."""
    protocol = make(seed)
    cluster = begin(protocol, trouble(seed), network, seed)
    cluster.run(until=end_ms)
    metrics = cluster.metrics
    effects = sum(entry["effective"] for entry in cluster.fault_report["actions"].values())
    splits = _broken(cluster, "one_leader_at_a_time")
    end_faults(cluster)
    found = bool(cluster.run_until_leader(patience_ms, agreed=True))
    recovered = cluster.now - end_ms if found else math.nan
    led = [0] * protocol.nodes
    for failover in metrics["failovers"]:
        led[failover["leader"] - 1] += 1
    return Trial(
        split_brain_share=metrics["split_brain_ms"] / metrics["elapsed_ms"],
        splits=splits,
        one_epoch=_broken(cluster, "one_leader_per_epoch") > 0,
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


def _broken(cluster: Cluster, invariant: str) -> int:
    return sum(violation["invariant"] == invariant for violation in cluster.violations())


def _jain(counts: Sequence[int]) -> float:
    """Jain's index: 1 when all nodes led equally often, 1/n when one node always did."""
    total = sum(counts)
    return total**2 / (len(counts) * sum(c * c for c in counts)) if total else math.nan


def cells_of(
    label: str, epochs: bool, nodes: int, fault: str, trials: Sequence[Trial], hours: float,
    seed: int,
) -> list[Cell]:  # fmt: skip
    """The figures of runs under one fault that lasted `hours` each."""
    runs = len(trials)
    led = [sum(counts) for counts in zip(*(t.led_by for t in trials), strict=True)]
    no_epochs = Figure(math.nan, math.nan, math.nan, 0, 0)
    figures: list[tuple[str, str, Figure]] = [
        ("uniqueness", "runs_with_two_leaders_at_once",
         share(sum(t.splits > 0 or t.split_brain_share > 0 for t in trials), runs)),
        ("uniqueness", "two_leaders_at_once_per_h", per_hour([t.splits for t in trials], hours)),
        ("uniqueness", "time_with_two_leaders", mean((t.split_brain_share for t in trials), 0, 1)),
        ("uniqueness", "runs_with_two_leaders_in_one_epoch",
         share(sum(t.one_epoch for t in trials), runs) if epochs else no_epochs),
        ("liveness", "runs_that_agree_again",
         share(sum(not math.isnan(t.recovered_ms) for t in trials), runs)),
        ("liveness", "recovery_ms", quantile((t.recovered_ms for t in trials), 0.5)),
        ("fault tolerance", "failures_survived_per_h",
         per_hour([t.survived for t in trials], hours)),
        ("fault tolerance", "time_led", mean((t.led_share for t in trials), 0, 1)),
        ("agreement", "time_in_agreement", mean((t.agreed_share for t in trials), 0, 1)),
        ("stability", "unexplained_changes_per_h",
         per_hour([t.unexplained for t in trials], hours)),
        ("stability", "leader_changes_per_h", per_hour([t.changes for t in trials], hours)),
        ("fairness", "jain_index", Figure(_jain(led), math.nan, math.nan, runs, 0)),
        ("performance", "messages_per_s", mean((t.sent_per_s for t in trials), 0)),
    ]  # fmt: skip
    return [
        cell(label, requirement, measure, fault, nodes, figure, seed)
        for requirement, measure, figure in figures
    ]


class Requirements:
    """The requirements of an election as measured; see `requirements`.

    Attributes:
        protocol: What was tried.
        cells: Every figure.
        effects: By fault: how many actions took effect in all runs together.
    """

    def __init__(
        self, protocol: Protocol | UserProtocol, cells: list[Cell], effects: dict[str, int]
    ) -> None:
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
            for found in self.cells:
                if found.fault == fault:
                    lines.append(f"  {found.requirement:<16}{found.measure:<36}{found}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.frame.drop(columns=["protocol"]).to_html(index=False))


def requirements(
    protocol: Protocol | UserProtocol,
    faults: str | Sequence[str] | Mapping[str, Mapping[str, Any] | Trouble] = tuple(FAULTS),
    *,
    plan: Mapping[str, Any] | None = None,
    network: Network | None = None,
    machine: Machine | None = None,
    runs: int = 100,
    seconds: float = 100.0,
    patience_s: float = 100.0,
    timeout_ms: float = TIMEOUT_MS,
    seed: int = 1,
    threads: int = 0,
) -> Requirements:
    """Measures what an election is asked for, under trouble.

    Each run has ``seconds`` of trouble; then every fault ends, and the cluster has ``patience_s``
    to agree. Uniqueness, liveness, fault tolerance, performance and stability are the five
    requirements; agreement and fairness stand beside them. docs/compare.md defines each figure.

    Args:
        protocol: With its options; one of the catalogue or a `UserProtocol`.
        faults: Names of `FAULTS`; or a dictionary from a name of yours to arguments of `Cluster`
            (``{"lossy": {"network": el.Network(loss_probability=0.2)}}``), or to a function that
            gives them for a seed.
        plan: A fault plan of yours, as arguments of `Cluster`, beside `faults`.
        network: The links, where the trouble does not say otherwise; None: delays of 5 to 10 ms.
        machine: What nodes run on, where the trouble does not say otherwise.
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
    if not isinstance(protocol, (Protocol, UserProtocol)):
        raise ValueError(
            f"protocol={protocol!r}: must be a protocol such as electionlab.Raft(nodes=5)"
        )
    runs = whole_number("runs", runs, 1, 10**7)
    seed = whole_number("seed", seed, 0, 2**62)
    threads = whole_number("threads", threads, 0, 1024)
    timeout_ms = above_zero("timeout_ms", timeout_ms)
    end_ms = 1000 * above_zero("seconds", seconds)
    patience_ms = 1000 * above_zero("patience_s", patience_s)
    epochs = protocol.epochs if isinstance(protocol, UserProtocol) else protocol.about["epochs"]
    links = network or Network(one_way_delay_ms=DELAY_MS)
    own = {} if machine is None else {"machine": machine}
    cells: list[Cell] = []
    effects: dict[str, int] = {}
    troubles = _troubles(faults, protocol, timeout_ms, end_ms)
    if plan is not None:
        troubles["plan"] = _own_trouble("plan", plan)
    if not troubles:
        raise ValueError(f"faults={faults!r}: must be one or more, or give a plan")
    for name, trouble in troubles.items():
        work = functools.partial(
            trial, lambda _: protocol, functools.partial(_with, own, trouble), links, end_ms,
            patience_ms,
        )  # fmt: skip
        trials = for_each_seed(work, seed, runs, threads)
        effects[name] = sum(t.effects for t in trials)
        hours = end_ms / 3_600_000
        cells += cells_of(protocol.name, epochs, protocol.nodes, name, trials, hours, seed)
    return Requirements(protocol, cells, effects)


def _with(own: Mapping[str, Any], trouble: Trouble, seed: int) -> Mapping[str, Any]:
    """The arguments of a run; of a machine those settings that the trouble leaves open."""
    arguments = dict(trouble(seed))
    if "machine" in own and "machine" in arguments:
        said = {
            f.name: value
            for f in dataclasses.fields(Machine)
            if (value := getattr(arguments["machine"], f.name)) is not None
        }
        arguments["machine"] = dataclasses.replace(own["machine"], **said)
    return {**own, **arguments}


def _troubles(
    faults: Any, protocol: Protocol | UserProtocol, timeout_ms: float, end_ms: float
) -> dict[str, Trouble]:
    if isinstance(faults, Mapping):
        return {name: _own_trouble(name, arguments) for name, arguments in faults.items()}
    if isinstance(faults, str):
        faults = [faults]
    if not isinstance(faults, Iterable):
        raise ValueError(f"faults={faults!r}: must be names of electionlab.FAULTS, or a dict")
    actors = actors_of(protocol)
    chosen: dict[str, Trouble] = {}
    for name in faults:
        if name not in FAULTS:
            raise ValueError(f"faults={name!r}: must be one of {', '.join(FAULTS)}")
        chosen[name] = functools.partial(
            drawn, FAULTS[name].during, timeout_ms, end_ms, protocol.nodes, actors
        )
    return chosen


def drawn(
    during: Callable[[Setting], dict[str, Any]],
    timeout_ms: float,
    end_ms: float,
    members: int,
    actors: int,
    seed: int,
) -> Mapping[str, Any]:
    """Trouble as it is drawn for a seed."""
    return during(Setting(timeout_ms, end_ms, members, actors, seed))


def _own_trouble(name: str, arguments: Any) -> Trouble:
    if isinstance(arguments, Mapping):
        return lambda _: arguments
    if not callable(arguments):
        raise ValueError(
            f"faults[{name!r}]={arguments!r}: must be a dict of Cluster arguments, or a function "
            "of a seed that gives one"
        )
    checked: Trouble = arguments
    return checked
