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

from electionlab._comparable import NODES, TIMEOUT_MS, Subject, actors_of, comparable
from electionlab._costs import Growth, first_messages, fitted_order, measure_election, orders_to_try
from electionlab._faults import FAULTS, Setting, hour
from electionlab._figures import Cell, cell, frame_of, mean, quantile
from electionlab._once import cells_of_endings, ending
from electionlab._requirements import cells_of, drawn, trial
from electionlab._threads import for_each_seed
from electionlab._values import above_zero, whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import AT_WORK, PROTOCOLS, Protocol
from electionlab.settings import Resource
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

#: Cluster sizes over which the cost is followed.
SIZES = (3, 4, 5, 6, 7, 9, 11, 13, 16, 20, 25)
#: Larger ones, for rings.
LARGE_SIZES = (50, 100)

#: The table that lecture notes print, by protocol: complexity, consistency, speed.
FAMILIAR: dict[str, tuple[str, str, str]] = {
    "bully": ("low", "weak", "fast"),
    "raft": ("medium", "strong", "medium"),
    "multi_paxos": ("high", "strong", "medium"),
    "zk_recipe": ("medium", "strong", "fast"),
}

_PAUSES = ("pause", "partition")  # under which stale writes are counted


class Comparison:
    """Protocols side by side; see `compare`.

    Attributes:
        cells: Every figure.
        orders: By protocol: the order that its messages per failover (or, of one that elects once,
            per election) grow with.
        other_orders: The same of a second cost: in the worst order that was tried, of a ring;
            with one proposer, of Paxos.
        abouts: By protocol: what the catalogue says.
        nodes: Members, of every figure that is not over the sizes.
        timeout_ms: Silence after which a leader was suspected.
        seed: Seed of the first run of each figure.
        runs: Runs under each kind of trouble.
        trials: Failovers, or elections, measured at `nodes` members.
        hours: Hours of rare trouble.
    """

    def __init__(self, found: Sequence[_Found], plan: _Plan) -> None:
        self.cells = [cell for each in found for cell in each.cells]
        self.orders = {each.subject.label: each.growth for each in found}
        self.other_orders = {
            each.subject.label: each.other_growth for each in found if each.other_growth
        }
        self.abouts = {each.subject.label: each.subject.about for each in found}
        self.nodes = plan.nodes
        self.timeout_ms = plan.timeout_ms
        self.seed = plan.seed
        self.runs = plan.runs
        self.trials = plan.trials
        self.hours = plan.hours
        self._by_key = {(c.protocol, c.measure, c.fault, c.nodes): c for c in self.cells}

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

    def fails_over(self, protocol: str) -> bool:
        """Whether it replaces a crashed leader, and was tried under trouble that goes on."""
        return bool(self.abouts[protocol]["fails_over"])

    def verdict(self, protocol: str, fault: str) -> str:
        """What was seen of uniqueness and liveness under a fault, in a few words.

        In brackets: 95 % confidence.
        """
        if not self.fails_over(protocol):
            return self._ending(protocol, fault)
        both = self.cell(protocol, "runs_with_two_leaders_at_once", fault)
        epoch = self.cell(protocol, "runs_with_two_leaders_in_one_epoch", fault)
        agree = self.cell(protocol, "runs_that_agree_again", fault)
        share = self.cell(protocol, "time_with_two_leaders", fault)
        splits = self.cell(protocol, "two_leaders_at_once_per_h", fault)
        if both.value > 0 and share.value > 0:
            words = f"two at once {_percent(share)} of the time"
        elif both.value > 0:
            words = "acts on for an instant after waking" if fault == "pause" else "two an instant"
            words += f", {_compact(splits)} an hour"
        elif self.cell(protocol, "leader_changes_per_h", fault).value == 0:
            words = "not tried: the leader never changed"
        else:
            words = f"one leader (two in {_percent(both)} of the runs)"
        if both.value > 0 and not math.isnan(epoch.value):
            words += (
                ", one per epoch"
                if epoch.value == 0
                else f", of one epoch in {_percent(epoch)} of the runs"
            )
        stale = self._by_key.get(
            (protocol, "stale_writes_per_1000_fencing_none", fault, self.nodes)
        )
        if stale is not None and stale.value > 0:
            words += "; stale writes"
        if agree.value < 1:
            words += f"; {_percent(agree)} of the runs agree afterwards"
        return words

    def _ending(self, protocol: str, fault: str) -> str:
        shares = {
            words: self.cell(protocol, f"runs_that_end_with_{what}", fault)
            for what, words in (
                ("one_leader", "one leader"), ("no_leader", "none"), ("two_leaders", "two"),
                ("agreement", "all agree"),
            )
        }  # fmt: skip
        return ", ".join(
            f"{words} {_percent(share)}"
            for words, share in shares.items()
            if share.value > 0 or words in ("one leader", "all agree")
        )

    def table(self) -> pd.DataFrame:
        """A row for each protocol, in words and rounded figures; the exact ones are in `frame`.

        In brackets: 95 % confidence.
        """
        import pandas as pd

        rows = []
        for name in self.protocols:
            row: dict[str, str] = {"protocol": name}
            for fault in FAULTS:
                row[fault] = self.verdict(name, fault)
            fails_over = self.fails_over(name)
            cost = self.cell(name, "failover_messages" if fails_over else "first_messages")
            row["messages per election"] = _compact(cost)
            row["they grow as"] = str(self.orders[name])
            row["second figure"] = self._second(name)
            row["closed form"] = self.abouts[name]["cost"]
            for title, key in (
                ("detection ms", "detection_ms"),
                ("election ms", "election_ms" if fails_over else "first_ms"),
                ("downtime ms", "downtime_ms"),
            ):
                spread = [self.cell(name, f"{key}_{q}") for q in ("p05", "p50", "p95")]
                row[title] = (
                    "" if math.isnan(spread[1].value) else " / ".join(map(_compact, spread))
                )
            for fencing in ("none", "token"):
                stale = [
                    f"{fault} {_compact(figure)}"
                    for fault in _PAUSES
                    if (figure := self._stale(name, fencing, fault)) is not None
                ]
                row[f"stale writes of 1000, fencing {fencing}"] = ", ".join(stale)
            load = self.cell(name, "leader_share")
            row["leader's load"] = "" if math.isnan(load.value) else _percent(load)
            row["messages/s in peace"] = _compact(self.cell(name, "quiet_messages_per_s"))
            row["unexplained changes/h"] = ""
            if fails_over:
                row["unexplained changes/h"] = _compact(
                    self.cell(name, "unexplained_changes_per_h", "hour")
                )
            row["gave no figure"] = self._failed(name)
            rows.append(row)
        return pd.DataFrame(rows).set_index("protocol")

    def _stale(self, protocol: str, fencing: str, fault: str) -> Cell | None:
        measure = f"stale_writes_per_1000_fencing_{fencing}"
        return self._by_key.get((protocol, measure, fault, self.nodes))

    def _second(self, protocol: str) -> str:
        for measure, words in (
            ("worst_order_messages", "in the worst order tried"),
            ("one_proposer_messages", "with one proposer"),
        ):
            found = self._by_key.get((protocol, measure, "", self.nodes))
            if found is not None:
                return f"{words} {_compact(found)}, {self.other_orders[protocol]}"
        return ""

    def _failed(self, protocol: str) -> str:
        """Runs without trouble in which no leader, or no new leader, was agreed on in time."""
        measures = ["first_messages"] + ["failover_messages"] * self.fails_over(protocol)
        failed = [
            f"{cell.failed} of {cell.runs + cell.failed} {words}"
            for measure, words in zip(measures, ("elections", "failovers"), strict=False)
            if (cell := self.cell(protocol, measure)).failed
        ]
        return ", ".join(failed)

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
                    "messages per failover": _compact(self.cell(name, "failover_messages")),
                    "they grow as": str(self.orders[name]),
                    "consistency, they say": consistency,
                    "two leaders in partitions, of the time": _percent(both),
                    "and in one epoch, of the runs": (
                        "no epochs" if math.isnan(epoch.value) else _percent(epoch)
                    ),
                    "speed, they say": speed,
                    "median downtime, ms": _compact(self.cell(name, "downtime_ms_p50")),
                }
            )
        return pd.DataFrame(rows).set_index("protocol") if rows else pd.DataFrame()

    @property
    def heading(self) -> str:
        """What all figures have in common, on one line."""
        return (
            f"n = {self.nodes}, a silent leader is suspected after {self.timeout_ms:g} ms; "
            f"{self.trials} elections, {self.runs} runs of each trouble, {self.hours} h of all; "
            f"from seed {self.seed}; [95 % confidence]"
        )

    def plot(
        self, ax: Sequence[Axes] | None = None, *, size: Size | None = None
    ) -> tuple[Axes, Axes, Axes]:
        """Guarantees, downtime and cost in three panels; see `electionlab.plot.comparison`."""
        from electionlab.plot.comparison import plot_comparison

        return plot_comparison(self, ax=ax, size=size)

    def _repr_html_(self) -> str:
        return str(self.table().to_html())


