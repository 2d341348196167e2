"""Exercises of notebook 5: time-outs."""

from __future__ import annotations

from typing import Any

import numpy as np

from electionlab import formulas
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Network

_LATENCY_MS, _LOW_MS, _SHARE = 15, 150, 0.05
_MEDIAN_MS, _LATE_MS, _RUNS = 40, 100, 200


def _split(high_ms: int) -> float:
    return formulas.split_vote_probability(5, 4, _LATENCY_MS / (high_ms - _LOW_MS))


def _judge_range(answer: Any) -> Judgement:
    if answer <= _LOW_MS:
        raise ValueError(f"answer={answer!r}: must be above {_LOW_MS}")
    least = next(high for high in range(_LOW_MS + 1, 10_000) if _split(high) <= _SHARE)
    why = (
        f"a range of {least - _LOW_MS} ms is {(least - _LOW_MS) / _LATENCY_MS:.1f} times the "
        f"latency, and {100 * _split(least):.2f} % of the first terms are split."
    )
    return compared(answer, least, why)


def _judge_quick(answer: Any) -> Judgement:
    if not isinstance(answer, PROTOCOLS["raft"]) or answer.nodes != 5:
        raise ValueError(f"answer={answer!r}: must be an el.Raft(nodes=5, ...)")
    times = []
    for seed in range(_RUNS):
        cluster = Cluster(
            answer, network=Network(one_way_delay_ms=1), seed=seed, initial_leader=1, record=False
        )
        cluster.run(until=200 + seed % 10)
        if cluster.metrics["leader_changes"]:
            return wrong(f"in the run of seed {seed} the leader changes before it crashes.")
        start = cluster.now
        cluster.crash("leader")
        found = cluster.run_until_leader(1000, agreed=True)
        times.append(found.at_ms - start)
    median, late = np.quantile(times, [0.5, 0.95])
    said = f"half of {_RUNS} runs are over after {median:.0f} ms, 95 of 100 after {late:.0f} ms."
    return (right if median < _MEDIAN_MS and late < _LATE_MS else wrong)(said)


def _judge_first(answer: Any) -> Judgement:
    share = formulas.first_timeout_ms(6, (0, 1))
    return compared(answer, share, "six wait, so it is 1/7 on average.", within=0.001)


EXERCISES = (
    Exercise(
        name="5.1",
        question="Five servers, one failed, messages take 15 ms one way, time-outs begin at 150 "
        "ms. What is the smallest whole number of ms at which the range may end, if at most one "
        "first term in twenty shall be split?",
        answer="a whole number of ms",
        judge=_judge_range,
        hints=(
            "look for the row of 5 servers, 1 failed: which ratio of latency and range has 5 %?",
            "it is a bit more than ten times the latency, added to 150.",
            "try formulas.split_vote_probability(5, 4, 15 / width) for width = 150, 151, ...",
        ),
    ),
    Exercise(
        name="5.2",
        question="Messages take 1 ms. Which Raft of five nodes has all follow the next leader "
        "within 40 ms of a crash in half of the runs, and within 100 ms in 95 of 100?",
        answer="a protocol such as el.Raft(nodes=5, election_timeout_ms=(150, 300))",
        judge=_judge_quick,
        hints=(
            "the first of four time-outs comes a fifth of the way into the range.",
            "heartbeats must come more often than that: set heartbeat_interval_ms.",
            "a range of 20 to 40 ms with a heartbeat every 5 ms, say.",
        ),
    ),
    Exercise(
        name="5.3",
        question="Of seven servers one is dead. On average, at which share of the range (0 to 1) "
        "does the first of the others lose patience?",
        answer="a number from 0 to 1",
        judge=_judge_first,
        hints=(
            "how many wait? The table above has the closed form for some numbers.",
            "the first of s comes 1/(s + 1) of the way.",
        ),
    ),
)
