"""Exercises of notebook 7: hard networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from electionlab._acknowledged import acknowledged_share
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, right, truth_value, wrong
from electionlab.protocols import PROTOCOLS, Protocol
from electionlab.settings import Action

_WANTED = 8


def _judge_cuts(answer: Iterable[Action]) -> Judgement:
    actions = list(answer)
    if any(action.get("action") != "cut" for action in actions):
        return wrong("use nothing but el.cut(...).")
    cluster = Cluster(PROTOCOLS["raft"](nodes=5), seed=1, initial_leader=1, record=False)
    cluster.run(until=100)
    for action in actions:
        cluster.act(action)
    if not any(
        all(not cluster.is_cut(a, b) for a, b in itertools.permutations(three, 2))
        for three in itertools.combinations(range(1, 6), 3)
    ):
        return wrong("no three nodes keep all links among them.")
    cluster.run(until=5100)
    said = f"{cluster.metrics['leaderships']} leaderships in five seconds."
    return (right if cluster.metrics["leaderships"] >= _WANTED else wrong)(said)


def _starved(raft: Protocol) -> Cluster:
    cluster = Cluster(raft, seed=2, initial_leader=4)
    cluster.run(until=10)
    cluster.crash(5)
    cluster.cut(4, [1, 3], both_ways=True)
    return cluster


def _comes_back(raft: Protocol) -> Cluster:
    cluster = Cluster(raft, seed=2, initial_leader=1)
    cluster.run(until=10)
    cluster.partition([5], [1, 2, 3, 4])
    cluster.run(until=2000)
    cluster.heal()
    return cluster


def _hears_nobody(raft: Protocol) -> Cluster:
    cluster = Cluster(raft, seed=2, initial_leader=1)
    cluster.run(until=10)
    cluster.cut([1, 2, 3, 4], 5)
    return cluster


def _judge_options(answer: Any) -> Judgement:
    if not isinstance(answer, PROTOCOLS["raft"]) or answer.nodes != 5:
        raise ValueError(f"answer={answer!r}: must be an el.Raft(nodes=5, ...)")
    hard = {
        "the starved leader": _starved,
        "the node that comes back": _comes_back,
        "the node that hears nobody": _hears_nobody,
    }
    for what, begin in hard.items():
        cluster = begin(answer)
        cluster.run(until=10_000)
        leaderships, share = cluster.metrics["leaderships"], acknowledged_share(cluster.trace)
        if leaderships > 2 or share < 0.9:
            return wrong(
                f"with {what}: {leaderships} leaderships, and a majority answers for {share:.0%} "
                "of the time."
            )
    return right("in all three networks one leader stays, or one more is elected that does.")


def _is_replaced(nodes: int, hearing: int) -> bool:
    raft = PROTOCOLS["raft"](nodes=nodes, pre_vote=True)
    cluster = Cluster(raft, seed=1, initial_leader=1, record=False)
    cluster.run(until=10)
    if hearing < nodes:
        cluster.cut(1, range(hearing + 1, nodes + 1), both_ways=True)
    cluster.run(until=5000)
    return any(node.role == "leader" for node in cluster.nodes[1:])


def _judge_function(answer: Callable[[int, int], bool]) -> Judgement:
    tried = 0
    for nodes in range(2, 8):
        for hearing in range(1, nodes + 1):
            said = truth_value(answer(nodes, hearing))
            if said is not _is_replaced(nodes, hearing):
                return wrong(f"of {nodes} nodes, {hearing} of which hear it, it says {said}.")
            tried += 1
    return right(f"it was right of {tried} clusters: the others need a majority by themselves.")


EXERCISES = (
    Exercise(
        name="7.1",
        question="Five nodes run plain Raft, node 1 leads. Cut links at 100 ms such that there are "
        "eight leaderships or more in five seconds, though some three nodes keep all links.",
        answer="a list such as [el.cut(1, 2)]",
        judge=_judge_cuts,
        hints=(
            "who does not hear the leader, and is heard by others, unseats it.",
            "a cut has a direction: el.cut(1, 2) stops what node 1 sends to node 2.",
            "one bad pair, the leader and another one, is enough; or let node 5 hear nobody.",
        ),
    ),
    Exercise(
        name="7.2",
        question="Which Raft of five nodes has at most two leaderships, and for 90 % of the time a "
        "leader that a majority answers: with the starved leader, with a node that comes back, "
        "with a node that hears nobody?",
        answer="a protocol such as el.Raft(nodes=5, pre_vote=True)",
        judge=_judge_options,
        hints=(
            "one option keeps lonely nodes from unseating a leader, another one ends a leader "
            "whom nobody answers.",
            "take both: pre_vote and check_quorum.",
        ),
    ),
    Exercise(
        name="7.3",
        question="With PreVote, k of n nodes (the leader is one of them) still hear the leader, "
        "and the others hear all but the leader. Can they replace it?",
        answer="a function, such as lambda n, k: ...",
        judge=_judge_function,
        hints=(
            "who hears the leader says no, so the yes must come from the others alone.",
            "n - k nodes say yes; is that more than half of n?",
        ),
    ),
)
