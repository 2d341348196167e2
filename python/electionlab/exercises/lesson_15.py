"""Exercises of notebook 15: textbook mistakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from electionlab.checker import Bounds, check
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, chosen, right, truth_value, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Resource

_NODES = 5


def _two_at_once() -> bool:
    bounds = Bounds(epoch=2, copies=1)
    return check(PROTOCOLS["raft"](nodes=3), "one_leader_at_a_time", bounds=bounds).violated


def _leader_on_each_side() -> bool:
    cluster = Cluster(PROTOCOLS["raft"](nodes=_NODES), seed=1)
    cluster.partition([1, 2], [3, 4, 5])
    cluster.run(until=3000)
    leading = {node.node for node in cluster.nodes if node.role == "leader"}
    return bool(leading & {1, 2}) and bool(leading & {3, 4, 5})


def _tokens_leave_one_leader() -> bool:
    raft = PROTOCOLS["raft"](nodes=_NODES)
    cluster = Cluster(raft, seed=1, initial_leader=1, resource=Resource(fencing="token"))
    cluster.partition([1, 2], [3, 4, 5])
    cluster.run(until=1000)
    return float(cluster.metrics["split_brain_ms"]) == 0.0


def _twice_round_the_ring() -> bool:
    cluster = Cluster(PROTOCOLS["ring"](nodes=_NODES), seed=1, initial_leader=_NODES)
    cluster.run(until=1)
    cluster.fire(2, "leader")
    cluster.run_for(150)
    kinds = cluster.metrics["messages"]["by_kind"]
    return [kinds[kind]["sent"] for kind in ("Election", "Coordinator")] == [_NODES, _NODES]


def _elects(candidate: tuple[int, int], voter: tuple[int, int]) -> bool:
    """Whether Raft elects a candidate with this log among two voters with that one."""
    cluster = Cluster(PROTOCOLS["raft"](nodes=3, logs=[candidate, voter, voter]), seed=1)
    cluster.run(until=1)
    cluster.fire(1, "election")
    cluster.run(until=40)
    return cluster.leader == 1


def _only_the_longest_wins() -> bool:
    return not _elects((2, 2), (1, 3))


def _highest_leads() -> bool:
    for seed in range(20):
        cluster = Cluster(PROTOCOLS["bully"](nodes=_NODES), seed=seed, record=False)
        cluster.run(until=500)
        cluster.crash("leader")
        cluster.run_for(2000)
        if cluster.leader != _NODES - 1 or not cluster.agreed:
            return False
    return True


_SENTENCES: dict[str, Callable[[], bool]] = {
    "a": _two_at_once,
    "b": _leader_on_each_side,
    "c": _tokens_leave_one_leader,
    "d": _twice_round_the_ring,
    "e": _only_the_longest_wins,
    "f": _highest_leads,
}


def _judge_sentences(answer: Iterable[str]) -> Judgement:
    truth = [letter for letter, holds in _SENTENCES.items() if holds()]
    why = f"each was tried, and {', '.join(truth)} hold."
    return chosen(answer, _SENTENCES, truth, why)


def _judge_bully(answer: Iterable[tuple[str, int, int]]) -> Judgement:
    cluster = Cluster(PROTOCOLS["bully"](nodes=3), seed=1, initial_leader=3)
    cluster.run(until=1)
    cluster.crash(3)
    cluster.fire(2, "leader")
    cluster.run_until_leader(agreed=True)
    rows = map(cluster.trace.row, range(len(cluster.trace)))
    sent = [(r["message_kind"], r["node"], r["peer"]) for r in rows if r["kind"] == "send"]
    truth = [message for message in sent if message[0] != "Heartbeat"]
    given: list[Any] = [tuple(message) for message in answer]
    for message in given:
        if len(message) != 3 or message[0] not in ("Election", "Ok", "Coordinator"):
            raise ValueError(f"answer={message!r}: must be (kind, from, to), such as ('Ok', 2, 1)")
    if given == truth:
        return right("that is what B sends when it is run; nobody above it is left to answer.")
    for kind, sender, receiver in given:
        if kind == "Election" and receiver < sender:
            return wrong(f"node {sender} asks node {receiver}, which is lower.")
        if sender == 3:
            return wrong("node 3 is dead, and sends nothing.")
    return wrong(f"{sum(message in truth for message in given)} of these {len(given)} are sent.")


def _judge_rule(answer: Callable[[tuple[int, int], tuple[int, int]], bool]) -> Judgement:
    logs = list(itertools.product((1, 2, 3), (1, 2, 3)))
    for voter, candidate in itertools.product(logs, logs):
        said, truth = truth_value(answer(voter, candidate)), _elects(candidate, voter)
        if said is not truth:
            return wrong(f"of a voter {voter} and a candidate {candidate} it says {said}.")
    return right(f"for {len(logs) ** 2} pairs of logs Raft does the same.")


EXERCISES = (
    Exercise(
        name="15.1",
        question="Which of the six sentences are true?",
        answer='a list of letters, such as ["a", "b"]',
        judge=_judge_sentences,
        hints=(
            "moment or term? sides or majorities? two believers, or two whose writes are taken?",
            "three of them are true.",
        ),
    ),
    Exercise(
        name="15.2",
        question="Bully with A(1), B(2) and C(3), which is dead; only B notices. Which messages "
        "are sent?",
        answer='a list such as [("Ok", 2, 1)]',
        judge=_judge_bully,
        hints=(
            "whom does B ask? A message to a dead node is sent, too.",
            "nobody answers. Whom does B tell then that it leads?",
        ),
    ),
    Exercise(
        name="15.3",
        question="May a voter vote for a candidate in Raft? Each is given as (last term, length of "
        "the log).",
        answer="a function of a voter and a candidate that tells True or False",
        judge=_judge_rule,
        hints=(
            "which of the two numbers decides, and when does the other one count?",
            "a tuple compares its first entries first.",
        ),
    ),
)
