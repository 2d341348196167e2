"""Exercises of notebook 3: rings, and the cost of n."""

from __future__ import annotations

import itertools
from typing import Any

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS, Protocol
from electionlab.settings import Network

_WANTED = 20


def _sent(protocol: Protocol) -> dict[str, int]:
    cluster = Cluster(protocol, seed=1, record=False)
    cluster.run_until_leader(1e9, agreed=True)
    kinds = cluster.metrics["messages"]["by_kind"]
    return {kind: count["sent"] for kind, count in kinds.items()}


def _judge_order(answer: Any) -> Judgement:
    sent = _sent(PROTOCOLS["chang_roberts"](nodes=7, order=list(answer)))["Election"]
    if sent == _WANTED:
        return right(f"the numbers of this order go {sent} steps in all.")
    return wrong(f"this order takes {sent} messages.")


def _peterson_is_cheaper(nodes: int) -> bool:
    order = list(range(nodes, 0, -1))
    other = PROTOCOLS["chang_roberts"](nodes=nodes, order=order)
    return sum(_sent(PROTOCOLS["peterson"](nodes=nodes, order=order)).values()) < sum(
        _sent(other).values()
    )


def _judge_crossing(answer: Any) -> Judgement:
    first = next(n for n in itertools.count(2) if all(map(_peterson_is_cheaper, range(n, n + 5))))
    why = f"with {first - 1} nodes it is not yet cheaper, with {first} it is."
    return compared(answer, first, why)


def _judge_ring(answer: Any) -> Judgement:
    ring = PROTOCOLS["ring"](nodes=5, leader_timeout_ms=100_000, round_timeout_ms=100_000)
    network = Network(one_way_delay_ms=10)
    cluster = Cluster(ring, network=network, seed=1, initial_leader=5, record=False)
    cluster.run(until=1)
    cluster.crash(5)
    for initiator in (1, 2):
        cluster.fire(initiator, "leader")
    cluster.run(until=1000)
    delivered = cluster.metrics["messages"]["by_kind"]["Election"]["delivered"]
    why = f"{delivered}: each of two lists goes once round the four that live."
    return compared(answer, delivered, why)


EXERCISES = (
    Exercise(
        name="3.1",
        question="Hand over an order of seven ids in which Chang and Roberts send exactly 20 "
        "ELECTION messages.",
        answer="a list of the numbers 1 to 7 in some order",
        judge=_judge_order,
        hints=(
            "each number goes on until it meets a greater one, the 7 goes all seven steps.",
            "ascending takes 13 and descending 28; start from one and swap.",
            "put the 7 first, some descending numbers behind it, and the rest ascending.",
        ),
    ),
    Exercise(
        name="3.2",
        question="On a ring in Chang and Roberts' worst order: from which number of nodes on does "
        "Peterson's election send fewer messages, all kinds together?",
        answer="a whole number",
        judge=_judge_crossing,
        hints=(
            "for each n run both with order=list(range(n, 0, -1)) and compare "
            'metrics["messages"]["sent"].',
            "it is less than 10.",
        ),
    ),
    Exercise(
        name="3.3",
        question="The textbook's ring with a list, five nodes: node 5 led and is dead, nodes 1 and "
        "2 notice at once. How many ELECTION messages are delivered?",
        answer="a whole number",
        judge=_judge_ring,
        hints=(
            "two lists go round, and neither stops the other.",
            "each list goes from live node to live node until it is back where it began.",
        ),
    ),
)
