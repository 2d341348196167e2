"""What an election costs without other trouble: messages, time, load, and how the cost grows."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from electionlab._comparable import DELAY_MS, UNPOLLED, Subject
from electionlab.cluster import Cluster


@dataclasses.dataclass(frozen=True)
class Election:
    """A cold start, a quiet leadership and a failover of one run; NaN: it did not come to that.

    Attributes:
        first_ms: From the cold start until all agree.
        first_messages: Sent until then, of all kinds.
        messages: Sent because of a crash of the leader, until all agree again.
        detection_ms: From the crash until somebody stands.
        election_ms: From there until somebody leads.
        downtime_ms: From the crash until all agree.
        leader_share: Share of a quiet leadership's messages that the leader sends or gets.
        quiet_per_s: Messages sent in a second of a quiet leadership.
    """

    first_ms: float = math.nan
    first_messages: float = math.nan
    messages: float = math.nan
    detection_ms: float = math.nan
    election_ms: float = math.nan
    downtime_ms: float = math.nan
    leader_share: float = math.nan
    quiet_per_s: float = math.nan


def measure_election(subject: Subject, nodes: int, patience_ms: float, seed: int) -> Election:
    """One run: a cold start, nine time-outs of peace, a crash of the leader, the next election."""
    fails_over = subject.about["fails_over"]
    cluster = Cluster(
        subject.make(nodes, seed), network=subject.network, seed=seed, record=fails_over
    )
    if not cluster.run_until_leader(patience_ms, agreed=True):
        return Election()
    first = {"first_ms": cluster.now, "first_messages": cluster.metrics["messages"]["sent"]}
    cluster.run_for(3 * subject.timeout_ms)
    before, begin = cluster.metrics["messages"], cluster.now
    cluster.run_for(6 * subject.timeout_ms)
    after = cluster.metrics["messages"]
    sent = after["sent"] - before["sent"]
    first["quiet_per_s"] = sent / ((cluster.now - begin) / 1000)
    if cluster.leader is not None and sent:
        handled = [
            sum(b[k] - a[k] for k in ("sent", "delivered"))
            for a, b in zip(before["by_node"], after["by_node"], strict=True)
        ]
        first["leader_share"] = handled[cluster.leader - 1] / sum(handled)
    if not fails_over or cluster.leader is None:
        return Election(**first)
    cluster.run_for(_moment(subject, seed))
    failover = _crash_leader(cluster, patience_ms, agreed=True)
    if failover is None:
        return Election(**first)
    if subject.label in UNPOLLED:
        messages = _unpolled_messages(subject, nodes, patience_ms, seed)
    else:
        messages = sum(failover.caused.values())
    return Election(
        **first,
        messages=messages,
        detection_ms=failover.detection_ms,
        election_ms=failover.election_ms,
        downtime_ms=failover.downtime_ms,
    )


def _moment(subject: Subject, seed: int) -> float:
    return float(np.random.default_rng(seed).uniform(0, subject.timeout_ms))


def _unpolled_messages(subject: Subject, nodes: int, patience_ms: float, seed: int) -> float:
    """Messages of a failover without polling; without it not all learn who leads."""
    protocol = subject.make(nodes, seed, **UNPOLLED[subject.label])
    cluster = Cluster(protocol, network=subject.network, seed=seed)
    if not cluster.run_until_leader(patience_ms):
        return math.nan
    cluster.run_for(3 * subject.timeout_ms + _moment(subject, seed))
    failover = _crash_leader(cluster, patience_ms, agreed=False)
    return math.nan if failover is None else sum(failover.caused.values())


@dataclasses.dataclass(frozen=True)
class Failover:
    """A crash of the leader and what came of it."""

    caused: dict[str, int]
    detection_ms: float
    election_ms: float
    downtime_ms: float


def _crash_leader(cluster: Cluster, patience_ms: float, *, agreed: bool) -> Failover | None:
    """Crashes the leader until all agree, or somebody leads; None: not in time."""
    leader, crashed, known = cluster.leader, cluster.now, len(cluster.metrics["failovers"])
    if leader is None:
        return None
    peace = cluster.fork()
    cluster.crash(leader)
    if not cluster.run_until_leader(patience_ms, agreed=agreed):
        return None
    downtime_ms = cluster.now - crashed
    # What else happens at this instant; without agreement, also what is on its way.
    cluster.run_for(0.0 if agreed else 10 * DELAY_MS[1])
    peace.run(until=cluster.now)
    entry = cluster.metrics["failovers"][known]
    elected_ms = crashed + entry["until_elected_ms"]
    return Failover(
        caused(cluster, peace, leader, crashed, elected_ms),
        _number(entry["detection_ms"]),
        _number(entry["election_ms"]),
        downtime_ms,
    )


def caused(
    cluster: Cluster, peace: Cluster, leader: int, crashed_ms: float, elected_ms: float
) -> dict[str, int]:
    """Messages that a leader's crash has caused, by kind.

    Those that the others have sent since then, less those that they sent in the same time of the
    same run without the crash: pings and polls that go on are no cost of an election. From when
    somebody leads he sends what a leader sends, and no longer what a follower does, so that then
    each kind counts as far as it is more than in peace. So do, at any time, messages of members to
    the dead; what a service tells the dead (that their connection is closed) does not count.
    """
    found: Counter[str] = Counter()
    for begin_ms, end_ms, led in (
        (crashed_ms, elected_ms, False),
        (elected_ms, cluster.now, True),
    ):
        now, before = (_sent(run, leader, begin_ms, end_ms) for run in (cluster, peace))
        for kind, to_dead in {*now, *before}:
            more = now[kind, to_dead] - before[kind, to_dead]
            found[kind] += max(more, 0) if led or to_dead else more
    return {kind: count for kind, count in found.items() if count}


def _sent(
    cluster: Cluster, leader: int, begin_ms: float, end_ms: float
) -> Counter[tuple[str, bool]]:
    """What all but the leader have sent after a moment up to another: kinds, whether to it."""
    trace = cluster.trace
    columns = trace.columns
    ends = [round(moment * 1e6) for moment in (begin_ms, end_ms)]
    first, last = np.searchsorted(columns["time_ns"], ends, side="right")
    kind, node, peer, message = (
        columns[name][first:last] for name in ("kind", "node", "peer", "message_kind")
    )
    sent = (kind == trace.row_kinds.index("send")) & (node != leader)
    sent &= (peer != leader) | (node <= cluster.members)
    names = trace.message_kinds
    return Counter(
        (names[what], bool(to == leader))
        for what, to in zip(message[sent].tolist(), peer[sent].tolist(), strict=True)
    )


def first_messages(
    subject: Subject, nodes: int, patience_ms: float, options: Mapping[str, Any], seed: int
) -> float:
    """Messages of a cold start with further options until all agree; NaN: they do not."""
    protocol = subject.make(nodes, seed, **options)
    cluster = Cluster(protocol, network=subject.network, seed=seed, record=False)
    if not cluster.run_until_leader(patience_ms, agreed=True):
        return math.nan
    return float(cluster.metrics["messages"]["sent"])


def orders_to_try(nodes: int) -> list[list[int]]:
    """Orders of a ring that are the worst, or near it, for some algorithm.

    Descending: every id travels as far as it can (Chang and Roberts). Bit-reversed: at every
    distance that is a power of two half of those that are left have been beaten (Franklin,
    Peterson, Hirschberg and Sinclair). And both the other way round.
    """
    bits = (nodes - 1).bit_length()
    places = [int(format(i, f"0{bits}b")[::-1], 2) for i in range(2**bits)]
    folded = [place + 1 for place in places if place < nodes]
    ascending = list(range(1, nodes + 1))
    return [ascending[::-1], folded, folded[::-1], ascending]


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


# Two orders cannot be told apart when one leaves less than so many times the other's squared error:
# about what chance does to the ratio in one of twenty, with ten sizes.
_CLOSE = 3.0


class Growth(NamedTuple):
    """The order that a cost grows with, and the factors of a f(n) + b.

    Attributes:
        order: What fits best: a name in `ORDERS`, "1" (it does not grow), or "": nothing does.
        factor: a; of a constant cost its mean.
        offset: b.
        close: All orders that fit about as well, with their a, the slowest first.
    """

    order: str
    factor: float
    offset: float
    close: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """The order; where the figures cannot tell it, the range of those that it may be."""
        names = [name for name, _ in self.close]
        return " .. ".join(dict.fromkeys((names[0], names[-1]))) if names else "unknown"

    def __str__(self) -> str:
        ends = dict.fromkeys((self.close[0], self.close[-1])) if self.close else ()
        words = ["constant" if name == "1" else f"{factor:.2g} {name}" for name, factor in ends]
        return " .. ".join(words) or "unknown"


def fitted_order(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """The order that a cost grows with: the best fit of a f(n) + b by least squares.

    Args:
        sizes: Cluster sizes n, three or more.
        costs: The mean cost at each; NaN entries are left out.

    Returns:
        The best order and those that are as good. A cost that varies by at most 5 %, or
        half a message, is constant. With fewer than three figures, or when it shrinks, there
        is none.
    """
    nothing = Growth("", math.nan, math.nan, ())
    pairs = [(n, c) for n, c in zip(sizes, costs, strict=True) if not math.isnan(c)]
    if len(pairs) < 3:
        return nothing
    n, cost = (np.asarray(column, dtype=float) for column in zip(*pairs, strict=True))
    mean = float(cost.mean())
    if float(np.ptp(cost)) <= max(0.05 * float(np.abs(cost).mean()), 0.5):
        return Growth("1", mean, 0.0, (("1", mean),))
    fits = {"1": (float(((cost - mean) ** 2).sum()), mean, 0.0)}
    for name, order in ORDERS.items():
        slope, offset = np.polyfit(order(n), cost, 1)
        if slope > 0:
            error = float(((slope * order(n) + offset - cost) ** 2).sum())
            fits[name] = (error, float(slope), float(offset))
    if len(fits) == 1:
        return nothing
    best = min(list(fits)[1:], key=lambda name: fits[name][0])
    limit = _CLOSE * fits[best][0] + 1e-9 * fits["1"][0]
    close = tuple((name, fit[1]) for name, fit in fits.items() if fit[0] <= limit)
    return Growth(best, fits[best][1], fits[best][2], close)
