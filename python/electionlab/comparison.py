"""One measured table for all protocols: what each guarantees, how fast it is, and what it costs.

Every number comes from runs of the engine under the same network, with time-outs that are made
comparable, and stands beside its seed, its number of runs and a 95 % confidence interval.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from electionlab import settings
from electionlab._comparable import DELAY_MS, NODES, TIMEOUT_MS, comparable
from electionlab._costs import fitted_order, measure_election
from electionlab._figures import Cell, Figure, frame_of, mean, quantile
from electionlab._faults import FAULTS
from electionlab._requirements import cells_of, requirements, trial
from electionlab._threads import for_each_seed
from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import AT_WORK, PROTOCOLS, Protocol
from electionlab.settings import Network, Resource

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Cluster sizes over which the cost is followed.
SIZES = (3, 4, 5, 6, 7, 9, 11, 13, 16, 20, 25)

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
        nodes: Members, of every figure that is not over the sizes.
        timeout_ms: Silence after which a leader was suspected.
        seed: Seed of the first run of each figure.
    """

    def __init__(
        self,
        cells: list[Cell],
        orders: dict[str, tuple[str, float, float]],
        nodes: int,
        timeout_ms: float,
        seed: int,
    ) -> None:
        self.cells = cells
        self.orders = orders
        self.nodes = nodes
        self.timeout_ms = timeout_ms
        self.seed = seed
        self._by_key = {(c.protocol, c.measure, c.fault, c.nodes): c for c in cells}

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each figure, with the columns of `Cell`."""
        return frame_of(self.cells)

    @property
    def protocols(self) -> tuple[str, ...]:
        """Names of the protocols, in the table's order."""
        return tuple(dict.fromkeys(cell.protocol for cell in self.cells))

    def cell(self, protocol: str, measure: str, fault: str = "", nodes: int | None = None) -> Cell:
        """One figure.

        Args:
            protocol: Its name.
            measure: Which figure; the frame lists them.
            fault: Under which trouble; "" for none.
            nodes: Members; None: `nodes` of the comparison.

        Raises:
            ValueError: There is no such figure.
        """
        nodes = self.nodes if nodes is None else nodes
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
            row["messages per election"] = f"{cost.value:.3g}"
            row["they grow as"] = self._growth(name)
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

        Complexity is taken as messages per failover; consistency as the share of the time with two
        leaders at once while the network splits at random, and of the runs in which two led in one
        epoch; speed as the median downtime after a crash. In brackets: 95 % confidence.
        """
        import pandas as pd

        rows = []
        for name, (cost, consistency, speed) in FAMILIAR.items():
            if name not in self.protocols:
                continue
            epoch = self.cell(name, "runs_with_two_leaders_in_one_epoch", "partition")
            both = self.cell(name, "time_with_two_leaders", "partition")
            rows.append(
                {
                    "protocol": name,
                    "cost, they say": cost,
                    "messages per failover": str(self.cell(name, "failover_messages")),
                    "they grow as": self._growth(name),
                    "consistency, they say": consistency,
                    "two leaders in partitions, % of time": _percent(both),
                    "and in one epoch, % of runs": (
                        "no epochs" if math.isnan(epoch.value) else _percent(epoch)
                    ),
                    "speed, they say": speed,
                    "median downtime, ms": str(self.cell(name, "downtime_ms_p50")),
                }
            )
        return pd.DataFrame(rows).set_index("protocol") if rows else pd.DataFrame()

    def _growth(self, protocol: str) -> str:
        order, factor, _ = self.orders[protocol]
        if order == "1":
            return "constant"
        return f"{factor:.2g} {order}" if order else "unknown"

    def plot(self, ax: Sequence[Axes] | None = None) -> tuple[Axes, Axes, Axes]:
        """Guarantees, downtime and cost in three panels; see `electionlab.plot.comparison`."""
        from electionlab.plot.comparison import plot_comparison

        return plot_comparison(self, ax=ax)

    def _repr_html_(self) -> str:
        return str(self.table().to_html())


def _percent(cell: Cell) -> str:
    return f"{100 * cell.value:.3g} [{100 * cell.low:.3g}, {100 * cell.high:.3g}]"


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What `compare` was asked for, and the bar that says how far it is."""

    nodes: int
    timeout_ms: float
    runs: int
    trials: int
    hours: int
    seed: int
    threads: int
    bar: Any

    @property
    def patience_ms(self) -> float:
        return 200 * self.timeout_ms

    @property
    def sizes(self) -> list[int]:
        return sorted({*SIZES, self.nodes})

    @property
    def steps(self) -> int:
        """How often the bar moves for a protocol."""
        return len(self.sizes) + len(FAULTS) + 1

    def cell(
        self, name: str, requirement: str, measure: str, nodes: int, figure: Figure, runs: int
    ) -> Cell:
        return Cell(name, requirement, measure, "", nodes, *figure, runs, self.seed)


