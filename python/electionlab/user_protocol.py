"""Protocols written in Python: one more protocol behind the engine's contract.

They are slower than those of the engine, with the same stepping, faults, traces, pictures and
measures::

    class Highest(el.UserProtocol):
        messages = ("Claim",)
        timers = ("announce",)

        def memory(self, node):
            return {"leader": node}

        def on_start(self, ctx):
            ctx.broadcast("Claim")

        def on_message(self, ctx, sender, message):
            ctx.memory["leader"] = max(ctx.memory["leader"], sender)

        def view(self, ctx):
            leads = ctx.memory["leader"] == ctx.node
            return ("leader" if leads else "follower", ctx.memory["leader"], 0)
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from electionlab import _core

_ROLES = {name: index for index, name in enumerate(_core.roles)}


def plain(value: Any) -> Any:
    """A state as JSON-like data: dataclasses become dictionaries, sets become sorted lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"state={value!r}: must be made of None, bool, int, float, str, list, tuple, set, dict "
        "and dataclasses"
    )


@dataclasses.dataclass(frozen=True)
class Message:
    """A message as a handler receives it."""

    kind: str
    fields: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(
                f"{self.kind} has no field {name!r}; it has {', '.join(self.fields) or 'none'}"
            ) from None


class NodeContext:
    """A node while it handles one input: its state, and what it wants done.

    Attributes:
        node: This node, 1 to ``members`` (services: up to ``actors``).
        members: How many nodes take part in the election.
        actors: Members and services together.
        initial_leader: Who leads already at a warm start; 0 for a cold start.
        clock_ms: The node's own clock in milliseconds, with its offset and drift.
        disk: State that survives a crash once ``persist`` was called; change it in place.
        memory: State that a crash loses; change it in place.
    """

    def __init__(
        self,
        protocol: UserProtocol,
        node: int,
        members: int,
        actors: int,
        initial_leader: int,
        clock_ns: int,
        disk: Any,
        memory: Any,
    ) -> None:
        self._protocol = protocol
        self.node = node
        self.members = members
        self.actors = actors
        self.initial_leader = initial_leader
        self.clock_ms = clock_ns / 1e6
        self.disk = disk
        self.memory = memory
        self._persist = False
        self._sends: list[tuple[int, int, dict[str, Any]]] = []
        self._timers: list[tuple[int, tuple[float, float] | None]] = []
        self._notes: list[str] = []

    @property
    def peers(self) -> list[int]:
        """The other members, ascending."""
        return [n for n in range(1, self.members + 1) if n != self.node]

    @property
    def quorum(self) -> int:
        """The smallest majority of all members."""
        return self.members // 2 + 1

    def persist(self) -> None:
        """Make ``disk`` durable before any message of this handler leaves."""
        self._persist = True

    def send(self, to: int, kind: str, **fields: Any) -> None:
        """Send a message to one actor.

        Raises:
            ValueError: No such receiver or kind of message.
        """
        if not (isinstance(to, int) and 1 <= to <= self.actors and to != self.node):
            raise ValueError(f"to={to!r}: must be another actor, 1 to {self.actors}")
        self._sends.append((to, self._protocol._kind(kind), fields))

    def broadcast(self, kind: str, **fields: Any) -> None:
        """Send a message to every other member."""
        self._sends.append((0, self._protocol._kind(kind), fields))

    def set_timer(self, name: str, min_ms: float, max_ms: float | None = None) -> None:
        """(Re-)arm a timer, after a time drawn uniformly from min_ms to max_ms."""
        span = (float(min_ms), float(min_ms if max_ms is None else max_ms))
        self._timers.append((self._protocol._timer(name), span))

    def cancel_timer(self, name: str) -> None:
        """Disarm a timer; nothing happens when it is not armed."""
        self._timers.append((self._protocol._timer(name), None))

    def note(self, text: str) -> None:
        """Say why, for the trace."""
        self._notes.append(text)


