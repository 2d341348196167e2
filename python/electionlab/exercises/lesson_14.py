"""Exercises of notebook 14: elections in the real world."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from electionlab._presets import presets
from electionlab.cluster import Cluster
from electionlab.exercises._exercise import Exercise, Judgement, chosen, right, wrong
from electionlab.protocols import AT_WORK, PROTOCOLS, Protocol
from electionlab.settings import Resource

_SYSTEMS = ("raft_paper", "etcd", "curator_latch", "kubernetes")
_STORES = ("raft", "bully", "ring", "zab", "lease", "etcd")
_NODES = 5
_BACK_S, _SLEEP_MS = 8.0, 2000.0


def _stops_without_its_service(name: str) -> bool:
    cluster = Cluster(presets[name].make(_NODES), seed=1, record=False)
    cluster.run_until_leader(120_000, agreed=True)
    for service in range(_NODES + 1, cluster.actors + 1):
        cluster.crash(service)
    cluster.run_for(300_000)
    return cluster.leader is None


def _judge_systems(answer: Iterable[str]) -> Judgement:
    truth = [name for name in _SYSTEMS if _stops_without_its_service(name)]
    why = "who leads by the grace of a service stops when it cannot be heard; Raft needs none."
    return chosen(answer, _SYSTEMS, truth, why)


def _back_s(protocol: Protocol, seed: int) -> float:
    cluster = Cluster(protocol, seed=seed, record=False)
    cluster.run_until_leader(120_000, agreed=True)
    cluster.run_for(10_000 + 137 * seed)
    crashed_ms = cluster.now
    cluster.crash("leader")
    cluster.run_until_leader(120_000, agreed=True)
    return (cluster.now - crashed_ms) / 1000


def _stays(protocol: Protocol, seed: int) -> bool:
    cluster = Cluster(protocol, seed=seed, initial_leader=1, record=False)
    cluster.run(until=20_000 + 317 * seed)
    cluster.pause(1, resume_after_ms=_SLEEP_MS)
    cluster.run_for(60_000)
    return cluster.leader == 1 and cluster.agreed


def _judge_elector(answer: Mapping[str, float]) -> Judgement:
    elector = PROTOCOLS["kubernetes"](nodes=_NODES, **dict(answer))
    back = statistics.median(_back_s(elector, seed) for seed in range(20))
    if back > _BACK_S:
        return wrong(f"it is back after {back:.1f} s: too slow.")
    if not all(_stays(elector, seed) for seed in range(10)):
        return wrong(f"back after {back:.1f} s; but a sleep of 2 s may cost the leader the lead.")
    return right(f"back after {back:.1f} s, and ten sleeps of 2 s cost nothing.")


def _has_tokens(name: str) -> bool:
    assert name in AT_WORK
    cluster = Cluster(
        PROTOCOLS[name](nodes=_NODES), seed=1, resource=Resource(fencing="token"), record=False
    )
    cluster.run_until_leader(60_000, agreed=True)
    cluster.run_for(1_000)
    assert cluster.resource is not None
    return int(cluster.resource["highest_token"]) > 0


def _judge_tokens(answer: Iterable[str]) -> Judgement:
    truth = [name for name in _STORES if _has_tokens(name)]
    why = "terms, epochs, numbers of leases and revisions rise; Bully and Ring number nothing."
    return chosen(answer, _STORES, truth, why)


EXERCISES = (
    Exercise(
        name="14.1",
        question="In which of these systems does losing ZooKeeper, or the API server, for an hour "
        "leave the group without a leader that may act?",
        answer='a list of names, such as ["raft_paper"]',
        judge=_judge_systems,
        hints=(
            "which of them asks a third party who leads?",
            "two of them need nobody but themselves.",
        ),
    ),
    Exercise(
        name="14.2",
        question="Give Kubernetes' elector numbers with which five electors are back within 8 s of "
        "a crash (median of 20), and a leader that sleeps for 2 s is still the leader afterwards.",
        answer="a dictionary with lease_duration_ms, renew_deadline_ms and retry_period_ms",
        judge=_judge_elector,
        hints=(
            "the others wait for lease_duration_ms after the last renewal that they saw.",
            "between the two demands lie lease durations of about 4 to 7 s; whole seconds count.",
        ),
    ),
    Exercise(
        name="14.3",
        question="The primary's storage checks tokens. Which of these have tokens to check?",
        answer='a list of names, such as ["raft"]',
        judge=_judge_tokens,
        hints=(
            "a token is a number that rises from one leader to the next.",
            "which of them count terms, epochs, leases or revisions, and which only know names?",
        ),
    ),
)
