"""Exercises of notebook 4: Raft's election, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, right, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Action

_LOGS = [(3, 4), (3, 5), (2, 9), (3, 5), (1, 12)]


def _can_win(candidate: int) -> bool:
    raft = PROTOCOLS["raft"](nodes=5, logs=_LOGS, election_timeout_ms=(5000, 9000))
    cluster = Cluster(raft, seed=1, record=False)
    cluster.run(until=1)
    cluster.fire(candidate, "election")
    cluster.run(until=100)
    return cluster.leader == candidate


def _judge_logs(answer: Iterable[int]) -> Judgement:
    given, truth = set(answer), {node for node in range(1, 6) if _can_win(node)}
    if given == truth:
        return right(f"only {sorted(truth)} find three logs that do not end later than theirs.")
    for node in sorted(given - truth):
        return wrong(f"node {node} stood alone, and did not get three votes.")
    return wrong(f"{len(truth - given)} more can win.")


def _judge_schedule(answer: Iterable[Action]) -> Judgement:
    actions = list(answer)
    for action in actions:
        if action.get("action") != "at" or action["do"]["action"] != "fire":
            return wrong('each action must be el.at(time, el.fire(node, "election")).')
    cluster = Cluster(PROTOCOLS["raft"](nodes=3), seed=1, actions=actions)
    cluster.run(until=300)
    leader = cluster.leader
    if leader is None:
        return wrong("after 300 ms nobody leads.")
    term = cluster.node(leader).epoch
    if (leader, term) == (3, 2):
        return right("who hears of term 2 gives way, be it the leader of term 1.")
    return wrong(f"after 300 ms node {leader} leads, in term {term}.")


def _votes_needed(nodes: int) -> int:
    """With how many live nodes there is a leader, found by trying."""
    for live in range(1, nodes + 1):
        cluster = Cluster(PROTOCOLS["raft"](nodes=nodes), seed=1, record=False)
        for node in range(live + 1, nodes + 1):
            cluster.crash(node)
        if cluster.run_until_leader(3000):
            return live
    return 0


def _judge_votes(answer: Callable[[int], int]) -> Judgement:
    for nodes in range(1, 9):
        said = answer(nodes)
        if said != _votes_needed(nodes):
            return wrong(f"of {nodes} nodes it says {said}.")
    return right("clusters of one to eight nodes elect with so many live nodes, and not with less.")


EXERCISES = (
    Exercise(
        name="4.1",
        question="Five nodes have the logs (last term, last index) "
        f"{_LOGS}, all are up. Which of them can win an election, if they stand alone?",
        answer="a list of nodes",
        judge=_judge_logs,
        hints=(
            "the later last term wins; only in the same term the longer log.",
            "a candidate needs two voters besides itself whose logs end no later than its own.",
            "three can win; node 3 has a long log, but of term 2.",
        ),
    ),
    Exercise(
        name="4.2",
        question="A cluster of three has just started (seed 1). Make node 3 the leader of term 2 "
        "within 300 ms, without any crash, by letting timers fire.",
        answer='a list such as [el.at(10, el.fire(1, "election"))]',
        judge=_judge_schedule,
        hints=(
            "each time a node stands, it raises its term by one.",
            "somebody must have led, or stood in, term 1 before; then it is node 3's turn.",
            "let node 1 win term 1 first, and give it 50 ms for that.",
        ),
    ),
    Exercise(
        name="4.3",
        question="Write a function of the number of nodes that tells how many votes make a leader.",
        answer="a function, such as lambda n: ...",
        judge=_judge_votes,
        hints=(
            "more than half of all; and its own vote counts.",
            "half of an even number is not enough: four nodes need three.",
        ),
    ),
)
