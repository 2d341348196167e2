"""The simulated cluster as Python drives it: step, run, break, look, go back."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, SupportsIndex, SupportsInt, cast

from electionlab import _core, settings
from electionlab._core import Event, PendingEvent
from electionlab._values import end_of_span, milliseconds, truth, whole_number
from electionlab.interventions import Interventions
from electionlab.outcomes import Leader, Metrics, Node, NoLeader
from electionlab.protocols import Protocol, make_protocol
from electionlab.settings import Action, Machine, Network, Resource
from electionlab.trace import Trace
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes
    from typing_extensions import Self

    from electionlab.debugger.widget import Debugger

# What the methods of this class call; not for users, and not offered to them.
_ENGINE_METHODS = {
    "failovers", "faults", "forked", "journal", "leader_id", "measures", "node_fields", "now_ns",
    "peek_trace", "pending_events", "replay", "run_engine", "trace_copy", "traffic",
}  # fmt: skip

#: What bounds a run that is not told otherwise.
DEFAULT_MAX_EVENTS = 10_000_000


def _seed_of(seed: Any) -> int:
    if seed is None:
        return secrets.randbits(63)
    if hasattr(seed, "generate_state"):  # numpy.random.SeedSequence
        return int(seed.generate_state(1, "uint64")[0]) >> 1
    return whole_number("seed", seed, 0, 2**63 - 1)


def _checked_action(action: Any) -> dict[str, Any]:
    if not isinstance(action, Mapping):
        raise ValueError(f"action={action!r}: must be an action such as el.crash(1)")
    return dict(action)


def make_config(
    *,
    network: Network | None = None,
    machine: Machine | None = None,
    machines: Mapping[int, Machine] | None = None,
    write_mode: str = "blocking",
    initial_leader: int | None = None,
    actions: Iterable[Action] = (),
    one_leader_at_a_time: bool = False,
    seed: Any = None,
) -> dict[str, Any]:
    """The engine's configuration of a cluster; arguments as for `Cluster`."""
    config: dict[str, Any] = {"seed": _seed_of(seed)}
    if network is not None and not isinstance(network, Network):
        raise ValueError(f"network={network!r}: must be an electionlab.Network")
    config["network"] = (Network() if network is None else network).to_config()
    if not isinstance(machines, (Mapping, type(None))):
        raise ValueError(f"machines={machines!r}: must be a dict {{node: electionlab.Machine}}")
    own = {f"machines[{node!r}]": value for node, value in (machines or {}).items()}
    every_node = Machine() if machine is None else machine
    for name, value in {"machine": every_node, **own}.items():
        if not isinstance(value, Machine):
            raise ValueError(f"{name}={value!r}: must be an electionlab.Machine")
    config["every_node"] = settings.plain(every_node)
    config["nodes"] = [
        {"node": node, "config": settings.plain(value)} for node, value in (machines or {}).items()
    ]
    config["write_mode"] = write_mode
    config["initial_leader"] = initial_leader
    if isinstance(actions, (Mapping, str)) or not isinstance(actions, Iterable):
        raise ValueError(f"actions={actions!r}: must be a list of actions such as el.crash(1)")
    config["actions"] = [_checked_action(action) for action in actions]
    config["one_leader_at_a_time"] = one_leader_at_a_time
    return config