def _election_cells(name: str, plan: _Plan) -> list[Cell]:
    """Cost and speed of elections without other trouble, over the sizes."""
    cells = []
    for n in plan.sizes:
        runs = plan.trials if n == plan.nodes else max(plan.trials // 10, 5)
        protocol = comparable(name, n, plan.timeout_ms)
        found = for_each_seed(
            functools.partial(measure_election, protocol, plan.timeout_ms, plan.patience_ms),
            plan.seed, runs, plan.threads,
        )  # fmt: skip
        figures = {
            ("cost", "first_messages"): mean(e.first_messages for e in found),
            ("cost", "failover_messages"): mean(e.messages for e in found),
            ("cost", "leader_share"): mean(e.leader_share for e in found),
            ("cost", "quiet_messages_per_s"): mean(e.quiet_per_s for e in found),
        }
        for level, label in ((0.05, "p05"), (0.5, "p50"), (0.95, "p95")):
            for key in ("first_ms", "detection_ms", "election_ms", "downtime_ms"):
                values = [getattr(e, key) for e in found]
                figures["speed", f"{key}_{label}"] = quantile(values, level)
        cells += [plan.cell(name, *what, n, figure, runs) for what, figure in figures.items()]
        plan.bar.update()
    return cells


def _trouble_cells(protocol: Protocol, plan: _Plan) -> list[Cell]:
    """The requirements under each of the faults."""
    cells = []
    for fault in FAULTS:
        cells += requirements(
            protocol, fault, runs=plan.runs, patience_s=plan.patience_ms / 1000,
            seconds=60 * plan.timeout_ms / 1000, timeout_ms=plan.timeout_ms, seed=plan.seed,
            threads=plan.threads,
        ).cells  # fmt: skip
        plan.bar.update()
    return cells


def _fencing_cells(protocol: Protocol, plan: _Plan) -> list[Cell]:
    """Stale writes that a resource accepts, of a thousand, while leaders are paused and cut off."""
    end_ms = 60 * plan.timeout_ms
    actions = [
        action for fault in ("pause", "partition")
        for action in FAULTS[fault].during(plan.timeout_ms, end_ms)["actions"]
    ]  # fmt: skip

    def stale(resource: Resource, seed: int) -> float:
        cluster = Cluster(
            protocol, network=Network(one_way_delay_ms=DELAY_MS), resource=resource,
            actions=actions, seed=seed, record=False,
        )  # fmt: skip
        cluster.run(until=end_ms)
        state: dict[str, Any] = cluster.resource or {}
        return 1000 * state["stale"] / state["accepted"] if state["accepted"] else math.nan

    cells = []
    for fencing in ("none", "token"):
        resource = Resource(
            fencing=fencing, work_interval_ms=plan.timeout_ms / 15, work_ms=plan.timeout_ms / 60
        )
        found = for_each_seed(
            functools.partial(stale, resource), plan.seed, plan.runs, plan.threads
        )
        measure = f"stale_writes_per_1000_fencing_{fencing}"
        cells.append(
            plan.cell(protocol.name, "fencing", measure, plan.nodes, mean(found), plan.runs)
        )
    return cells


def _hour_cells(protocol: Protocol, plan: _Plan) -> list[Cell]:
    """Hours of everything at once, rarely: is there a change that no fault explains?"""
    t = plan.timeout_ms
    actions = [
        settings.at_random(
            settings.crash("random"), every_ms=100 * t, repair_after_ms=10 * t, keep_up=3
        ),
        settings.at_random(settings.partition(), every_ms=150 * t, repair_after_ms=10 * t),
        settings.at_random(
            settings.pause("random"), every_ms=150 * t, repair_after_ms=4 * t, keep_up=3
        ),
    ]
    trouble = {
        "actions": actions,
        "network": Network(one_way_delay_ms=DELAY_MS, loss_probability=0.001),
    }
    trials = for_each_seed(
        functools.partial(trial, protocol, trouble, 3_600_000.0, plan.patience_ms),
        plan.seed, plan.hours, plan.threads,
    )  # fmt: skip
    plan.bar.update()
    return cells_of(protocol, "hour", trials, 1.0, plan.seed)


def _growth(cells: Sequence[Cell], fails_over: bool) -> tuple[str, float, float]:
    """The fitted order of the messages of an election."""
    measure = "failover_messages" if fails_over else "first_messages"
    points = [(cell.nodes, cell.value) for cell in cells if cell.measure == measure]
    return fitted_order([n for n, _ in points], [cost for _, cost in points])


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
    with tqdm(disable=not progress, unit="figure") as bar:
        plan = _Plan(nodes, float(timeout_ms), runs, trials, hours, seed, threads, bar)
        bar.reset(total=plan.steps * len(chosen))
        for name in chosen:
            bar.set_postfix_str(name)
            fails_over = PROTOCOLS[name].about["fails_over"]
            found = _election_cells(name, plan)
            orders[name] = _growth(found, fails_over)
            if fails_over:
                protocol = comparable(name, nodes, timeout_ms)
                found += _trouble_cells(protocol, plan)
                if name in AT_WORK:
                    found += _fencing_cells(protocol, plan)
                found += _hour_cells(protocol, plan)
            else:
                bar.update(plan.steps - len(plan.sizes))
            cells += found
    return Comparison(cells, orders, nodes, plan.timeout_ms, seed)
