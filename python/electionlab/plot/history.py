"""What the pictures need from a trace: who was what and when, which links were cut, what was lost.

Everything is computed from the trace's rows; times are milliseconds of simulated time.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from electionlab import _core
from electionlab.trace import Trace

Links = frozenset[tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class RoleSpan:
    """A node is in one role from `start_ms` to `end_ms`."""

    node: int
    role: str
    start_ms: float
    end_ms: float


@dataclasses.dataclass(frozen=True)
class Mark:
    """Something that happens to a node; `kind` is a key of `electionlab.plot.style.MARKS`."""

    node: int
    kind: str
    at_ms: float


@dataclasses.dataclass(frozen=True)
class CutSpan:
    """The directed links (sender, receiver) that are cut from `start_ms` to `end_ms`."""

    start_ms: float
    end_ms: float
    links: Links


@dataclasses.dataclass(frozen=True)
class Flight:
    """One copy of a message on its way.

    Attributes:
        kind: Position in `Trace.message_kinds`.
        sender: Who sent it.
        receiver: To whom.
        sent_ms: When it left.
        end_ms: When it arrived or was lost; when it is due, if it is still on its way.
        handled_ms: When the receiver took it up, later than `end_ms` if it had to wait; NaN if it
            was lost or is still on its way.
        fate: "delivered", "flying", or why it was lost.
        way: How far it came, 0 to 1; NaN when nobody knows where it was lost.
    """

    kind: int
    sender: int
    receiver: int
    sent_ms: float
    end_ms: float
    handled_ms: float
    fate: str
    way: float = 1.0


def actor_names(trace: Trace) -> list[str]:
    """Every actor's name: "node 1" and so on; services by their kind."""
    names = [f"node {node}" for node in range(1, trace.nodes + 1)]
    services: list[str] = trace._about["services"]
    for place, kind in enumerate(services):
        several = services.count(kind) > 1
        names.append(f"{kind} {services[:place].count(kind) + 1}" if several else kind)
    return names


def _rows(trace: Trace, *kinds: str) -> npt.NDArray[np.int64]:
    numbers = [trace.row_kinds.index(kind) for kind in kinds]
    return np.flatnonzero(np.isin(trace.columns["kind"], numbers))


def role_spans(trace: Trace) -> list[RoleSpan]:
    """Every node's roles from the start to the end of the trace; empty spans are left out.

    A node that has not started yet is down.
    """
    c, roles = trace.columns, trace.roles
    now = dict.fromkeys(range(1, trace.actors + 1), ("down", 0.0))
    spans = []
    for row in _rows(trace, "view").tolist():
        node, role, at = int(c["node"][row]), roles[c["role"][row]], c["time_ns"][row] / 1e6
        before, since = now[node]
        if role != before:
            if at > since:
                spans.append(RoleSpan(node, before, since, at))
            now[node] = (role, at)
    for node, (role, since) in now.items():
        if trace.end_ms > since:
            spans.append(RoleSpan(node, role, since, trace.end_ms))
    return sorted(spans, key=lambda s: (s.node, s.start_ms))


def epoch_changes(trace: Trace) -> list[tuple[int, float, int]]:
    """(node, ms, epoch) wherever a node's epoch becomes another; a crash is no change."""
    c = trace.columns
    known: dict[int, int] = {}
    changes = []
    down = trace.roles.index("down")
    for row in _rows(trace, "view").tolist():
        node, epoch = int(c["node"][row]), int(c["epoch"][row])
        if c["role"][row] != down and known.get(node, 0) != epoch:
            known[node] = epoch
            changes.append((node, c["time_ns"][row] / 1e6, epoch))
    return changes


