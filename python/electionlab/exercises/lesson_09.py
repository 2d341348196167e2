"""Exercises of notebook 9: ZooKeeper's recipe, herds, and Zab."""

from __future__ import annotations

from collections.abc import Iterable

from electionlab._values import whole_number
from electionlab.cluster import Cluster, Leader
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS

_HISTORIES = ((3, 3, 1), (2, 2, 7), (3, 3, 4), (3, 3, 4), (1, 1, 20))
_MEMBERS = 7


def _judge_requests(answer: int) -> Judgement:
    recipe = PROTOCOLS["zk_recipe"](nodes=12, watch="leader", look_interval_ms=0)
    cluster = Cluster(recipe, seed=1, initial_leader=1)
    cluster.run(until=100)
    cluster.crash(1)
    cluster.run(until=900)
    kinds = cluster.metrics["messages"]["by_kind"]
    listed, watched = (kinds[kind]["sent"] for kind in ("GetChildren", "Exists"))
    return compared(
        answer,
        listed + watched,
        f"{listed} list the znodes, and {watched} of them watch again: all but the new leader.",
    )


def _judge_crashes(answer: Iterable[int]) -> Judgement:
    dead = {whole_number("node", node, 1, _MEMBERS) for node in answer}
    cluster = Cluster(PROTOCOLS["zk_recipe"](nodes=_MEMBERS), seed=1, initial_leader=1)
    cluster.run(until=100)
    for node in sorted(dead):
        cluster.crash(node)
    cluster.run_for(1000)
    if cluster.leader is None:
        return wrong("nobody is left to lead.")
    if len(dead) < _MEMBERS - 1:
        return wrong(f"node {cluster.leader} leads; but more of them can go.")
    most = (_MEMBERS - 1) // 2
    return right(
        f"node {cluster.leader}, the last one, leads: the service decides, and needs no majority "
        f"of its clients. Raft would stand at most {most} of {_MEMBERS}."
    )


def _judge_history(answer: int) -> Judgement:
    zab = PROTOCOLS["zab"](nodes=len(_HISTORIES), histories=list(_HISTORIES))
    leader = Cluster(zab, seed=1).run_until_leader(agreed=True)
    assert isinstance(leader, Leader)
    if whole_number("answer", answer, 1, len(_HISTORIES)) == leader.node:
        return right("the newest epoch first, then the transaction, then the server's number.")
    return wrong(f"the last that server {answer} has seen is not the newest, or it loses the tie.")


EXERCISES = (
    Exercise(
        name="9.1",
        question="Twelve members all watch the leader's znode, and it dies. How many requests "
        "(listings and watches) does the service get?",
        answer="a whole number",
        judge=_judge_requests,
        hints=(
            "who is woken, and what is the first thing that each of them does?",
            "all that were woken list; who then watches?",
            "everybody who was woken lists, and all of them but one watch again.",
        ),
    ),
    Exercise(
        name="9.2",
        question="Crash as many of seven members as you can, at one moment, so that one still "
        "leads a second later.",
        answer="a list of nodes, such as [1, 2]",
        judge=_judge_crashes,
        hints=(
            "who counts the members, and does anybody ask for more than half of them?",
            "the service makes whoever has the smallest number that is left the leader.",
        ),
    ),
    Exercise(
        name="9.3",
        question="Five Zab servers have seen: epoch 3 up to its transaction 1; epoch 2 up to 7; "
        "epoch 3 up to 4; epoch 3 up to 4; epoch 1 up to 20. Which one leads?",
        answer="the number of a server, 1 to 5",
        judge=_judge_history,
        hints=(
            "the newer epoch counts more than any number of transactions.",
            "of equal histories the server with the higher number wins.",
        ),
    ),
)
