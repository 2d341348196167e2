"""Runs handed in as homework: each is replayed by the engine, and judged against a task.

>>> import electionlab as el
>>> cluster = el.Cluster(el.Raft(5), seed=1, initial_leader=1)
>>> event = cluster.partition([1, 2], [3, 4, 5])
>>> done = cluster.run(until=1000)
>>> print(el.tasks["two_leaders"].judge(cluster).points)
1.0
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from electionlab import _core
from electionlab._goals import GOALS
from electionlab._values import path_of
from electionlab.cluster import Cluster
from electionlab.errors import TraceError
from electionlab.protocols import AT_WORK, PROTOCOLS
from electionlab.trace import FORMAT, load_cluster

if TYPE_CHECKING:
    import pandas as pd

#: What repairs: these actions are free, all others count as faults.
REPAIRS = ("restart", "resume", "mend", "heal")
#: A larger file is refused unread.
MOST_BYTES = 64_000_000
_WAITING = ("at", "when", "plan")  # the action inside counts, when it happens


class Criterion(NamedTuple):
    """One thing that a task asks for.

    Attributes:
        name: What it is about: "file", "protocol", "options", "faults", or a goal's name.
        met: Whether the run does that.
        said: What was found, in words.
    """

    name: str
    met: bool
    said: str


@dataclasses.dataclass(frozen=True)
class Grade:
    """What a run that was handed in is worth.

    Attributes:
        who: Whose it is: the path below the folder that was given, without its ending.
        task: Name of the task.
        criteria: What the task asks for, one by one.
        run: Hash of the run; equal for equal runs, "" where nothing could be replayed.
        same_as: Others who handed in the very same run.
    """

    who: str
    task: str
    criteria: tuple[Criterion, ...]
    run: str = ""
    same_as: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every criterion is met."""
        return all(one.met for one in self.criteria)

    @property
    def points(self) -> float:
        """Share of the goals that are met, 0 to 1; 0 when a rule was broken."""
        goals = [one for one in self.criteria if one.name in GOALS]
        if not goals or any(not one.met for one in self.criteria if one.name not in GOALS):
            return 0.0
        return sum(one.met for one in goals) / len(goals)

    def __str__(self) -> str:
        lines = [f"{self.who}: {'passed' if self.passed else 'not passed'} ({self.task})"]
        lines += [
            f"  {'ok ' if one.met else 'NO '} {one.name}: {one.said}" for one in self.criteria
        ]
        if self.same_as:
            lines.append(f"  the same run as {', '.join(self.same_as)}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Homework: what a run must show, and with what means.

    Attributes:
        name: A word.
        title: What is asked, for the student.
        protocol: The protocol that must have run.
        nodes: Fewest and most members.
        goals: What must be seen, by name, each with its bounds; ``electionlab grade`` lists them.
        options: Options of the protocol that must have a certain value. All others must have their
            defaults, bugs by name (``mutations``) too.
        free_options: Options that may have any value.
        faults_at_most: How many faults the run may have; None: any number. Everything that was
            done from outside counts, except what repairs (restart, resume, mend, heal), and so
            does each message that chance lost or copied and each disk that was lost.
        forbidden: Actions that must not be used at all, by name.
        delay_at_most_ms: No message may travel longer; None: any time.
        own_machines: Whether nodes may have slow disks or odd clocks.
        resource: Leaders must work on a resource with this fencing: "none", "token" or "takeover".
            None: there must be no resource.

    Raises:
        ValueError: Something is unknown or out of range; the message names it.
    """

    name: str
    title: str
    protocol: str
    goals: Mapping[str, Mapping[str, Any]]
    nodes: tuple[int, int] = (3, 9)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    free_options: Sequence[str] = ()
    faults_at_most: int | None = None
    forbidden: Sequence[str] = ()
    delay_at_most_ms: float | None = None
    own_machines: bool = False
    resource: str | None = None

    def __post_init__(self) -> None:
        for field in ("name", "title"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise ValueError(f"{field}={value!r}: must be text")
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol={self.protocol!r}: must be one of {', '.join(PROTOCOLS)}")
        if self.resource not in (None, "none", "token", "takeover"):
            raise ValueError(
                f"resource={self.resource!r}: must be 'none', 'token', 'takeover' or None"
            )
        if self.resource is not None and self.protocol not in AT_WORK:
            raise ValueError(
                f"resource={self.resource!r}: with one, protocol must be one of "
                f"{', '.join(AT_WORK)}"
            )
        for field in ("options", "free_options"):
            for option in getattr(self, field):
                if option not in self._defaults():
                    raise ValueError(
                        f"{field}: {self.protocol} has no option {option!r}; it has "
                        f"{', '.join(self._defaults())}"
                    )
        if not isinstance(self.goals, Mapping) or not self.goals:
            raise ValueError(f"goals={self.goals!r}: must be a mapping with one goal or more")
        for goal, bounds in self.goals.items():
            if goal not in GOALS:
                raise ValueError(f"goals: {goal!r} must be one of {', '.join(GOALS)}")
            for name, value in dict(bounds).items():
                if name not in GOALS[goal].bounds:
                    raise ValueError(
                        f"goals: {goal} has no bound {name!r}; it has "
                        f"{', '.join(GOALS[goal].bounds) or 'none'}"
                    )
                _check_kind(f"goals: {goal}: {name}", value, GOALS[goal].bounds[name])
        for action in self.forbidden:
            if action not in _core.action_kinds:
                raise ValueError(
                    f"forbidden: {action!r} must be one of {', '.join(_core.action_kinds)}"
                )
        low, high = self.nodes
        if not (_is_count(low) and _is_count(high) and 1 <= low <= high <= 1000):
            raise ValueError(f"nodes={self.nodes!r}: must be two numbers from 1 to 1000, ascending")
        if self.faults_at_most is not None and not _is_count(self.faults_at_most):
            raise ValueError(f"faults_at_most={self.faults_at_most!r}: must be 0 or more, or None")
        if self.delay_at_most_ms is not None and not (
            isinstance(self.delay_at_most_ms, (int, float)) and self.delay_at_most_ms > 0
        ):
            raise ValueError(
                f"delay_at_most_ms={self.delay_at_most_ms!r}: must be a time above 0, or None"
            )

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Task:
        """Reads a task from a JSON file whose keys are this class's attributes.

        Raises:
            ValueError: It is not JSON, or not a task; the message says what is wrong.
            OSError: The file cannot be read.
        """
        source = path_of("path", path)
        try:
            fields = json.loads(source.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{source}: not a task: not JSON ({error})") from None
        known = {field.name for field in dataclasses.fields(Task)}
        if not isinstance(fields, dict):
            raise ValueError(f"{source}: not a task: must be an object")
        for name in fields:
            if name not in known:
                raise ValueError(f"{source}: {name!r}: must be one of {', '.join(sorted(known))}")
        try:
            if "nodes" in fields:
                fields["nodes"] = tuple(fields["nodes"])
            return Task(**fields)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{source}: not a task: {error}") from None
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None

    def judge(self, cluster: Cluster, *, who: str = "this run") -> Grade:
        """Judges the run that a cluster has had.

        Args:
            cluster: It must have kept its trace.
            who: Whose run it is.

        Raises:
            ValueError: The cluster was made with ``record=False``.
        """
        recipe = cluster.trace.recipe
        rules = (*self._rules_of_header(recipe), *self._rules_of_run(cluster))
        goals = (
            Criterion(goal, *GOALS[goal].judge(cluster, bounds))
            for goal, bounds in self.goals.items()
        )
        return Grade(who, self.name, (*rules, *goals), cluster.trace.hash())

    def _rules_of_header(self, recipe: Mapping[str, Any]) -> list[Criterion]:
        """What can be said before a run is replayed."""
        asked = recipe["protocol"]
        name, nodes = asked["name"], asked["nodes"]
        expected = self.protocol + ("_at_work" if self.resource is not None else "")
        if asked.get("in_python") or name != expected:
            own = " written in Python" if asked.get("in_python") else ""
            said = f"the run is of {_words(name)}{own}; asked for is {_words(expected)}"
            return [Criterion("protocol", False, said)]
        low, high = self.nodes
        found = [
            Criterion(
                "protocol",
                _is_count(nodes) and low <= nodes <= high,
                f"{_words(name)}, {nodes} nodes; {low} to {high} are allowed",
            )
        ]
        wanted, options = {**self._defaults(), **self.options}, asked["options"]
        wrong = [
            f"{option}={options[option]!r} must be {wanted[option]!r}"
            for option in options
            if option in wanted
            and option not in self.free_options
            and not _same(options[option], wanted[option])
        ]
        found.append(Criterion("options", not wrong, "; ".join(wrong) or "as the task says"))
        return found

    def _defaults(self) -> dict[str, Any]:
        if self.resource is None:
            about = PROTOCOLS[self.protocol].about
        else:
            about = AT_WORK[self.protocol].about
        wanted: dict[str, Any] = {o["name"]: o["default"] for o in about["options"]}
        if self.resource is not None:
            wanted["fencing"] = self.resource
        return wanted

    def _rules_of_run(self, cluster: Cluster) -> list[Criterion]:
        found = []
        faults = _faults(cluster)
        total = sum(faults.values())
        said = ", ".join(f"{count} {name}" for name, count in faults.items()) or "none"
        if self.faults_at_most is not None:
            met = total <= self.faults_at_most
            found.append(
                Criterion("faults", met, f"{total} ({said}); at most {self.faults_at_most}")
            )
        used = [name for name in self.forbidden if faults.get(name)]
        if self.forbidden:
            text = f"{', '.join(used)} used" if used else "none used"
            found.append(Criterion("forbidden", not used, text))
        if self.delay_at_most_ms is not None:
            slowest = _longest_delay_ms(cluster)
            found.append(
                Criterion(
                    "delays",
                    slowest <= self.delay_at_most_ms,
                    f"the longest is {slowest:.3f} ms; at most {self.delay_at_most_ms:g} ms",
                )
            )
        if not self.own_machines:
            config = cluster.config()
            plain = Cluster(cluster.protocol, seed=0).config()
            same = config["nodes"] == [] and config["every_node"] == plain["every_node"]
            text = "as they are by default" if same else "disks, speeds or clocks were changed"
            found.append(Criterion("machines", same, text))
        return found


def grade(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    task: Task | str,
) -> list[Grade]:
    """Judges traces that were handed in.

    Every file is replayed by the engine and compared row by row, so that a trace that was written
    or changed by hand earns nothing, and says so. Equal runs of several people are pointed out.

    Args:
        paths: Trace files, or folders, of which all ``*.jsonl`` are taken, those inside their
            folders too.
        task: A task, or the name of one in `electionlab.tasks`.

    Returns:
        A grade for each file, in the order given, folders sorted.

    Raises:
        ValueError: There is no such file, a folder has no traces, or no such task.
    """
    if isinstance(task, str):
        task = tasks[task]
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    grades = [_grade(path, who, task) for path, who in _files(several)]
    by_run: dict[str, list[str]] = {}
    for one in grades:
        by_run.setdefault(one.run, []).append(one.who)
    return [
        dataclasses.replace(one, same_as=tuple(w for w in by_run[one.run] if w != one.who))
        if one.run
        else one
        for one in grades
    ]


def grades_frame(grades: Iterable[Grade]) -> pd.DataFrame:
    """Grades as a table, one line each.

    Returns:
        Columns who, task, passed, points (0 to 1), missing (criteria that are not met, with what
        was found), same_as, run.
    """
    import pandas as pd

    names = ("who", "task", "passed", "points", "missing", "same_as", "run")
    lines = [
        (
            one.who,
            one.task,
            one.passed,
            one.points,
            "; ".join(f"{c.name}: {c.said}" for c in one.criteria if not c.met),
            ", ".join(one.same_as),
            one.run,
        )
        for one in grades
    ]
    return pd.DataFrame(lines, columns=list(names))


def _files(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for given in paths:
        path = path_of("paths", given)
        if path.is_dir():
            inside = sorted(path.rglob("*.jsonl"))
            if not inside:
                raise ValueError(f"{path}: there is no trace (*.jsonl) in this folder")
            found += [(one, one.relative_to(path).with_suffix("").as_posix()) for one in inside]
        elif path.exists():
            found.append((path, path.stem))
        else:
            raise ValueError(f"{path}: there is no such file")
    if not found:
        raise ValueError("paths: must be one trace file or folder, or more")
    names = [who for _, who in found]
    return [
        (path, who if names.count(who) == 1 else path.with_suffix("").as_posix())
        for path, who in found
    ]


def _grade(path: Path, who: str, task: Task) -> Grade:
    def refused(text: str) -> Grade:
        return Grade(who, task.name, (Criterion("file", False, text),))

    try:
        if path.stat().st_size > MOST_BYTES:
            return refused(f"larger than {MOST_BYTES // 10**6} MB")
        recipe = _header(path)
        rules = [] if recipe is None else task._rules_of_header(recipe)
        if any(not rule.met for rule in rules):  # nothing else is worth a replay
            return Grade(who, task.name, tuple(rules))
        cluster = load_cluster(path)
    except TraceError as error:
        return refused(str(error).removeprefix(f"{path}: "))
    except OSError as error:
        return refused(error.strerror or str(error))
    valid = Criterion("file", True, f"replayed, {cluster.events} events")
    judged = task.judge(cluster, who=who)
    return dataclasses.replace(judged, criteria=(valid, *judged.criteria))


def _header(path: Path) -> dict[str, Any] | None:
    """The header of a trace file, if it has a readable one; `load_cluster` tells what is wrong."""
    with path.open("rb") as file:
        line = file.readline(1_000_000)
    try:
        header = json.loads(line)
        asked = header["protocol"]
        fits = header["format"] == FORMAT and isinstance(asked["options"], dict)
        return header if fits and isinstance(asked["name"], str) and "nodes" in asked else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


# --- what a run has -------------------------------------------------------------------------------


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_kind(name: str, value: Any, kind: type) -> None:
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(f"{name}={value!r}: must be text")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{name}={value!r}: must be a number of at least 0")


def _words(protocol: str) -> str:
    """A protocol's name in a trace, for people."""
    plain = protocol.removesuffix("_at_work")
    return plain if plain == protocol else f"{plain} with a resource"


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON says it: a pair is a list."""

    def plain(value: Any) -> Any:
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return bool(plain(one) == plain(other))


def _faults(cluster: Cluster) -> dict[str, int]:
    """How often what was done to a run, without repairs, and what chance did to its messages."""
    trace = cluster.trace
    columns = trace.columns
    faults: dict[str, int] = {}

    def add(name: str, count: int = 1) -> None:
        if count:
            faults[name] = faults.get(name, 0) + count

    actions = columns["kind"] == trace.row_kinds.index("action")
    for row in actions.nonzero()[0].tolist():
        name = _core.action_kinds[columns["detail"][row]]
        if name not in REPAIRS:
            add(name)
        elif name == "restart" and "lose_disk true" in trace.text(row):
            add("lost disk")
    for action in cluster.config()["actions"]:  # done before the first event: no rows
        if action["action"] not in (*_WAITING, *REPAIRS):
            add(action["action"])
    report = cluster.fault_report
    add("message lost by chance", report["messages_lost"])
    add("message copied by chance", report["messages_duplicated"])
    return faults


def _longest_delay_ms(cluster: Cluster) -> float:
    trace = cluster.trace
    columns = trace.columns
    sends = (columns["kind"] == trace.row_kinds.index("send")) & (columns["other_ns"] >= 0)
    if not sends.any():
        return 0.0
    return float((columns["other_ns"][sends] - columns["time_ns"][sends]).max()) / 1e6


# --- homework that is there -----------------------------------------------------------------------


class Tasks(dict[str, Task]):
    """Tasks by name; a name that is not there is refused with those that are."""

    def __missing__(self, name: Any) -> Task:
        raise ValueError(f"task={name!r}: must be one of {', '.join(self)}, or a JSON file")


_ALL_BUT_CRASH = tuple(
    action for action in _core.action_kinds if action not in ("crash", *REPAIRS, *_WAITING)
)

#: Homework that is there.
tasks: Tasks = Tasks(
    (task.name, task)
    for task in (
        Task(
            name="failover",
            title="Raft: crash the leader, and have all others follow a new one. One fault.",
            protocol="raft",
            goals={"leader_replaced": {}, "agreement_at_the_end": {}},
            faults_at_most=1,
            forbidden=tuple(
                a for a in _core.action_kinds if a not in ("crash", *REPAIRS, *_WAITING)
            ),
        ),
        Task(
            name="two_leaders",
            title="Raft as in the paper, without CheckQuorum: make two leaders act at once for "
            "100 ms, with one fault.",
            protocol="raft",
            goals={"two_leaders_at_once": {"at_least_ms": 100.0}},
            faults_at_most=1,
        ),
        Task(
            name="quorum_refuses",
            title="Raft: have a node of a minority stand and lose, while the majority has a "
            "leader; then all agree again. One partition.",
            protocol="raft",
            goals={"minority_refused": {}, "agreement_at_the_end": {}},
            faults_at_most=1,
        ),
        Task(
            name="split_vote",
            title="Raft: a term in which two nodes stand and nobody wins, and a leader in the end. "
            "You may narrow the time-outs and break nothing.",
            protocol="raft",
            goals={"split_vote": {}, "agreement_at_the_end": {}},
            free_options=("election_timeout_ms",),
            faults_at_most=0,
            delay_at_most_ms=10.0,
        ),
        Task(
            name="bully_split",
            title="Bully: two leaders at once, and nobody crashes. Two faults.",
            protocol="bully",
            goals={"two_leaders_at_once": {}},
            forbidden=("crash",),
            faults_at_most=2,
        ),
        Task(
            name="stale_write",
            title="Lease, with a resource that checks no tokens: a write of a leader that another "
            "has taken over from is accepted. Two faults.",
            protocol="lease",
            goals={"stale_write_accepted": {}},
            resource="none",
            faults_at_most=2,
        ),
        Task(
            name="fenced",
            title="Lease, with a resource that checks fencing tokens: the old leader's write "
            "comes, and is refused. Two faults.",
            protocol="lease",
            goals={"stale_write_refused": {}},
            resource="token",
            faults_at_most=2,
        ),
    )
)
