"""Runs that the checker found: told in words, repeated in the simulator, drawn and saved."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from electionlab._core import PendingEvent, seed_that_draws
from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.protocols import Protocol
from electionlab.settings import Machine, Network
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from electionlab.debugger.widget import Debugger
    from electionlab.trace import Trace

#: In a replay nothing comes by itself: messages and timers take this long, ms.
NEVER_MS = 4e8
#: Between two steps of a replay, ms; the checker knows an order, not times.
STEP_MS = 10.0


class CheckedState(NamedTuple):
    """A state as a predicate sees it; it must not change anything in it.

    Attributes:
        nodes: Of each actor, node 1 first, a dict: node, role, leader, epoch, disk, durable,
            memory, timers (the armed ones). The memory of a node that is down is empty; None in
            protocols written in Python. With `Timing`, moments of a clock are told from now on: 5.0
            is in 5 ms, by that clock; one further back than the horizon is at minus the horizon.
        messages: In flight, each a dict: from, to, kind, fields.
        partition: What is cut: ``"1 2 | 3"``; empty when nothing is.
    """

    nodes: tuple[dict[str, Any], ...]
    messages: tuple[dict[str, Any], ...]
    partition: str

    @property
    def leaders(self) -> list[int]:
        """The nodes that act as leader."""
        return [node["node"] for node in self.nodes if node["role"] == "leader"]


def state_of(cluster: Cluster) -> CheckedState:
    """A cluster as the checker's predicates see one."""
    actors = range(1, cluster.actors + 1)
    nodes = []
    for number in actors:
        node = cluster.node(number)
        nodes.append(
            {
                "node": number,
                "role": node.role,
                "leader": node.leader or 0,
                "epoch": node.epoch,
                "disk": node.disk,
                "durable": node.durable,
                "memory": node.memory,
                "timers": sorted(node.timers_due_ms),
            }
        )
    messages = [
        {"from": p.peer, "to": p.node, "kind": p.message_kind, "fields": p.fields}
        for p in cluster.pending
        if p.kind == "message"
    ]
    cuts = [f"{a} -/-> {b}" for a in actors for b in actors if a != b and cluster.is_cut(a, b)]
    return CheckedState(tuple(nodes), tuple(sorted(messages, key=repr)), ", ".join(cuts))


