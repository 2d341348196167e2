"""The points of a sweep: each a whole experiment as plain data, with a name and a seed of its own.

A point's seed depends on the sweep's seed and on what the point *is*, never on the other points.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from electionlab import _core
from electionlab._values import whole_number
from electionlab.cluster import make_config
from electionlab.protocols import Protocol, make_protocol
from electionlab.samplers import points_of
from electionlab.scenarios import Scenario, check_parameters
from electionlab.settings import Delay, Link, Machine, Network, plain
from electionlab.user_protocol import UserProtocol
from electionlab.user_protocol import plain as plain_state

#: Entries of a cluster's configuration that can be swept as "config.NAME".
CONFIG = ("write_mode", "one_leader_at_a_time")


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """What is run: the engine's arguments but the seed, or objects for trials in Python."""

    protocol: str
    nodes: int
    options: dict[str, Any]
    config: dict[str, Any]
    experiment: dict[str, Any]
    #: For trials in Python: the protocol, and the function that drives a cluster, if any.
    subject: Any = None
    function: Callable[..., Any] | None = None
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def in_python(self) -> bool:
        """Whether each trial is a `Cluster` in Python."""
        return self.subject is not None


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """One point of a sweep.

    Attributes:
        values: What was swept: value by name.
        id: 32 hexadecimal digits that name the experiment; equal experiments, equal digits.
        seed: Of its trials.
        definition: The whole experiment as plain data: protocol, nodes, options that are not
            defaults, config, experiment.
    """

    values: dict[str, Any]
    id: str
    seed: int
    definition: dict[str, Any]
    work: Work | None = None


