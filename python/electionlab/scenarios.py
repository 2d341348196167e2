"""What happens to the cluster in each trial of a sweep: crashes, partitions, pauses, restarts.

A scenario is a frozen value with named parameters; ``"scenario.NAME"`` sweeps one of them:

    >>> from electionlab import scenarios
    >>> scenarios.leader_crash(at=0.5)
    leader_crash(at=0.5)

All but `custom` are played by the engine; docs/sweeps.md tells what each measures.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from electionlab._values import milliseconds, truth, whole_number
from electionlab.settings import Action, crash, heal, restart
from electionlab.settings import partition as cut_apart
from electionlab.settings import pause as hold

if TYPE_CHECKING:
    from typing_extensions import Self

#: What may end a trial: all name one leader, somebody acts as leader, or only the horizon.
UNTIL: tuple[str, ...] = ("agreed", "elected", "horizon")

Moment = tuple[Any, Action]


def _fraction(name: str, value: Any) -> float | tuple[float, float]:
    """A part of an interval, 0 to 1, or a range of them."""
    ends = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    good = len(ends) == 2 and all(
        isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends
    )
    if not good or not 0 <= ends[0] <= ends[1] <= 1:
        raise ValueError(f"{name}={value!r}: must be from 0 to 1, or a range such as (0, 1)")
    low, high = float(ends[0]), float(ends[1])
    return (low, high) if isinstance(value, (tuple, list)) else low


def _span(name: str, value: Any) -> float | tuple[float, float]:
    """A time in ms, or a range of them."""
    if not isinstance(value, (tuple, list)):
        return milliseconds(name, value)
    ends = [milliseconds(name, end) for end in value]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"{name}={value!r}: must be a time in ms, or a range such as (100, 200)")
    return ends[0], ends[1]


def _leader(leader: int, protocol: Any) -> int | None:
    """A leader from the start, checked for a protocol; None for 0."""
    return whole_number("leader", leader, 1, protocol.nodes) if leader else None


def _later(at_ms: float, by_ms: float | tuple[float, float]) -> float | tuple[float, float]:
    if isinstance(by_ms, tuple):
        return at_ms + by_ms[0], at_ms + by_ms[1]
    return at_ms + by_ms


def heartbeat_interval_of(protocol: Any, given_ms: float | None) -> float:
    """The given interval, or that of the protocol's option ``heartbeat_interval_ms``.

    Raises:
        ValueError: Neither is there.
    """
    if given_ms is not None:
        return milliseconds("heartbeat_interval_ms", given_ms)
    options = getattr(protocol, "options", None) or vars(protocol)
    if "heartbeat_interval_ms" not in options:
        raise ValueError(
            f"heartbeat_interval_ms=None: {protocol.name} has no such option; give the scenario one"
        )
    return float(options["heartbeat_interval_ms"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is done to a cluster in a trial, from when on it is measured, and what ends it.

    Attributes:
        until: What ends a trial, once all that is to be done was done: "agreed": every live node
            names the node that acts as leader; "elected": a node acts as leader; "horizon": nothing
            else than the horizon.
        horizon_ms: A trial ends so long after the moment that is measured from; above 0.
    """

    kind: ClassVar[str] = ""
    #: Whether each trial is a `Cluster` in Python.
    in_python: ClassVar[bool] = False

    until: str = "agreed"
    horizon_ms: float = 60_000.0

    def __post_init__(self) -> None:
        if self.until not in UNTIL:
            raise ValueError(f"until={self.until!r}: must be one of {', '.join(UNTIL)}")
        if milliseconds("horizon_ms", self.horizon_ms) == 0:
            raise ValueError(f"horizon_ms={self.horizon_ms!r}: must be above 0")
        self._check()

    def _check(self) -> None:
        """Checks the other parameters."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter that can be swept, by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def replaced(self, **changes: Any) -> Self:
        """The same scenario with other parameters.

        Raises:
            ValueError: A parameter is unknown or out of range; the message names it.
        """
        for name in changes:
            if name not in self.parameters:
                raise ValueError(
                    f"{name}: {self.kind} has no such parameter; it has "
                    f"{', '.join(self.parameters)}"
                )
        return dataclasses.replace(self, **changes)

    def initial_leader(self, protocol: Any) -> int | None:
        """Who leads already at the start; None: nobody."""
        return None

    def moments(self, protocol: Any) -> list[Moment]:
        """When what is done, for a protocol: (ms since the start or a range, action)."""
        return []

    def measured_from(self) -> int:
        """Which of the moments is measured from; -1: the start."""
        return -1

    def only_leaderless(self) -> bool:
        """Whether a trial measures nothing unless the leader is lost at that moment."""
        return False

    def experiment(self, protocol: Any) -> dict[str, Any]:
        """The engine's form, for a protocol.

        Raises:
            ValueError: A parameter does not fit the protocol; the message names it.
        """
        return {
            "moments": [
                {"at_ms": list(at) if isinstance(at, tuple) else at, "action": dict(action)}
                for at, action in self.moments(protocol)
            ],
            "from": self.measured_from(),
            "until": self.until,
            "horizon_ms": self.horizon_ms,
            "only_leaderless": self.only_leaderless(),
        }

    def __repr__(self) -> str:
        given = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        ]
        return f"{self.kind}({', '.join(given)})"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class ColdStart(Scenario):
    """All nodes start at once and nobody leads: how long until somebody does?"""

    kind: ClassVar[str] = "cold_start"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class _WithLeader(Scenario):
    """A leader is in office, and something happens at a moment of its heartbeat interval.

    Attributes:
        at: Where in the heartbeat interval: 0 is when the leader sends a heartbeat (at the start:
            when all have just heard one), 1 when it sends the next; a range is drawn from
            uniformly.
        after_heartbeats: How many whole intervals pass before, 0 and up.
        heartbeat_interval_ms: The interval; None: the protocol's option of that name.
        leader: Who leads at the start: all have just heard from it. 0: nobody does; whoever is
            elected within ``warm_up_ms``.
        warm_up_ms: Time before the first interval.
    """

    at: float | tuple[float, float] = (0.0, 1.0)
    after_heartbeats: int = 0
    heartbeat_interval_ms: float | None = None
    leader: int = 1
    warm_up_ms: float = 0.0

    def _check(self) -> None:
        object.__setattr__(self, "at", _fraction("at", self.at))
        whole_number("after_heartbeats", self.after_heartbeats, 0, 10**6)
        milliseconds("warm_up_ms", self.warm_up_ms)
        if self.heartbeat_interval_ms is not None:
            milliseconds("heartbeat_interval_ms", self.heartbeat_interval_ms)
        whole_number("leader", self.leader, 0)
        if self.leader == 0 and self.warm_up_ms == 0:
            raise ValueError(
                f"warm_up_ms={self.warm_up_ms!r}: must be above 0 with leader=0, so that somebody "
                "can be elected"
            )

    def initial_leader(self, protocol: Any) -> int | None:
        """Who leads already at the start; None: nobody."""
        return _leader(self.leader, protocol)

    def moment_ms(self, protocol: Any) -> float | tuple[float, float]:
        """When it happens, ms since the start."""
        interval = heartbeat_interval_of(protocol, self.heartbeat_interval_ms)
        start = self.warm_up_ms + self.after_heartbeats * interval
        if isinstance(self.at, tuple):
            return start + self.at[0] * interval, start + self.at[1] * interval
        return start + self.at * interval

    def measured_from(self) -> int:
        """Which of the moments is measured from."""
        return 0


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class LeaderCrash(_WithLeader):
    """The leader crashes: how long until the others have another?

    Attributes:
        at: Where in the heartbeat interval: 0 is when the leader sends a heartbeat (at the start:
            when all have just heard one), 1 when it sends the next; a range is drawn from
            uniformly.
        after_heartbeats: How many whole intervals pass before, 0 and up.
        heartbeat_interval_ms: The interval; None: the protocol's option of that name.
        leader: Who leads at the start: all have just heard from it. 0: nobody does; whoever is
            elected within ``warm_up_ms``.
        warm_up_ms: Time before the first interval.
        restart_after_ms: It starts again after so long; None: it does not.
    """

    kind: ClassVar[str] = "leader_crash"

    restart_after_ms: float | None = None

    def _check(self) -> None:
        super()._check()
        if self.restart_after_ms is not None:
            milliseconds("restart_after_ms", self.restart_after_ms)

    def moments(self, protocol: Any) -> list[Moment]:
        """The crash."""
        lost = crash("leader", restart_after_ms=self.restart_after_ms)
        return [(self.moment_ms(protocol), lost)]

    def only_leaderless(self) -> bool:
        """A trial in which nobody led measures nothing."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Pause(_WithLeader):
    """The leader stands still for a while and goes on (garbage collection, SIGSTOP).

    Attributes:
        lasting_ms: For how long.
    """

    kind: ClassVar[str] = "pause"

    lasting_ms: float = 1_000.0

    def _check(self) -> None:
        super()._check()
        milliseconds("lasting_ms", self.lasting_ms)

    def moments(self, protocol: Any) -> list[Moment]:
        """The pause, which ends by itself."""
        held = hold("leader", resume_after_ms=self.lasting_ms)
        return [(self.moment_ms(protocol), held)]

    def only_leaderless(self) -> bool:
        """A trial in which nobody led measures nothing."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Partition(_WithLeader):
    """The leader is cut off with a minority, and the partition heals.

    The old leader may go on acting: ``no_majority_leader_ms`` and ``split_brain_ms`` tell more here
    than ``elected_ms``, which counts from the loss of the last leader.

    Attributes:
        at: Where in the heartbeat interval the links are cut, 0 to 1. No range: the moment of
            healing is drawn by itself, and the partition is to last as long as is said.
        lasting_ms: How long it lasts; a range is drawn from uniformly.
        leader_side: How many nodes are on the leader's side, the leader among them; None: as many
            as fit in a minority.
    """

    kind: ClassVar[str] = "partition"

    at: float = 0.5
    lasting_ms: float | tuple[float, float] = 1_000.0
    leader_side: int | None = None

    def _check(self) -> None:
        super()._check()
        at: Any = self.at
        if isinstance(at, tuple):
            raise ValueError(f"at={at!r}: must be a number from 0 to 1 here, not a range")
        object.__setattr__(self, "lasting_ms", _span("lasting_ms", self.lasting_ms))
        if self.leader == 0:
            raise ValueError("leader=0: must be a node here, which the partition cuts off")
        if self.leader_side is not None:
            whole_number("leader_side", self.leader_side, 1)

    def moments(self, protocol: Any) -> list[Moment]:
        """The cut, and its healing."""
        n = protocol.nodes
        leader = self.initial_leader(protocol) or 1
        if n < 2:
            raise ValueError(f"nodes={n}: must be at least 2 for a partition")
        size = max(1, (n - 1) // 2) if self.leader_side is None else self.leader_side
        size = whole_number("leader_side", size, 1, n - 1)
        side = sorted((leader - 1 + k) % n + 1 for k in range(size))
        others = [node for node in range(1, n + 1) if node not in side]
        at = cast("float", self.moment_ms(protocol))
        return [(at, cut_apart(side, others)), (_later(at, self.lasting_ms), heal())]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class RollingRestart(Scenario):
    """Every node is restarted, one after the other: how long is nobody in office?

    Measured from the first shutdown until, after the last start, all agree.

    Attributes:
        start_ms: The first shutdown, ms since the start.
        down_ms: How long each node is down.
        every_ms: Time from one shutdown to the next, more than ``down_ms``.
        leader: Who leads at the start; 0: nobody.
        leader_goes: Whether that node is restarted "first" or "last"; the others ascend.
    """

    kind: ClassVar[str] = "rolling_restart"

    start_ms: float | tuple[float, float] = 1_000.0
    down_ms: float = 500.0
    every_ms: float = 2_000.0
    leader: int = 1
    leader_goes: str = "last"

    def _check(self) -> None:
        object.__setattr__(self, "start_ms", _span("start_ms", self.start_ms))
        if isinstance(self.start_ms, tuple):
            raise ValueError(f"start_ms={self.start_ms!r}: must be a number here, not a range")
        milliseconds("down_ms", self.down_ms)
        if milliseconds("every_ms", self.every_ms) <= self.down_ms:
            raise ValueError(f"every_ms={self.every_ms!r}: must be above down_ms={self.down_ms!r}")
        whole_number("leader", self.leader, 0)
        if self.leader_goes not in ("first", "last"):
            raise ValueError(f"leader_goes={self.leader_goes!r}: must be 'first' or 'last'")

    def initial_leader(self, protocol: Any) -> int | None:
        """Who leads already at the start; None: nobody."""
        return _leader(self.leader, protocol)

    def moments(self, protocol: Any) -> list[Moment]:
        """Each node's shutdown and start."""
        leader = self.initial_leader(protocol)
        order = [node for node in range(1, protocol.nodes + 1) if node != leader]
        if leader is not None:
            order.insert(0 if self.leader_goes == "first" else len(order), leader)
        found: list[Moment] = []
        for k, node in enumerate(order):
            at = cast("float", self.start_ms) + k * self.every_ms
            found += [(at, crash(node)), (at + self.down_ms, restart(node))]
        return found

    def measured_from(self) -> int:
        """The first shutdown."""
        return 0


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class _Called(Scenario):
    """A scenario made by a function of the user's, whose parameters can be swept."""

    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def _function(self) -> Callable[..., Any] | None:
        raise NotImplementedError

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter that can be swept, by name; the function's own among them."""
        own = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name not in ("given", "function", "actions")
        }
        return {**own, **self.given}

    def replaced(self, **changes: Any) -> Self:
        """The same scenario with other parameters; for those of the function, any it takes."""
        names = {f.name for f in dataclasses.fields(self)} - {"given", "function", "actions"}
        own = {name: value for name, value in changes.items() if name in names}
        passed = {name: value for name, value in changes.items() if name not in names}
        check_parameters(self.kind, self._function, {**self.given, **passed})
        return dataclasses.replace(self, **own, given={**self.given, **passed})

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", None)
        parts = [name] if name else []
        parts += [f"{k}={v!r}" for k, v in self.given.items()]
        return f"{self.kind}({', '.join(parts)})"


