"""What the debugger's page draws: a run in general, one moment of it, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from electionlab._core import PendingEvent
from electionlab.cluster import Cluster
from electionlab.plot import style
from electionlab.trace import Trace
from electionlab.user_protocol import UserProtocol

#: Rows that are sent to the page in one go.
CHUNK = 256
#: Whole numbers beyond this are not exact in JavaScript; they are told as text.
_MOST_EXACT = 2**53

Positions = Mapping[int, tuple[float, float]]


def shown(value: Any) -> Any:
    """A state as the page can read it without loss."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _MOST_EXACT:
        return str(value)
    if isinstance(value, dict):
        return {str(key): shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def about(cluster: Cluster, *, by_hand: bool = False) -> dict[str, Any]:
    """What stays as it is in all branches of a run.

    Args:
        cluster: The run.
        by_hand: Nothing comes by itself in it, as in a run of the checker.
    """
    protocol = cluster.protocol
    if isinstance(protocol, UserProtocol):
        majority, messages, timers = protocol.majority, protocol.messages, protocol.timers
        commands: list[dict[str, Any]] = []
    else:
        facts = protocol.about
        majority, timers, commands = facts["majority"], facts["timers"], facts["commands"]
        messages = tuple(m["name"] for m in facts["messages"])
    looks = style.kind_styles(list(messages))
    return {
        "protocol": protocol.name,
        "members": cluster.members,
        "actors": cluster.actors,
        "kinds": [cluster.actor_kind(n) for n in range(1, cluster.actors + 1)],
        "seed": str(cluster.seed),
        "quorum": cluster.members // 2 + 1 if majority else 0,
        "messages": [
            {"name": name, "colour": look.colour, "routine": look.marker in ("o", "d")}
            for name, look in zip(messages, looks, strict=True)
        ],
        "timers": list(timers),
        "commands": [
            {"name": c["name"], "fields": [field["name"] for field in c["fields"]]}
            for c in commands
        ],
        "roles": {name: {"colour": s.colour, "text": s.text} for name, s in style.ROLES.items()},
        "by_hand": by_hand,
        "chunk": CHUNK,
    }


# --- one moment -----------------------------------------------------------------------------------


def _votes(fields: Mapping[str, Any], node: int, role: str) -> dict[str, int] | None:
    """How many votes or promises a node holds, and for whom; None where there are none."""
    memory = fields or {}
    if role not in ("candidate", "leader"):
        return None
    for name in ("votes", "promises", "starting"):
        held = memory.get(name)
        if not isinstance(held, (list, tuple)) or not held:
            continue
        if all(isinstance(item, int) for item in held):
            return {"count": len(held), "for": node}
        proposal = memory.get("proposal")
        if isinstance(proposal, Mapping) and all(isinstance(v, Mapping) for v in held):
            same = [v for v in held if v.get("vote") == proposal]
            return {"count": len(same), "for": proposal.get("leader", node)}
    return None


def _node(cluster: Cluster, number: int) -> dict[str, Any]:
    fields = cluster.node_fields(number)
    disk, memory = fields["disk"] or {}, fields["memory"] or {}
    unsaved = [k for k in disk if disk[k] != (fields["durable"] or {}).get(k)]
    return {
        "role": fields["role"],
        "leader": fields["leader"],
        "epoch": shown(fields["epoch"]),
        "votes": _votes(memory, number, fields["role"]),
        "voted_for": disk.get("voted_for", 0) if isinstance(disk.get("voted_for"), int) else 0,
        "disk": shown(disk),
        "memory": shown(memory),
        "unsaved": unsaved,
        "timers": dict(fields["timers_due_ms"]),
    }


def _pending(event: PendingEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "node": event.node,
        "peer": event.peer,
        "message": event.message,
        "message_kind": event.message_kind,
        "timer": event.timer,
        "at": event.at_ms,
        "sent": event.sent_ms,
        "fields": shown(event.fields),
    }


def snapshot(cluster: Cluster) -> dict[str, Any]:
    """The cluster as it stands: nodes, what may happen next, cut links, broken invariants."""
    pending: dict[str, Any] = {}
    for event in cluster.pending:
        key = f"m{event.message}" if event.message >= 0 else f"{event.kind}{event.node}"
        key += f" {event.timer} {event.peer}" if event.timer else ""
        while key in pending:
            key += "+"
        pending[key] = _pending(event)
    actors = range(1, cluster.actors + 1)
    cuts = [f"{a} {b}" for a in actors for b in actors if a != b and cluster.is_cut(a, b)]
    return {
        "event": cluster.events,
        "now": cluster.now,
        "nodes": {str(n): _node(cluster, n) for n in actors},
        "pending": pending,
        "cuts": cuts,
        "broken": len(cluster.violations()),
    }


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What turns one tree into another: "=" is set, "-" removed, "~" changed within."""
    found: dict[str, Any] = {}
    changed, inside = {}, {}
    for key, value in after.items():
        if key not in before:
            changed[key] = value
        elif before[key] != value:
            if isinstance(value, dict) and isinstance(before[key], dict):
                inside[key] = difference(before[key], value)
            else:
                changed[key] = value
    gone = [key for key in before if key not in after]
    if changed:
        found["="] = changed
    if inside:
        found["~"] = inside
    if gone:
        found["-"] = gone
    return found


# --- rows -----------------------------------------------------------------------------------------


def row_dicts(trace: Trace, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Rows of a trace from `first` to before `last`, each with its line for people."""
    for index in range(first, min(last, len(trace))):
        row = trace.row(index)
        row.pop("fields", None)  # the line has them
        row["epoch"] = shown(row.get("epoch", 0))
        row["line"] = trace.line(index)
        yield row


def timeline(trace: Trace) -> dict[str, Any]:
    """Where things are in a run: chunks of rows, changes of views, leaders and violations.

    Returns:
        rows: how many. starts: of each chunk its first row's [event, ms]. views: changes of a
        node's view, as columns. marks: [event, ms, node, kind] of leaders' changes, violations and
        actions. kinds: of messages that there were. links: [a, b], a < b, that messages took.
    """
    columns = trace.columns
    kinds, steps, nodes = columns["kind"], columns["step"], columns["node"]
    times = columns["time_ns"] / 1e6
    names = trace.row_kinds
    views = np.flatnonzero(kinds == names.index("view"))
    # A row that is the same view again, with another leader only, is kept: the page shows it.
    marked = [names.index(kind) for kind in ("leader", "violation", "action")]
    marks = np.flatnonzero(np.isin(kinds, marked))
    roles = trace.roles
    sent = columns["kind"] == names.index("send")
    low = np.minimum(nodes[sent], columns["peer"][sent])
    high = np.maximum(nodes[sent], columns["peer"][sent])
    links = np.unique(low.astype(np.int64) * (trace.actors + 1) + high)
    kinds_sent = np.unique(columns["message_kind"][sent])
    return {
        "rows": len(trace),
        "starts": [[int(steps[i]), float(times[i])] for i in range(0, len(trace), CHUNK)],
        "views": {
            "event": steps[views].tolist(),
            "ms": times[views].tolist(),
            "node": nodes[views].tolist(),
            "role": [roles[r] for r in columns["role"][views]],
            "epoch": [shown(e) for e in columns["epoch"][views].tolist()],
        },
        "marks": [
            [int(steps[i]), float(times[i]), int(nodes[i]), names[kinds[i]],
             trace.row(int(i)).get("action", "")]
            for i in marks
        ],
        "kinds": [trace.message_kinds[k] for k in kinds_sent if k >= 0],
        "links": [[int(pair) // (trace.actors + 1), int(pair) % (trace.actors + 1)]
                  for pair in links],
    }  # fmt: skip
