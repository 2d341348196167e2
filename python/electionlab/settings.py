"""What a cluster runs on: delays, links, machines, and what is done to it.

Everything here is a value with keyword arguments in milliseconds; the engine checks it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from electionlab import _core
from electionlab._values import whole_number

# --- delays ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Delay:
    """A distribution of a duration; made by the functions of this module.

    Attributes:
        spec: The engine's form: ``{"kind": "exponential", "mean_ms": 3.0, "min_ms": 1.0}``.
    """

    spec: Mapping[str, Any]

    def sample_ms(self, size: int, *, seed: int = 0) -> Any:
        """Draws as the engine would.

        Args:
            size: How many.
            seed: Seed of the stream, 0 and up.

        Returns:
            Shape (size,), float64, milliseconds.
        """
        return _core.draw_distribution(
            dict(self.spec),
            whole_number("size", size, 0, 10**9),
            whole_number("seed", seed, 0, 2**63 - 1),
        )

    def __repr__(self) -> str:
        given = {k: v for k, v in self.spec.items() if k not in ("kind", "min_ms")}
        if self.spec.get("min_ms"):
            given["min_ms"] = self.spec["min_ms"]
        return f"{self.spec['kind']}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


#: A number of ms (constant), a pair (uniform, both ends included) or a distribution.
DelayLike = float | tuple[float, float] | Delay


def _delay(kind: str, **parameters: Any) -> Delay:
    return Delay(_core.check_distribution({"kind": kind, **parameters}, kind))


def exponential(mean_ms: float, *, min_ms: float = 0.0) -> Delay:
    """min_ms plus an exponential with the given mean."""
    return _delay("exponential", mean_ms=mean_ms, min_ms=min_ms)


def normal(mean_ms: float, deviation_ms: float, *, min_ms: float = 0.0) -> Delay:
    """A normal distribution, cut off below min_ms."""
    return _delay("normal", mean_ms=mean_ms, deviation_ms=deviation_ms, min_ms=min_ms)


def lognormal(median_ms: float, sigma: float, *, min_ms: float = 0.0) -> Delay:
    """min_ms plus a log-normal with the given median; sigma is the deviation of the logarithm."""
    return _delay("lognormal", median_ms=median_ms, sigma=sigma, min_ms=min_ms)


def pareto(scale_ms: float, shape: float, *, min_ms: float = 0.0) -> Delay:
    """min_ms plus scale_ms (U^(-1/shape) - 1): a heavy tail."""
    return _delay("pareto", scale_ms=scale_ms, shape=shape, min_ms=min_ms)


def hyperexponential(
    mean_ms: float, tail_mean_ms: float, tail_probability: float, *, min_ms: float = 0.0
) -> Delay:
    """min_ms plus an exponential that has a larger mean with some probability: mostly fast."""
    return _delay(
        "hyperexponential",
        mean_ms=mean_ms,
        tail_mean_ms=tail_mean_ms,
        tail_probability=tail_probability,
        min_ms=min_ms,
    )


def empirical(quantiles_ms: Sequence[float]) -> Delay:
    """Measured quantiles at equal steps of probability, 0 and 1 included; linear between them."""
    if isinstance(quantiles_ms, (str, bytes, Mapping)) or not isinstance(quantiles_ms, Iterable):
        raise ValueError(f"quantiles_ms={quantiles_ms!r}: must be a list of numbers, ascending")
    return _delay("empirical", quantiles_ms=list(quantiles_ms))


#: The distributions that a function of this module makes.
_DELAY_KINDS = (
    "exponential", "normal", "lognormal", "pareto", "hyperexponential", "empirical",
)  # fmt: skip


def plain(value: Any) -> Any:
    """A setting as the engine's dictionaries, without what is None."""
    if isinstance(value, Delay):
        return dict(value.spec)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if getattr(value, f.name) is not None
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


