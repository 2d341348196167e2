"""When a leader was of use: acknowledged by a quorum, and not only in office.

A leader that nobody answers can be in office for ever. Liveness under partial connectivity is
therefore judged by the changes of leader and by the time in which some leader's heartbeats were
answered by a quorum, not by one look at the end (Howard and Abraham 2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electionlab import _core

if TYPE_CHECKING:
    import pandas as pd

    from electionlab.trace import Trace

_ANSWERS = ("HeartbeatReply", "RoundHeartbeatReply")


def acknowledged(trace: Trace, *, within_ms: float = 300.0) -> pd.DataFrame:
    """The spans in which a leader was acknowledged by a quorum.

    A Raft leader is acknowledged at a moment when it acts as leader and, with itself, those that
    have answered one of its heartbeats of this term within the last ``within_ms`` are a quorum: by
    the option ``quorum``, or more than half of all members that vote.

    Args:
        trace: A run of Raft, with or without a resource.
        within_ms: How old an answer may be, above 0.

    Returns:
        One row for each span: from_ms, to_ms (float64), node, epoch (int64), by time. Without
        overlaps of one node's spans; two nodes' may overlap.

    Raises:
        ValueError: The trace is of another protocol, or ``within_ms`` is not above 0.

    Example:
        >>> import electionlab as el
        >>> cluster = el.Cluster(el.Raft(nodes=3), seed=1, initial_leader=1)
        >>> _ = cluster.run(until=1000), cluster.partition([1], [2, 3]), cluster.run(until=1500)
        >>> el.acknowledged(cluster.trace)[["node", "epoch"]].values.tolist()
        [[1, 1], [3, 2]]
    """
    import pandas as pd

    if trace.protocol not in ("raft", "raft_at_work"):
        raise ValueError(f"trace.protocol={trace.protocol!r}: must be 'raft' or 'raft_at_work'")
    if not within_ms > 0:
        raise ValueError(f"within_ms={within_ms!r}: must be above 0")
    options = trace.recipe["protocol"]["options"]
    learners = set(options.get("non_voters", []))
    voters = trace.nodes - len(learners)
    known: dict[frozenset[int], bool] = {}

    def quorum(nodes: frozenset[int]) -> bool:
        if nodes not in known:
            known[nodes] = _core.is_quorum(options.get("quorum", "majority"), voters, list(nodes))
        return known[nodes]

    def heard_by_quorum(times: dict[int, int]) -> int | None:
        """The latest time since which a quorum has answered; None: it never did."""
        since: set[int] = set()
        for node in sorted(times, key=lambda node: -times[node]):
            since.add(node)
            if quorum(frozenset(since - learners)):
                return times[node]
        return None

    within = round(within_ms * 1e6)
    columns = trace.columns
    kinds, roles = trace.row_kinds, trace.roles
    deliver, view = kinds.index("deliver"), kinds.index("view")
    leads = roles.index("leader")
    answers = [trace.message_kinds.index(name) for name in _ANSWERS]
    wanted = (columns["kind"] == view) | (
        (columns["kind"] == deliver) & np.isin(columns["message_kind"], answers)
    )
    end = round(trace.end_ms * 1e6)
    epochs: dict[int, int] = {}  # of those that act as leader
    heard: dict[int, dict[int, int]] = {}
    open_span: dict[int, tuple[int, int]] = {}
    spans: list[tuple[float, float, int, int]] = []

    def close(node: int, at: int) -> None:
        begin, until = open_span.pop(node)
        if min(until, at) > begin:
            spans.append((begin / 1e6, min(until, at) / 1e6, node, epochs[node]))

    for row in np.flatnonzero(wanted):
        node, now = int(columns["node"][row]), int(columns["time_ns"][row])
        epoch, role = int(columns["epoch"][row]), int(columns["role"][row])
        if node in epochs and (role != leads or epoch != epochs[node]):
            if node in open_span:
                close(node, now)
            del epochs[node]
        if role != leads:
            continue
        if node not in epochs:
            epochs[node], heard[node] = epoch, {node: end}
        if columns["kind"][row] == deliver:
            heard[node][int(columns["peer"][row])] = now
        since = heard_by_quorum(heard[node])
        if since is None:
            continue
        until = min(since + within, end)
        begin, before = open_span.get(node, (now, now))
        if before < now:
            close(node, now)
            begin = now
        if until > now:
            open_span[node] = (begin, until)
    for node in sorted(open_span):
        close(node, end)
    frame = pd.DataFrame(sorted(spans), columns=["from_ms", "to_ms", "node", "epoch"])
    return frame.astype({"from_ms": float, "to_ms": float, "node": "int64", "epoch": "int64"})


def acknowledged_share(trace: Trace, *, within_ms: float = 300.0) -> float:
    """The share of a run in which some leader was acknowledged by a quorum, 0 to 1.

    Args:
        trace: A run of Raft.
        within_ms: How old an answer may be, above 0; see `acknowledged`.

    Returns:
        Time with at least one acknowledged leader, over the length of the run; NaN for a run
        without length.

    Raises:
        ValueError: As `acknowledged`.
    """
    total, reached = 0.0, 0.0
    for begin, end in acknowledged(trace, within_ms=within_ms)[["from_ms", "to_ms"]].to_numpy():
        total += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return total / trace.end_ms if trace.end_ms > 0 else float("nan")
