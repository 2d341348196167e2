"""One measured table for all protocols: what each guarantees, how fast it is, and what it costs.

Every number comes from runs of the engine under the same network, with time-outs that are made
comparable, and stands beside its seed, its number of runs and a 95 % confidence interval.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from electionlab import settings
from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import AT_WORK, PROTOCOLS, Protocol, make_protocol
from electionlab.settings import Action, Machine, Network, Resource

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: One-way delays of every comparison [ms].
DELAY_MS = (5.0, 10.0)
#: Silence after which a leader is suspected, in every protocol that suspects [ms].
TIMEOUT_MS = 1000.0
#: Members of a cluster where nothing else is said.
NODES = 5
#: Cluster sizes over which the cost is followed.
SIZES = (3, 4, 5, 6, 7, 9, 11, 13, 16, 20, 25)
#: Level of every confidence interval.
CONFIDENCE = 0.95


# --- comparable time-outs -------------------------------------------------------------------------

# By protocol: options that make a silent leader suspected after about `t` ms, with a sign of life
# about every t/3 ms. What is not listed has no time-out, or one that is so by default.
_COMPARABLE: dict[str, Callable[[float], dict[str, Any]]] = {
    "raft": lambda t: {"election_timeout_ms": (t, 2 * t), "heartbeat_interval_ms": t / 3},
    "bully": lambda t: {"leader_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "ring": lambda t: {"leader_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "garcia_molina": lambda t: {"coordinator_timeout_ms": t, "check_interval_ms": t / 3},
    "invitation": lambda t: {"coordinator_timeout_ms": t, "check_interval_ms": t / 3},
    "multi_paxos": lambda t: {"failure_timeout_ms": (t, 2 * t), "heartbeat_interval_ms": t / 3},
    "viewstamped": lambda t: {"primary_timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "zab": lambda t: {"tick_time_ms": t / 5, "sync_limit": 5},
    "lease": lambda t: {
        "lease_ttl_ms": t,
        "renew_interval_ms": t / 3,
        "retry_interval_ms": (t / 5, 2 * t / 5),
    },
    # etcd's and Kubernetes' own proportions; both count whole seconds, so never below one.
    "etcd": lambda t: {
        "session_ttl_ms": 1000 * math.ceil(t / 1000),
        "keep_alive_poll_ms": t / 10,
        "deadline_poll_ms": t / 5,
        "server_poll_ms": t / 10,
        "promote_extend_ms": t / 5,
        "retry_interval_ms": t / 10,
        "watch_check_ms": 2 * t / 5,
    },
    "kubernetes": lambda t: {
        "lease_duration_ms": max(t, 1000),
        "renew_deadline_ms": 2 * max(t, 1000) / 3,
        "retry_period_ms": 2 * t / 15,
        "request_timeout_ms": t / 3,
    },
    "zk_recipe": lambda t: {"session_timeout_ms": t},
    "zk_lock": lambda t: {"session_timeout_ms": t},
    "heartbeat": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
    "swim": lambda t: {"period_ms": t / 3, "suspicion_timeout_ms": t},
    "omega": lambda t: {"timeout_ms": t, "heartbeat_interval_ms": t / 3},
}


def comparable(name: str, nodes: int = NODES, timeout_ms: float = TIMEOUT_MS) -> Protocol:
    """A protocol with time-outs that can be compared with the others'.

    Args:
        name: Its name in the catalogue.
        nodes: How many members.
        timeout_ms: Silence after which a leader is suspected; a sign of life is due about every
            third of it. Where the protocol draws time-outs, it is the least.

    Raises:
        ValueError: There is no such protocol, or the number is out of range.
    """
    t = _above_zero("timeout_ms", timeout_ms)
    return make_protocol(name, nodes, _COMPARABLE[name](t) if name in _COMPARABLE else {})


def _above_zero(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{name}={value!r}: must be a number above 0")
    return float(value)


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


# --- figures with their uncertainty ---------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Cell:
    """One figure of a comparison, with where it comes from.

    Attributes:
        protocol: Its name.
        requirement: What it is about: "uniqueness", "liveness", "speed", "cost", ...
        measure: Which figure; units are in its name.
        fault: Under which trouble; "" for none.
        nodes: Members.
        value: The figure; NaN: there is none.
        low: Lower end of the 95 % confidence interval.
        high: Its upper end.
        runs: From how many runs.
        seed: Seed of the first; the others follow.
    """

    protocol: str
    requirement: str
    measure: str
    fault: str
    nodes: int
    value: float
    low: float
    high: float
    runs: int
    seed: int


def _share(hits: int, runs: int) -> tuple[float, float, float]:
    """A proportion and its Wilson interval."""
    from scipy import stats

    interval = stats.binomtest(hits, runs).proportion_ci(CONFIDENCE, method="wilson")
    return hits / runs, float(interval.low), float(interval.high)


def _quantile(values: Sequence[float], q: float) -> tuple[float, float, float]:
    """A quantile and its distribution-free interval, from order statistics."""
    from scipy import stats

    known = np.sort(np.asarray([v for v in values if not math.isnan(v)]))
    if known.size == 0:
        return math.nan, math.nan, math.nan
    half = (1 - CONFIDENCE) / 2
    low = int(stats.binom.ppf(half, known.size, q)) - 1
    high = int(stats.binom.ppf(1 - half, known.size, q))
    return (
        float(np.quantile(known, q)),
        float(known[max(low, 0)]),
        float(known[min(high, known.size - 1)]),
    )


def _mean(values: Sequence[float]) -> tuple[float, float, float]:
    """A mean and its Student interval."""
    from scipy import stats

    known = np.asarray([v for v in values if not math.isnan(v)])
    if known.size == 0:
        return math.nan, math.nan, math.nan
    mean = float(known.mean())
    if known.size == 1 or float(known.std()) == 0.0:
        return mean, mean, mean
    error = float(known.std(ddof=1)) / math.sqrt(known.size)
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, known.size - 1)) * error
    return mean, mean - width, mean + width


def _per_hour(count: int, hours: float) -> tuple[float, float, float]:
    """A rate of rare events and its exact (Garwood) interval."""
    from scipy import stats

    half = (1 - CONFIDENCE) / 2
    low = float(stats.chi2.ppf(half, 2 * count)) / 2 if count else 0.0
    high = float(stats.chi2.ppf(1 - half, 2 * count + 2)) / 2
    return count / hours, low / hours, high / hours


# --- requirements under faults --------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Trial:
    """What one run under faults showed."""

    split_brain_ms: float
    split_brain_share: float
    one_epoch: bool  # two leaders in one epoch
    violations: int
    recovered_ms: float  # after the faults ended; NaN: not in time
    agreed_share: float
    led_share: float
    changes: int
    unexplained: int
    survived: int
    led_by: tuple[int, ...]
    sent_per_s: float
    fault_took_effect: int


def _trial(
    protocol: Protocol, fault: Mapping[str, Any], end_ms: float, patience_ms: float, seed: int
) -> _Trial:
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
    violations = cluster.violations()
    led = [0] * protocol.nodes
    for failover in metrics["failovers"]:
        led[failover["leader"] - 1] += 1
    return _Trial(
        split_brain_ms=metrics["split_brain_ms"],
        split_brain_share=metrics["split_brain_ms"] / metrics["elapsed_ms"],
        one_epoch=any(v["invariant"] == "one_leader_per_epoch" for v in violations),
        violations=len(violations),
        recovered_ms=recovered,
        agreed_share=1 - metrics["no_agreed_leader_ms"] / metrics["elapsed_ms"],
        led_share=1 - metrics["no_leader_ms"] / metrics["elapsed_ms"],
        changes=metrics["leader_changes"],
        unexplained=metrics["unexplained_changes"],
        survived=metrics["failures_survived"],
        led_by=tuple(led),
        sent_per_s=metrics["messages"]["sent"] / (metrics["elapsed_ms"] / 1000),
        fault_took_effect=effects,
    )


def _jain(counts: Sequence[int]) -> float:
    """Jain's index: 1 when all nodes led equally often, 1/n when one node always did."""
    total = sum(counts)
    return total**2 / (len(counts) * sum(c * c for c in counts)) if total else math.nan


