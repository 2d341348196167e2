"""Exercises of notebook 8: Paxos and duelling proposers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, wrong
from electionlab.protocols import PROTOCOLS
from electionlab.settings import Network

_DELAY_MS = 25


def _duel_ends(backoff_ms: float) -> bool:
    paxos = PROTOCOLS["paxos"](
        nodes=3, proposers=[1, 2], propose_after_ms=0, stagger_ms=5, backoff_ms=backoff_ms,
        round_timeout_ms=1000,
    )  # fmt: skip
    network = Network(one_way_delay_ms=_DELAY_MS)
    return bool(Cluster(paxos, network=network, seed=1, record=False).run_until_leader(60_000))


def _judge_backoff(answer: Any) -> Judgement:
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        raise ValueError(f"answer={answer!r}: must be a number of milliseconds")
    if not _duel_ends(answer):
        return wrong(f"with {answer} ms it goes on for a minute.")
    if _duel_ends(answer - 1):
        return wrong(f"with {answer - 1} ms it ends as well.")
    return right("longer than one delay: then an Accept is there before the next Prepare.")


def _judge_quorums(answer: Any) -> Judgement:
    if not isinstance(answer, PROTOCOLS["paxos"]) or answer.nodes != 5:
        raise ValueError(f"answer={answer!r}: must be an el.Paxos(nodes=5, ...)")
    quorums = {name: answer.options[name] for name in ("prepare_quorum", "accept_quorum")}
    if any(isinstance(q, Mapping) and q.get("unsafe") for q in quorums.values()):
        return wrong("no unsafe quorums: two values could be chosen.")
    options = {**answer.options, "proposers": [1], "propose_after_ms": 0}
    cluster = Cluster(
        PROTOCOLS["paxos"](5, **options), network=Network(one_way_delay_ms=10), seed=1
    )
    cluster.run(until=21)
    for node in (3, 4, 5):
        cluster.crash(node)
    if cluster.run_until_leader(5000):
        return right("two acceptances are enough, as every four promises meet them.")
    return wrong("the two nodes that are left do not get it accepted.")


def _judge_messages(answer: Any) -> Judgement:
    paxos = PROTOCOLS["paxos"](nodes=9, proposers=[1], propose_after_ms=0, learning="broadcast")
    cluster = Cluster(paxos, seed=1, record=False)
    cluster.run(until=1000)
    sent = cluster.metrics["messages"]["sent"]
    return compared(answer, sent, f"{sent} = (9 + 3)(9 - 1).")


EXERCISES = (
    Exercise(
        name="8.1",
        question="Messages take exactly 25 ms. Which is the smallest whole constant back-off in ms "
        "that ends the duel of two proposers within a minute?",
        answer="a whole number of milliseconds",
        judge=_judge_backoff,
        hints=(
            "with delays of 10 ms, 9.999 was too short and 10.001 long enough.",
            "it must be longer than one delay; as long as one is a tie.",
        ),
    ),
    Exercise(
        name="8.2",
        question="Five nodes. Which el.Paxos(nodes=5, ...), with quorums that the lab does not "
        "refuse, still gets a value accepted when three nodes crash after the promises?",
        answer="a protocol such as el.Paxos(nodes=5)",
        judge=_judge_quorums,
        hints=(
            "then two acceptances must be enough: accept_quorum={'at_least': 2}.",
            "each two nodes must share one with every quorum of promises: how many promises?",
            "four promises and two acceptances: 4 + 2 is more than 5.",
        ),
    ),
    Exercise(
        name="8.3",
        question="How many messages does one proposer cause among nine nodes, until all know who "
        'is chosen, if every acceptance goes to all nodes (learning="broadcast")?',
        answer="a whole number",
        judge=_judge_messages,
        hints=(
            "Prepare, Promise and Accept: 8 of each. Then every acceptor tells all others.",
            "nine acceptors, the proposer among them, with 8 others each: 72 more.",
        ),
    ),
)
