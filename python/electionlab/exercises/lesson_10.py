"""Exercises of notebook 10: leases, clocks and fencing tokens."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, right, truth_value, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Machine, Network, Resource

_TTL_MS = 10_000.0
_SLOW_PPM, _FAST_PPM = -20_000.0, 30_000.0  # the holder's clock, and the manager's


def _number(answer: Any, low: float, high: float) -> float:
    if isinstance(answer, bool) or not isinstance(answer, (int, float)) or not low < answer < high:
        raise ValueError(f"answer={answer!r}: must be a number between {low:g} and {high:g}")
    return float(answer)


def _two_holders_ms(believed_ms: float) -> float:
    """How long two hold the lease when its holder believes in so much of it and is cut off."""
    share = believed_ms / _TTL_MS
    lease = PROTOCOLS["lease"](
        nodes=2, lease_ttl_ms=_TTL_MS, renew_interval_ms=3_000, retry_interval_ms=0.1,
        drift_bound_ppm=round((1 - share) / (1 + share) * 1e6),
    )  # fmt: skip
    machines = {1: Machine(clock_drift_ppm=_SLOW_PPM), 3: Machine(clock_drift_ppm=_FAST_PPM)}
    cluster = Cluster(
        lease, seed=1, initial_leader=1, network=Network(one_way_delay_ms=0.5), machines=machines,
        record=False,
    )  # fmt: skip
    cluster.run(until=3_500)
    cluster.cut(1, 3, both_ways=True)
    cluster.run(until=20_000)
    return float(cluster.metrics["split_brain_ms"])


def _judge_belief(answer: float) -> Judgement:
    believed = _number(answer, 5_000.0, _TTL_MS + 1)
    together = _two_holders_ms(min(believed, _TTL_MS))
    if together > 0:
        return wrong(f"with these clocks two hold it for {together:.1f} ms.")
    most = _TTL_MS * (1 + _SLOW_PPM / 1e6) / (1 + _FAST_PPM / 1e6)
    if believed < 0.995 * most:
        return wrong("two never hold it; but it gives away more than it must.")
    return right(
        "it stops before the manager's fast clock is through: what it believes, over its own rate, "
        "is the whole lease over the manager's."
    )


def _judge_pause(answer: float) -> Judgement:
    moment = _number(answer, 99.999, 200.001)
    cluster = Cluster(
        PROTOCOLS["lease"](nodes=3), seed=3, initial_leader=1, resource=Resource(fencing="none")
    )
    cluster.run(until=moment)
    cluster.pause(1)
    cluster.run_for(600)
    cluster.resume(1)
    cluster.run_for(100)
    assert cluster.resource is not None
    if cluster.resource["stale"]:
        return right("it slept between looking whether it leads and writing.")
    return wrong("it was not in the middle of a job: it wakes, looks, and writes nothing.")


def _judge_store(answer: Callable[[int, dict[Any, Any]], bool]) -> Judgement:
    tried = 0
    for tokens in itertools.product((1, 2, 3), repeat=5):
        memory: dict[Any, Any] = {}
        highest = 0
        for place, token in enumerate(tokens):
            said = truth_value(answer(token, memory))
            if said is not (token >= highest):
                came = ", ".join(map(str, tokens[: place + 1]))
                return wrong(f"writes come with the tokens {came}: of the last one it says {said}.")
            highest = max(highest, token)
        tried += 1
    return right(f"it was right in each of {tried} orders of writes.")


EXERCISES = (
    Exercise(
        name="10.1",
        question="A lease of 10 s. The holder's clock may be 2 % slow, and the manager's 3 % fast. "
        "In how many milliseconds of it may the holder believe?",
        answer="a number of milliseconds",
        judge=_judge_belief,
        hints=(
            "in true time, when has a clock that is 3 % fast counted 10 s?",
            "that was 10 s / 1.03. How much has a clock that is 2 % slow counted by then?",
        ),
    ),
    Exercise(
        name="10.2",
        question="From when must the leader sleep, for 600 ms, so that a stale write is accepted? "
        "Three members, seed 3.",
        answer="a time in ms, from 100 to 200",
        judge=_judge_pause,
        hints=(
            "a job begins about every 25 ms and takes 5 ms; it must sleep in the middle of one.",
            "try several: [t for t in range(100, 201) if ...], with sleeper's lines in a loop.",
        ),
    ),
    Exercise(
        name="10.3",
        question="You write the store. Write a function of the token of a write and of a "
        "dictionary that is yours, empty at first, that tells whether the write is taken.",
        answer="a function of a token and a dictionary that tells True or False",
        judge=_judge_store,
        hints=(
            "remember the highest token that you have taken.",
            "one leader writes more than once: the same token must be taken again.",
        ),
    ),
)