class UserProtocol:
    """Base class of protocols written in Python.

    Override the handlers, ``view``, and the class attributes. Handlers must be deterministic:
    everything random is a timer's range. They get copies of the state, so that going back, forking
    and replaying work.

    Attributes:
        name: Shown in traces and pictures; the class name in lower case by default.
        messages: The kinds of messages that are sent.
        timers: The names of the timers that are set.
        services: Actors beyond the members, as kind to count: ``{"storage": 1}``.
        epochs: Whether epochs rise and name at most one leader each; then that is checked.
        majority: Whether more than half of all members are needed to elect.
    """

    name: str = ""
    title: str = ""
    source: str = ""
    messages: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    services: Mapping[str, int] = {}
    epochs: bool = False
    majority: bool = False

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.name = type(self).name or type(self).__name__.lower()
        self.title = type(self).title or self.name
        for attribute in ("messages", "timers"):
            names = getattr(self, attribute)
            if isinstance(names, str) or not all(isinstance(n, str) and n for n in names):
                raise ValueError(f"{attribute}={names!r}: must be a tuple of names")
        if len(self.messages) > 100 or len(self.timers) > 100:
            raise ValueError("messages, timers: at most 100 of each")

    # --- what a protocol overrides ---

    def disk(self, node: int) -> Any:
        """What is on a node's disk before its first start."""
        return None

    def memory(self, node: int) -> Any:
        """A node's memory at each start."""
        return None

    def on_start(self, ctx: NodeContext) -> None:
        """First start of a node."""

    def on_restart(self, ctx: NodeContext) -> None:
        """Start after a crash; ``on_start`` unless overridden."""
        self.on_start(ctx)

    def on_message(self, ctx: NodeContext, sender: int, message: Message) -> None:
        """A message has arrived."""

    def on_timer(self, ctx: NodeContext, timer: str) -> None:
        """A timer has expired."""

    def view(self, ctx: NodeContext) -> tuple[str, int, int]:
        """(role, believed leader, epoch): role is follower, candidate, leader or service."""
        raise NotImplementedError

    # --- what the engine calls ---

    def _kind(self, name: str) -> int:
        if name not in self.messages:
            raise ValueError(f"kind={name!r}: must be one of {', '.join(self.messages)}")
        return self.messages.index(name)

    def _timer(self, name: str) -> int:
        if name not in self.timers:
            raise ValueError(f"timer={name!r}: must be one of {', '.join(self.timers)}")
        return self.timers.index(name)

    def _handle(
        self,
        kind: str,
        node: int,
        members: int,
        actors: int,
        initial_leader: int,
        clock_ns: int,
        disk: Any,
        memory: Any,
        sender: int,
        index: int,
        fields: Any,
    ) -> tuple[Any, ...]:
        if memory is None:
            memory = self.memory(node)
        ctx = NodeContext(
            self,
            node,
            members,
            actors,
            initial_leader,
            clock_ns,
            copy.deepcopy(disk),
            copy.deepcopy(memory),
        )
        if kind == "message":
            self.on_message(ctx, sender, Message(self.messages[index], copy.deepcopy(fields)))
        elif kind == "timer":
            self.on_timer(ctx, self.timers[index])
        elif kind == "start":
            self.on_start(ctx)
        else:
            self.on_restart(ctx)
        sends = [(to, k, plain(f)) for to, k, f in ctx._sends]
        return ctx.disk, ctx.memory, ctx._persist, sends, ctx._timers, ctx._notes

    def _view(
        self, node: int, members: int, actors: int, disk: Any, memory: Any
    ) -> tuple[int, int, int]:
        if memory is None:
            memory = self.memory(node)
        role, leader, epoch = self.view(
            NodeContext(self, node, members, actors, 0, 0, disk, memory)
        )
        if role not in ("follower", "candidate", "leader", "service"):
            raise ValueError(
                f"role={role!r}: view must give follower, candidate, leader or service"
            )
        return _ROLES[role], int(leader or 0), int(epoch)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nodes={self.nodes})"
