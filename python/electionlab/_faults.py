"""The kinds of trouble that elections are tried under, drawn for each run from its seed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

from electionlab import settings
from electionlab._comparable import DELAY_MS
from electionlab.settings import Action, Machine


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a fault is drawn for.

    Attributes:
        timeout_ms: What it is scaled by: the time-out; of a protocol that elects once, the time
            that an election takes.
        end_ms: When the trouble ends.
        members: Nodes that take part in the election: 1 to this.
        actors: Members and services together; a resource is none of them.
        seed: Of the run.
    """

    timeout_ms: float
    end_ms: float
    members: int
    actors: int
    seed: int

    def stream(self, name: str) -> random.Random:
        """Random numbers of this run; each name has its own."""
        return random.Random(f"{name} {self.seed}")


@dataclasses.dataclass(frozen=True)
class FaultClass:
    """A kind of trouble that a protocol's guarantee is tried under.

    Attributes:
        name: "crash", "late", "partition", "pause", "drift".
        text: What happens, in words.
        during: Arguments for `Cluster` that make it happen, again and again until the end.
        once_text: What happens to a protocol that elects once, in words.
        once: Arguments that make it happen within one election.
    """

    name: str
    text: str
    during: Callable[[Setting], dict[str, Any]]
    once_text: str
    once: Callable[[Setting], dict[str, Any]]


def sides(draw: random.Random, actors: int) -> tuple[list[int], list[int]]:
    """Two sides, of which each actor is on one: services, too; neither side is empty."""
    while True:
        left = [actor for actor in range(1, actors + 1) if draw.random() < 0.5]
        if 0 < len(left) < actors:
            return left, [actor for actor in range(1, actors + 1) if actor not in left]


def cuts(given: Setting, every: float = 8, lasts: float = 4) -> list[Action]:
    """Partitions at random times, one after the other, each drawn anew and mended.

    Args:
        given: For whom.
        every: Mean time from the begin of one to the begin of the next, in time-outs.
        lasts: How long one lasts on average, in time-outs; half a time-out at least.
    """
    draw, t, now = given.stream("cuts"), given.timeout_ms, 0.0
    actions: list[Action] = []
    while given.actors > 1:
        now += draw.expovariate(1 / ((every - lasts) * t))
        if now >= given.end_ms:
            break
        actions.append(settings.at(now, settings.partition(*sides(draw, given.actors))))
        now += t / 2 + draw.expovariate(1 / ((lasts - 0.5) * t))
        actions.append(settings.at(min(now, given.end_ms), settings.heal()))
    return actions


def again(action: Action, given: Setting, *, every: float, lasts: float) -> Action:
    """An action at random times, in time-outs; three members are always up."""
    t = given.timeout_ms
    return settings.at_random(
        action,
        every_ms=every * t,
        repair_after_ms=settings.exponential((lasts - 0.5) * t, min_ms=t / 2),
        until_ms=given.end_ms,
        keep_up=3,
    )


def _leader_crashes(given: Setting) -> Action:
    return again(settings.crash("leader"), given, every=8, lasts=2)


def _late_links(given: Setting) -> list[Action]:
    tail = settings.hyperexponential(3, 2 * given.timeout_ms, 0.03, min_ms=DELAY_MS[0])
    return [
        settings.at(0, settings.link(settings.Link(one_way_delay_ms=tail))),
        settings.at(given.end_ms, settings.link(settings.Link(one_way_delay_ms=DELAY_MS))),
    ]


_DRIFTING = Machine(clock_drift_ppm=(-200_000, 200_000))


def _late(given: Setting) -> dict[str, Any]:
    return {"actions": [*_late_links(given), *cuts(given), _leader_crashes(given)]}


def _drift(given: Setting) -> dict[str, Any]:
    return {"machine": _DRIFTING, "actions": [*cuts(given), _leader_crashes(given)]}


def _within(given: Setting, name: str) -> tuple[random.Random, float, int]:
    """A moment within the election, and a member."""
    draw = given.stream(name)
    return draw, draw.uniform(0, given.timeout_ms), draw.randint(1, given.members)


def _crash_once(given: Setting) -> dict[str, Any]:
    _, at_ms, node = _within(given, "crash")
    return {
        "actions": [settings.at(at_ms, settings.crash(node, restart_after_ms=given.timeout_ms))]
    }


def _pause_once(given: Setting) -> dict[str, Any]:
    _, at_ms, node = _within(given, "pause")
    return {
        "actions": [settings.at(at_ms, settings.pause(node, resume_after_ms=2 * given.timeout_ms))]
    }


def _cut_once(given: Setting) -> dict[str, Any]:
    draw, at_ms, _ = _within(given, "cut")
    if given.actors == 1:
        return {}
    split = settings.partition(*sides(draw, given.actors))
    mended = settings.at(at_ms + 2 * given.timeout_ms, settings.heal())
    return {"actions": [settings.at(at_ms, split), mended]}


#: The faults of the table, in its order.
FAULTS: dict[str, FaultClass] = {
    fault.name: fault
    for fault in (
        FaultClass(
            "crash",
            "a random node crashes about every 4 time-outs and is down for about 2",
            lambda given: {"actions": [again(settings.crash("random"), given, every=4, lasts=2)]},
            "a random node crashes during the election and is down for as long as one takes",
            _crash_once,
        ),
        FaultClass(
            "late",
            "3 % of the messages take about two time-outs, beyond the bound that some assume; "
            "the leader crashes about every 8, and the network splits as in partition",
            _late,
            "3 % of the messages take about as long as two elections",
            lambda given: {"actions": _late_links(given)},
        ),
        FaultClass(
            "partition",
            "about every 8 time-outs, for about 4, the network splits: every member and every "
            "service is on a random side",
            lambda given: {"actions": cuts(given)},
            "during the election the network splits at random, for as long as two take",
            _cut_once,
        ),
        FaultClass(
            "pause",
            "the leader stands still about every 8 time-outs, for about 3",
            lambda given: {"actions": [again(settings.pause("leader"), given, every=8, lasts=3)]},
            "a random node stands still during the election, for as long as two take",
            _pause_once,
        ),
        FaultClass(
            "drift",
            "every clock runs up to 20 % fast or slow; the leader crashes about every 8 "
            "time-outs, and the network splits as in partition",
            _drift,
            "every clock runs up to 20 % fast or slow",
            lambda given: {"machine": _DRIFTING},
        ),
    )
}


def hour(given: Setting) -> dict[str, Any]:
    """Everything at once, rarely."""
    return {
        "actions": [
            again(settings.crash("random"), given, every=100, lasts=10),
            again(settings.pause("random"), given, every=150, lasts=4),
            *cuts(given, every=150, lasts=10),
        ],
        "network": settings.Network(one_way_delay_ms=DELAY_MS, loss_probability=0.001),
    }
