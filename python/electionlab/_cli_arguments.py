"""What the command line's arguments mean: durations, nodes, faults, options of protocols.

Each function raises a ValueError that names the argument and what it must be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from electionlab import settings
from electionlab.protocols import PROTOCOLS, Protocol, make_protocol
from electionlab.settings import Action

_UNITS = {"": 1.0, "ms": 1.0, "s": 1e3, "us": 1e-3, "min": 60e3}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(us|ms|s|min|)")


def duration_ms(name: str, text: str) -> float:
    """A duration in ms: 500ms, 2s, 250us, 1min; a bare number is in ms."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name} {text!r}: must be a duration such as 500ms, 2s or 250us")
    return float(match[1]) * _UNITS[match[2]]


def delay_like(name: str, text: str) -> float | tuple[float, float]:
    """A duration, or a range of them: 5ms:10ms."""
    low, colon, high = text.partition(":")
    if not colon:
        return duration_ms(name, low)
    return duration_ms(name, low), duration_ms(name, high)


def _node(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _node_at(name: str, text: str, extra: str) -> tuple[int | str, float, float | None]:
    """NODE@TIME or NODE@TIME:DURATION, the latter where `extra` says what it is."""
    node, at, when = text.partition("@")
    time, colon, lasting = when.partition(":")
    if not at or not node or (colon and not extra):
        more = f", or {extra}" if extra else ""
        raise ValueError(f"{name} {text!r}: must be NODE@TIME such as leader@500ms or 3@2s{more}")
    return (
        _node(node),
        duration_ms(name, time),
        duration_ms(name, lasting) if colon else None,
    )


def _groups(name: str, text: str, example: str) -> tuple[list[list[int]], float]:
    """GROUP/GROUP@TIME with two groups or more, each NODE,NODE."""
    sides, at, time = text.partition("@")
    try:
        groups = [[int(node) for node in side.split(",")] for side in sides.split("/")]
    except ValueError:
        groups = []
    if not at or len(groups) < 2:
        raise ValueError(f"{name} {text!r}: must be groups of nodes and a time, such as {example}")
    return groups, duration_ms(name, time)


def _option(protocol: str, text: str) -> tuple[str, Any]:
    """NAME=VALUE of a protocol's option, read by the option's type; the engine checks the value."""
    name, equals, value = text.partition("=")
    known = {o["name"]: o for o in PROTOCOLS[protocol].about["options"]}
    if not equals:
        raise ValueError(f"--option {text!r}: must be NAME=VALUE, such as {next(iter(known))}=...")
    if name not in known:
        raise ValueError(
            f"{name}={value}: {protocol} has no such option; it has {', '.join(known)}"
        )
    kind = known[name]["type"]
    if kind == "ms":
        return name, duration_ms(f"--option {name}", value)
    if kind == "range_ms":
        return name, delay_like(f"--option {name}", value)
    if kind == "choice":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        raise ValueError(f"{name}={value}: must be a {kind}, written as in JSON") from None


def protocol_of(name: str, nodes: int, options: Sequence[str]) -> Protocol:
    """A protocol with its options, each written as NAME=VALUE."""
    make_protocol(name, nodes)  # a wrong name is told before its options are read
    return make_protocol(name, nodes, dict(_option(name, text) for text in options))


def actions_of(given: Mapping[str, list[str]]) -> list[tuple[float, float, Action]]:
    """Every fault that was asked for, as (time, end of what it starts, action), by time.

    Args:
        given: By option ("crash", "restart", "pause", "resume", "partition", "cut", "heal"), what
            was given for it.
    """
    found: list[tuple[float, float, Action]] = []

    def add(at_ms: float, action: Action, lasting: float | None = None) -> None:
        found.append((at_ms, at_ms + (lasting or 0.0), settings.at(at_ms, action)))

    for text in given["crash"]:
        node, at_ms, back = _node_at("--crash", text, "NODE@TIME:DOWN such as 3@2s:300ms")
        add(at_ms, settings.crash(node, restart_after_ms=back), back)
    for text in given["restart"]:
        node, at_ms, _ = _node_at("--restart", text, "")
        add(at_ms, settings.restart(node))
    for text in given["pause"]:
        node, at_ms, lasting = _node_at("--pause", text, "NODE@TIME:LASTING such as 3@2s:300ms")
        add(at_ms, settings.pause(node, resume_after_ms=lasting), lasting)
    for text in given["resume"]:
        node, at_ms, _ = _node_at("--resume", text, "")
        add(at_ms, settings.resume(node))
    for text in given["partition"]:
        groups, at_ms = _groups("--partition", text, "1,2/3,4,5@400ms")
        add(at_ms, settings.partition(*groups))
    for text in given["cut"]:
        groups, at_ms = _groups("--cut", text, "1/2,3@400ms (from 1 to 2 and 3)")
        if len(groups) != 2:
            raise ValueError(f"--cut {text!r}: must be FROM/TO@TIME, such as 1/2,3@400ms")
        add(at_ms, settings.cut(groups[0], groups[1], both_ways=False))
    for text in given["heal"]:
        add(duration_ms("--heal", text), settings.heal())
    return sorted(found, key=lambda entry: entry[0])


def detectors_of(given: list[str] | None) -> dict[str, tuple[float, ...] | None] | None:
    """NAME or NAME=VALUE,VALUE as detectors with the values to try; None: all, as by default."""
    chosen: dict[str, tuple[float, ...] | None] = {}
    for text in given or []:
        name, equals, values = text.partition("=")
        try:
            chosen[name] = tuple(float(v) for v in values.split(",")) if equals else None
        except ValueError:
            raise ValueError(
                f"--detector {text!r}: must be NAME or NAME=NUMBERS, such as fixed=100,200"
            ) from None
    return chosen or None