# --- work ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resource:
    """What leaders work on: storage, a list of jobs, a log. It is one more actor, the last.

    Whoever begins to lead takes it over, does one job after the other, and writes each result.

    Attributes:
        fencing: What the resource compares before it accepts anything: "none"; "token", the
            leader's epoch with the highest epoch seen; "takeover", a number of its own that it
            gives to whoever takes over.
        work_interval_ms: Time from a write to the next job; above 0.
        work_ms: Time a job takes, from its start to its write; above 0.
        jobs: How many jobs a member does in all; it then asks once only to take over. 0: no end.
            The checker ends only if work does.

    Raises:
        ValueError: A value is not one of these; the message names it.
    """

    fencing: str = "token"
    work_interval_ms: float = 20.0
    work_ms: float = 5.0
    jobs: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is None:
                raise ValueError(f"{name}=None: must be given")
        _core.check_resource(plain(self))


# --- links and machines ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """One direction of a link; None keeps what the network says.

    Attributes:
        one_way_delay_ms: Time a message travels.
        loss_probability: Chance that a message is lost, 0 to 1.
        duplicate_probability: Chance that a second copy travels, with a delay of its own.
        reorder_probability: Chance that a message is held up by reorder_delay_ms on top.
        reorder_delay_ms: By how much.
        fifo: Whether a message never overtakes an earlier one of the same direction.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    one_way_delay_ms: DelayLike | None = None
    loss_probability: float | None = None
    duplicate_probability: float | None = None
    reorder_probability: float | None = None
    reorder_delay_ms: DelayLike | None = None
    fifo: bool | None = None

    def __post_init__(self) -> None:
        _core.check_link(plain(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(Link):
    """All links of a cluster: one kind for all, and exceptions by direction.

    Attributes:
        links: Exceptions, ``{(sender, receiver): Link(...)}``.

    Raises:
        ValueError: A value is out of range, or an exception is none; the message names it.
    """

    one_way_delay_ms: DelayLike | None = (5.0, 10.0)
    links: Mapping[tuple[int, int], Link] | None = None

    def __post_init__(self) -> None:
        config = self.to_config()
        _core.check_link({name: value for name, value in config.items() if name != "links"})
        for ends in self.links or {}:
            for name, node in zip(("sender", "receiver"), ends, strict=True):
                whole_number(name, node, 1, _core.max_nodes)
            if ends[0] == ends[1]:
                raise ValueError(f"links={{{ends!r}: ...}}: must be between two different nodes")

    def to_config(self) -> dict[str, Any]:
        """The engine's form."""
        config = dict(plain({f.name: getattr(self, f.name) for f in dataclasses.fields(Link)}))
        config = {name: value for name, value in config.items() if value is not None}
        config["links"] = []
        if not isinstance(self.links, (Mapping, type(None))):
            raise ValueError(f"links={self.links!r}: must be a dict {{(sender, receiver): Link}}")
        for ends, link in (self.links or {}).items():
            if not (isinstance(ends, tuple) and len(ends) == 2 and isinstance(link, Link)):
                raise ValueError(
                    f"links={{{ends!r}: {link!r}}}: must be {{(sender, receiver): Link}}"
                )
            config["links"].append({"from": ends[0], "to": ends[1], "link": plain(link)})
        return config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """What a node runs on; None keeps the default.

    Attributes:
        write_delay_ms: Time of a durable write; 0 by default.
        processing_ms: Time to handle a message; 0 by default.
        timer_lateness_ms: How late an expired timer's handler runs; 0 by default.
        start_ms: When the node is switched on; 0 by default.
        clock_offset_ms: What its clock shows at time 0.
        clock_drift_ppm: How much faster its clock runs, in parts per million, or a pair to draw
            from once a run.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    write_delay_ms: DelayLike | None = None
    processing_ms: DelayLike | None = None
    timer_lateness_ms: DelayLike | None = None
    start_ms: DelayLike | None = None
    clock_offset_ms: float | None = None
    clock_drift_ppm: float | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _core.check_machine(plain(self))


# --- what is done to a cluster --------------------------------------------------------------------

#: A node by number, or "leader", "follower", "random", or "trigger" (of a condition).
NodeLike = int | str


class Action(dict[str, Any]):
    """Something done to a cluster; made by the functions below, taken by ``Cluster.act``."""

    def __repr__(self) -> str:
        """The call that makes it, with the names of this package."""
        return _shown_action(self)


def _shown_delay(value: Any) -> str:
    if isinstance(value, Mapping) and value.get("kind") in _DELAY_KINDS:
        return repr(Delay(value))
    return repr(tuple(value) if isinstance(value, list) else value)


def _shown_ends(action: Mapping[str, Any], both_ways: bool) -> list[str]:
    sides = [action[end] for end in ("from", "to") if end in action]
    shown = [repr(side[0]) if len(side) == 1 else repr(side) for side in sides]
    if action.get("both_ways", both_ways) != both_ways:
        shown.append(f"both_ways={action['both_ways']!r}")
    return shown


def _shown_action(action: Mapping[str, Any]) -> str:
    kind = action.get("action")
    given = {k: v for k, v in action.items() if k != "action"}
    if kind in ("cut", "mend"):
        parts = _shown_ends(action, both_ways=False)
    elif kind == "link":
        fields = ", ".join(f"{k}={_shown_delay(v)}" for k, v in given["link"].items())
        parts = [f"Link({fields})", *_shown_ends(action, both_ways=True)]
    elif kind == "partition":
        parts = [repr(group) for group in given["groups"]]
    elif kind == "command":
        named = given.get("fields", {})
        plain_names = all(name.isidentifier() and not iskeyword(name) for name in named)
        shown = [f"{k}={v!r}" for k, v in named.items()] if plain_names else [f"**{named!r}"]
        parts = [repr(given["node"]), repr(given["command"]), *shown]
    elif kind == "at":
        parts = [repr(given["at_ms"]), _shown_action(given["do"])]
    elif kind == "when":
        condition = [f"{k}={v!r}" for k, v in given["condition"].items()]
        parts = [_shown_action(given["do"]), *condition]
    elif kind == "plan":
        kind = "at_random"
        plan = {"every_ms" if k == "interval_ms" else k: v for k, v in given["plan"].items()}
        inner = _shown_action(plan.pop("do"))
        parts = [inner, *(f"{k}={_shown_delay(v)}" for k, v in plan.items())]
    else:
        parts = [f"{k}={_shown_delay(v)}" for k, v in given.items()]
    return f"{kind}({', '.join(parts)})"


def _action(kind: str, **entries: Any) -> Action:
    return Action({"action": kind, **{k: plain(v) for k, v in entries.items() if v is not None}})


def _lost(lose_disk: bool) -> Any:
    """What is said of a disk; nothing when it is kept. The engine refuses other than booleans."""
    kept = type(lose_disk).__name__ in ("bool", "bool_") and not lose_disk
    return None if kept else lose_disk


def _nodes(name: str, nodes: int | Iterable[int]) -> list[int]:
    if isinstance(nodes, (str, bytes)) or not isinstance(nodes, Iterable):
        nodes = [nodes]  # type: ignore[list-item]
    return sorted(whole_number(name, node, 1, _core.max_nodes) for node in nodes)


def _ends(
    kind: str, sender: int | Iterable[int] | None, receiver: int | Iterable[int] | None
) -> dict[str, list[int]]:
    if sender is None and receiver is None:
        return {}
    if sender is None or receiver is None:
        raise ValueError(f"sender={sender!r}, receiver={receiver!r}: give both or none")
    ends = {"from": _nodes("sender", sender), "to": _nodes("receiver", receiver)}
    if not any(a != b for a in ends["from"] for b in ends["to"]):
        raise ValueError(
            f"sender={sender!r}, receiver={receiver!r}: {kind} needs two different nodes"
        )
    return ends


def crash(
    node: NodeLike, *, restart_after_ms: float | None = None, lose_disk: bool = False
) -> Action:
    """A node stops: memory, unfinished writes and unsent messages are lost.

    Args:
        node: Which.
        restart_after_ms: It starts again after so long; None: not by itself.
        lose_disk: That restart finds an empty disk.
    """
    return _action(
        "crash", node=node, restart_after_ms=restart_after_ms, lose_disk=_lost(lose_disk)
    )


def restart(node: NodeLike, *, lose_disk: bool = False) -> Action:
    """A node that is down starts again, with its disk or with an empty one."""
    return _action("restart", node=node, lose_disk=_lost(lose_disk))


def pause(node: NodeLike, *, resume_after_ms: float | None = None) -> Action:
    """A node stands still (garbage collection, SIGSTOP); its events happen late."""
    return _action("pause", node=node, resume_after_ms=resume_after_ms)


def resume(node: NodeLike) -> Action:
    """A paused node goes on; what was held for it happens now, in order."""
    return _action("resume", node=node)


def partition(*groups: Iterable[int]) -> Action:
    """Cuts every link between nodes of different groups, both ways.

    A node in no group keeps all its links; so partial partitions can be made. Without groups, in
    `at_random`, the sides are drawn.

    Raises:
        ValueError: There is only one group, or an empty one.
    """
    sides = [_nodes("groups", group) for group in groups]
    if len(sides) == 1 or not all(sides):
        raise ValueError(f"groups={sides!r}: must be two or more groups with nodes in each")
    return _action("partition", groups=sides)


def cut(
    sender: int | Iterable[int] | None = None,
    receiver: int | Iterable[int] | None = None,
    *,
    both_ways: bool = False,
) -> Action:
    """Cuts the links from some nodes to some others; messages on the way are lost as well.

    Args:
        sender: From which nodes; None, with `at_random` only: drawn.
        receiver: To which nodes.
        both_ways: In the other direction too.
    """
    ends = _ends("cut", sender, receiver)
    return Action({"action": "cut", **ends, "both_ways": both_ways})


def mend(
    sender: int | Iterable[int], receiver: int | Iterable[int], *, both_ways: bool = False
) -> Action:
    """Undoes a cut, in one direction unless told otherwise."""
    return Action({"action": "mend", **_ends("mend", sender, receiver), "both_ways": both_ways})


def heal() -> Action:
    """Mends every link."""
    return _action("heal")


def link(
    settings: Link,
    sender: int | Iterable[int] | None = None,
    receiver: int | Iterable[int] | None = None,
    *,
    both_ways: bool = True,
) -> Action:
    """Gives links another delay, loss or duplication; all of them when no ends are given."""
    if not isinstance(settings, Link):
        raise ValueError(f"settings={settings!r}: must be an electionlab.Link")
    settings = Link(**{f.name: getattr(settings, f.name) for f in dataclasses.fields(Link)})
    ends = _ends("link", sender, receiver)
    return Action({"action": "link", "link": plain(settings), **ends, "both_ways": both_ways})


def clock(
    node: NodeLike, *, offset_ms: float | None = None, drift_ppm: float | None = None
) -> Action:
    """Sets a node's clock.

    Args:
        node: Which.
        offset_ms: It jumps to so much ahead of true time; None: it does not jump.
        drift_ppm: It runs so many parts per million fast from now on; None: it keeps its rate.
    """
    return _action("clock", node=node, offset_ms=offset_ms, drift_ppm=drift_ppm)


def slow(node: NodeLike, processing_ms: DelayLike) -> Action:
    """A node takes so long to handle each message, one after the other; 0 makes it fast again."""
    return _action("slow", node=node, processing_ms=processing_ms)


def disk(node: NodeLike, write_delay_ms: DelayLike) -> Action:
    """Every durable write of a node takes so long from now on."""
    return _action("disk", node=node, write_delay_ms=write_delay_ms)


def deliver(message: int) -> Action:
    """A message in flight arrives now."""
    return _action("deliver", message=message)


def drop(message: int) -> Action:
    """A message in flight is lost."""
    return _action("drop", message=message)


def duplicate(message: int) -> Action:
    """A second copy of a message in flight."""
    return _action("duplicate", message=message)


def delay(message: int, by_ms: float) -> Action:
    """A message in flight takes longer."""
    return _action("delay", message=message, by_ms=by_ms)


def fire(node: NodeLike, timer: str, *, about: int | None = None) -> Action:
    """An armed timer of a node expires now.

    Args:
        node: Whose.
        timer: Its name.
        about: Which of them, of a timer that there is one of for each peer.
    """
    return _action("fire", node=node, timer=timer, about=about)


def command(node: NodeLike, name: str, /, **fields: Any) -> Action:
    """A client or user asks a node for something that its protocol knows.

    A node that is down or paused does not hear it; one that writes to its disk does afterwards.

    Args:
        node: Whom.
        name: One of the protocol's commands.
        fields: What it says.

    Raises:
        ValueError: A number is not finite.
    """
    for field, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}.{field}={value!r}: must be finite")
    return Action({"action": "command", "node": node, "command": name, "fields": plain(fields)})


def at(at_ms: float, action: Action) -> Action:
    """An action at a time, in ms since the start."""
    return _action("at", at_ms=at_ms, do=action)


def when(
    action: Action,
    *,
    node: int | None = None,
    role: str | None = None,
    epoch: int | None = None,
    message: str | None = None,
    occurrence: int = 1,
) -> Action:
    """An action at a condition: right after the event that meets it, at the same instant.

    Args:
        action: What; its node may be ``"trigger"``: the node that met the condition.
        node: Whose view or message counts; None: anybody's.
        role: A node takes this role: ``"candidate"``.
        epoch: Its epoch is at least this.
        message: A node sends a message of this kind: ``"VoteReply"``.
        occurrence: At the how-manieth time.
    """
    condition = {
        k: v
        for k, v in {
            "node": node,
            "role": role,
            "epoch": epoch,
            "message": message,
            "occurrence": occurrence,
        }.items()
        if v is not None
    }
    return _action("when", condition=condition, do=action)


def at_random(
    action: Action,
    *,
    every_ms: DelayLike,
    repair_after_ms: DelayLike | bool = True,
    from_ms: float | None = None,
    until_ms: float | None = None,
    keep_up: int | None = None,
    seed: int | None = None,
) -> Action:
    """An action again and again, at times drawn from the seed.

    A number for ``every_ms`` or ``repair_after_ms`` is the mean of an exponential; a pair is a
    range; a `Delay` is itself.

    Args:
        action: What; with the node ``"random"``, a partition without groups or a cut without
            nodes, these are drawn anew each time.
        every_ms: Time between two of them.
        repair_after_ms: It is undone after so long (restart, resume, mend); False: never.
        from_ms: Not before.
        until_ms: Not after.
        keep_up: Nobody is crashed or paused when only so many members are up.
        seed: Changes these draws and nothing else.
    """

    def spread(value: DelayLike | bool) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return exponential(value)
        return None if value is True else value

    if every_ms is None or type(every_ms).__name__ in ("bool", "bool_"):
        raise ValueError(f"every_ms={every_ms!r}: must be a number above 0, a pair or a Delay")
    if isinstance(every_ms, (int, float)) and not every_ms > 0:
        raise ValueError(f"every_ms={every_ms!r}: must be above 0")

    plan = {
        "do": action,
        "interval_ms": spread(every_ms),
        "repair_after_ms": spread(repair_after_ms),
        "from_ms": from_ms,
        "until_ms": until_ms,
        "keep_up": keep_up,
        "seed": seed,
    }
    return _action("plan", plan={k: v for k, v in plan.items() if v is not None})