def canonical(value: Any) -> Any:
    """Plain data in which equal settings are equal: 5.0 is 5, a tuple is a list."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if hasattr(value, "item"):  # a NumPy number
        return canonical(value.item())
    return canonical(plain_state(value))


def canonical_json(value: Any) -> str:
    """The one text of plain data.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def seed_of(seed: int, definition: str) -> int:
    """The first 8 bytes of the SHA-256 of ``sweep/<seed>/<definition>``, big-endian, halved."""
    digest = hashlib.sha256(f"sweep/{seed}/{definition}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def shown(value: Any) -> Any:
    """A swept value as a cell of a table: a number, a truth value, or text."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if hasattr(value, "item") and not isinstance(value, (list, tuple, dict)):
        value = value.item()
    if isinstance(value, (int, float)):
        return value
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    if pair and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        return f"{value[0]:g}-{value[1]:g}"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        return "; ".join(map(repr, value))
    return repr(value) if not isinstance(value, (list, tuple)) else json.dumps(canonical(value))


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
    """What a sweep starts from, before a point's values are put in."""

    protocol: Protocol | UserProtocol
    scenario: Scenario
    network: Network
    machine: Machine
    faults: Any

    def __post_init__(self) -> None:
        kinds: dict[str, tuple[Any, str]] = {
            "protocol": ((Protocol, UserProtocol), "a protocol such as electionlab.Raft(nodes=5)"),
            "scenario": (Scenario, "a scenario such as electionlab.scenarios.leader_crash()"),
            "network": (Network, "an electionlab.Network"),
            "machine": (Machine, "an electionlab.Machine"),
        }
        for name, (kind, what) in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ValueError(f"{name}={value!r}: must be {what}")


def _renamed(error: ValueError, prefix: str) -> ValueError:
    return ValueError(f"{prefix}{error}")


def _protocol(base: Base, values: Mapping[str, Any], options: dict[str, Any]) -> Any:
    """The protocol with the point's size and options."""
    given = values.get("protocol", base.protocol)
    if isinstance(given, str):
        start = base.protocol
        nodes = values.get("nodes", start.nodes)
        kept = start.options if isinstance(start, Protocol) and start.name == given else {}
        about = make_protocol(given, whole_number("nodes", nodes, 1)).about
    elif isinstance(given, Protocol):
        nodes, kept, about = values.get("nodes", given.nodes), given.options, given.about
    elif isinstance(given, UserProtocol):
        return _user_protocol(given, values, options)
    else:
        raise ValueError(f"protocol={given!r}: must be a protocol, or the name of one")
    known = [option["name"] for option in about["options"]]
    for name in options:
        if name not in known:
            raise ValueError(
                f"{name}: is neither an option of {about['name']} nor a name that can be swept; "
                f"options are {', '.join(known)}; others are nodes, protocol, network.NAME, "
                "machine.NAME, scenario.NAME, faults.NAME and config.NAME"
            )
    defaults = {o["name"]: o["default"] for o in about["options"]}
    own = {k: v for k, v in kept.items() if v != defaults[k]}
    return make_protocol(about["name"], nodes, {**own, **options})


def _user_protocol(
    given: UserProtocol, values: Mapping[str, Any], options: dict[str, Any]
) -> UserProtocol:
    """A protocol written in Python, made anew where its constructor's arguments are swept."""
    changes = {**options, **({"nodes": values["nodes"]} if "nodes" in values else {})}
    if not changes:
        return given
    known = inspect.signature(type(given)).parameters
    for name in changes:
        if name not in known:
            raise ValueError(
                f"{name}: {type(given).__name__} takes no such argument; it takes "
                f"{', '.join(known)}"
            )
    kept = {name: getattr(given, name) for name in known if hasattr(given, name)}
    return type(given)(**{**kept, **changes})


def _with_fields(name: str, value: Any, changes: Mapping[str, Any]) -> Any:
    known = [f.name for f in dataclasses.fields(value)]
    for field in changes:
        if field not in known:
            raise ValueError(f"{name}.{field}: there is no such setting; it has {', '.join(known)}")
    try:
        return dataclasses.replace(value, **changes)
    except ValueError as error:
        raise _renamed(error, f"{name}.") from None


def _actions(faults: Any, parameters: Mapping[str, Any]) -> list[Any]:
    """The fault plan of a point."""
    if callable(faults):
        check_parameters("faults", faults, parameters)
        faults = faults(**parameters)
    elif parameters:
        raise ValueError(
            f"faults.{next(iter(parameters))}: needs faults to be a function with that parameter"
        )
    if isinstance(faults, Mapping):
        faults = [faults]
    if isinstance(faults, str) or not isinstance(faults, Iterable):
        raise ValueError(f"faults={faults!r}: must be a list of actions, or a function of one")
    return list(faults)


_PREFIXES = ("network", "machine", "scenario", "faults", "config")


def _point_work(base: Base, values: Mapping[str, Any]) -> tuple[Work, dict[str, Any]]:
    """What is run at a point, and its definition."""
    options: dict[str, Any] = {}
    under: dict[str, dict[str, Any]] = {prefix: {} for prefix in _PREFIXES}
    whole: dict[str, Any] = {}
    for name, value in values.items():
        prefix, dot, rest = name.partition(".")
        if dot and prefix in under and rest:
            under[prefix][rest] = value
        elif name in ("network", "machine", "scenario", "faults"):
            whole[name] = value
        elif name not in ("nodes", "protocol"):
            options[name] = value
    for name in under["config"]:
        if name not in CONFIG:
            raise ValueError(f"config.{name}: must be one of {', '.join(CONFIG)}")
    if whole:
        base = dataclasses.replace(base, **whole)
    protocol = _protocol(base, values, options)
    scenario = base.scenario
    if under["scenario"]:
        try:
            scenario = scenario.replaced(**under["scenario"])
        except ValueError as error:
            raise _renamed(error, "scenario.") from None
    config = make_config(
        network=_with_fields("network", base.network, under["network"]),
        machine=_with_fields("machine", base.machine, under["machine"]),
        initial_leader=scenario.initial_leader(protocol),
        actions=_actions(base.faults, under["faults"]),
        seed=0,
        **under["config"],
    )
    del config["seed"]
    experiment = scenario.experiment(protocol)
    engine = isinstance(protocol, Protocol)
    about = protocol.about["options"] if isinstance(protocol, Protocol) else []
    defaults = {option["name"]: option["default"] for option in about}
    work = Work(
        protocol=protocol.name,
        nodes=protocol.nodes,
        options=dict(protocol.options) if isinstance(protocol, Protocol) else {},
        config=config,
        experiment=experiment,
        subject=None if engine and not scenario.in_python else protocol,
        function=getattr(scenario, "function", None),
        parameters=dict(getattr(scenario, "given", {})) if scenario.in_python else {},
    )
    definition: dict[str, Any] = {
        "protocol": protocol.name,
        "nodes": protocol.nodes,
        "config": config,
        "experiment": experiment,
    }
    if engine:
        own = {k: v for k, v in work.options.items() if v != defaults[k]}
        definition["options"] = own
    else:
        cls = type(protocol)
        definition["class"] = f"{cls.__module__}.{cls.__qualname__}"
        definition["options"] = plain_state(
            {k: v for k, v in vars(protocol).items() if k not in ("name", "title", "source")}
        )
    return work, dict(canonical(definition))


def _check(work: Work) -> None:
    """Refuses what the engine refuses, before anything runs."""
    config = {**work.config, "seed": 0}
    if work.in_python:
        from electionlab._python_trials import check_trials

        check_trials(work, config)
    else:
        _core.run_trials(
            work.protocol, work.nodes, work.options, config, work.experiment, trials=0, threads=1
        )


def make_points(
    base: Base, over: Any, seed: int, *, common_random_numbers: bool
) -> tuple[Point, ...]:
    """The points of a sweep, checked.

    Raises:
        ValueError: A name or value is bad, or two points are the same; the message names it.
    """
    points: list[Point] = []
    numbers: dict[str, int] = {}
    for number, values in enumerate(points_of(over)):
        try:
            work, definition = _point_work(base, values)
            _check(work)
            text = canonical_json(definition)
        except ValueError as error:
            which = ", ".join(f"{k}={v!r}" for k, v in values.items())
            raise ValueError(f"{error} (point {number}: {which or 'nothing swept'})") from None
        digits = hashlib.sha256(text.encode()).hexdigest()[:32]
        if digits in numbers:
            raise ValueError(
                f"over: points {numbers[digits]} and {number} are the same experiment: {values!r}"
            )
        numbers[digits] = number
        own = seed if common_random_numbers else seed_of(seed, text)
        points.append(Point(dict(values), digits, own, definition, work))
    return tuple(points)


def plain_value(value: Any) -> Any:
    """A swept value as plain data, for files."""
    if isinstance(value, (Delay, Link, Machine)):
        return canonical(plain(value))
    if isinstance(value, (Protocol, UserProtocol, Scenario)):
        return repr(value)
    try:
        return canonical(value)
    except ValueError:
        return repr(value)


__all__: Sequence[str] = ["Base", "Point", "Work", "canonical_json", "make_points", "shown"]
