"""Exercises of notebook 11: failure detectors."""

from __future__ import annotations

import math

from electionlab.cluster import Cluster
from electionlab.detectors import detector_curve
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS

_MOST_MISTAKES_PER_S, _LATEST_MS = 0.1, 200.0


def _judge_timeout(answer: float) -> Judgement:
    if isinstance(answer, bool) or not isinstance(answer, (int, float)) or not 50 < answer < 5000:
        raise ValueError(f"answer={answer!r}: must be a time in ms above 50, and below 5000")
    point = detector_curve({"fixed": [answer]}, trials=60).frame.iloc[0]
    wrong_per_s, late_ms = float(point["mistakes_per_s"]), float(point["detection_ms"])
    seen = f"it is wrong {wrong_per_s:.3f} times a second, and {late_ms:.0f} ms late on average"
    if wrong_per_s > _MOST_MISTAKES_PER_S:
        return wrong(f"{seen}: too often.")
    if late_ms > _LATEST_MS:
        return wrong(f"{seen}: too late.")
    return right(f"{seen}.")


def _judge_phi(answer: float) -> Judgement:
    return compared(
        answer, -math.log10(1 / 10_000), "phi is minus the decimal logarithm of that chance.",
        within=0.01,
    )  # fmt: skip


def _judge_messages(answer: float) -> Judgement:
    cluster = Cluster(PROTOCOLS["heartbeat"](nodes=100), seed=1, record=False)
    cluster.run(until=1000)
    sent = int(cluster.metrics["messages"]["sent"])
    return compared(answer, sent, "each of 100 tells 99 others 20 times.")


EXERCISES = (
    Exercise(
        name="11.1",
        question="Choose a fixed time-out that is wrong at most once in ten seconds and takes at "
        "most 200 ms on average to notice a crash.",
        answer="a time-out in ms",
        judge=_judge_timeout,
        hints=("look at the price list above.", "it is between 100 and 200 ms."),
    ),
    Exercise(
        name="11.2",
        question="Which threshold of phi is wrong once in ten thousand gaps, if gaps are normal?",
        answer="a number",
        judge=_judge_phi,
        hints=("1 is once in ten, 2 once in a hundred.", "count the zeros."),
    ),
    Exercise(
        name="11.3",
        question="A hundred nodes watch each other with a heartbeat every 50 ms. How many messages "
        "a second is that?",
        answer="a whole number",
        judge=_judge_messages,
        hints=("how many does one node send every 50 ms?", "n (n - 1) in each interval."),
    ),
)