def _requirement_cells(
    protocol: Protocol, fault: str, trials: Sequence[_Trial], hours: float, seed: int
) -> list[Cell]:
    runs = len(trials)
    led = [sum(counts) for counts in zip(*(t.led_by for t in trials), strict=True)]
    figures: list[tuple[str, str, tuple[float, float, float]]] = [
        ("uniqueness", "runs_with_two_leaders_at_once",
         _share(sum(t.split_brain_ms > 0 for t in trials), runs)),
        ("uniqueness", "time_with_two_leaders", _mean([t.split_brain_share for t in trials])),
        ("uniqueness", "runs_with_two_leaders_in_one_epoch",
         _share(sum(t.one_epoch for t in trials), runs)
         if protocol.about["epochs"] else (math.nan,) * 3),
        ("liveness", "runs_that_agree_again",
         _share(sum(not math.isnan(t.recovered_ms) for t in trials), runs)),
        ("liveness", "recovery_ms", _quantile([t.recovered_ms for t in trials], 0.5)),
        ("fault tolerance", "failures_survived_per_h", _mean([t.survived / hours for t in trials])),
        ("fault tolerance", "time_led", _mean([t.led_share for t in trials])),
        ("agreement", "time_in_agreement", _mean([t.agreed_share for t in trials])),
        ("stability", "unexplained_changes_per_h",
         _per_hour(sum(t.unexplained for t in trials), hours * runs)),
        ("stability", "leader_changes_per_h",
         _per_hour(sum(t.changes for t in trials), hours * runs)),
        ("fairness", "jain_index", (_jain(led), math.nan, math.nan)),
        ("performance", "messages_per_s", _mean([t.sent_per_s for t in trials])),
    ]  # fmt: skip
    return [
        Cell(protocol.name, requirement, measure, fault, protocol.nodes, *figure, runs, seed)
        for requirement, measure, figure in figures
    ]