class Cluster(Interventions, _core.Cluster):
    """A simulated cluster: one protocol, simulated time, a network that misbehaves as told.

    Args:
        protocol: What runs on it: ``Raft(nodes=5)``, or a `UserProtocol`.
        network: Its links; by default one-way delays of 5 to 10 ms and no faults.
        machine: What every node runs on.
        machines: Exceptions by node.
        write_mode: While a durable write lasts, a node handles nothing ("blocking"), or goes on
            but sends nothing ("pipelined").
        initial_leader: A warm start: everybody has just heard from this leader. None: a cold one.
        actions: Done from the start: faults at times, at conditions, at random.
        resource: What leaders work on, an actor of its own; None: they only lead.
        seed: Fixes everything that chance decides; None draws one, which `seed` tells.
        record: Keep the history, from which the trace is made when somebody looks at it; a cluster
            without it cannot go back, and its trace is empty.
        one_leader_at_a_time: Also report two nodes that act as leader at one instant.

    Raises:
        ValueError: An argument is unknown or out of range; the message names it, its value and
            what is allowed.

    Example:
        >>> import electionlab as el
        >>> cluster = el.Cluster(el.Raft(nodes=5), seed=7)
        >>> cluster.run_until_leader()
        Leader(node=5, epoch=1, at_ms=194...)
    """

    def __init__(
        self,
        protocol: Protocol | UserProtocol,
        *,
        network: Network | None = None,
        machine: Machine | None = None,
        machines: Mapping[int, Machine] | None = None,
        write_mode: str = "blocking",
        initial_leader: int | None = None,
        actions: Iterable[Action] = (),
        resource: Resource | None = None,
        seed: Any = None,
        record: bool = True,
        one_leader_at_a_time: bool = False,
    ) -> None:
        config = make_config(
            network=network,
            machine=machine,
            machines=machines,
            write_mode=write_mode,
            initial_leader=initial_leader,
            actions=actions,
            one_leader_at_a_time=one_leader_at_a_time,
            seed=seed,
        )
        if resource is not None and isinstance(protocol, Protocol):
            protocol = protocol.at_work(resource)
        elif resource is not None:
            raise ValueError(f"resource={resource!r}: needs one of the engine's protocols")
        self._start(protocol, config, record)

    def _start(
        self, protocol: Protocol | UserProtocol, config: dict[str, Any], record: bool
    ) -> None:
        if isinstance(protocol, Protocol):
            protocol = deepcopy(protocol)  # later changes to it are not this cluster's
            start: tuple[Any, dict[str, Any]] = (protocol.name, protocol.options)
        elif isinstance(protocol, UserProtocol):
            start = (protocol, {})
        else:
            raise ValueError(
                f"protocol={protocol!r}: must be a protocol such as electionlab.Raft(nodes=5), "
                "or an object of a class derived from electionlab.UserProtocol"
            )
        super().__init__(start[0], protocol.nodes, start[1], config, truth("record", record))
        self.protocol = protocol
        self.seed: int = config["seed"]
        self._observers: list[Callable[[Event], Any]] = []

    # --- running ----------------------------------------------------------------------------------

    @property
    def _in_python(self) -> bool:
        return isinstance(self.protocol, UserProtocol)

    def _observed_step(self) -> Event | None:
        event = _core.Cluster.step(self)
        if event is not None:
            self._notify(event)
        return event

    def run(
        self,
        until: float | Callable[[Self], bool] | None = None,
        *,
        max_events: int = DEFAULT_MAX_EVENTS,
        stop: str = "never",
    ) -> bool:
        """Lets events happen, in a bounded way.

        Args:
            until: A time in ms since the start, or a condition on this cluster that is asked
                after every event; None: only the other bounds count.
            max_events: At most so many events.
            stop: Ends the run early: "leader", "agreement", "no_leader", "violation", "never".

        Returns:
            Whether the condition, or ``stop``, ended it.

        Raises:
            ValueError: A bound is out of range.
            RuntimeError: Time stands still for 100,000 events or more of a protocol written in
                Python: a timer of 0 ms that sets itself again, say.
        """
        if callable(until):
            condition = until
            whole_number("max_events", max_events, 0)
            if condition(self):
                return True
            return self._run(None, max_events, stop, lambda _: bool(condition(self)))
        if until is not None and milliseconds("until", until) < self.now:
            raise ValueError(f"until={until!r}: must not lie in the past; it is {self.now} ms")
        return self._run(until, max_events, stop, None)

    def run_for(
        self, ms: float, *, max_events: int = DEFAULT_MAX_EVENTS, stop: str = "never"
    ) -> bool:
        """Lets so many milliseconds of simulated time pass; the rest as for `run`."""
        return self._run(end_of_span("ms", ms, self.now), max_events, stop, None)

    def _run(
        self,
        until_ms: float | None,
        max_events: int,
        stop: str,
        watch: Callable[[Event], bool] | None,
    ) -> bool:
        max_events = min(whole_number("max_events", max_events, 0), 2**63 - 1)
        if not isinstance(stop, str):
            raise ValueError(f"stop={stop!r}: must be text, such as 'leader'")
        if self._observers:
            inner = watch

            def watch(event: Event) -> bool:
                self._notify(event)
                return inner(event) if inner is not None else False

        return self.run_engine(until_ms, max_events, stop, watch, self._in_python)

    def run_until_leader(
        self,
        within_ms: float = 60_000.0,
        *,
        agreed: bool = False,
        max_events: int = DEFAULT_MAX_EVENTS,
    ) -> Leader | NoLeader:
        """Runs until a node acts as leader.

        Args:
            within_ms: At most so much simulated time from now.
            agreed: Wait until every live node names it, and nobody else acts as leader.
            max_events: At most so many events.

        Returns:
            The leader; or, false in a condition, why there is none.
        """
        stop = "agreement" if truth("agreed", agreed) else "leader"
        before = self.events
        if self._run(end_of_span("within_ms", within_ms, self.now), max_events, stop, None):
            node = self.leader_id
            return Leader(node, self.view(node)[2], self.now)
        reason = self.why_no_leader
        if not reason and self.events - before >= max_events:
            reason = f"no leader within {max_events} events"
        return NoLeader(reason or f"no leader within {within_ms:g} ms", self.now)

    @property
    def leader(self) -> int | None:
        """The node that acts as leader, of the highest epoch if there are several; None: nobody."""
        return self.leader_id or None

    # --- doing ------------------------------------------------------------------------------------

    def act(self, action: Mapping[str, Any]) -> Event:
        """Does something to the cluster now; a step of the run, with a place in the trace.

        Args:
            action: Made by the functions of `electionlab.settings`: ``el.crash(3)``.

        Raises:
            ValueError: The action is unknown, out of range, or names a message or timer that is
                not there. Nothing has changed then.
        """
        event = _core.Cluster.act(self, _checked_action(action))
        if self._observers:
            self._notify(event)
        return event

    # --- history ----------------------------------------------------------------------------------

    def fork(self) -> Self:
        """An independent copy: the same past, a future of its own. Observers stay behind."""
        copy: Self = self.forked()
        copy.__dict__.update(self.__dict__)
        copy._observers = []
        copy.__dict__.pop("step", None)
        return copy

    def _own_attributes(self) -> dict[str, Any]:
        """What a derived class, or a user, has put on this object."""
        made_here = ("protocol", "seed", "_observers", "step")
        return {k: v for k, v in self.__dict__.items() if k not in made_here}

    def __copy__(self) -> Self:
        return self.fork()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.fork()

    def undo(self, events: int = 1) -> None:
        """Goes back by so many events (actions by hand are events too).

        Raises:
            ValueError: There are not that many, or the run is not recorded.
        """
        self.seek(self.events - whole_number("events", events, 0, self.events))

    def seek(self, event: SupportsInt | SupportsIndex) -> None:
        """Goes to the state right after an event of this run, backwards or forwards.

        What was undone can be sought again until something else is done. Observers hear nothing.

        Args:
            event: Its number, as in ``Event.step``; 0 is the start.

        Raises:
            ValueError: The run has no such event, or is not recorded.
        """
        super().seek(whole_number("event", event, 0, self.last_event))

    def peek(self, action: Mapping[str, Any] | PendingEvent | None = None) -> list[str]:
        """What the next event would do, without doing it.

        Args:
            action: Instead of the next event: an action, or an entry of `pending`.

        Returns:
            The rows of that one step, as lines for people; none when nothing is left to happen.

        Raises:
            ValueError: As for `act`; or something that starts or waits and is not the next event.
        """
        if isinstance(action, PendingEvent):
            if action.kind == "message":
                action = settings.deliver(action.message)
            elif action.kind == "timer":
                action = settings.fire(action.node, action.timer, about=action.peer or None)
            elif action.kind == "action" and action != self.pending[0]:
                action = action.fields
            elif action == self.pending[0]:
                action = None
            else:
                raise ValueError(f"action={action!r}: happens in its turn only")
        trace = self.peek_trace(None if action is None else _checked_action(action))
        return [trace.line(row) for row in range(len(trace))]

    def _recipe(self) -> dict[str, Any]:
        options = self.protocol.options if isinstance(self.protocol, Protocol) else None
        return {
            "protocol": {
                "name": self.protocol.name,
                "nodes": self.protocol.nodes,
                "options": dict(options or {}),
                "in_python": options is None,
            },
            "config": self.config(),
            "journal": [e for e in self.journal() if e["after"] <= self.events],
            "events": self.events,
            "end_ns": self.now_ns,
        }

    @classmethod
    def _from_recipe(cls, recipe: Mapping[str, Any], protocol: Any = None) -> Self:
        asked = recipe["protocol"]
        if asked["in_python"]:
            fits = isinstance(protocol, UserProtocol)
        else:
            fits = protocol is None or isinstance(protocol, Protocol)
            made = make_protocol(asked["name"], asked["nodes"], asked["options"])
            protocol = protocol if protocol == made else made  # a derived class's object is kept
        if not fits or (protocol.name, protocol.nodes) != (asked["name"], asked["nodes"]):
            written = " written in Python" if asked["in_python"] else ""
            raise ValueError(
                f"protocol={protocol!r}: the run was of a protocol {asked['name']!r}{written} with "
                f"{asked['nodes']} nodes; give that"
            )
        cluster = cls.__new__(cls)
        cluster._start(protocol, dict(recipe["config"]), True)
        cluster.replay(list(recipe["journal"]), recipe["events"], recipe["end_ns"])
        return cluster

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, protocol: Any = None) -> Self:
        """The cluster of a trace file, in which that run has just happened.

        Raises:
            TraceError: The file is truncated, altered, foreign or of another version.
            ValueError: It is no path.
        """
        from electionlab.trace import load_cluster

        return cast("Self", load_cluster(path, protocol=protocol, cluster_type=cls))

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.records:
            raise ValueError("a cluster with record=False cannot be pickled")
        made_by = (self._recipe(), self.protocol)
        return type(self)._from_recipe, made_by, self._own_attributes() or None

    # --- looking ----------------------------------------------------------------------------------

    @property
    def pending(self) -> list[PendingEvent]:
        """Everything that may happen next, soonest first; nothing is guessed or hidden."""
        found: list[PendingEvent] = self.pending_events()
        return found

    def node(self, node: int) -> Node:
        """A node's state, by field.

        Raises:
            ValueError: There is no such node.
        """
        return Node(**self.node_fields(whole_number("node", node, 1, self.actors)))

    @property
    def nodes(self) -> list[Node]:
        """All nodes' states; `node` n is at position n - 1."""
        return [self.node(n) for n in range(1, self.actors + 1)]

    @property
    def trace(self) -> Trace:
        """What happened so far; it does not change when the cluster goes on.

        Raises:
            ValueError: The run is not recorded.
        """
        if not self.records:
            raise ValueError("trace: a cluster with record=False keeps none")
        user = isinstance(self.protocol, UserProtocol)
        about = {
            "messages": list(self.protocol.messages)
            if isinstance(self.protocol, UserProtocol)
            else [m["name"] for m in self.protocol.about["messages"]],
            "timers": list(self.protocol.timers)
            if isinstance(self.protocol, UserProtocol)
            else list(self.protocol.about["timers"]),
            "actors": self.actors,
            "services": [
                self.actor_kind(node) for node in range(self.protocol.nodes + 1, self.actors + 1)
            ],
            "object": self.protocol if user else None,
        }
        return Trace(self.trace_copy(), self._recipe(), about)

    @property
    def metrics(self) -> Metrics:
        """Measures, messages, failovers and the seed; each is defined in docs/measures.md."""
        return Metrics(
            {"seed": self.seed}
            | self.measures()
            | {"messages": self.traffic(), "failovers": self.failovers()}
        )

    @property
    def resource(self) -> Metrics | None:
        """The state of the resource that leaders work on; None in a cluster without one.

        ``accepted`` writes; ``refused`` ones (and takeovers); ``stale``: accepted from a leader
        that another had taken over from; ``repeated``: accepted for a job that another leadership
        had done; ``lower_tokens``: accepted with a token below an accepted one; ``next_job``,
        ``takeovers``, ``owner``, ``highest_token``.
        """
        node = self.node(self.actors)
        if node.kind != "resource":
            return None
        kept = ("accepted", "refused", "stale", "repeated", "lower_tokens", "next_job",
                "takeovers", "owner", "highest_token")  # fmt: skip
        state = node.disk["resource"] or dict.fromkeys(kept, 0)
        return Metrics({"fencing": self.options()["fencing"], **{n: state[n] for n in kept}})

    @property
    def fault_report(self) -> Metrics:
        """The seed, and how often each fault was asked for and really changed anything."""
        return Metrics({"seed": self.seed} | self.faults())

    def observe(self, observer: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls a function after every event from now on, actions by hand included.

        It may look and act, but not go back while a run is under way; of going back and seeking
        it does not hear. What it raises ends the run, and the event that it saw has happened.

        Returns:
            A function that ends it.
        """
        if not callable(observer):
            raise ValueError(f"observer={observer!r}: must be a function of an event")
        self._observers.append(observer)
        # Only an observed cluster pays for it: step is the engine's own method otherwise.
        self.__dict__["step"] = self._observed_step

        def end() -> None:
            if observer in self._observers:
                self._observers.remove(observer)
            if not self._observers:
                self.__dict__.pop("step", None)

        return end

    def _notify(self, event: Event) -> None:
        for observer in list(self._observers):
            observer(event)

    def __dir__(self) -> list[str]:
        """What users call; the engine's own methods behind it are left out."""
        return [name for name in super().__dir__() if name not in _ENGINE_METHODS]

    def __repr__(self) -> str:
        leader = f"leader={self.leader}" if self.leader else "no leader"
        return (
            f"<Cluster {self.protocol!r}, seed={self.seed}, now={self.now:.3f} ms, "
            f"events={self.events}, {leader}>"
        )

    def _repr_html_(self) -> str:
        """The cluster as a notebook shows it: its ring, while that is readable, and a table."""
        from electionlab import plot

        rows = []
        for node in self.nodes:
            cells = (node.node, node.kind, node.role, node.leader or "", node.epoch or "")
            rows.append(
                "<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in cells) + "</tr>"
            )
        names = ("node", "kind", "role", "leader", "epoch")
        head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
        return (
            f"<div><b>{html.escape(repr(self))}</b><br>{plot.cluster_html(self)}"
            f"<details><summary>{self.actors:,} nodes</summary>"
            f"<table>{head}{''.join(rows)}</table></details></div>"
        )

    def debug(
        self,
        *,
        positions: Mapping[int, tuple[float, float]] | None = None,
        height: int = 860,
        bookmarks: Mapping[str, int] | None = None,
    ) -> Debugger:
        """The debugger of this cluster, to show in a notebook; what it does, it does to this one.

        Args:
            positions: Where nodes stand, ``{node: (x, y)}``, x to the right and y up; None: on a
                ring.
            height: Of the widget, pixels, 300 to 4000.
            bookmarks: Events by name, to begin with, as the widget's ``bookmarks`` gives them;
                None: none.

        Returns:
            A Jupyter widget; its ``cluster`` is the branch that it shows.

        Raises:
            ValueError: The run is not recorded, or an argument is out of range.
            ModuleNotFoundError: The extra ``notebook`` is not installed.
        """
        from electionlab import debugger

        return debugger.show(self, positions=positions, height=height, bookmarks=bookmarks)

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The nodes in a ring with roles, votes and messages; see `electionlab.plot`."""
        from electionlab import plot

        return plot.plot_cluster(self, ax=ax, **options)


__all__: Sequence[str] = ["Cluster", "Leader", "Metrics", "NoLeader", "Node", "make_config"]