def _compact(cell: Cell) -> str:
    """A figure to three digits, with its interval if that is known."""
    if math.isnan(cell.value):
        return "none"
    text = _short(cell.value)
    return text if math.isnan(cell.low) else f"{text} [{_short(cell.low)}, {_short(cell.high)}]"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(cell: Cell) -> str:
    """A share in percent, with its interval."""
    text = f"{share_text(cell.value)} %"
    if math.isnan(cell.low):
        return text
    return f"{text} [{share_text(cell.low)}, {share_text(cell.high)}]"


def share_text(share: float) -> str:
    """A share as a number of percent; what is not 0 does not look like it."""
    if 0 < share < 0.0001:
        return "< 0.01"
    if 0.9999 < share < 1:
        return "> 99.99"
    return f"{100 * share:.3g}" if share < 0.999 else f"{100 * share:.4g}"


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

    def sizes(self, subject: Subject) -> list[int]:
        if subject.given is not None:
            return [self.nodes]
        large = LARGE_SIZES if "initiators" in subject.option_names else ()
        return sorted({*SIZES, *large, self.nodes})

    @property
    def steps(self) -> int:
        """How often the bar moves for a protocol."""
        return 2 + len(FAULTS)

    def trials_at(self, nodes: int) -> int:
        if nodes == self.nodes:
            return self.trials
        return max(self.trials // (20 if nodes in LARGE_SIZES else 5), 5)


@dataclasses.dataclass(frozen=True)
class _Found:
    """What was measured of one protocol."""

    subject: Subject
    cells: list[Cell]
    growth: Growth
    other_growth: Growth | None


def _election_cells(subject: Subject, plan: _Plan) -> list[Cell]:
    """Cost and speed of elections without other trouble, over the sizes."""
    cells = []
    for n in plan.sizes(subject):
        found = for_each_seed(
            functools.partial(measure_election, subject, n, plan.patience_ms),
            plan.seed, plan.trials_at(n), plan.threads,
        )  # fmt: skip
        figures = {
            ("cost", "first_messages"): mean((e.first_messages for e in found), 0),
            ("cost", "failover_messages"): mean(e.messages for e in found),
            ("cost", "leader_share"): mean((e.leader_share for e in found), 0, 1),
            ("cost", "quiet_messages_per_s"): mean((e.quiet_per_s for e in found), 0),
        }
        for level, label in ((0.05, "p05"), (0.5, "p50"), (0.95, "p95")):
            for key in ("first_ms", "detection_ms", "election_ms", "downtime_ms"):
                values = [getattr(e, key) for e in found]
                figures["speed", f"{key}_{label}"] = quantile(values, level)
        cells += [
            cell(subject.label, about, measure, "", n, figure, plan.seed)
            for (about, measure), figure in figures.items()
        ]
    plan.bar.update()
    return cells


def _second_cells(subject: Subject, plan: _Plan) -> list[Cell]:
    """A second cost of those that have one: the worst order of a ring, Paxos with one proposer."""
    tries: list[dict[str, Any]] = []
    cells = []
    for n in plan.sizes(subject):
        if "shuffle" in subject.option_names:
            measure, tries = "worst_order_messages", [{"order": o} for o in orders_to_try(n)]
        elif subject.label == "paxos":
            measure, tries = "one_proposer_messages", [{"proposers": [1]}]
        else:
            return []
        costs = [
            for_each_seed(
                functools.partial(first_messages, subject, n, plan.patience_ms, options),
                plan.seed, 5, plan.threads,
            )
            for options in tries
        ]  # fmt: skip
        worst = max(costs, key=lambda runs: -math.inf if math.isnan(sum(runs)) else sum(runs))
        cells.append(cell(subject.label, "cost", measure, "", n, mean(worst, 0), plan.seed))
    return cells


def _trouble_cells(subject: Subject, plan: _Plan) -> list[Cell]:
    """The requirements under each of the faults."""
    cells = []
    end_ms = 60 * plan.timeout_ms
    make = functools.partial(subject.make, plan.nodes)
    actors = actors_of(make(plan.seed))
    for name, fault in FAULTS.items():
        trouble = functools.partial(
            drawn, fault.during, plan.timeout_ms, end_ms, plan.nodes, actors
        )
        trials = for_each_seed(
            functools.partial(trial, make, trouble, subject.network, end_ms, plan.patience_ms),
            plan.seed, plan.runs, plan.threads,
        )  # fmt: skip
        cells += cells_of(
            subject.label, subject.about["epochs"], plan.nodes, name, trials, end_ms / 3_600_000,
            plan.seed,
        )  # fmt: skip
        plan.bar.update()
    return cells


def _ending_cells(subject: Subject, plan: _Plan, election_ms: float) -> list[Cell]:
    """How elections end that happen once, under each of the faults."""
    cells = []
    for name in FAULTS:
        endings = for_each_seed(
            functools.partial(ending, subject, name, plan.nodes, election_ms, plan.patience_ms),
            plan.seed, plan.runs, plan.threads,
        )  # fmt: skip
        cells += cells_of_endings(subject.label, plan.nodes, name, endings, plan.seed)
        plan.bar.update()
    return cells


def _fencing_cells(subject: Subject, plan: _Plan) -> list[Cell]:
    """Stale writes that a resource accepts, of a thousand, while leaders are paused or cut off."""
    end_ms = 60 * plan.timeout_ms
    actors = actors_of(subject.make(plan.nodes, plan.seed))

    def stale(resource: Resource, fault: str, seed: int) -> float:
        given = Setting(plan.timeout_ms, end_ms, plan.nodes, actors, seed)
        cluster = Cluster(
            subject.make(plan.nodes, seed), network=subject.network, resource=resource, seed=seed,
            record=False, **FAULTS[fault].during(given),
        )  # fmt: skip
        cluster.run(until=end_ms)
        state: dict[str, Any] = cluster.resource or {}
        return 1000 * state["stale"] / state["accepted"] if state["accepted"] else math.nan

    cells = []
    for fencing in ("none", "token"):
        resource = Resource(
            fencing=fencing, work_interval_ms=plan.timeout_ms / 15, work_ms=plan.timeout_ms / 60
        )
        for fault in _PAUSES:
            found = for_each_seed(
                functools.partial(stale, resource, fault), plan.seed, plan.runs, plan.threads
            )
            measure = f"stale_writes_per_1000_fencing_{fencing}"
            figure = mean(found, 0, 1000)
            cells.append(
                cell(subject.label, "fencing", measure, fault, plan.nodes, figure, plan.seed)
            )
    return cells


def _hour_cells(subject: Subject, plan: _Plan) -> list[Cell]:
    """Hours of everything at once, rarely: is there a change that no fault explains?"""
    make = functools.partial(subject.make, plan.nodes)
    trouble = functools.partial(
        drawn, hour, plan.timeout_ms, 3_600_000.0, plan.nodes, actors_of(make(plan.seed))
    )
    trials = for_each_seed(
        functools.partial(
            trial, make, trouble, subject.network, 3_600_000.0, plan.patience_ms
        ),
        plan.seed, plan.hours, plan.threads,
    )  # fmt: skip
    plan.bar.update()
    return cells_of(
        subject.label, subject.about["epochs"], plan.nodes, "hour", trials, 1.0, plan.seed
    )


def _growth(cells: Sequence[Cell], measure: str) -> Growth:
    """The fitted order of a cost."""
    points = [(cell.nodes, cell.value) for cell in cells if cell.measure == measure]
    return fitted_order([n for n, _ in points], [cost for _, cost in points])


def _measured(subject: Subject, plan: _Plan) -> _Found:
    """Every figure of one protocol."""
    cells = _election_cells(subject, plan)
    second = _second_cells(subject, plan)
    other = _growth(second, second[0].measure) if second else None
    if not subject.about["fails_over"]:
        (usual,) = (c.value for c in cells if (c.measure, c.nodes) == ("first_ms_p50", plan.nodes))
        growth = _growth(cells, "first_messages")
        cells += _ending_cells(subject, plan, usual)
        plan.bar.update()
        return _Found(subject, cells + second, growth, other)
    growth = _growth(cells, "failover_messages")
    cells += _trouble_cells(subject, plan)
    if subject.name in AT_WORK and not isinstance(subject.given, UserProtocol):
        cells += _fencing_cells(subject, plan)
    return _Found(subject, cells + second + _hour_cells(subject, plan), growth, other)


def _subjects(protocols: Any, nodes: int | None, timeout_ms: float) -> tuple[list[Subject], int]:
    """What was asked for, and the number of members."""
    if protocols is None:
        protocols = list(PROTOCOLS)
    elif isinstance(protocols, (str, Protocol, UserProtocol)):
        protocols = [protocols]
    try:
        chosen = list(protocols)
    except TypeError:
        chosen = []
    if not chosen:
        raise ValueError(
            f"protocols={protocols!r}: must be a list of names, or of protocols such as "
            "electionlab.Raft(nodes=5)"
        )
    given = [p.nodes for p in chosen if isinstance(p, (Protocol, UserProtocol))]
    nodes = whole_number("nodes", given[0] if nodes is None and given else nodes or NODES, 3, 64)
    subjects = []
    for each in chosen:
        if isinstance(each, (Protocol, UserProtocol)):
            if each.nodes != nodes:
                raise ValueError(f"protocols={each!r}: must have {nodes} nodes as the others")
            label = each.name if isinstance(each, UserProtocol) else repr(each)
            subjects.append(Subject(label, each, timeout_ms))
        else:
            comparable(each, nodes, timeout_ms)  # tells what is wrong with it
            subjects.append(Subject(each, None, timeout_ms))
    labels = [subject.label for subject in subjects]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"protocols={label!r}: must be given once")
    return subjects, nodes


