"""What an election costs without other trouble: messages, time, load, and how the cost grows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from electionlab._comparable import DELAY_MS
from electionlab.cluster import Cluster
from electionlab.protocols import Protocol
from electionlab.settings import Network


def _sent(cluster: Cluster) -> dict[str, int]:
    return {kind: counts["sent"] for kind, counts in cluster.metrics["messages"]["by_kind"].items()}


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {kind: count - before.get(kind, 0) for kind, count in after.items()}


@dataclasses.dataclass(frozen=True)
class Election:
    """A cold start, a quiet leadership and a failover of one run; NaN: it did not come to that.

    Attributes:
        first_ms: From the cold start until all agree.
        first_messages: Sent until then, of those kinds that a quiet leadership does not send.
        messages: The same of the failover.
        detection_ms: From the crash until somebody stands.
        election_ms: From there until somebody leads.
        downtime_ms: From the crash until all agree.
        leader_share: Share of a quiet leadership's messages that the leader sends or gets.
        quiet_per_s: Messages sent in a second of a quiet leadership.
    """

    first_ms: float
    first_messages: float
    messages: float
    detection_ms: float
    election_ms: float
    downtime_ms: float
    leader_share: float
    quiet_per_s: float


def measure_election(
    protocol: Protocol, timeout_ms: float, patience_ms: float, seed: int
) -> Election:
    """One run: a cold start, nine time-outs of peace, a crash of the leader, the next election."""
    nothing = math.nan
    network = Network(one_way_delay_ms=DELAY_MS)
    cluster = Cluster(protocol, network=network, seed=seed, record=False)
    if not cluster.run_until_leader(patience_ms, agreed=True):
        return Election(*[nothing] * 8)
    first_ms, cold = cluster.now, _sent(cluster)
    # What a leadership sends when nothing happens is no part of an election: heartbeats, pings.
    cluster.run_for(3 * timeout_ms)
    before, begin = cluster.metrics["messages"], cluster.now
    was = _sent(cluster)
    cluster.run_for(6 * timeout_ms)
    after = cluster.metrics["messages"]
    quiet = _difference(_sent(cluster), was)
    background = {kind for kind, count in quiet.items() if count}
    span_s = (cluster.now - begin) / 1000
    sent = sum(quiet.values())
    leader_share = nothing
    if cluster.leader is not None and sent:
        handled = [
            sum(b[k] - a[k] for k in ("sent", "delivered"))
            for a, b in zip(before["by_node"], after["by_node"], strict=True)
        ]
        leader_share = handled[cluster.leader - 1] / sum(handled)

    def elected(kinds: Mapping[str, int]) -> int:
        return sum(count for kind, count in kinds.items() if kind not in background)

    figures = {"messages": nothing, "detection": nothing, "election": nothing, "down": nothing}
    if protocol.about["fails_over"] and cluster.leader is not None:
        cluster.run_for(float(np.random.default_rng(seed).uniform(0, timeout_ms)))
        known, crashed, was = len(cluster.metrics["failovers"]), cluster.now, _sent(cluster)
        cluster.crash("leader")
        if cluster.run_until_leader(patience_ms, agreed=True):
            failover = cluster.metrics["failovers"][known]
            figures = {
                "messages": elected(_difference(_sent(cluster), was)),
                "detection": _number(failover["detection_ms"]),
                "election": _number(failover["election_ms"]),
                "down": cluster.now - crashed,
            }
    return Election(
        first_ms, elected(cold), figures["messages"], figures["detection"], figures["election"],
        figures["down"], leader_share, sent / span_s,
    )  # fmt: skip


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


#: Orders that a cost which grows is fitted with, by what they are called.
ORDERS: dict[str, Callable[[Any], Any]] = {
    "log n": np.log2,
    "n": lambda n: n,
    "n log n": lambda n: n * np.log2(n),
    "n^2": lambda n: n**2,
    "n^3": lambda n: n**3,
}


def fitted_order(sizes: Sequence[float], costs: Sequence[float]) -> tuple[str, float, float]:
    """The order that a cost grows with: the best fit of a f(n) + b by least squares.

    Args:
        sizes: Cluster sizes n, three or more.
        costs: The mean cost at each; NaN entries are left out.

    Returns:
        The order's name in `ORDERS`, a and b. A cost that varies by at most 5 % is constant: "1",
        its mean and 0. With fewer than three figures, or when it does not grow: "", NaN and NaN.
    """
    pairs = [(n, c) for n, c in zip(sizes, costs, strict=True) if not math.isnan(c)]
    if len(pairs) < 3:
        return "", math.nan, math.nan
    n, cost = (np.asarray(column, dtype=float) for column in zip(*pairs, strict=True))
    if float(np.ptp(cost)) <= 0.05 * float(np.abs(cost).mean()):
        return "1", float(cost.mean()), 0.0
    best = ("", math.inf, math.nan, math.nan)
    for name, order in ORDERS.items():
        slope, offset = np.polyfit(order(n), cost, 1)
        error = float(((slope * order(n) + offset - cost) ** 2).sum())
        if slope > 0 and error < best[1] * (1 - 1e-9):
            best = (name, error, float(slope), float(offset))
    return best[0], best[2], best[3]
