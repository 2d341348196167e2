"""Small helpers of the tests: every kind of cluster, and all that can be seen of one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import electionlab as el

ROOT = Path(__file__).resolve().parents[2]

#: The three protocols that are tried in depth in Python; the engine's own tests try each so.
ENGINE: list[Any] = [el.Bully, el.Raft, el.Ring]
#: Those of the catalogue that replace a crashed leader, and those that elect once.
FAIL_OVER: list[Any] = [cls for cls in el.PROTOCOLS.values() if cls.about["fails_over"]]
ELECT_ONCE: list[Any] = [cls for cls in el.PROTOCOLS.values() if not cls.about["fails_over"]]


def whole_state(cluster: el.Cluster) -> dict[str, Any]:
    """Everything that can be seen of a cluster from Python."""
    nodes = range(1, cluster.actors + 1)
    return {
        "fingerprint": cluster.fingerprint(),
        "now_ns": cluster.now_ns,
        "events": cluster.events,
        "nodes": [cluster.node(node) for node in nodes],
        "pending": [(repr(p), p.fields, p.sent_ms) for p in cluster.pending],
        "cuts": [pair for pair in itertools.product(nodes, nodes) if cluster.is_cut(*pair)],
        "leader": cluster.leader,
        "metrics": dict(cluster.metrics),
        "fault_report": dict(cluster.fault_report),
        "violations": cluster.violations(),
        "config": cluster.config(),
        "trace": cluster.trace.hash() if cluster.records else None,
        "rows": len(cluster.trace) if cluster.records else None,
    }


def messages_in_flight(cluster: el.Cluster) -> list[el.PendingEvent]:
    return [p for p in cluster.pending if p.kind == "message"]


def rows(trace: el.Trace, **wanted: Any) -> list[dict[str, Any]]:
    """The rows that have these entries."""
    found = [trace.row(i) for i in range(len(trace))]
    return [row for row in found if all(row.get(k) == v for k, v in wanted.items())]


def settled(protocol: Any, *, seed: int = 7, **options: Any) -> el.Cluster:
    """A cluster that has agreed on a leader."""
    cluster = el.Cluster(protocol, seed=seed, **options)
    leader = cluster.run_until_leader(agreed=True)
    assert leader, (protocol, seed, leader)
    return cluster