def marks(trace: Trace) -> list[Mark]:
    """Crashes, restarts, pauses, beginnings of leadership and broken invariants."""
    c, roles = trace.columns, trace.roles
    restart = _core.action_kinds.index("restart")
    lost_disks = {
        int(c["step"][row])
        for row in _rows(trace, "action").tolist()
        if c["detail"][row] == restart and "lose_disk true" in trace.text(row)
    }
    kinds = trace.row_kinds
    role_of: dict[int, str] = {}
    found = []
    for row in _rows(trace, "view", "leader", "violation").tolist():
        node, at, kind = int(c["node"][row]), c["time_ns"][row] / 1e6, kinds[c["kind"][row]]
        if kind != "view":
            found.append(Mark(node, kind, at))
            continue
        role, before = roles[c["role"][row]], role_of.get(node)
        role_of[node] = role
        if role == before or before is None:
            continue
        if role == "down":
            found.append(Mark(node, "crash", at))
        elif before == "down":
            lost = int(c["step"][row]) in lost_disks
            found.append(Mark(node, "restart_lost_disk" if lost else "restart", at))
        elif role == "paused":
            found.append(Mark(node, "pause", at))
        elif before == "paused":
            found.append(Mark(node, "resume", at))
    return found


def split_brain_spans(trace: Trace) -> list[tuple[float, float]]:
    """(start, end) in ms of every time during which two nodes or more act as leader."""
    edges = sorted(
        edge
        for span in role_spans(trace)
        if span.role == "leader"
        for edge in ((span.start_ms, 1), (span.end_ms, -1))
    )
    spans: list[tuple[float, float]] = []
    leaders, since = 0, 0.0
    for at, change in edges:
        if leaders >= 2 and at > since:
            if spans and spans[-1][1] == since:
                spans[-1] = (spans[-1][0], at)
            else:
                spans.append((since, at))
        leaders, since = leaders + change, at
    return spans


# --- links ----------------------------------------------------------------------------------------


def _between(senders: Sequence[int], receivers: Sequence[int], both_ways: bool) -> Links:
    there = {(a, b) for a in senders for b in receivers if a != b}
    return frozenset(there | ({(b, a) for a, b in there} if both_ways else set()))


def _cut_by(action: str, entries: dict[str, Any], cut: Links) -> Links:
    if action == "heal":
        return frozenset()
    if action == "partition":
        groups = entries.get("groups", [])
        for i, group in enumerate(groups):
            for other in groups[i + 1 :]:
                cut |= _between(group, other, True)
        return cut
    links = _between(entries.get("from", []), entries.get("to", []), entries.get("both_ways", True))
    return cut | links if action == "cut" else cut - links


_GROUPS = re.compile(r"groups (\[\[.*?\]\])")
_ENDS = re.compile(r"from (\[[\d, ]*\]), to (\[[\d, ]*\])")


def _entries(text: str) -> dict[str, Any]:
    entries: dict[str, Any] = {"both_ways": "both_ways false" not in text}
    if groups := _GROUPS.search(text):
        entries["groups"] = json.loads(groups[1])
    if ends := _ENDS.search(text):
        entries["from"], entries["to"] = json.loads(ends[1]), json.loads(ends[2])
    return entries


def cut_spans(trace: Trace) -> list[CutSpan]:
    """The times during which links were cut, each with the links that were."""
    cutting = ("partition", "cut", "mend", "heal")
    cut: Links = frozenset()
    for action in trace.recipe["config"].get("actions", []):  # before the first event: no rows
        if action.get("action") in cutting:
            cut = _cut_by(action["action"], action, cut)
    changes: list[tuple[float, Links]] = [(0.0, cut)]
    c, names = trace.columns, list(_core.action_kinds)
    for row in _rows(trace, "action").tolist():
        name = names[c["detail"][row]]
        if name in cutting:
            cut = _cut_by(name, _entries(trace.text(row)), cut)
            changes.append((c["time_ns"][row] / 1e6, cut))
    ends = [at for at, _ in changes[1:]] + [trace.end_ms]
    spans: list[CutSpan] = []
    for (at, links), end in zip(changes, ends, strict=True):
        if not links or end <= at:
            continue
        if spans and spans[-1].end_ms == at and spans[-1].links == links:
            spans[-1] = CutSpan(spans[-1].start_ms, end, links)
        else:
            spans.append(CutSpan(at, end, links))
    return spans


