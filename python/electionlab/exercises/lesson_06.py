"""Exercises of notebook 6: quorums and partitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from electionlab._quorums import Quorum
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, right, wrong
from electionlab.protocols import PROTOCOLS, Protocol
from electionlab.settings import Action, crash, partition


def _elects(protocol: Protocol, *actions: Action) -> list[int]:
    """Who leads at some time within five seconds, when this is done at the start."""
    cluster = Cluster(protocol, seed=1, record=False, actions=actions)
    seen: set[int] = set()
    for end_ms in range(250, 5001, 250):
        cluster.run(until=end_ms)
        seen |= {node.node for node in cluster.nodes if node.role == "leader"}
    return sorted(seen)


def _judge_partition(answer: Any) -> Judgement:
    groups: Sequence[list[int]] = answer["groups"]
    if sorted(itertools.chain(*groups)) != [1, 2, 3, 4, 5]:
        return wrong(
            "each of the five nodes must be in one group: one in no group keeps its links."
        )
    raft = PROTOCOLS["raft"](nodes=5)
    leaders = _elects(raft, partition(*groups))
    if leaders:
        return wrong(f"node {leaders[0]} is elected.")
    for one, other in itertools.combinations(groups, 2):
        fewer = [g for g in groups if g not in (one, other)] + [one + other]
        if len(fewer) > 1 and not _elects(raft, partition(*fewer)):
            return wrong(f"with {one} and {other} in one group nobody would be elected either.")
    return right(f"no group of {', '.join(str(len(g)) for g in groups)} nodes is a majority of 5.")


def _judge_buildings(answer: Any) -> Judgement:
    if not isinstance(answer, Quorum):
        raise ValueError(f"answer={answer!r}: must be an el.Quorum")
    raft = PROTOCOLS["raft"](nodes=6, quorum=answer)
    leaders = _elects(raft, partition([1, 2, 3], [4, 5, 6]))
    if not set(leaders) & {1, 2, 3}:
        return wrong("when the cable breaks, the first building has no leader.")
    if set(leaders) & {4, 5, 6}:
        return wrong("when the cable breaks, the second building elects as well.")
    for node in (1, 2, 3):
        if not _elects(raft, crash(node)):
            return wrong(f"when only node {node} crashes, nobody is elected.")
    return right("the first building goes on alone, and no single crash of its nodes ends it.")


def _judge_sets(answer: Iterable[Iterable[int]]) -> Judgement:
    quorums = [list(quorum) for quorum in answer]
    for one, other in itertools.combinations(quorums, 2):
        if not set(one) & set(other):
            return wrong(f"{one} and {other} share no node, so both could elect in one term.")
    raft = PROTOCOLS["raft"](nodes=4, quorum=Quorum.sets(quorums))
    if not set(_elects(raft, partition([1, 2], [3], [4]))) & {1, 2}:
        return wrong("nodes 1 and 2 cannot elect without the others.")
    for node in range(1, 5):
        if not _elects(raft, crash(node)):
            return wrong(f"after the crash of node {node} nobody can be elected.")
    return right(f"{quorums}: any two share a node, and each node may crash.")


EXERCISES = (
    Exercise(
        name="6.1",
        question="Split five nodes into groups such that no group can elect a leader, with as few "
        "groups as possible.",
        answer="a partition such as el.partition([1], [2, 3, 4, 5])",
        judge=_judge_partition,
        hints=("a majority of five is three.", "two groups are too few; do with three."),
    ),
    Exercise(
        name="6.2",
        question="Six nodes in two buildings, {1, 2, 3} and {4, 5, 6}. With which quorum does the "
        "first go on by itself when the cable breaks and the second does not, though a crash of "
        "any one node of the first is survived while all others are up?",
        answer="a quorum such as el.Quorum.majority()",
        judge=_judge_buildings,
        hints=(
            "give votes of different weight: el.Quorum.weighted([...]).",
            "the first building's weights must be more than half of all; without one of its nodes "
            "the rest of all six must still be more than half.",
            "weights of 2 in the first building and 1 in the second.",
        ),
    ),
    Exercise(
        name="6.3",
        question="Four nodes. With which quorums can nodes 1 and 2 elect without the others, while "
        "the crash of any one node is survived?",
        answer="a list of lists of nodes",
        judge=_judge_sets,
        hints=(
            "[1, 2] is one of them; any two of your quorums must share a node.",
            "if node 1 dies, node 2 needs others; if node 2 dies, node 1 needs others.",
            "[1, 2], [1, 3], [1, 4] and one without node 1.",
        ),
    ),
)
