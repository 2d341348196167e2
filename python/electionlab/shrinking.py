"""A long run that breaks something, made short: delta debugging of faults and schedule.

>>> import electionlab as el
>>> cluster = el.Cluster(el.Bully(nodes=3), one_leader_at_a_time=True, seed=1)
>>> _ = cluster.partition([1], [2, 3])
>>> _ = cluster.run(stop="violation")
>>> len(el.shrink(cluster)) < cluster.events
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from electionlab import settings
from electionlab._checked_runs import NEVER_MS, STEP_MS, ReplayedRun, in_steps, take, words
from electionlab._values import truth
from electionlab.cluster import Cluster
from electionlab.trace import Trace

Step = dict[str, Any]
Holds = Callable[[Cluster], bool]


class ShrunkRun(ReplayedRun):
    """What is left of a run that breaks something: without any of its steps it breaks it no more.

    Attributes:
        name: The invariant that its last step breaks.
        steps: Each a dict: step ("deliver", "fire", "crash", ...), node, what it is about, and
            at_ms, when it is taken.
        steps_before: Steps of the run it was made from, up to the violation.
        replays: How many runs were tried.
    """

    def __init__(
        self, name: str, steps: list[Step], original: Cluster, steps_before: int, replays: int
    ) -> None:
        super().__init__(name, steps)
        self._original = original
        self.steps_before = steps_before
        self.replays = replays

    def __repr__(self) -> str:
        return f"<Run to {self.name} in {in_steps(len(self))}, made of {self.steps_before}>"

    def _start(self) -> Cluster:
        return _by_hand(self._original, record=True)

    def _time_of(self, number: int) -> float:
        return float(self.steps[number]["at_ms"])


def _by_hand(original: Cluster, *, record: bool) -> Cluster:
    """The cluster of a run at its start, but one in which nothing comes by itself."""
    config = dict(original.config())
    never = settings.Network(one_way_delay_ms=NEVER_MS)
    still = {
        "processing_ms": 0.0, "write_delay_ms": 0.0, "start_ms": 0.0, "timer_lateness_ms": NEVER_MS,
    }  # fmt: skip
    config["network"] = never.to_config()
    config["every_node"] = config["every_node"] | still
    config["nodes"] = [
        {"node": each["node"], "config": each["config"] | still} for each in config["nodes"]
    ]
    config["actions"] = []
    cluster = Cluster.__new__(Cluster)
    cluster._start(original.protocol, config, record)
    for _ in range(cluster.actors):
        cluster.step()
    return cluster


def _steps_of(cluster: Cluster) -> list[Step]:
    """What happened at the nodes of a run, as steps that can be taken by hand.

    What happened to links is left out: a message that did not arrive is one that nobody delivers.
    """
    trace = cluster.trace
    commands = _commands(cluster)
    steps: list[Step] = []
    empty: set[int] = set()  # nodes that are down and have lost their disks
    for number in range(len(trace)):
        row = trace.row(number)
        kind, node = row["kind"], row.get("node", 0)
        step: Step | None = None
        if kind == "deliver":
            message = {
                "from": row["peer"], "to": node, "kind": row["message_kind"],
                "fields": trace.message(number) or {},
            }  # fmt: skip
            step = {"step": "deliver", "node": node, "message": message}
        elif kind == "timer":
            step = {"step": "fire", "node": node, "timer": row["timer"]}
            if row.get("peer"):
                step["about"] = row["peer"]
        elif kind == "action" and node and row["action"] in ("crash", "pause", "resume"):
            step = {"step": row["action"], "node": node}
            if "lose_disk true" in row.get("text", ""):
                empty.add(node)
        elif kind == "action" and node and row["action"] == "restart":
            lost = node in empty or "lose_disk true" in row.get("text", "")
            step = {"step": "restart_empty" if lost else "restart", "node": node}
            empty.discard(node)
        elif kind == "action" and node and row["action"] == "command":
            name, fields = commands[row["text"]]
            step = {"step": "command", "node": node, "command": name, "fields": fields}
        elif kind == "action" and node and row["action"] == "clock":
            step = {"step": "clock", "node": node, **_numbers(row["text"])}
        if step is not None:
            steps.append(step | {"at_ms": row["time_ns"] / 1e6, "event": row["step"]})
    return steps


def _commands(cluster: Cluster) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every command that was given by hand or by plan, by its text in the trace."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}

    def look(actions: Iterable[Mapping[str, Any]]) -> None:
        for action in actions:
            if "do" in action:
                look([action["do"]])
            elif action.get("action") == "command":
                fields = dict(action.get("fields") or {})
                found[f"{action['command']}({words(fields)})" if fields else action["command"]] = (
                    action["command"], fields
                )  # fmt: skip

    look(entry["do"] for entry in cluster.journal() if "do" in entry)
    look(cluster.config()["actions"])
    return found


def _numbers(text: str) -> dict[str, float]:
    """Numbers by name, as a trace tells them: offset_ms 5.0, drift_ppm 100.0."""
    pairs = (entry.split() for entry in text.split(", "))
    return {name: float(value) for name, value in pairs}


class _Trials:
    """Runs by hand of some of the steps of a run, in their order."""

    def __init__(self, original: Cluster, invariant: str, holds: Holds | None) -> None:
        self._start = _by_hand(original, record=False)
        self._invariant = invariant
        self._holds = holds
        self.count = 0

    def broken(self, cluster: Cluster) -> bool:
        if self._holds is not None:
            return not self._holds(cluster)
        return any(v["invariant"] == self._invariant for v in cluster.violations())

    def violating(self, steps: Sequence[Step]) -> list[Step] | None:
        """The steps that were taken, up to the first violation; None: there is none.

        A step that cannot be taken where it comes is passed over.
        """
        self.count += 1
        cluster = self._start.fork()
        taken: list[Step] = []
        if self.broken(cluster):
            return taken
        for step in steps:
            cluster.run(until=step["at_ms"])
            try:
                taken.append(take(cluster, step, alike=True))
            except ValueError:
                continue
            if self.broken(cluster):
                return taken
        return None


def _ddmin(steps: list[Step], trials: _Trials) -> list[Step]:
    """Zeller and Hildebrandt's minimising delta debugging: the result is 1-minimal."""
    parts = 2
    while len(steps) >= 2:
        size = -(-len(steps) // parts)
        cuts = [(at, min(at + size, len(steps))) for at in range(0, len(steps), size)]
        # "Reduce to subset", then "reduce to complement"; with two parts these are the same.
        smaller = _first(trials, (steps[a:b] for a, b in cuts))
        if smaller is not None:
            steps, parts = smaller, 2
            continue
        if len(cuts) > 2:
            smaller = _first(trials, (steps[:a] + steps[b:] for a, b in cuts))
        if smaller is not None:
            steps, parts = smaller, max(parts - 1, 2)
        elif parts < len(steps):
            parts = min(2 * parts, len(steps))
        else:
            return steps
    if len(steps) == 1 and trials.violating([]) is not None:
        return []
    return steps


def _first(trials: _Trials, candidates: Iterable[list[Step]]) -> list[Step] | None:
    for candidate in candidates:
        taken = trials.violating(candidate)
        if taken is not None:
            return taken
    return None


def _first_violation(cluster: Cluster, holds: Holds) -> int | None:
    """The event after which something does not hold any more."""
    past = cluster.fork()
    for event in range(cluster.actors, cluster.events + 1):
        past.seek(event)
        if not holds(past):
            return event
    return None


def shrink(run: Trace | Cluster, invariant: str | Holds | None = None) -> ShrunkRun:
    """Makes a small run of one that breaks an invariant, by delta debugging.

    What happened at the nodes (messages that arrived, timers that fired, crashes, restarts, pauses,
    commands) becomes a list of steps. Parts of it are taken by hand in a fresh cluster, each step
    at its time in the run; what can be left out is left out, until no single step can. Links and
    time-outs do not bind such a run: a message that did not arrive is one that nobody delivers.

    Args:
        run: A recorded cluster, or a trace; it is not changed.
        invariant: Which to break: a name, as in ``cluster.violations()``, or a function of a
            cluster that says whether it holds. None: the first that the run broke.

    Raises:
        ValueError: The run does not break it, or not when it is repeated by hand: because what
            happened rests on how long writes took, say.

    Source:
        A. Zeller, R. Hildebrandt: Simplifying and isolating failure-inducing input. IEEE
        Transactions on Software Engineering 28(2), 2002; algorithm ddmin.
    """
    if not isinstance(run, (Trace, Cluster)):
        raise ValueError(f"run={run!r}: must be an electionlab.Cluster or a Trace")
    cluster = run if isinstance(run, Cluster) else run.replay()
    if not cluster.records:
        raise ValueError("run: was not recorded; make the cluster with record=True")
    holds = invariant if callable(invariant) else None
    if callable(invariant):
        name = getattr(invariant, "__name__", "the invariant")
        function = invariant

        def holds(at: Cluster) -> bool:
            return truth(f"{name}(cluster)", function(at))

        last = _first_violation(cluster, holds)
    else:
        found = cluster.violations()
        if invariant is not None:
            found = [v for v in found if v["invariant"] == invariant]
        name = found[0]["invariant"] if found else str(invariant)
        last = found[0]["step"] if found else None
    if last is None:
        broke = sorted({v["invariant"] for v in cluster.violations()})
        raise ValueError(
            f"invariant={invariant!r}: the run does not break it; it breaks "
            f"{', '.join(broke) or 'nothing that it was asked to watch'}"
        )
    trials = _Trials(cluster, name, holds)
    before = [step for step in _steps_of(cluster) if step["event"] <= last]
    steps = trials.violating(before)
    if steps is None:
        raise ValueError(
            f"invariant={name!r}: the run does not break it when its {in_steps(len(before))} are "
            "taken by hand; it rests on something else: how long writes took, or a link"
        )
    steps = _ddmin(steps, trials)
    # For pictures: steps at even distances, unless a handler looks at the clock and minds.
    even = [step | {"at_ms": STEP_MS * number} for number, step in enumerate(steps, 1)]
    if trials.violating(even) == even:
        steps = even
    return ShrunkRun(name, steps, cluster, len(before), trials.count)


__all__: Sequence[str] = ["ShrunkRun", "shrink"]
