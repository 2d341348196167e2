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
import math
from collections.abc import Mapping
from typing import Any

from electionlab import _core
from electionlab._values import milliseconds, whole_number

_ROLES = {name: index for index, name in enumerate(_core.roles)}


def plain(value: Any, name: str = "state") -> Any:
    """A state as JSON-like data: dataclasses become dictionaries, sets become sorted lists."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{name}={value!r}: must fit in 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name}={value!r}: must be finite; None says 'not known' as well")
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name), f"{name}.{f.name}")
            for f in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(item, name) for item in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [plain(item, name) for item in value]
    raise ValueError(
        f"{name}={value!r}: must be made of None, bool, int, float, str, list, tuple, set, dict "
        "and dataclasses"
    )


def _copied(value: Any, name: str) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception as error:
        raise ValueError(f"{name}={value!r}: cannot be copied ({error})") from error


@dataclasses.dataclass(frozen=True)
class Message:
    """A message, or a command, as a handler receives it."""

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
        about: In ``on_timer``, the peer that the expired timer is about; 0 for a timer that is
            about nobody, and in other handlers.
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
        about: int = 0,
    ) -> None:
        self._protocol = protocol
        self.node = node
        self.members = members
        self.actors = actors
        self.initial_leader = initial_leader
        self.clock_ms = clock_ns / 1e6
        self.about = about
        self.disk = disk
        self.memory = memory
        self._persist = False
        self._sends: list[tuple[int, int, dict[str, Any]]] = []
        self._timers: list[tuple[int, int, tuple[float, float] | None]] = []
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

    def send(self, to: int, kind: str, /, **fields: Any) -> None:
        """Send a message to one actor.

        Args:
            to: Its number, 1 to ``actors``, not this node itself.
            kind: One of the protocol's ``messages``.
            fields: The message's fields; made of the same things as a state.

        Raises:
            ValueError: No such receiver or kind of message, or a field of another make.
        """
        receiver = whole_number("to", to, 1, self.actors)
        if receiver == self.node:
            raise ValueError(f"to={to!r}: must be another actor than the sender")
        self._sends.append((receiver, self._protocol._kind(kind), plain(fields, kind)))

    def broadcast(self, kind: str, /, **fields: Any) -> None:
        """Send a message to every other member."""
        self._sends.append((0, self._protocol._kind(kind), plain(fields, kind)))

    def set_timer(
        self, name: str, min_ms: float, max_ms: float | None = None, *, about: int = 0
    ) -> None:
        """(Re-)arm a timer, after a time drawn uniformly from min_ms to max_ms.

        Args:
            name: One of the protocol's ``timers``.
            min_ms: The shortest wait, on the node's own clock.
            max_ms: The longest; None: always min_ms.
            about: Which peer, for a name in ``peer_timers``; each has a timer of its own.

        Raises:
            ValueError: No such timer, or a time that is negative, not finite or reversed.
        """
        low = milliseconds("min_ms", min_ms)
        high = low if max_ms is None else milliseconds("max_ms", max_ms)
        if high < low:
            raise ValueError(f"max_ms={max_ms!r}: must be at least min_ms, {min_ms!r}")
        self._timers.append((*self._timer(name, about), (low, high)))

    def cancel_timer(self, name: str, *, about: int = 0) -> None:
        """Disarm a timer; nothing happens when it is not armed."""
        self._timers.append((*self._timer(name, about), None))

    def _timer(self, name: str, about: int) -> tuple[int, int]:
        number = self._protocol._timer(name)
        if name not in self._protocol.peer_timers:
            if about != 0:
                raise ValueError(f"about={about!r}: {name!r} is not in the class's peer_timers")
            return number, 0
        peer = whole_number("about", about, 1, self.actors)
        if peer == self.node:
            raise ValueError(f"about={about!r}: must be another actor than this node")
        return number, peer

    def note(self, text: str) -> None:
        """Say why, for the trace."""
        self._notes.append(str(text))


class UserProtocol:
    """Base class of protocols written in Python.

    Override the handlers, ``view``, and the class attributes. Handlers and ``view`` must be
    deterministic: they look at nothing but their arguments and the protocol's own options, which
    nobody changes; everything random is a timer's range. They get copies of the state, so that
    going back, forking and replaying work. Where a handler draws numbers of its own, reads a
    clock or counts in ``self``, a replay differs, and loading a trace refuses it.

    What a handler raises comes out of the call that ran it, and the cluster stays at the event
    before, ready to go on.

    Attributes:
        name: Shown in traces and pictures; the class name in lower case by default.
        messages: The kinds of messages that are sent.
        timers: The names of the timers that are set.
        peer_timers: Those of them of which a node has one for each peer: a failure detector's.
        commands: What a client or user may ask of a node: ``cluster.command(2, "Write", value=7)``.
        services: Actors beyond the members, as kind to count: ``{"storage": 1}``. They are numbered
            after the members, in this order, and run the same handlers: ``ctx.node`` tells.
        epochs: Whether epochs rise and name at most one leader each; then that is checked.
        majority: Whether more than half of all members are needed to elect.
    """

    name: str = ""
    title: str = ""
    source: str = ""
    messages: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    peer_timers: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    services: Mapping[str, int] = {}
    epochs: bool = False
    majority: bool = False

    def __init__(self, nodes: int) -> None:
        self.nodes = whole_number("nodes", nodes, 1, _core.max_nodes)
        self.name = type(self).name or type(self).__name__.lower()
        self.title = type(self).title or self.name
        for attribute in ("name", "title", "source"):
            text = getattr(self, attribute)
            if not isinstance(text, str) or not text.isprintable():
                raise ValueError(f"{attribute}={text!r}: must be text on one line")
        for attribute in ("messages", "timers", "peer_timers", "commands"):
            names = getattr(self, attribute)
            if not isinstance(names, (tuple, list)) or not all(
                isinstance(n, str) and n and n.isprintable() for n in names
            ):
                raise ValueError(f"{attribute}={names!r}: must be a tuple of names")
            if len(names) > 100 or len(set(names)) != len(names):
                raise ValueError(f"{attribute}={names!r}: must be at most 100 different names")
        strange = [name for name in self.peer_timers if name not in self.timers]
        if strange:
            raise ValueError(f"peer_timers={self.peer_timers!r}: {strange[0]!r} is not in timers")
        if not isinstance(self.services, Mapping):
            raise ValueError(f"services={self.services!r}: must be a dict of kind to count")
        left = _core.max_nodes - self.nodes
        for kind, count in self.services.items():
            if not isinstance(kind, str) or kind in ("", "member") or not kind.isprintable():
                raise ValueError(f"services={self.services!r}: a kind must be a name of its own")
            left -= whole_number(f"services[{kind!r}]", count, 1, left)
        self.services = dict(self.services)

    # --- what a protocol overrides ---

    def disk(self, node: int) -> Any:
        """What is on a node's disk before its first start."""
        return None

    def empty_disk(self, node: int) -> Any:
        """What a node finds after its disk was lost: what ``disk`` gives, unless overridden."""
        return self.disk(node)

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
        """A timer has expired; ``ctx.about`` is the peer, of one in ``peer_timers``."""

    def on_command(self, ctx: NodeContext, command: Message) -> None:
        """A client or user asks for something: one of ``commands``, by hand or by a schedule."""

    def view(self, ctx: NodeContext) -> tuple[str, int, int]:
        """(role, believed leader, epoch): role is follower, candidate, leader or service.

        The leader is 0 while it believes in none; the epoch is 0 and up, and 0 for ever in a
        protocol without. It is asked after every input and changes nothing.
        """
        raise NotImplementedError

    # --- what the engine calls ---

    def _kind(self, name: str) -> int:
        if name not in self.messages:
            known = ", ".join(self.messages) or "none: the class attribute messages is empty"
            raise ValueError(f"kind={name!r}: must be one of {known}")
        return self.messages.index(name)

    def _timer(self, name: str) -> int:
        if name not in self.timers:
            known = ", ".join(self.timers) or "none: the class attribute timers is empty"
            raise ValueError(f"timer={name!r}: must be one of {known}")
        return self.timers.index(name)

    def _command(self, name: str) -> int:
        return self.commands.index(name)

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
            _copied(disk, "disk"),
            _copied(memory, "memory"),
            sender if kind == "timer" else 0,
        )
        if kind == "message":
            self.on_message(ctx, sender, Message(self.messages[index], copy.deepcopy(fields)))
        elif kind == "timer":
            self.on_timer(ctx, self.timers[index])
        elif kind == "command":
            self.on_command(ctx, Message(self.commands[index], fields))
        elif kind == "start":
            self.on_start(ctx)
        else:
            self.on_restart(ctx)
        plain(ctx.disk, "disk")
        plain(ctx.memory, "memory")
        return ctx.disk, ctx.memory, ctx._persist, ctx._sends, ctx._timers, ctx._notes

    def _view(
        self, node: int, members: int, actors: int, disk: Any, memory: Any
    ) -> tuple[int, int, int]:
        if memory is None:
            memory = self.memory(node)
        context = NodeContext(
            self,
            node,
            members,
            actors,
            0,
            0,
            _copied(disk, "disk"),
            _copied(memory, "memory"),
        )
        seen: Any = self.view(context)
        if not isinstance(seen, (tuple, list)) or len(seen) != 3:
            raise ValueError(f"view={seen!r}: must be (role, believed leader, epoch)")
        role, leader, epoch = seen
        if role not in ("follower", "candidate", "leader", "service"):
            raise ValueError(
                f"role={role!r}: view must give follower, candidate, leader or service"
            )
        if leader is None:
            leader = 0
        return (
            _ROLES[role],
            whole_number("view's leader", leader, 0, members),
            whole_number("view's epoch", epoch, 0, 2**62),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nodes={self.nodes})"