def _in_threads(
    work: Callable[[int], Any], seeds: Iterable[int], threads: int, bar: Any = None
) -> list[Any]:
    seeds = list(seeds)
    with ThreadPoolExecutor(threads or None) as pool:
        found = []
        for result in pool.map(work, seeds):
            found.append(result)
            if bar is not None:
                bar.update()
    return found


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
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(cell) for cell in self.cells])

    def __str__(self) -> str:
        lines = [
            f"{self.protocol!r}, {self.cells[0].runs} runs each, from seed {self.cells[0].seed}"
        ]
        for fault, effects in self.effects.items():
            lines.append(f"{fault or 'no faults'} ({effects} actions took effect)")
            for cell in self.cells:
                if cell.fault == fault:
                    lines.append(f"  {cell.requirement:<16}{cell.measure:<36}{_shown(cell)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.frame.drop(columns=["protocol"]).to_html(index=False))


def _shown(cell: Cell) -> str:
    if math.isnan(cell.value):
        return "none"
    text = f"{cell.value:.4g}"
    return text if math.isnan(cell.low) else f"{text} [{cell.low:.4g}, {cell.high:.4g}]"


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
    timeout_ms = _above_zero("timeout_ms", timeout_ms)
    end_ms = 1000 * _above_zero("seconds", seconds)
    patience_ms = 1000 * _above_zero("patience_s", patience_s)
    cells: list[Cell] = []
    effects: dict[str, int] = {}
    for name, arguments in _faults(faults, timeout_ms, end_ms).items():
        trials = _in_threads(
            functools.partial(_trial, protocol, arguments, end_ms, patience_ms),
            range(seed, seed + runs), threads,
        )  # fmt: skip
        effects[name] = sum(t.fault_took_effect for t in trials)
        cells += _requirement_cells(protocol, name, trials, end_ms / 3_600_000, seed)
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


# --- cost, speed, load ----------------------------------------------------------------------------


def _sent(cluster: Cluster) -> dict[str, int]:
    return {kind: counts["sent"] for kind, counts in cluster.metrics["messages"]["by_kind"].items()}


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {kind: count - before.get(kind, 0) for kind, count in after.items()}


def _settled(protocol: Protocol, seed: int, patience_ms: float) -> Cluster | None:
    network = Network(one_way_delay_ms=DELAY_MS)
    cluster = Cluster(protocol, network=network, seed=seed, record=False)
    return cluster if cluster.run_until_leader(patience_ms, agreed=True) else None


@dataclasses.dataclass(frozen=True)
class _Election:
    """A cold start, a quiet leadership and a failover of one run."""

    first_ms: float
    first_messages: float
    messages: float  # of the failover
    detection_ms: float
    election_ms: float
    downtime_ms: float
    leader_share: float
    quiet_per_s: float


def _election(protocol: Protocol, timeout_ms: float, patience_ms: float, seed: int) -> _Election:
    nothing = math.nan
    cluster = _settled(protocol, seed, patience_ms)
    if cluster is None:
        return _Election(*[nothing] * 8)
    first_ms, cold = cluster.now, _sent(cluster)
    # What a leadership sends when nothing happens is no part of an election: heartbeats, pings.
    cluster.run_for(3 * timeout_ms)
    before, begin = cluster.metrics["messages"], cluster.now
    was = _sent(cluster)
    cluster.run_for(6 * timeout_ms)
    after = cluster.metrics["messages"]
    quiet = _difference(_sent(cluster), was)
    background = {kind for kind, count in quiet.items() if count}
    span_s = (cluster.now - begin) / 1000
    sent = sum(quiet.values())
    leader_share = nothing
    if cluster.leader is not None and sent:
        handled = [
            sum(b[k] - a[k] for k in ("sent", "delivered"))
            for a, b in zip(before["by_node"], after["by_node"], strict=True)
        ]
        leader_share = handled[cluster.leader - 1] / sum(handled)

    def elected(kinds: Mapping[str, int]) -> int:
        return sum(count for kind, count in kinds.items() if kind not in background)

    figures = {"messages": nothing, "detection": nothing, "election": nothing, "down": nothing}
    if protocol.about["fails_over"] and cluster.leader is not None:
        cluster.run_for(float(np.random.default_rng(seed).uniform(0, timeout_ms)))
        known, crashed, was = len(cluster.metrics["failovers"]), cluster.now, _sent(cluster)
        cluster.crash("leader")
        if cluster.run_until_leader(patience_ms, agreed=True):
            failover = cluster.metrics["failovers"][known]
            figures = {
                "messages": elected(_difference(_sent(cluster), was)),
                "detection": _number(failover["detection_ms"]),
                "election": _number(failover["election_ms"]),
                "down": cluster.now - crashed,
            }
    return _Election(
        first_ms, elected(cold), figures["messages"], figures["detection"], figures["election"],
        figures["down"], leader_share, sent / span_s,
    )  # fmt: skip


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


#: Orders that a cost is fitted with, by what they are called.
ORDERS: dict[str, Callable[[Any], Any]] = {
    "1": lambda n: np.ones_like(n),
    "log n": np.log2,
    "n": lambda n: n,
    "n log n": lambda n: n * np.log2(n),
    "n^2": lambda n: n**2,
    "n^3": lambda n: n**3,
}


def fitted_order(sizes: Sequence[float], costs: Sequence[float]) -> tuple[str, float, float]:
    """The order that a cost grows with: the best fit of a f(n) + b by least squares.

    Args:
        sizes: Cluster sizes n, three or more.
        costs: The mean cost at each; NaN entries are left out.

    Returns:
        The order's name in `ORDERS`, a and b; ("", nan, nan) with fewer than three figures. A cost
        that varies by less than 5 % is constant.
    """
    pairs = [(n, c) for n, c in zip(sizes, costs, strict=True) if not math.isnan(c)]
    if len(pairs) < 3:
        return "", math.nan, math.nan
    n, cost = (np.asarray(column, dtype=float) for column in zip(*pairs, strict=True))
    if float(np.ptp(cost)) <= 0.05 * float(np.abs(cost).mean()):
        return "1", float(cost.mean()), 0.0
    best = ("", math.inf, math.nan, math.nan)
    for name, order in ORDERS.items():
        if name == "1":
            continue
        slope, offset = np.polyfit(order(n), cost, 1)
        error = float(((slope * order(n) + offset - cost) ** 2).sum())
        if slope > 0 and error < best[1] * (1 - 1e-9):
            best = (name, error, float(slope), float(offset))
    return best[0], best[2], best[3]


# --- the table ------------------------------------------------------------------------------------

#: The table that lecture notes print, by protocol: complexity, consistency, speed.
FAMILIAR: dict[str, tuple[str, str, str]] = {
    "bully": ("low", "weak", "fast"),
    "raft": ("medium", "strong", "medium"),
    "multi_paxos": ("high", "strong", "medium"),
    "zk_recipe": ("medium", "strong", "fast"),
}


class Comparison:
    """Protocols side by side; see `compare`.

    Attributes:
        cells: Every figure.
        orders: By protocol: the order that its messages per failover (or, of one that elects once,
            per election) grow with, and the factors a and b of a f(n) + b.
        timeout_ms: Silence after which a leader was suspected.
        seed: Seed of the first run of each figure.
    """

    def __init__(
        self,
        cells: list[Cell],
        orders: dict[str, tuple[str, float, float]],
        timeout_ms: float,
        seed: int,
    ) -> None:
        self.cells = cells
        self.orders = orders
        self.timeout_ms = timeout_ms
        self.seed = seed
        self._by_key = {(c.protocol, c.measure, c.fault, c.nodes): c for c in cells}

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each figure, with the columns of `Cell`."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(cell) for cell in self.cells])

    @property
    def protocols(self) -> tuple[str, ...]:
        """Names of the protocols, in the table's order."""
        return tuple(dict.fromkeys(cell.protocol for cell in self.cells))

    def cell(self, protocol: str, measure: str, fault: str = "", nodes: int = NODES) -> Cell:
        """One figure.

        Raises:
            ValueError: There is no such figure.
        """
        found = self._by_key.get((protocol, measure, fault, nodes))
        if found is None:
            raise ValueError(
                f"there is no {measure!r} of {protocol!r} under {fault!r} with {nodes} nodes"
            )
        return found

    def verdict(self, protocol: str, fault: str) -> str:
        """What was seen of uniqueness and liveness under a fault, in a few words."""
        both = self.cell(protocol, "runs_with_two_leaders_at_once", fault)
        epoch = self.cell(protocol, "runs_with_two_leaders_in_one_epoch", fault)
        agree = self.cell(protocol, "runs_that_agree_again", fault)
        share = self.cell(protocol, "time_with_two_leaders", fault).value
        words = "one leader" if both.value == 0 else f"two at once {share:.2%} of the time"
        if both.value > 0 and not math.isnan(epoch.value):
            words += (
                ", one per epoch"
                if epoch.value == 0
                else f", of one epoch in {epoch.value:.0%} of the runs"
            )
        if agree.value < 1:
            words += f"; {1 - agree.value:.0%} of the runs stay without"
        return words

    def table(self) -> pd.DataFrame:
        """A row for each protocol, in words and rounded figures; the exact ones are in `frame`."""
        import pandas as pd

        rows = []
        for name in self.protocols:
            about = PROTOCOLS[name].about
            row: dict[str, str] = {"protocol": name}
            for fault in FAULTS:
                row[fault] = self.verdict(name, fault) if about["fails_over"] else "elects once"
            measure = "failover_messages" if about["fails_over"] else "first_messages"
            cost = self.cell(name, measure)
            order, factor, _ = self.orders[name]
            row["messages per election"] = f"{cost.value:.3g}"
            row["they grow as"] = f"{factor:.2g} {order}" if order != "1" else "constant"
            row["closed form"] = about["cost"]
            for title, key in (
                ("detection ms", "detection_ms"),
                ("election ms", "election_ms"),
                ("downtime ms", "downtime_ms"),
            ):
                spread = [self.cell(name, f"{key}_{q}").value for q in ("p05", "p50", "p95")]
                row[title] = "" if math.isnan(spread[1]) else "/".join(f"{v:.0f}" for v in spread)
            for fencing in ("none", "token"):
                measure = f"stale_writes_per_1000_fencing_{fencing}"
                stale = self._by_key.get((name, measure, "", cost.nodes))
                row[f"stale writes, fencing {fencing}"] = (
                    "" if stale is None or math.isnan(stale.value) else f"{stale.value:.3g} of 1000"
                )
            load = self.cell(name, "leader_share")
            row["leader's load"] = "" if math.isnan(load.value) else f"{load.value:.0%}"
            quiet = self.cell(name, "quiet_messages_per_s")
            row["messages/s in peace"] = f"{quiet.value:.0f}"
            if about["fails_over"]:
                unexplained = self.cell(name, "unexplained_changes_per_h", "hour")
                row["unexplained changes/h"] = f"{unexplained.value:.3g}"
            else:
                row["unexplained changes/h"] = ""
            rows.append(row)
        return pd.DataFrame(rows).set_index("protocol")

    def familiar(self) -> pd.DataFrame:
        """The table of lecture notes beside what was measured.

        Complexity is taken as messages per failover, consistency as the time with two leaders
        at once while the network splits at random, speed as the median downtime after a crash.
        """
        import pandas as pd

        rows = []
        for name, (cost, consistency, speed) in FAMILIAR.items():
            if name not in self.protocols:
                continue
            split = self.cell(name, "time_with_two_leaders", "partition").value
            epoch = self.cell(name, "runs_with_two_leaders_in_one_epoch", "partition").value
            kept = "no epochs" if math.isnan(epoch) else f"of one epoch in {epoch:.0%} of the runs"
            rows.append(
                {
                    "protocol": name,
                    "cost, they say": cost,
                    "messages per failover": f"{self.cell(name, 'failover_messages').value:.0f}",
                    "consistency, they say": consistency,
                    "two leaders in partitions": f"{split:.1%} of the time, {kept}",
                    "speed, they say": speed,
                    "median downtime ms": f"{self.cell(name, 'downtime_ms_p50').value:.0f}",
                }
            )
        return pd.DataFrame(rows).set_index("protocol")

    def plot(self, ax: Sequence[Axes] | None = None) -> tuple[Axes, Axes, Axes]:
        """Guarantees, downtime and cost in three panels; see `electionlab.plot.comparison`."""
        from electionlab.plot.comparison import plot_comparison

        return plot_comparison(self, ax=ax)

    def _repr_html_(self) -> str:
        return str(self.table().to_html())


def _stale(
    protocol: Protocol, fencing: str, timeout_ms: float, runs: int, seed: int, threads: int
) -> tuple[float, float, float]:
    """Stale writes that a resource accepts, of a thousand, while leaders are paused and cut off."""
    resource = Resource(fencing=fencing, work_interval_ms=timeout_ms / 15, work_ms=timeout_ms / 60)
    end_ms = 60 * timeout_ms
    plans = [
        plan for fault in ("pause", "partition")
        for plan in FAULTS[fault].during(timeout_ms, end_ms)["actions"]
    ]  # fmt: skip

    def share(one: int) -> float:
        cluster = Cluster(
            protocol, network=Network(one_way_delay_ms=DELAY_MS), resource=resource, actions=plans,
            seed=one, record=False,
        )  # fmt: skip
        cluster.run(until=end_ms)
        state: dict[str, Any] = cluster.resource or {}
        return 1000 * state["stale"] / state["accepted"] if state["accepted"] else math.nan

    return _mean(_in_threads(share, range(seed, seed + runs), threads))


def _protocol_cells(
    name: str,
    nodes: int,
    timeout_ms: float,
    runs: int,
    trials: int,
    hours: int,
    seed: int,
    threads: int,
    bar: Any,
) -> tuple[list[Cell], tuple[str, float, float]]:
    patience_ms = 200 * timeout_ms
    about = PROTOCOLS[name].about
    protocol = comparable(name, nodes, timeout_ms)
    cells: list[Cell] = []

    def add(requirement: str, measure: str, n: int, count: int, figure: tuple[float, ...]) -> None:
        value, low, high = figure
        cells.append(Cell(name, requirement, measure, "", n, value, low, high, count, seed))

    # Cost and speed, over the sizes.
    means: dict[int, float] = {}
    for n in sorted({*SIZES, nodes}):
        count = trials if n == nodes else max(trials // 10, 5)
        sized = comparable(name, n, timeout_ms)
        found: list[_Election] = _in_threads(
            functools.partial(_election, sized, timeout_ms, patience_ms),
            range(seed, seed + count), threads,
        )  # fmt: skip
        first = _mean([e.first_messages for e in found])
        failover = _mean([e.messages for e in found])
        add("cost", "first_messages", n, count, first)
        add("cost", "failover_messages", n, count, failover)
        means[n] = (failover if about["fails_over"] else first)[0]
        add("cost", "leader_share", n, count, _mean([e.leader_share for e in found]))
        add("cost", "quiet_messages_per_s", n, count, _mean([e.quiet_per_s for e in found]))
        for q, label in ((0.05, "p05"), (0.5, "p50"), (0.95, "p95")):
            add("speed", f"first_ms_{label}", n, count, _quantile([e.first_ms for e in found], q))
            for key in ("detection_ms", "election_ms", "downtime_ms"):
                values = [getattr(e, key) for e in found]
                add("speed", f"{key}_{label}", n, count, _quantile(values, q))
        bar.update()
    order = fitted_order(list(means), list(means.values()))
    if not about["fails_over"]:
        bar.update(len(FAULTS) + 1)
        return cells, order
    for fault in FAULTS:
        report = requirements(
            protocol, fault, runs=runs, patience_s=patience_ms / 1000,
            seconds=60 * timeout_ms / 1000, timeout_ms=timeout_ms, seed=seed, threads=threads,
        )  # fmt: skip
        cells += report.cells
        bar.update()
    if name in AT_WORK:
        for fencing in ("none", "token"):
            figure = _stale(protocol, fencing, timeout_ms, runs, seed, threads)
            add("fencing", f"stale_writes_per_1000_fencing_{fencing}", nodes, runs, figure)
    # An hour of everything at once, rarely: is there a change that no fault explains?
    hour_ms = 3_600_000.0
    plans = [
        settings.at_random(
            settings.crash("random"), every_ms=100 * timeout_ms, repair_after_ms=10 * timeout_ms,
            keep_up=3,
        ),
        settings.at_random(
            settings.partition(), every_ms=150 * timeout_ms, repair_after_ms=10 * timeout_ms
        ),
        settings.at_random(
            settings.pause("random"), every_ms=150 * timeout_ms, repair_after_ms=4 * timeout_ms,
            keep_up=3,
        ),
    ]  # fmt: skip
    network = Network(one_way_delay_ms=DELAY_MS, loss_probability=0.001)
    long = _in_threads(
        functools.partial(
            _trial, protocol, {"actions": plans, "network": network}, hour_ms, patience_ms
        ),
        range(seed, seed + hours), threads,
    )  # fmt: skip
    cells += _requirement_cells(protocol, "hour", long, 1.0, seed)
    bar.update()
    return cells, order


def compare(
    protocols: Sequence[str] | None = None,
    *,
    nodes: int = NODES,
    timeout_ms: float = TIMEOUT_MS,
    runs: int = 100,
    trials: int = 200,
    hours: int = 2,
    seed: int = 1,
    threads: int = 0,
    progress: bool = False,
) -> Comparison:
    """Measures the trade-offs of protocols under the same network and comparable time-outs.

    Args:
        protocols: Names in the catalogue; None: all.
        nodes: Members, 3 and up.
        timeout_ms: Silence after which a leader is suspected; see `comparable`.
        runs: Runs for each kind of trouble.
        trials: Failovers measured at ``nodes`` members; a tenth of it at the other sizes.
        hours: Runs of an hour for stability.
        seed: Seed of the first run of each figure; 0 and up.
        threads: How many runs at once; 0: as many as there are cores.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The figures, each with its seed, its number of runs and its 95 % confidence interval.

    Raises:
        ValueError: An argument is out of range, or a protocol unknown.
    """
    chosen = list(PROTOCOLS) if protocols is None else list(protocols)
    if isinstance(protocols, str) or not chosen:
        raise ValueError(f"protocols={protocols!r}: must be a list of names")
    nodes = whole_number("nodes", nodes, 3, 64)
    runs = whole_number("runs", runs, 1, 10**6)
    trials = whole_number("trials", trials, 1, 10**6)
    hours = whole_number("hours", hours, 1, 10**4)
    seed = whole_number("seed", seed, 0, 2**62)
    threads = whole_number("threads", threads, 0, 1024)
    for name in chosen:
        comparable(name, nodes, timeout_ms)
    cells: list[Cell] = []
    orders = {}
    steps = len({*SIZES, nodes}) + len(FAULTS) + 1
    with tqdm(total=steps * len(chosen), disable=not progress, unit="figure") as bar:
        for name in chosen:
            bar.set_postfix_str(name)
            found, orders[name] = _protocol_cells(
                name, nodes, float(timeout_ms), runs, trials, hours, seed, threads, bar
            )
            cells += found
    return Comparison(cells, orders, float(timeout_ms), seed)
