"""What is done to a running cluster by hand: every fault, every message and every timer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from electionlab import settings
from electionlab._core import Event, PendingEvent
from electionlab._values import whole_number
from electionlab.settings import Action, DelayLike, Link, NodeLike


class Interventions:
    """The methods of `electionlab.Cluster` that do something to it; each is one `Action`."""

    actors: int

    if TYPE_CHECKING:

        def act(self, action: Mapping[str, Any]) -> Event:
            """See `electionlab.Cluster.act`."""

    def crash(
        self,
        node: NodeLike | None = "leader",
        *,
        restart_after_ms: float | None = None,
        lose_disk: bool = False,
    ) -> Event:
        """A node stops: memory, unfinished writes and unsent messages are lost."""
        target = "leader" if node is None else node
        return self.act(
            settings.crash(target, restart_after_ms=restart_after_ms, lose_disk=lose_disk)
        )

    def restart(self, node: NodeLike, *, lose_disk: bool = False) -> Event:
        """A node that is down starts again, with its disk or with an empty one."""
        return self.act(settings.restart(node, lose_disk=lose_disk))

    def pause(self, node: NodeLike, *, resume_after_ms: float | None = None) -> Event:
        """A node stands still; its events happen late."""
        return self.act(settings.pause(node, resume_after_ms=resume_after_ms))

    def resume(self, node: NodeLike) -> Event:
        """A paused node goes on."""
        return self.act(settings.resume(node))

    def partition(self, *groups: Iterable[int]) -> Event:
        """Cuts every link between nodes of different groups; others keep theirs."""
        if not groups:
            raise ValueError("groups=(): must be two or more groups with nodes in each")
        return self.act(settings.partition(*groups))

    def isolate(self, node: int) -> Event:
        """Cuts a node off from all others, services included."""
        alone = whole_number("node", node, 1, self.actors)
        others = [n for n in range(1, self.actors + 1) if n != alone]
        return self.act(settings.partition([alone], others))

    def cut(
        self,
        sender: int | Iterable[int],
        receiver: int | Iterable[int],
        *,
        both_ways: bool = False,
    ) -> Event:
        """Cuts links, in one direction unless told otherwise."""
        return self.act(settings.cut(sender, receiver, both_ways=both_ways))

    def mend(
        self,
        sender: int | Iterable[int],
        receiver: int | Iterable[int],
        *,
        both_ways: bool = False,
    ) -> Event:
        """Undoes a cut."""
        return self.act(settings.mend(sender, receiver, both_ways=both_ways))

    def heal(self) -> Event:
        """Mends every link."""
        return self.act(settings.heal())

    def set_link(
        self,
        link: Link,
        sender: int | Iterable[int] | None = None,
        receiver: int | Iterable[int] | None = None,
        *,
        both_ways: bool = True,
    ) -> Event:
        """Gives links another delay, loss or duplication; all of them when no ends are given."""
        return self.act(settings.link(link, sender, receiver, both_ways=both_ways))

    def set_clock(
        self, node: NodeLike, *, offset_ms: float | None = None, drift_ppm: float | None = None
    ) -> Event:
        """Sets a node's clock: its offset, its rate, or both; see `electionlab.settings.clock`.

        Timers that run keep what is left of them on that clock.
        """
        return self.act(settings.clock(node, offset_ms=offset_ms, drift_ppm=drift_ppm))

    def slow(self, node: NodeLike, processing_ms: DelayLike) -> Event:
        """A node takes so long to handle each message."""
        return self.act(settings.slow(node, processing_ms))

    def set_disk(self, node: NodeLike, write_delay_ms: DelayLike) -> Event:
        """Every durable write of a node takes so long."""
        return self.act(settings.disk(node, write_delay_ms))

    def _message(self, message: int | PendingEvent) -> int:
        if isinstance(message, PendingEvent) and message.kind == "waiting":
            raise ValueError(f"message={message!r}: is not in flight; it happens in its turn only")
        if isinstance(message, PendingEvent) and message.kind != "message":
            raise ValueError(f"message={message!r}: must be a message in flight; see pending")
        return message.message if isinstance(message, PendingEvent) else message

    def deliver(self, message: int | PendingEvent) -> Event:
        """A message in flight arrives now; an entry of `pending` that is a timer expires now."""
        if isinstance(message, PendingEvent) and message.kind == "timer":
            return self.fire(message)
        return self.act(settings.deliver(self._message(message)))

    def drop(self, message: int | PendingEvent) -> Event:
        """A message in flight is lost."""
        return self.act(settings.drop(self._message(message)))

    def duplicate(self, message: int | PendingEvent) -> Event:
        """A second copy of a message in flight."""
        return self.act(settings.duplicate(self._message(message)))

    def delay(self, message: int | PendingEvent, by_ms: float) -> Event:
        """A message in flight takes longer."""
        return self.act(settings.delay(self._message(message), by_ms))

    def fire(
        self, node: NodeLike | PendingEvent, timer: str | None = None, *, about: int | None = None
    ) -> Event:
        """An armed timer expires now: ``fire(3, "election")``, or an entry of `pending`.

        Args:
            node: Whose; or an entry of `pending`.
            timer: Its name.
            about: Which of them, of a timer that there is one of for each peer.
        """
        if isinstance(node, PendingEvent):
            if node.kind != "timer" or timer is not None:
                raise ValueError(f"node={node!r}: must be a node and a timer's name, or a timer")
            return self.act(settings.fire(node.node, node.timer, about=node.peer or None))
        return self.act(settings.fire(node, timer or "", about=about))

    def command(self, node: NodeLike, name: str, /, **fields: Any) -> Event:
        """A client or user asks a node for something: ``command(2, "Write", value=7)``.

        Args:
            node: Whom.
            name: One of the protocol's commands.
            fields: What it says.

        Raises:
            ValueError: The protocol knows no such command, or not with these fields.
        """
        return self.act(settings.command(node, name, **fields))

    def at(self, at_ms: float, action: Action) -> Event:
        """An action at a time, in ms since the start."""
        return self.act(settings.at(at_ms, action))

    def when(self, action: Action, **condition: Any) -> Event:
        """An action at a condition; see `electionlab.settings.when`."""
        return self.act(settings.when(action, **condition))

    def at_random(self, action: Action, **plan: Any) -> Event:
        """An action at random times; see `electionlab.settings.at_random`."""
        return self.act(settings.at_random(action, **plan))