def check_parameters(
    kind: str, function: Callable[..., Any] | None, given: Mapping[str, Any], taken: int = 0
) -> None:
    """Checks that a function takes these keyword arguments after so many others.

    Raises:
        ValueError: It does not; the message names the first that is wrong.
    """
    if function is None:
        if given:
            raise ValueError(f"{next(iter(given))}: {kind} has no such parameter")
        return
    known = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    names = list(known)[taken:]
    for name in given:
        if name not in names and not takes_all:
            raise ValueError(
                f"{name}: {kind} has no such parameter; {function.__qualname__} takes "
                f"{', '.join(names) or 'none'}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Schedule(_Called):
    """What `schedule` makes: actions of the user's own at times."""

    kind: ClassVar[str] = "schedule"

    actions: Any = ()
    measure_from: int | None = None
    leader: int = 0
    lost_leader_only: bool = False

    @property
    def _function(self) -> Callable[..., Any] | None:
        return self.actions if callable(self.actions) else None

    def _check(self) -> None:
        check_parameters(self.kind, self._function, self.given)
        whole_number("leader", self.leader, 0)
        truth("lost_leader_only", self.lost_leader_only)
        if self.measure_from is not None:
            whole_number("measure_from", self.measure_from, 0)
        if self._function is None:
            self._read()

    def _read(self) -> list[Moment]:
        entries = self.actions(**self.given) if callable(self.actions) else self.actions
        if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
            raise ValueError(f"actions={entries!r}: must be a list of (at_ms, action)")
        found: list[Moment] = []
        for entry in entries:
            if isinstance(entry, Mapping) and entry.get("action") == "at":
                entry = entry["at_ms"], entry["do"]
            good = isinstance(entry, (tuple, list)) and len(entry) == 2
            if not good or not isinstance(entry[1], Mapping):
                raise ValueError(
                    f"actions={entry!r}: must be (at_ms, action), such as (500, el.crash('leader'))"
                )
            found.append((_span("at_ms", entry[0]), Action(entry[1])))
        if self.measure_from is not None:
            whole_number("measure_from", self.measure_from, 0, len(found) - 1)
        return found

    def initial_leader(self, protocol: Any) -> int | None:
        """Who leads already at the start; None: nobody."""
        return _leader(self.leader, protocol)

    def moments(self, protocol: Any) -> list[Moment]:
        """The user's actions."""
        return self._read()

    def measured_from(self) -> int:
        """Which of the actions is measured from; -1: the start."""
        return -1 if self.measure_from is None else self.measure_from

    def only_leaderless(self) -> bool:
        """As the user says."""
        return self.lost_leader_only


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Custom(_Called):
    """What `custom` makes: a function that drives a `Cluster`, one for each trial."""

    kind: ClassVar[str] = "custom"
    in_python: ClassVar[bool] = True

    function: Callable[..., Any]
    leader: int = 0

    @property
    def _function(self) -> Callable[..., Any] | None:
        return self.function

    def _check(self) -> None:
        whole_number("leader", self.leader, 0)
        if not callable(self.function):
            raise ValueError(f"function={self.function!r}: must be a function of a cluster")
        check_parameters(self.kind, self.function, self.given, taken=1)

    def replaced(self, **changes: Any) -> Self:
        """The same scenario with other parameters; for those of the function, any it takes."""
        names = {"until", "horizon_ms", "leader"}
        own = {name: value for name, value in changes.items() if name in names}
        passed = {name: value for name, value in changes.items() if name not in names}
        return dataclasses.replace(self, **own, given={**self.given, **passed})

    def initial_leader(self, protocol: Any) -> int | None:
        """Who leads already at the start; None: nobody."""
        return _leader(self.leader, protocol)

    def experiment(self, protocol: Any) -> dict[str, Any]:
        """What stands for the function where a point is named: its name and its parameters."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        return {"function": name, "parameters": dict(self.given)}


# --- the names that users call --------------------------------------------------------------------

cold_start = ColdStart
leader_crash = LeaderCrash
partition = Partition
pause = Pause
rolling_restart = RollingRestart


def schedule(
    actions: Iterable[Any] | Callable[..., Iterable[Any]],
    *,
    measure_from: int | None = None,
    leader: int = 0,
    lost_leader_only: bool = False,
    until: str = "agreed",
    horizon_ms: float = 60_000.0,
    **parameters: Any,
) -> Schedule:
    """A schedule of the user's own.

    Args:
        actions: What is done when: ``[(500, el.crash("leader")), ((900, 1100), el.heal())]``; a
            range is drawn from uniformly, each by itself. Or a function that returns such a list,
            whose parameters can be swept.
        measure_from: Which of them is measured from, 0 and up; None: the start.
        leader: Who leads at the start; 0: nobody.
        lost_leader_only: A trial measures nothing unless the last leader is lost at that moment.
        until: What ends a trial; see `Scenario`.
        horizon_ms: A trial ends so long after the moment that is measured from.
        parameters: For the function.

    Raises:
        ValueError: An argument is out of range; the message names it.
    """
    if not callable(actions):
        actions = tuple(actions) if isinstance(actions, Iterable) else actions
    return Schedule(
        actions=actions,
        measure_from=measure_from,
        leader=leader,
        lost_leader_only=lost_leader_only,
        until=until,
        horizon_ms=horizon_ms,
        given=parameters,
    )


def custom(
    function: Callable[..., Mapping[str, float]], *, leader: int = 0, **parameters: Any
) -> Custom:
    """A function that drives a cluster in Python: slower than the engine, with all it can do.

    Args:
        function: Called for each trial with a fresh `Cluster`, whose seed and trial number fix all
            that chance decides, and with the parameters; returns a number for each measure, the
            same names every time. None or NaN: it did not happen. It must draw nothing itself.
        leader: Who leads at the start; 0: nobody.
        parameters: For the function; they can be swept.

    Raises:
        ValueError: It is no function, or takes no such parameter.
    """
    return Custom(function=function, leader=leader, given=parameters)


__all__: Sequence[str] = [
    "ColdStart",
    "Custom",
    "LeaderCrash",
    "Partition",
    "Pause",
    "RollingRestart",
    "Scenario",
    "Schedule",
    "cold_start",
    "custom",
    "leader_crash",
    "partition",
    "pause",
    "rolling_restart",
    "schedule",
]
