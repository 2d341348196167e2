"""What a cluster answers: who leads, or why nobody does, a node's state, the measures."""

from __future__ import annotations

import dataclasses
import html
from typing import Any


@dataclasses.dataclass(frozen=True)
class Leader:
    """An election's outcome: somebody leads. True in a condition.

    Attributes:
        node: Who.
        epoch: Its term, or other epoch; 0 in protocols without.
        at_ms: When this was seen, ms since the start.
    """

    node: int
    epoch: int
    at_ms: float


@dataclasses.dataclass(frozen=True)
class NoLeader:
    """An election's outcome: nobody leads. False in a condition.

    Attributes:
        reason: Why, in words.
        at_ms: When the wait ended, ms since the start.
    """

    reason: str
    at_ms: float

    def __bool__(self) -> bool:
        return False


@dataclasses.dataclass(frozen=True)
class Node:
    """A node's state at one moment.

    Attributes:
        node: Its number.
        kind: "member", or the kind of service.
        role: follower, candidate, leader, down, paused or service.
        leader: Whom it believes to lead; 0: nobody.
        epoch: Its term, or other epoch.
        clock_ms: What its own clock shows.
        disk: The disk part of its state, by field.
        durable: The same as a crash would leave it.
        memory: The volatile part, by field.
        timers_due_ms: Its armed timers and when they expire, ms since the start.
    """

    node: int
    kind: str
    role: str
    leader: int
    epoch: int
    clock_ms: float
    disk: Any
    durable: Any
    memory: Any
    timers_due_ms: dict[str, float]

    def __getitem__(self, field: str) -> Any:
        parts = [part for part in (self.disk, self.memory) if isinstance(part, dict)]
        # With a resource, what belongs to the election lies one level deeper.
        parts += [part["election"] for part in parts if isinstance(part.get("election"), dict)]
        for part in parts:
            if field in part:
                return part[field]
        names = [name for part in parts for name in part]
        raise KeyError(f"{field!r}: this node has {', '.join(names)}")


class Metrics(dict[str, Any]):
    """The measures of a run by name, with units in the names; see docs/measures.md."""

    def _repr_html_(self) -> str:
        rows = []
        for name, value in self.items():
            if isinstance(value, float):
                value = f"{value:,.3f}"
            rows.append(
                f"<tr><td style='text-align:left'>{html.escape(str(name))}</td>"
                f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
            )
        return "<table>" + "".join(rows) + "</table>"
