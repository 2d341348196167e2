"""Exercises of notebook 1: why elect, and what can go wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, right, truth_value, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Action


def _split_bully() -> Cluster:
    cluster = Cluster(PROTOCOLS["bully"](nodes=5), seed=1, initial_leader=5)
    cluster.run(until=100)
    cluster.partition([1, 2], [3, 4, 5])
    cluster.run(until=1000)
    return cluster


def _judge_leaders(answer: Iterable[int]) -> Judgement:
    leaders = [node.node for node in _split_bully().nodes if node.role == "leader"]
    given = sorted(answer)
    if given == leaders:
        return right(f"each side has its highest node as leader: {leaders[0]} and {leaders[1]}.")
    if len(given) != len(leaders):
        return wrong(f"there are {len(leaders)} leaders, and these are {len(given)}.")
    return wrong(f"{len(set(given) & set(leaders))} of these lead.")


def _judge_crashes(answer: Iterable[Action]) -> Judgement:
    actions = list(answer)
    if any(action.get("action") != "crash" for action in actions):
        return wrong("use nothing but el.crash(node).")
    protocol = PROTOCOLS["raft"](nodes=5)
    for fewer, seed in itertools.product(range(len(actions) + 1), range(1, 4)):
        cluster = Cluster(protocol, seed=seed, initial_leader=1)
        cluster.run(until=100)
        for action in actions[:fewer]:
            cluster.act(action)
        if not cluster.run_until_leader(10_000, agreed=True):
            break
    else:
        return wrong("in 10 s the rest elected a leader, whatever the seed.")
    if fewer < len(actions):
        return wrong(f"{fewer} of these {len(actions)} crashes would have been enough.")
    return right(f"after {fewer} crashes the {5 - fewer} that live are no majority of five.")


def _judge_predicate(answer: Callable[[Any], bool]) -> Judgement:
    split, whole = _split_bully(), Cluster(PROTOCOLS["bully"](nodes=5), seed=1, initial_leader=5)
    dead = whole.fork()
    dead.crash(5)
    shown = [("two sides with a leader each", split, True), ("one leader", whole, False)]
    shown += [("the moment after the only leader crashed", dead, False)]
    for seed in range(1, 6):
        cluster = split.fork()
        cluster.heal()
        cluster.run_for(5 * seed)
        leaders = sum(node.role == "leader" for node in cluster.nodes)
        shown.append((f"that cluster {5 * seed} ms after the heal", cluster, leaders > 1))
    for what, cluster, truth in shown:
        said = truth_value(answer(cluster.nodes))
        if said is not truth:
            return wrong(f"of {what} it says {said}.")
    return right(f"it was right of {len(shown)} clusters.")


EXERCISES = (
    Exercise(
        name="1.1",
        question="Five nodes run Bully, node 5 leads, and the network splits into {1, 2} and "
        "{3, 4, 5}. Which nodes lead after a second?",
        answer="a list of two nodes",
        judge=_judge_leaders,
        hints=(
            "nobody tells a node how many others it should hear.",
            "on each side of the cut the highest node that lives there leads.",
        ),
    ),
    Exercise(
        name="1.2",
        question="Stop five nodes that run Raft for good, with as few crashes as possible.",
        answer="a list of actions such as [el.crash(1)]",
        judge=_judge_crashes,
        hints=(
            "a leader of Raft needs the votes of more than half of all five, dead or alive.",
            "how many must die until fewer than three live?",
        ),
    ),
    Exercise(
        name="1.3",
        question="Write a function of a cluster's nodes that tells whether two act as leader at "
        "once. Each node has a .node and a .role.",
        answer="a function, such as lambda nodes: ...",
        judge=_judge_predicate,
        hints=(
            'a node leads while its role is "leader"; one that crashed has the role "down".',
            'count the nodes with node.role == "leader", and say whether there are more than one.',
        ),
    ),
)