def groups_of(links: Links, members: int) -> list[list[int]] | None:
    """The sides of a partition when the cut links are exactly that; None when they are not."""
    if members > 200:
        return None
    left, groups = list(range(1, members + 1)), []
    while left:
        side = [left[0]] + [n for n in left[1:] if (left[0], n) not in links]
        groups.append(side)
        left = [n for n in left if n not in side]
    expected = {
        (a, b) for one in groups for other in groups if one is not other for a in one for b in other
    }
    inside = {(a, b) for a, b in links if a <= members and b <= members}
    return sorted(groups) if len(groups) > 1 and inside == expected else None


def describe_cut(links: Links, members: int, *, most: int = 4) -> str:
    """Words such as "partition {1, 2} | {3, 4, 5}" or "cut 1→2, 3↔4 and 7 more"."""
    groups = groups_of(links, members)
    if groups is not None:
        sides = ["{" + ", ".join(map(str, group)) + "}" for group in groups]
        return "partition " + " | ".join(sides)
    ways = [
        f"{a}{'↔' if (b, a) in links else '→'}{b}"
        for a, b in sorted(links)
        if not ((b, a) in links and b < a)
    ]
    more = f" and {len(ways) - most} more" if len(ways) > most else ""
    return "cut " + ", ".join(ways[:most]) + more


# --- messages -------------------------------------------------------------------------------------


def chosen_kinds(trace: Trace, kinds: Iterable[str] | None) -> set[int]:
    """Positions in `Trace.message_kinds` of these kinds; None: all.

    Raises:
        ValueError: It is one text, or a name is unknown.
    """
    names = trace.message_kinds
    if kinds is None:
        return set(range(len(names)))
    if isinstance(kinds, str):
        raise ValueError(f"kinds={kinds!r}: must be several names, such as [{kinds!r}]")
    chosen = list(kinds)
    for name in chosen:
        if name not in names:
            raise ValueError(f"kinds: {name!r} is not one of {', '.join(names) or 'none at all'}")
    return {number for number, name in enumerate(names) if name in chosen}


@dataclasses.dataclass
class _Copy:
    arrived_ns: int
    taken_up: bool


class _Waiting:
    """Messages that have arrived and wait for a paused or busy receiver, copies told apart."""

    def __init__(self) -> None:
        self._copies: dict[int, list[_Copy]] = {}

    def wait(self, message: int, at_ns: int, taken_up: bool) -> None:
        copies = self._copies.setdefault(message, [])
        if taken_up and copies and not copies[0].taken_up:  # it had waited before
            copies[0].taken_up = True
        else:
            copies.append(_Copy(at_ns, taken_up))

    def take(self, message: int, at_ns: int) -> int:
        """When a message that is handled now arrived: first come, first served."""
        copies = self._copies.get(message)
        return copies.pop(0).arrived_ns if copies else at_ns

    def drop(self, message: int) -> int | None:
        """When a message that is lost now arrived; None when it was still on its way."""
        copies = self._copies.get(message)
        return copies.pop().arrived_ns if copies else None

    def left(self) -> Iterator[tuple[int, int]]:
        for message, copies in self._copies.items():
            for copy in copies:
                yield message, copy.arrived_ns


@dataclasses.dataclass
class _Sent:
    at_ns: int
    due_ns: list[int]
    kind: int
    sender: int
    receiver: int


