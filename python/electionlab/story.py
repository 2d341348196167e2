"""A run told event by event, for people: what happened, and why."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from electionlab.cluster import Cluster
    from electionlab.trace import Trace

# Messages and timers that only keep things as they are: they are told when something else follows.
_ROUTINE_NAMES = ("heartbeat", "ack")
# Rows that a routine step may have; any other says that something changed.
_ROUTINE_ROWS = ("deliver", "drop", "timer", "send", "write", "wait")
_NODE = re.compile(r"\b(node|leader|follows) (\d+)\b")
_LIST = re.compile(r"\[(\d+(?:, \d+)*)\]")
_DETAIL = re.compile(r"(?P<time> *[\d.]+ ms)    (?P<what>\S.*)")
_SEND = re.compile(r"(?P<what>.* sends .*) to (?P<to>\S+(?: \d+)?)")


def tell(
    trace: Trace,
    *,
    routine: bool = False,
    names: Mapping[int, str] | None = None,
    from_step: int = 0,
) -> Iterator[str]:
    """The run, line by line: what reaches a node, and set in below it what the node does and why.

    Args:
        trace: The run.
        routine: Also steps that change nothing: heartbeats, acknowledgements, their timers.
        names: Names of nodes, used instead of "node 1" and the like.
        from_step: Leaves out the steps before this one.

    Yields:
        Lines without line ends; where steps were left out as routine, the last one says how many.
    """
    kinds = [trace.row_kinds[kind] for kind in trace.columns["kind"]]
    steps = trace.columns["step"]
    bounds = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(trace)]
    lines = list(trace.lines())
    hidden = 0
    for first, end in itertools.pairwise(bounds):
        if first == end or steps[first] < from_step:
            continue
        if not routine and _is_routine(trace, kinds, first, end):
            hidden += 1
            continue
        told = [
            _with_names(lines[row], names or {})
            for row in range(first, end)
            if not (kinds[row] == "view" and kinds[row - 1] == "start" and _is_follower(trace, row))
        ]
        for line in _together(told):
            detail = _DETAIL.fullmatch(line)  # happens in the same instant as the line above
            yield f"{'':{len(detail['time'])}}    {detail['what']}" if detail else line
    if hidden:
        steps_were = "step was" if hidden == 1 else "steps were"
        yield f"{'':15}({hidden} routine {steps_were} left out: heartbeats, acknowledgements)"


def _is_routine(trace: Trace, kinds: list[str], first: int, end: int) -> bool:
    if any(kinds[row] not in _ROUTINE_ROWS for row in range(first, end)):
        return False
    columns = trace.columns
    for row in range(first, end):
        if columns["message_kind"][row] >= 0:
            name = trace.message_kinds[columns["message_kind"][row]]
        elif columns["timer"][row] >= 0:
            name = trace.timers[columns["timer"][row]]
        else:
            continue
        if not name.lower().startswith(_ROUTINE_NAMES):
            return False
    return True


def _is_follower(trace: Trace, row: int) -> bool:
    return str(trace.roles[trace.columns["role"][row]]) == "follower"


def _together(lines: Iterable[str]) -> Iterator[str]:
    """One line instead of several that send the same to several nodes."""
    what, receivers = "", list[str]()

    def flush() -> Iterator[str]:
        if receivers:
            *most, last = receivers
            yield f"{what} to {', '.join(most)} and {last}" if most else f"{what} to {last}"
        receivers.clear()

    for line in lines:
        send = _SEND.fullmatch(line)
        if send is None or send["what"] != what:
            yield from flush()
        if send is None:
            yield line
        else:
            what = send["what"]
            receivers.append(send["to"].removeprefix("node ") if receivers else send["to"])
            if len(receivers) == 2 and receivers[0].startswith("node "):
                receivers[0] = "nodes " + receivers[0].removeprefix("node ")
    yield from flush()


def _with_names(line: str, names: Mapping[int, str]) -> str:
    if not names:
        return line

    def node(match: re.Match[str]) -> str:
        name = names.get(int(match[2]), "")
        if not name:
            return match[0]
        return name if match[1] == "node" else f"{match[1]} {name}"

    def listed(match: re.Match[str]) -> str:
        return f"[{', '.join(names.get(int(number), number) for number in match[1].split(', '))}]"

    return _LIST.sub(listed, _NODE.sub(node, line))


# --- how it ended ---------------------------------------------------------------------------------


def outcome_of(cluster: Cluster) -> dict[str, Any]:
    """Where a run stands: who leads, who names whom, what is broken.

    Returns:
        leader and epoch (None: nobody acts as leader), acting_leaders, agreed, views (whom each
        live node names), why_no_leader, violations and at_ms.
    """
    leader = cluster.leader
    return {
        "leader": leader,
        "epoch": cluster.node(leader).epoch if leader else None,
        "acting_leaders": cluster.acting_leaders,
        "agreed": cluster.agreed,
        "views": {node.node: node.leader or None for node in cluster.nodes if node.role != "down"},
        "why_no_leader": cluster.why_no_leader or None,
        "violations": cluster.violations(),
        "at_ms": cluster.now,
    }


def failed(outcome: Mapping[str, Any]) -> bool:
    """Whether a run ended without a leader or broke an invariant."""
    return outcome["leader"] is None or bool(outcome["violations"])


def outcome_lines(cluster: Cluster) -> list[str]:
    """The outcome in sentences."""
    outcome = outcome_of(cluster)
    leader, epoch = outcome["leader"], outcome["epoch"]
    if leader is None:
        why = outcome["why_no_leader"]
        lines = [f"No leader at {cluster.now:.3f} ms" + (f": {why}" if why else "")]
    elif outcome["acting_leaders"] > 1:
        lines = [
            f"Split brain at {cluster.now:.3f} ms: {outcome['acting_leaders']} nodes act as leader"
        ]
    else:
        word = {"raft": "term"}.get(cluster.protocol.name, "epoch")
        when = f" of {word} {epoch}" if epoch else ""
        lines = [f"Leader: node {leader}{when}, at {cluster.now:.3f} ms"]
    if outcome["agreed"]:
        lines.append("Every live node names it.")
    else:
        views = ", ".join(f"{n} names {v or 'nobody'}" for n, v in outcome["views"].items())
        lines.append(f"Live nodes do not all agree: {views}")
    return lines + [_broken(violation) for violation in outcome["violations"]]


def _broken(violation: Mapping[str, Any]) -> str:
    nodes = f"node {violation['node']}"
    if violation["other"]:
        nodes = f"nodes {violation['node']} and {violation['other']}"
    epoch = f", epoch {violation['epoch']}" if violation["epoch"] else ""
    return f"BROKEN: {violation['invariant']}, {nodes}{epoch}, at {violation['at_ms']:.3f} ms"


def measure_lines(cluster: Cluster) -> list[str]:
    """What the run cost and how long it was without a leader; each word as in docs/measures.md."""
    metrics, report = cluster.metrics, cluster.fault_report
    traffic = metrics["messages"]
    kinds = ", ".join(f"{n['sent']} {kind}" for kind, n in traffic["by_kind"].items() if n["sent"])
    lost = sum(traffic["dropped"].values())
    lines = [
        f"Messages: {traffic['sent']} sent ({kinds}); {lost} lost",
        f"Elections: {metrics['candidacies']} candidacies, {metrics['split_votes']} split votes, "
        f"{metrics['leaderships']} leaderships; "
        f"without a leader {metrics['no_leader_ms']:.3f} ms, split brain "
        f"{metrics['split_brain_ms']:.3f} ms",
    ]
    for failover in metrics["failovers"]:
        names = ("detection_ms", "until_elected_ms", "until_agreed_ms")
        values = ", ".join(
            f"{name.removesuffix('_ms').replace('_', ' ')} "
            + (f"{failover[name]:.3f} ms" if _is_number(failover[name]) else "never")
            for name in names
        )
        lines.append(f"Node {failover['leader']} lost at {failover['lost_ms']:.3f} ms: {values}")
    for kind, count in report["actions"].items():
        if kind not in ("at", "when", "plan"):
            lines.append(f"Fault {kind}: asked {count['asked']}, took effect {count['effective']}")
    return lines


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