class ReplayedRun:
    """Steps that are taken by hand in a cluster in which nothing comes by itself."""

    _network = "multiset"
    _tick_ms: float | None = None

    def __init__(self, name: str, steps: list[dict[str, Any]]) -> None:
        self.name = name
        self.steps = steps

    def _start(self) -> Cluster:
        """A cluster in which every actor has just started."""
        raise NotImplementedError

    def _time_of(self, number: int) -> float:
        """When a step is taken, ms."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Run to {self.name} in {in_steps(len(self))}>"

    def __str__(self) -> str:
        lines = [f"{self.name}, {in_steps(len(self))}:"]
        for number, reasons in enumerate(self._told(), 1):
            lines.append(f"{number:>4}  " + ("\n" + " " * 10).join(reasons))
        return "\n".join(lines)

    def notes(self) -> list[list[str]]:
        """Of each step why the nodes did what they did."""
        return [reasons[1:] for reasons in self._told()]

    def _told(self) -> list[list[str]]:
        """Of each step what happens, and why the node did what it did."""
        cluster, events = self._replay(len(self.steps))
        trace = cluster.trace
        frame = trace.to_frame()
        told: list[list[str]] = []
        begin, ticks = events[0], 0
        for step, end in zip(self.steps, events[1:], strict=True):
            if step["step"] == "tick" and self._tick_ms is not None:
                ticks += 1
                told.append([f"it is {ticks * self._tick_ms:g} ms"])
                continue
            rows = frame[(frame["step"] > begin) & (frame["step"] <= end)]
            notes = [str(text) for text in rows.loc[rows["kind"] == "note", "text"]]
            told.append([in_words(step), *notes])
            begin = end
        return told

    def _replay(self, last: int) -> tuple[Cluster, list[int]]:
        """A cluster after `last` steps, and the event that ends each step, the start first."""
        cluster = self._start()
        events = [cluster.events]
        for number, step in enumerate(self.steps[:last]):
            if step["step"] != "start":  # all of those happen at time 0
                cluster.run(until=self._time_of(number))
            if step["step"] != "tick":
                take(cluster, step, self._network)
            events.append(cluster.events)
        return cluster, events

    def cluster(self, step: int | None = None) -> Cluster:
        """A simulated cluster after so many steps (None: all), to look at, undo and go on with.

        Nothing comes by itself in it: messages are delivered and timers fired by hand. In a run of
        the checker without `Timing` steps are 10 ms apart, for pictures; it then knows an order
        only.
        """
        most = len(self.steps)
        last = most if step is None else whole_number("step", step, 0, most)
        return self._replay(last)[0]

    def debug(self, **options: Any) -> Debugger:
        """The debugger at the start of this run; options as for `electionlab.Cluster.debug`.

        Nothing comes by itself beyond its end: messages and timers are chosen by hand there.
        """
        from electionlab import debugger

        cluster, events = self._replay(len(self.steps))
        cluster.seek(events[0])
        return debugger.show(cluster, by_hand=True, **options)

    @property
    def trace(self) -> Trace:
        """The whole run as a trace, and a moment more to see how it ends."""
        cluster = self.cluster()
        cluster.run_for(STEP_MS if self._tick_ms is None else self._tick_ms)
        return cluster.trace

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The space-time diagram of the run; options as for `Trace.plot`."""
        return self.trace.plot(ax=ax, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the run as a trace file, which `electionlab replay` repeats."""
        self.trace.save(path)


class Run(ReplayedRun):
    """A run that the checker found: its steps, its states, and a cluster anywhere in it.

    Attributes:
        name: The invariant that its last step breaks, or what its last state shows.
        steps: Each a dict: step ("deliver", "fire", "crash", ...), node, and what it is about.
        states: After each step, the start first: one more than steps.
        cut: The groups of nodes that are cut from each other from the start; None: none are.
    """

    def __init__(
        self,
        name: str,
        protocol: Protocol | UserProtocol,
        steps: list[dict[str, Any]],
        states: list[CheckedState],
        network: str,
        initial_leader: int | None,
        tick_ms: float | None,
        clocks_show_ms: float = 0.0,
        rates: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__(name, steps)
        self.states = states
        self._clocks_show_ms = clocks_show_ms
        self._rates = dict(rates or {})
        self.cut: list[list[int]] | None = None
        self._protocol = protocol
        self._network = network
        self._initial_leader = initial_leader
        self._tick_ms = tick_ms

    def _start(self) -> Cluster:
        def machine(rate: float) -> Machine:
            return Machine(
                timer_lateness_ms=NEVER_MS,
                clock_offset_ms=self._clocks_show_ms,
                clock_drift_ppm=(rate - 1) * 1e6,
            )

        cluster = Cluster(
            self._protocol,
            network=Network(one_way_delay_ms=NEVER_MS),
            machine=machine(1.0),
            machines={node: machine(rate) for node, rate in self._rates.items()},
            initial_leader=self._initial_leader,
            one_leader_at_a_time=self.name == "one_leader_at_a_time",
            seed=_seed_that_draws(self.steps),
        )
        if not any(step["step"] == "start" for step in self.steps):
            for _ in range(cluster.actors):
                cluster.step()
        if self.cut is not None:
            take(cluster, {"step": "partition", "groups": self.cut, "one_way": False})
        return cluster

    def _time_of(self, number: int) -> float:
        if self._tick_ms is None:
            return STEP_MS * (number + 1)
        passed = [step["step"] for step in self.steps[: number + 1]].count("tick")
        return self._tick_ms * passed

    def and_then(self, steps: Sequence[dict[str, Any]]) -> Run:
        """The run that goes on with more steps."""
        return self._like(self._protocol, [*self.steps, *steps])

    def taken_by(self, protocol: Protocol | UserProtocol) -> tuple[Run, list[int]]:
        """As many of its steps, from the first on, as a cluster of another protocol can take.

        Where a message is not in flight there, one of its kind from the same node to the same node
        stands for it. A timer can fire whenever it is armed; with `Timing` it fires when it is due:
        no sooner, and no time passes before, unless it does here. One that is armed only there
        fires before more time passes.

        Returns:
            The other's run, and how many steps of it come to no step, one step, ... of this one.
        """
        other = copy.copy(self)
        other._protocol, other.steps, other.states = protocol, [], []
        begun = copy.copy(other)
        begun.steps = self.steps  # what is drawn at the start depends on what is to come
        here, there = self._start(), begun._start()
        other.states.append(state_of(there))
        ends = [0]

        def go_on(step: dict[str, Any]) -> None:
            taken = step if step["step"] == "tick" else take(there, step, self._network, alike=True)
            other.steps.append(taken)
            other.states.append(state_of(there))

        for number, step in enumerate(self.steps):
            if self._tick_ms is not None and step["step"] in ("fire", "tick"):
                if step["step"] == "tick":
                    while (timer := next(_due_only_there(here, there), None)) is not None:
                        go_on(timer)
                    ends[-1] = len(other.steps)
                if not _in_time(step, here, there):
                    break
            here.run(until=self._time_of(number))
            there.run(until=self._time_of(number))
            try:
                go_on(step)
            except ValueError:
                break
            ends.append(len(other.steps))
            if step["step"] != "tick":
                take(here, step, self._network)
        return other, ends

    def _like(self, protocol: Protocol | UserProtocol, steps: list[dict[str, Any]]) -> Run:
        run = copy.copy(self)
        run._protocol, run.steps = protocol, steps
        cluster, events = run._replay(len(steps))
        run.states = []
        for event in events:
            cluster.seek(event)
            run.states.append(state_of(cluster))
        return run


#: Seeds among which one is looked for with which a cluster draws as a run does.
_MOST_SEEDS = 1 << 26


def _seed_that_draws(steps: Sequence[Mapping[str, Any]]) -> int:
    """A seed with which nodes draw by lot as they do in these steps."""
    lives: dict[int, int] = {}
    drawn: dict[int, int] = {}
    draws = []
    for step in steps:
        node = step.get("node", 0)
        if step["step"] in ("crash", "reboot"):
            lives[node] = lives.get(node, 0) + 1
            drawn[node] = 0
        if "draw" in step:
            number = drawn.get(node, 0)
            drawn[node] = number + 1
            draws.append((node, lives.get(node, 0), number, step["draw"], step["of"]))
    seed = seed_that_draws(draws, _MOST_SEEDS) if draws else 0
    if seed is None:
        raise ValueError(f"steps: no seed below {_MOST_SEEDS} makes these {len(draws)} draws")
    return seed


def words(fields: Mapping[str, Any]) -> str:
    """Fields and their values as the traces write them."""
    return ", ".join(
        f"{name} ({words(value)})" if isinstance(value, Mapping) else f"{name} {value}"
        for name, value in fields.items()
    )


def in_steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def in_words(step: Mapping[str, Any]) -> str:
    """A step of a `Run` as a line of text."""
    if "draw" in step:
        drawn = {name: value for name, value in step.items() if name not in ("draw", "of")}
        return f"{in_words(drawn)}, and draws {step['draw'] + 1} of {step['of']}"
    kind = step["step"]
    if "message" in step:
        m = step["message"]
        what = m["kind"] + (f"({words(m['fields'])})" if m["fields"] else "")
        return {
            "deliver": f"node {m['to']} receives {what} from node {m['from']}",
            "arrive_in_vain": f"{what} from node {m['from']} does not reach node {m['to']}",
            "lose": f"{what} from node {m['from']} to node {m['to']} is lost",
            "duplicate": f"{what} from node {m['from']} to node {m['to']} is copied",
        }[kind]
    node: Any = step.get("node")
    if kind == "fire":
        about = f" about node {step['about']}" if "about" in step else ""
        return f"node {node}: timer {step['timer']}{about} fires"
    if kind == "partition":
        sign = " -/-> " if step["one_way"] else " | "
        return "the network is cut: " + sign.join(
            " ".join(str(n) for n in group) for group in step["groups"]
        )
    if kind == "clock":
        told = {"offset_ms": "{:g} ms ahead", "drift_ppm": "{:g} ppm too fast"}
        says = ", ".join(text.format(step[name]) for name, text in told.items() if name in step)
        return f"the clock of node {node} is set: {says}"
    if kind == "command":
        return f"node {node} is asked: {step['command']}({words(step['fields'])})"
    return {
        "start": f"node {node} starts",
        "tick": "time passes",
        "heal": "the network heals",
        "crash": f"node {node} crashes",
        "restart": f"node {node} restarts",
        "restart_empty": f"node {node} restarts with an empty disk",
        "reboot": f"node {node} crashes and restarts at once",
        "pause": f"node {node} stands still",
        "resume": f"node {node} goes on",
    }[kind]


def _timer_name(step: Mapping[str, Any]) -> str:
    return str(step["timer"]) + (f" about {step['about']}" if "about" in step else "")


def _due_ms(cluster: Cluster) -> dict[tuple[int, str], float]:
    """When each armed timer of the nodes that run is due, in a replay."""
    nodes = [cluster.node(n) for n in range(1, cluster.actors + 1)]
    return {
        (node.node, timer): due_ms - NEVER_MS
        for node in nodes
        if node.role not in ("down", "paused")
        for timer, due_ms in node.timers_due_ms.items()
    }


def _due_only_there(here: Cluster, there: Cluster) -> Iterator[dict[str, Any]]:
    """Timers of one cluster whose time has come, and that are not armed in another."""
    for (node, timer), at_ms in _due_ms(there).items():
        armed = (node, timer) in _due_ms(here)
        if at_ms <= there.now and not armed and " about " not in timer:
            yield {"step": "fire", "node": node, "timer": timer}


def _in_time(step: Mapping[str, Any], here: Cluster, there: Cluster) -> bool:
    """Whether a timer may fire, or time pass, in one cluster when it may in another."""
    due_here, due_there = _due_ms(here), _due_ms(there)
    late = {timer for timer, at_ms in due_there.items() if at_ms <= there.now}
    if step["step"] == "fire":
        timer = (step["node"], _timer_name(step))
        return timer in late or due_there.get(timer, 0.0) <= due_here[timer]
    return all(due_here.get(timer, math.inf) <= there.now for timer in late)


def _in_flight(cluster: Cluster, message: Mapping[str, Any], *, alike: bool) -> PendingEvent | None:
    """Such a message; with `alike` one of other contents, the oldest, if there is none."""
    found = [
        pending
        for pending in cluster.pending
        if pending.kind == "message"
        and pending.node == message["to"]
        and pending.peer == message["from"]
        and pending.message_kind == message["kind"]
    ]
    for pending in found:
        if pending.fields == message["fields"]:
            return pending
    if message.get("long_ago"):
        for pending in found:
            if _may_be(pending.fields, message["fields"]):
                return pending
    return min(found, key=lambda pending: pending.message) if found and alike else None


def _may_be(fields: Any, asked: Any) -> bool:
    """Whether they are equal, but for moments so long ago that the checker forgot them."""
    if isinstance(asked, Mapping):
        return fields.keys() == asked.keys() and all(_may_be(fields[k], asked[k]) for k in asked)
    if isinstance(asked, list):
        return len(fields) == len(asked) and all(map(_may_be, fields, asked))
    return bool(fields <= asked if isinstance(asked, float) else fields == asked)


def take(
    cluster: Cluster, step: Mapping[str, Any], network: str = "multiset", *, alike: bool = False
) -> dict[str, Any]:
    """Takes a step of a `Run` in a cluster that stands where it was taken.

    Args:
        cluster: Where.
        step: What.
        network: How messages in flight are kept.
        alike: Take a message of the same kind on the same link for one that is not in flight.

    Returns:
        The step that was taken.

    Raises:
        ValueError: It cannot be taken there.
    """
    kind = step["step"]
    node: Any = step.get("node")
    taken = dict(step)
    if "message" in step:
        pending = _in_flight(cluster, step["message"], alike=alike)
        if pending is None:
            raise ValueError(f"step={in_words(step)!r}: there is no such message in flight")
        taken["message"] = dict(step["message"], fields=pending.fields)
        if kind == "lose":
            cluster.drop(pending)
        elif kind == "duplicate":
            cluster.duplicate(pending)
        else:
            if network == "duplicating":  # the one that arrives is not taken out
                cluster.duplicate(pending)
            cluster.deliver(pending)
    elif kind == "fire":
        cluster.fire(node, step["timer"], about=step.get("about"))
    elif kind == "crash":
        cluster.crash(node)
    elif kind == "restart":
        cluster.restart(node)
    elif kind == "restart_empty":
        cluster.restart(node, lose_disk=True)
    elif kind == "reboot":
        cluster.crash(node)
        cluster.restart(node)
    elif kind == "pause":
        cluster.pause(node)
    elif kind == "resume":
        cluster.resume(node)
    elif kind == "partition" and step["one_way"]:
        cluster.cut(step["groups"][0], step["groups"][1])
    elif kind == "partition":
        cluster.partition(*step["groups"])
    elif kind == "heal":
        cluster.heal()
    elif kind == "start":
        cluster.step()
    elif kind == "clock":
        cluster.set_clock(node, offset_ms=step.get("offset_ms"), drift_ppm=step.get("drift_ppm"))
    else:
        cluster.command(node, step["command"], **step["fields"])
    return taken


__all__: Sequence[str] = [
    "NEVER_MS",
    "STEP_MS",
    "CheckedState",
    "ReplayedRun",
    "Run",
    "in_steps",
    "in_words",
    "state_of",
    "take",
    "words",
]