def compare(
    protocols: str
    | Protocol
    | UserProtocol
    | Sequence[str | Protocol | UserProtocol]
    | None = None,
    *,
    nodes: int | None = None,
    timeout_ms: float = TIMEOUT_MS,
    runs: int = 100,
    trials: int = 200,
    hours: int = 10,
    seed: int = 1,
    threads: int = 0,
    progress: bool = False,
) -> Comparison:
    """Measures the trade-offs of protocols under the same network and comparable time-outs.

    Args:
        protocols: Names in the catalogue, which get comparable time-outs; protocols with options
            of your own, and protocols written in Python, which are taken as they are, at their own
            size. None: all of the catalogue.
        nodes: Members, 3 to 64; None: as the protocols that are given, or 5.
        timeout_ms: Silence after which a leader is suspected; see `comparable`. What the trouble
            is scaled by.
        runs: Runs for each kind of trouble.
        trials: Elections measured at ``nodes`` members; a fifth of it at the other sizes.
        hours: Runs of an hour for stability.
        seed: Seed of the first run of each figure; 0 and up.
        threads: How many runs at once; 0: as many as there are cores.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The figures, each with its seed, its number of runs and its 95 % confidence interval.

    Raises:
        ValueError: An argument is out of range, or a protocol unknown.
    """
    timeout_ms = above_zero("timeout_ms", timeout_ms)
    subjects, nodes = _subjects(protocols, nodes, timeout_ms)
    runs = whole_number("runs", runs, 1, 10**6)
    trials = whole_number("trials", trials, 1, 10**6)
    hours = whole_number("hours", hours, 1, 10**4)
    seed = whole_number("seed", seed, 0, 2**62)
    threads = whole_number("threads", threads, 0, 1024)
    found = []
    with tqdm(disable=not progress, unit="figure") as bar:
        plan = _Plan(nodes, timeout_ms, runs, trials, hours, seed, threads, bar)
        bar.reset(total=plan.steps * len(subjects))
        for subject in subjects:
            bar.set_postfix_str(subject.label)
            found.append(_measured(subject, plan))
    return Comparison(found, plan)
