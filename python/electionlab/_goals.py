"""What a run that is handed in can be asked to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from electionlab.cluster import Cluster


class _View(NamedTuple):
    """A node has this role and epoch from `start_ms` to `end_ms`."""

    node: int
    role: str
    epoch: int
    start_ms: float
    end_ms: float


def _views(cluster: Cluster) -> list[_View]:
    trace = cluster.trace
    columns = trace.columns
    now: dict[int, tuple[str, int, float]] = {}
    found = []
    for row in (columns["kind"] == trace.row_kinds.index("view")).nonzero()[0].tolist():
        node, at = int(columns["node"][row]), columns["time_ns"][row] / 1e6
        role, epoch = trace.roles[columns["role"][row]], int(columns["epoch"][row])
        if node in now and now[node][:2] == (role, epoch):
            continue
        if node in now:
            found.append(_View(node, *now[node], at))
        now[node] = (role, epoch, at)
    found += [_View(node, *view, trace.end_ms) for node, view in now.items()]
    return sorted(found, key=lambda view: (view.start_ms, view.node))


# --- goals ----------------------------------------------------------------------------------------


def _two_leaders(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = float(bounds.get("at_least_ms", 0.0))
    together = float(cluster.metrics["split_brain_ms"])
    leading = [view for view in _views(cluster) if view.role == "leader"]
    for one in leading:
        for other in leading:
            if one.node < other.node:
                start = max(one.start_ms, other.start_ms)
                if min(one.end_ms, other.end_ms) > start:
                    who = " and ".join(
                        f"node {view.node}" + (f" of epoch {view.epoch}" if view.epoch else "")
                        for view in (one, other)
                    )
                    said = f"{who}, from {start:.3f} ms; two led for {together:.3f} ms in all"
                    return together >= asked, said + (f", asked for are {asked:g}" if asked else "")
    return False, "at no instant do two nodes act as leader"


def _split_vote(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = int(bounds.get("at_least", 1))
    views = _views(cluster)
    last = max((view.epoch for view in views), default=0)
    stood: dict[int, set[int]] = {}
    for view in views:
        if view.role == "candidate":
            stood.setdefault(view.epoch, set()).add(view.node)
    won = {view.epoch for view in views if view.role == "leader"}
    split = {
        epoch: nodes
        for epoch, nodes in stood.items()
        if len(nodes) > 1 and epoch not in won and epoch < last
    }
    if not split:
        return False, "no epoch with two candidates ended without a winner"
    epoch, nodes = min(split.items())
    names = ", ".join(map(str, sorted(nodes)))
    said = f"in epoch {epoch} nodes {names} stood and nobody won"
    return len(split) >= asked, f"{said}; {len(split)} such, asked for is {asked}"


def _minority_refused(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    """In a partition: on a side without a majority somebody stands, and nobody wins."""
    from electionlab.plot import history

    views, members = _views(cluster), cluster.protocol.nodes
    said = "there is no partition"
    for span in history.cut_spans(cluster.trace):
        groups = history.groups_of(span.links, members)
        if groups is None:
            continue
        said = "nobody stands on a side without a majority"
        inside = [v for v in views if v.start_ms < span.end_ms and v.end_ms > span.start_ms]
        began = [v for v in inside if v.role == "leader" and v.start_ms >= span.start_ms]
        for group in groups:
            if 2 * len(group) > members:
                continue
            stood = [v for v in inside if v.node in group and v.role == "candidate"]
            if not stood:
                continue
            if any(v.node in group for v in began):
                return False, f"{{{', '.join(map(str, group))}}}, a minority, elects a leader"
            winners = [v for v in inside if v.role == "leader" and v.node not in group]
            said = f"node {stood[0].node} stands in the minority {group}, and wins nothing"
            if winners:
                return True, f"{said}; node {winners[0].node} leads the others"
            said += "; but nobody leads the others either"
    return False, said


def _leader_replaced(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = int(bounds.get("at_least", 1))
    changes = int(cluster.metrics["leader_changes"])
    return changes >= asked, f"{changes} changes of leader; asked for is {asked} or more"


def _agreement(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    if cluster.agreed:
        return True, f"all live nodes name node {cluster.leader}"
    return False, "at the end not all live nodes name one leader"


def _nobody_leads(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = float(bounds.get("at_least_ms", 1000.0))
    without = float(cluster.metrics["no_leader_ms"])
    said = f"no leader for {without:.3f} ms after the first one; asked for are {asked:g}"
    return without >= asked, said


def _stale_accepted(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = int(bounds.get("at_least", 1))
    if cluster.resource is None:
        return False, "there is no resource; give the cluster one"
    stale = int(cluster.resource["stale"])
    return stale >= asked, f"{stale} writes of an old leader accepted; asked for is {asked}"


def _stale_refused(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    asked = int(bounds.get("at_least", 1))
    if cluster.resource is None:
        return False, "there is no resource; give the cluster one"
    refused, stale = int(cluster.resource["refused"]), int(cluster.resource["stale"])
    said = f"{refused} refused, {stale} of an old leader accepted"
    return refused >= asked and stale == 0, f"{said}; asked for are {asked} and 0"


def _invariant_broken(cluster: Cluster, bounds: Mapping[str, Any]) -> tuple[bool, str]:
    broken = sorted({str(violation["invariant"]) for violation in cluster.violations()})
    asked = bounds.get("invariant")
    met = bool(broken) if asked is None else asked in broken
    return met, f"broken: {', '.join(broken) or 'none'}" + (f"; asked for {asked}" if asked else "")


class Goal(NamedTuple):
    """Something that a run can be asked to show.

    Attributes:
        text: What it means.
        bounds: Its bounds, with the type of their values.
        judge: Of a cluster and bounds: whether it is so, and what was found.
    """

    text: str
    bounds: Mapping[str, type]
    judge: Callable[[Cluster, Mapping[str, Any]], tuple[bool, str]]


#: What a task can ask for.
GOALS: dict[str, Goal] = {
    "two_leaders_at_once": Goal(
        "two nodes act as leader at one instant (split brain)", {"at_least_ms": float}, _two_leaders
    ),
    "split_vote": Goal(
        "an epoch (term) in which two nodes or more stand and nobody wins",
        {"at_least": int},
        _split_vote,
    ),
    "minority_refused": Goal(
        "in a partition somebody stands on a side without a majority and does not win, while the "
        "others have a leader",
        {},
        _minority_refused,
    ),
    "leader_replaced": Goal("another node takes over", {"at_least": int}, _leader_replaced),
    "agreement_at_the_end": Goal("all live nodes name one leader", {}, _agreement),
    "nobody_leads": Goal(
        "so long, after the first leader, there is none", {"at_least_ms": float}, _nobody_leads
    ),
    "stale_write_accepted": Goal(
        "a resource takes a write of a leader that another has taken over from",
        {"at_least": int},
        _stale_accepted,
    ),
    "stale_write_refused": Goal(
        "a resource refuses a write of an old leader, and takes none", {"at_least": int},
        _stale_refused,
    ),
    "invariant_broken": Goal("an invariant breaks", {"invariant": str}, _invariant_broken),
}  # fmt: skip
