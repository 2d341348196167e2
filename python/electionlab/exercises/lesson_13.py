"""Exercises of notebook 13: measuring trade-offs."""

from __future__ import annotations

import statistics
from typing import Any

from electionlab import _intervals
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS

_RUNS = 20
_BACK_MS, _MESSAGES_PER_S, _QUIET_S = 250.0, 60.0, 20


def _judge_messages(answer: int) -> Judgement:
    cluster = Cluster(PROTOCOLS["raft"](nodes=9), seed=1, initial_leader=1)
    cluster.run(until=1)
    cluster.crash(1)
    before = cluster.metrics["messages"]["sent"]
    cluster.fire(2, "election")
    cluster.run_for(45)  # the next heartbeats are due 50 ms after the first ones
    kinds = cluster.metrics["messages"]["by_kind"]
    parts = [f"{kind['sent']} {name}" for name, kind in kinds.items() if kind["sent"]]
    sent = cluster.metrics["messages"]["sent"] - before
    return compared(answer, sent, f"{', '.join(parts)}.")


def _judge_share(answer: float) -> Judgement:
    high = _intervals.of_share(0, _RUNS)[1]
    why = f"{high:.1%}: of 20 runs in which nothing happened one learns just that."
    return compared(answer, high, why, within=0.002)


def _back_ms(protocol: Any, seed: int) -> float:
    cluster = Cluster(protocol, seed=seed, record=False)
    cluster.run_until_leader(agreed=True)
    cluster.run_for(500 + 37 * seed)
    crashed_ms = cluster.now
    cluster.crash("leader")
    cluster.run_until_leader(agreed=True)
    return cluster.now - crashed_ms


def _judge_raft(answer: Any) -> Judgement:
    if type(answer) is not PROTOCOLS["raft"] or answer.nodes != 5:
        raise ValueError(f"answer={answer!r}: must be el.Raft(5, ...)")
    back = statistics.median(_back_ms(answer, seed) for seed in range(40))
    if back > _BACK_MS:
        return wrong(f"it is back after {back:.0f} ms: too slow.")
    quiet = Cluster(answer, seed=1, initial_leader=1, record=False)
    quiet.run(until=1000.0 * _QUIET_S)
    a_second = quiet.metrics["messages"]["sent"] / _QUIET_S
    if quiet.metrics["leader_changes"]:
        return wrong("its leader changes, and nothing has happened.")
    if a_second > _MESSAGES_PER_S:
        return wrong(f"it sends {a_second:.0f} messages a second: too many.")
    return right(f"back after {back:.0f} ms, with {a_second:.0f} messages a second.")


EXERCISES = (
    Exercise(
        name="13.1",
        question="Raft with nine nodes; the leader crashes, and one node stands and wins. How many "
        "messages, from its request to the answers to its first heartbeats?",
        answer="a whole number",
        judge=_judge_messages,
        hints=(
            "whom does it ask, and who of them can answer?",
            "eight requests, one answer less, and the same again with heartbeats.",
        ),
    ),
    Exercise(
        name="13.2",
        question="In none of 20 runs did two lead in one term. In what share of all runs could it "
        "happen, at most, at 95 % confidence?",
        answer="a number between 0 and 1",
        judge=_judge_share,
        hints=(
            "put z = 1.96 and n = 20 into Wilson's formula.",
            "z squared is 3.84.",
        ),
    ),
    Exercise(
        name="13.3",
        question="Build a Raft of five nodes that is back within 250 ms (median of 40 crashes), "
        "sends at most 60 messages a second while all is well, and has no needless change of "
        "leader in 20 s.",
        answer="el.Raft(5, heartbeat_interval_ms=..., election_timeout_ms=(..., ...))",
        judge=_judge_raft,
        hints=(
            "four heartbeats and four answers in each interval: how long must it be?",
            "the shortest time-out must be longer than the heartbeat interval and two delays.",
        ),
    ),
)
