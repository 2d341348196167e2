"""Exercises of notebook 2: Bully."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Action, Network

_DELAY_MS = 60


def _leader_dies(nodes: int, detector: int) -> Cluster:
    bully = PROTOCOLS["bully"](nodes=nodes, leader_timeout_ms=100_000)
    cluster = Cluster(
        bully, network=Network(one_way_delay_ms=10), seed=1, initial_leader=nodes, record=False
    )
    cluster.run(until=1)
    cluster.crash(nodes)
    cluster.fire(detector, "leader")
    cluster.run_until_leader(agreed=True)
    return cluster


def _judge_messages(answer: Any) -> Judgement:
    metrics = _leader_dies(8, 3).metrics["messages"]
    kinds = {kind: count["sent"] for kind, count in metrics["by_kind"].items() if count["sent"]}
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return compared(answer, metrics["sent"], f"{metrics['sent']}: {said}.")


def _two_lead(answer_timeout_ms: float) -> bool:
    bully = PROTOCOLS["bully"](
        nodes=4,
        answer_timeout_ms=answer_timeout_ms,
        coordinator_timeout_ms=1000,
        leader_timeout_ms=400,
    )
    for detector in (1, 2, 3):
        cluster = Cluster(
            bully, network=Network(one_way_delay_ms=_DELAY_MS), seed=1, initial_leader=4,
            record=False, one_leader_at_a_time=True,
        )  # fmt: skip
        cluster.run(until=200)
        cluster.crash(4)
        cluster.run(until=201)
        cluster.fire(detector, "leader")
        cluster.run(until=3000)
        if any(v["invariant"] == "one_leader_at_a_time" for v in cluster.violations()):
            return True
    return False


def _judge_timeout(answer: Any) -> Judgement:
    if _two_lead(answer):
        return wrong(f"with {answer} ms two nodes lead at once after a crash.")
    if _two_lead(answer - 1):
        return right(f"with {answer} ms an OK is there in time, with {answer - 1} ms it is not.")
    return wrong(f"with {answer - 1} ms nobody leads too soon either.")


def _judge_schedule(answer: Iterable[Action]) -> Judgement:
    actions = list(answer)
    for action in actions:
        if action.get("action") != "at" or not 0 <= action["at_ms"] <= 1000:
            return wrong("each action must be el.at(a time from 0 to 1000, an action).")
        if action["do"]["action"] in ("crash", "cut", "partition"):
            return wrong(f"no {action['do']['action']} is allowed.")
    cluster = Cluster(PROTOCOLS["bully"](nodes=3), seed=1, initial_leader=3, actions=actions)
    cluster.run(until=5000)
    split_ms = cluster.metrics["split_brain_ms"]
    if split_ms > 0:
        return right(f"two nodes act as leader for {split_ms:.1f} ms in all.")
    return wrong("in 5 s no two nodes act as leader at once.")


EXERCISES = (
    Exercise(
        name="2.1",
        question="Eight nodes; node 8, the leader, is dead, and node 3 notices first. How many "
        "messages are sent until all agree, of all kinds together?",
        answer="a whole number",
        judge=_judge_messages,
        hints=(
            "m = 5 nodes are above the one that notices, the dead one among them.",
            "m(m+1)/2 ELECTION, m(m-1)/2 OK, and a COORDINATOR to everybody that node 7 leads.",
            "COORDINATOR goes to all below node 7: there are six.",
        ),
    ),
    Exercise(
        name="2.2",
        question="A message takes exactly 60 ms. Which is the smallest whole answer_timeout_ms "
        "with which a crash of the leader never leads to two leaders at once?",
        answer="a number of milliseconds",
        judge=_judge_timeout,
        hints=(
            "how long is it at least until an OK can be there?",
            "ELECTION goes there and OK comes back: two delays; and a tie is not in time.",
        ),
    ),
    Exercise(
        name="2.3",
        question="Three nodes, node 3 leads. Make two act as leader at once without a crash, a cut "
        "or a partition: actions done with el.at in the first second.",
        answer="a list such as [el.at(100, el.pause(1, resume_after_ms=50))]",
        judge=_judge_schedule,
        hints=(
            "the others take silence for death; how can a leader that lives be silent?",
            "it is paused for longer than the leader time-out of 200 ms, or its messages are late.",
            "pause node 3 for half a second.",
        ),
    ),
)
