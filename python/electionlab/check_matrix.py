"""Which protocols hold what they are asked for, and under which troubles: worked out, not written.

>>> import electionlab as el
>>> print(el.matrix(["bully"], ["crashes", "pause"], threads=1).cell("bully", "pause").text)
violated: 14 steps
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from electionlab import protocols as p
from electionlab._checked_runs import Run, in_steps
from electionlab._progress import Told, told
from electionlab.checker import Bounds, Budget, CheckResult, Timing, check
from electionlab.protocols import Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """A kind of trouble.

    Attributes:
        name: What it is called.
        title: What the table says.
        doc: What may happen.
        faults: How often.
        late: Messages may take longer than the time-outs allow for.
        drift: How far rates of clocks may be from 1.
    """

    name: str
    title: str
    doc: str
    faults: Budget = dataclasses.field(default_factory=Budget)
    late: bool = False
    drift: float = 0.0


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition(
            name="crashes", title="crashes", faults=Budget(crashes=2, restarts=0),
            doc="two nodes crash for good; messages come in time",
        ),
        Condition(
            name="restart", title="restart", faults=Budget(crashes=1, restarts=1),
            doc="a node crashes and comes back; messages come in time",
        ),
        Condition(
            name="delay", title="delay beyond T", late=True,
            doc="messages may take longer than the time-outs allow for",
        ),
        Condition(
            name="partition", title="partition", faults=Budget(partitions=1),
            doc="the network is cut in two once, and may heal",
        ),
        Condition(
            name="pause", title="pause", faults=Budget(pauses=1),
            doc="a node stands still once, for as long as it likes",
        ),
        Condition(
            name="clock", title="clock rate", drift=0.5,
            doc="clocks run at half to one and a half of the rate of time",
        ),
    )
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Row:
    protocol: Callable[[], Protocol]
    invariant: str
    #: Delays in time and too late; None: the order of events alone, which holds for all of time.
    tick_ms: float | None = None
    in_time_ms: tuple[float, float] = (10, 10)
    late_ms: tuple[float, float] = (10, 60)
    epoch: int | None = None
    depth: int | None = None
    copies: int | None = None


AT_A_TIME, PER_EPOCH = "one_leader_at_a_time", "one_leader_per_epoch"
#: Nothing is explored beyond so many states.
MOST_STATES = 600_000

ROWS: dict[str, _Row] = {
    "bully": _Row(
        protocol=lambda: p.Bully(
            3, answer_timeout_ms=30, coordinator_timeout_ms=60, heartbeat_interval_ms=30,
            leader_timeout_ms=50,
        ),
        invariant=AT_A_TIME, tick_ms=5, in_time_ms=(5, 10), late_ms=(5, 40),
    ),
    "ring": _Row(
        protocol=lambda: p.Ring(
            3, ack_timeout_ms=30, round_timeout_ms=60, heartbeat_interval_ms=60,
            leader_timeout_ms=90,
        ),
        invariant=AT_A_TIME, tick_ms=10, copies=1,
    ),
    "garcia_molina": _Row(
        protocol=lambda: p.GarciaMolina(
            3, answer_timeout_ms=30, check_interval_ms=30, coordinator_timeout_ms=60
        ),
        invariant=AT_A_TIME, tick_ms=10, depth=120,
    ),
    "lease": _Row(
        protocol=lambda: p.Lease(
            2, lease_ttl_ms=80, renew_interval_ms=40, retry_interval_ms=40, drift_bound_ppm=0
        ),
        invariant=AT_A_TIME, tick_ms=20, in_time_ms=(0, 20), late_ms=(0, 80), copies=1, epoch=2,
    ),
    "raft_at_a_time": _Row(
        protocol=lambda: p.Raft(
            3, election_timeout_ms=(60, 80), heartbeat_interval_ms=40, tick_ms=20
        ),
        invariant=AT_A_TIME, tick_ms=20, in_time_ms=(20, 20), late_ms=(0, 80), copies=1, epoch=2,
    ),
    "raft": _Row(protocol=lambda: p.Raft(3), invariant=PER_EPOCH, copies=1, epoch=1),
    "multi_paxos": _Row(
        # Ballot 1003 is the first round of node 3: every node may stand once.
        protocol=lambda: p.MultiPaxos(3), invariant=PER_EPOCH, copies=1, epoch=1003,
    ),
    "viewstamped": _Row(
        protocol=lambda: p.Viewstamped(3), invariant=PER_EPOCH, copies=1, epoch=2
    ),
}  # fmt: skip


class Cell(NamedTuple):
    """What the checker found for a protocol under a condition.

    Attributes:
        row: Name of the row.
        condition: Name of the condition.
        protocol: With its options.
        invariant: What was asked.
        verdict: "holds", "violated" or "open".
        note: Within which bounds, in how many steps, or why it is open.
        timing: How long messages take; None: any time.
        result: All that the checker tells; ``result.counterexample`` is the run.
    """

    row: str
    condition: str
    protocol: Protocol
    invariant: str
    verdict: str
    note: str
    timing: Timing | None
    result: CheckResult

    @property
    def text(self) -> str:
        """The cell as the table has it."""
        return f"{self.verdict}: {self.note}"

    @property
    def short(self) -> str:
        """The same in one word or two."""
        return (
            f"breaks: {len(self.run)}" if self.run and self.verdict == "violated" else self.verdict
        )

    @property
    def run(self) -> Run | None:
        """The shortest run that breaks the invariant."""
        return self.result.counterexample


def _judged(result: CheckResult) -> tuple[str, str]:
    run = result.counterexample
    within = ", ".join(
        f"{name} <= {getattr(result.bounds, name)}"
        for name in result.bounds_hit
        if name in ("epoch", "depth", "copies")
    )
    if "clock" in result.bounds_hit:
        return "open", "it reads its clock"
    if result.interrupted:
        return "open", "it was stopped"
    if run is not None:
        return "violated", in_steps(len(run))
    if result.with_leader == 0:
        return "open", f"no leader in {result.states:,} states"
    if result.proved:
        return "holds", "proof"
    if result.exhausted or result.bounds_hit == ["depth"]:
        return "holds", within
    if "states" in result.bounds_hit:
        return "open", f"none to depth {result.depth - 1}"
    return "holds", within


class Matrix:
    """Protocols and conditions, and what holds.

    Attributes:
        cells: All of them, row by row.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = list(cells)

    def cell(self, row: str, condition: str) -> Cell:
        """One of them.

        Raises:
            ValueError: There is none.
        """
        for cell in self.cells:
            if (cell.row, cell.condition) == (row, condition):
                return cell
        rows = sorted({cell.row for cell in self.cells})
        raise ValueError(
            f"row={row!r}, condition={condition!r}: must be among rows {', '.join(rows)} and "
            f"conditions {', '.join(dict.fromkeys(c.condition for c in self.cells))}"
        )

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def to_frame(self) -> pd.DataFrame:
        """A line for each cell.

        Returns:
            Columns row, protocol, invariant, condition, verdict, note, steps (of the shortest
            violation; 0: none), states, depth, exhausted, proved, delay_ms, tick_ms (NaN: any
            time), seconds.
        """
        import pandas as pd

        return pd.DataFrame([
            {
                "row": c.row,
                "protocol": repr(c.protocol),
                "invariant": c.invariant,
                "condition": c.condition,
                "verdict": c.verdict,
                "note": c.note,
                "steps": len(c.run) if c.run is not None else 0,
                "states": c.result.states,
                "depth": c.result.depth,
                "exhausted": c.result.exhausted,
                "proved": c.result.proved,
                "delay_ms": "any" if c.timing is None else _span(c.timing.one_way_delay_ms),
                "tick_ms": float("nan") if c.timing is None else c.timing.tick_ms,
                "seconds": c.result.seconds,
            }
            for c in self.cells
        ])  # fmt: skip

    def table(self) -> pd.DataFrame:
        """A line for each protocol, a column for each condition."""
        import pandas as pd

        titles = {name: condition.title for name, condition in CONDITIONS.items()}
        lines: dict[str, dict[str, str]] = {}
        for cell in self.cells:
            title = f"{cell.protocol.name}, {cell.invariant.replace('_', ' ')}"
            lines.setdefault(title, {})[titles[cell.condition]] = cell.text
        return pd.DataFrame.from_dict(lines, orient="index")

    def to_markdown(self) -> str:
        """The table as Markdown."""
        table = self.table()
        rows = [["", *table.columns], ["---"] * (len(table.columns) + 1)]
        rows += [[str(name), *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"

    def __str__(self) -> str:
        titles = list(dict.fromkeys(CONDITIONS[c.condition].title for c in self.cells))
        lines: list[str] = []
        for invariant in dict.fromkeys(cell.invariant for cell in self.cells):
            asked = [cell for cell in self.cells if cell.invariant == invariant]
            lines += ["", f"{invariant.replace('_', ' '):<20}" + _columns(titles)]
            for row in dict.fromkeys(cell.row for cell in asked):
                own = {CONDITIONS[c.condition].title: c.short for c in asked if c.row == row}
                name = next(c.protocol.name for c in asked if c.row == row)
                lines.append(f"{name:<20}" + _columns([own.get(t, "") for t in titles], titles))
        notes: dict[tuple[str, str, str], list[str]] = {}
        for c in self.cells:
            if c.verdict != "violated":
                key = (c.verdict, f"{c.protocol.name}, {c.invariant.replace('_', ' ')}", c.note)
                notes.setdefault(key, []).append(CONDITIONS[c.condition].title)
        lines += ["", "breaks: n: the shortest run that does has n steps"]
        for (verdict, who, note), under in notes.items():
            where = "all" if len(under) == len(titles) else ", ".join(under)
            lines.append(f"{verdict}: {who}: {note} ({where})")
        return "\n".join(line.rstrip() for line in lines[1:])

    def __repr__(self) -> str:
        counts = {
            v: [c.verdict for c in self.cells].count(v) for v in ("holds", "violated", "open")
        }
        return (
            "<Matrix " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ">"
        )

    def _repr_html_(self) -> str:
        return str(self.table().to_html())


def _columns(texts: Sequence[str], titles: Sequence[str] | None = None) -> str:
    wide = [max(len(title), len("breaks: 99")) for title in titles or texts]
    return "".join(f"  {text:<{width}}" for text, width in zip(texts, wide, strict=True))


def _span(ms: float | tuple[float, float]) -> str:
    return f"{ms[0]:g} to {ms[1]:g}" if isinstance(ms, tuple) else f"{ms:g}"


def _chosen(name: str, given: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        given = [given]
    for one in given or ():
        if one not in known:
            raise ValueError(f"{name}={one!r}: must be one of {', '.join(known)}")
    return list(known) if given is None else list(given)


def matrix(
    rows: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    *,
    states: int = MOST_STATES,
    threads: int | None = None,
    progress: bool | Told | None = None,
) -> Matrix:
    """Checks protocols under every kind of trouble.

    "One leader at a time" is asked of protocols whose safety rests on time, with time: three nodes
    (the lease: two and a manager), short time-outs in whole ticks. "One leader per epoch" is asked
    without time: what is found holds for any delays, pauses and clocks.

    Args:
        rows: Some of bully, ring, garcia_molina, lease, raft_at_a_time, raft, multi_paxos,
            viewstamped; None: all.
        conditions: Some of crashes, restart, delay, partition, pause, clock; None: all.
        states: A cell is given up, and says so, after so many states.
        threads: None: all cores. The result does not depend on it.
        progress: As for `check`.

    Raises:
        ValueError: An argument is unknown or out of range; the message names it.
    """
    cells = []
    with told(progress) as tell:
        for name in _chosen("rows", rows, list(ROWS)):
            for condition in _chosen("conditions", conditions, list(CONDITIONS)):
                cell = _cell(name, CONDITIONS[condition], states, threads, tell)
                cells.append(cell)
                if cell.result.interrupted:  # and then this one says so
                    return Matrix(cells)
    return Matrix(cells)


def _cell(
    name: str, condition: Condition, states: int, threads: int | None, tell: Told | None
) -> Cell:
    row = ROWS[name]
    timing = None
    if row.tick_ms is not None:
        delay_ms = row.late_ms if condition.late else row.in_time_ms
        timing = Timing(tick_ms=row.tick_ms, one_way_delay_ms=delay_ms, clock_drift=condition.drift)
    bounds = Bounds(epoch=row.epoch, depth=row.depth, copies=row.copies, states=states)
    protocol = row.protocol()
    result = check(
        protocol, row.invariant, faults=condition.faults, bounds=bounds, timing=timing,
        threads=threads, progress=tell,
    )  # fmt: skip
    verdict, note = _judged(result)
    return Cell(name, condition.name, protocol, row.invariant, verdict, note, timing, result)


__all__: Sequence[str] = [
    "CONDITIONS",
    "MOST_STATES",
    "ROWS",
    "Cell",
    "Condition",
    "Matrix",
    "matrix",
]