def flights(trace: Trace, *, end_ms: float | None = None) -> list[Flight]:
    """Every message, and every copy of one, that was sent until `end_ms`, by time of sending.

    A message lost at its start has no arrival time; it gets the median transit time of the others
    as `end_ms`, so that it can be drawn.
    """
    c, names = trace.columns, trace.row_kinds
    rows = _rows(trace, "send", "deliver", "drop", "wait")
    rows = rows[c["message"][rows] >= 0]
    picked = [
        c[name][rows].tolist()
        for name in (
            "kind", "time_ns", "message", "message_kind", "node", "peer", "other_ns", "detail"
        )
    ]  # fmt: skip
    reasons = list(_core.drop_reasons)
    sent: dict[int, _Sent] = {}
    waiting = _Waiting()
    found: list[Flight] = []
    losses: list[_Loss] = []
    for kind, at, message, message_kind, node, peer, other, detail in zip(*picked, strict=True):
        what = names[kind]
        if what == "send":
            entry = sent.setdefault(message, _Sent(at, [], message_kind, node, peer))
            if other >= 0:
                entry.due_ns.append(other)
        elif what == "wait":
            waiting.wait(message, at, other >= 0)
        elif what == "deliver":
            arrived = waiting.take(message, at)
            left = min(other if other >= 0 else at, arrived)
            found.append(
                Flight(message_kind, peer, node, left / 1e6, arrived / 1e6, at / 1e6, "delivered")
            )
            _tick_off(sent.get(message), arrived)
        else:
            start = sent.get(message) or _Sent(at, [], message_kind, peer, node)
            due = start.due_ns[0] if start.due_ns else -1
            losses.append((start, at, reasons[detail], waiting.drop(message), due))
            _tick_off(sent.get(message), at)
    found += _lost(losses, found, trace.end_ms)
    for message, arrived in waiting.left():
        s = sent[message]
        _tick_off(s, arrived)
        found.append(
            Flight(s.kind, s.sender, s.receiver, s.at_ns / 1e6, arrived / 1e6, np.nan, "flying")
        )
    for s in sent.values():
        for due in s.due_ns:
            found.append(
                Flight(s.kind, s.sender, s.receiver, s.at_ns / 1e6, due / 1e6, np.nan, "flying")
            )
    last = trace.end_ms if end_ms is None else end_ms
    return sorted((f for f in found if f.sent_ms <= last), key=lambda f: (f.sent_ms, f.end_ms))


#: What was sent, when it was lost and why, when it had arrived (None: never), when it was due.
_Loss = tuple[_Sent, int, str, "int | None", int]


def _tick_off(sent: _Sent | None, arrived_ns: int) -> None:
    """Takes the copy that was due then, or else the next one, off those on their way."""
    if sent is not None and sent.due_ns:
        due = arrived_ns if arrived_ns in sent.due_ns else sent.due_ns[0]
        sent.due_ns.remove(due)


def _lost(losses: list[_Loss], found: list[Flight], end_ms: float) -> list[Flight]:
    transits = [f.end_ms - f.sent_ms for f in found]
    usual = float(np.median(transits)) if transits else 0.02 * max(end_ms, 1.0)
    flights = []
    for s, at_ns, reason, arrived_ns, due_ns in losses:
        sent, at, way = s.at_ns / 1e6, at_ns / 1e6, np.nan
        end = at if at > sent else sent + usual
        if arrived_ns is not None:  # it waited at its receiver, which crashed
            end = arrived_ns / 1e6
        elif reason == "by_hand" and due_ns > max(s.at_ns, at_ns):
            end = due_ns / 1e6
            way = min(0.95, max(0.05, (at - sent) / (end - sent)))
        elif reason == "sender_crashed":
            end = sent + usual
        flights.append(Flight(s.kind, s.sender, s.receiver, sent, end, np.nan, reason, way))
    return flights


def late_after_ms(messages: Sequence[Flight]) -> float:
    """A transit time is unusual beyond this: Tukey's far-out fence, and half above the median.

    Returns:
        Milliseconds; infinite when nothing was delivered.

    Source: Tukey, Exploratory Data Analysis, 1977: the third quartile plus three times the
        distance of the quartiles.
    """
    transits = [f.end_ms - f.sent_ms for f in messages if f.fate == "delivered"]
    if not transits:
        return float("inf")
    low, middle, high = np.quantile(transits, [0.25, 0.5, 0.75])
    return float(max(high + 3 * (high - low), 1.5 * middle))
