"""What the debugger does when it is told to: branches of a run, and steps in one of them.

It speaks in dictionaries that are JSON, so that the widget only carries them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from electionlab._values import whole_number
from electionlab.cluster import Cluster
from electionlab.debugger import pictures
from electionlab.debugger.page import LONGEST_LABEL, checked_bookmarks, checked_positions, html_of
from electionlab.trace import Trace

#: What the page may do to a cluster; the engine checks the rest of such an action.
ACTIONS = frozenset(
    {"crash", "restart", "pause", "resume", "partition", "cut", "mend", "heal", "deliver", "drop",
     "duplicate", "delay", "fire", "command"}
)  # fmt: skip
#: Events that one request lets happen at most, so that the page stays alive.
MOST_AT_ONCE = 20_000
#: Simulated time that a jump to something that has not happened yet waits for it, ms.
RUN_TO_MS = 60_000.0
_MOST_ROWS = 4 * pictures.CHUNK
_MOST_BRANCHES = 64
_MOST_SINCE = 200


@dataclasses.dataclass(eq=False)
class Branch:
    """One course of the run.

    Attributes:
        name: Shown to the user.
        cluster: Where it stands.
        parent: Position of the branch that it left; None for the first.
        parted: The last event that both share.
        end: A new branch ends where it left the other, although its cluster remembers more;
            None once something was done in it.
        version: Changes whenever its rows do.
    """

    name: str
    cluster: Cluster
    parent: int | None = None
    parted: int = 0
    end: int | None = None
    version: int = 0
    _seen: tuple[int, int] = (-1, -1)

    @property
    def last(self) -> int:
        """Its last event."""
        return self.cluster.last_event if self.end is None else self.end

    @property
    def in_past(self) -> bool:
        """Whether more is recorded than has happened where it stands."""
        return self.cluster.events < self.last

    def look(self) -> None:
        """Notices what was done to the cluster from elsewhere."""
        seen = (self.cluster.last_event, len(self.cluster.journal()))
        if seen != self._seen:
            self._seen = seen
            self.version += 1
            if self.end is not None and self.end > self.cluster.last_event:
                self.end = None

    def at(self, event: int) -> Cluster:
        """A copy of its cluster right after an event; the cluster itself stays where it is."""
        copy = self.cluster.fork()
        copy.seek(event)
        return copy

    def trace(self) -> Trace:
        """Its whole run, also when it stands in the past."""
        return self.at(self.last).trace if self.in_past else self.cluster.trace


class Session:
    """A debugger without its page.

    Args:
        cluster: The first branch; it is this very object that is stepped.
        positions: Where nodes stand; None: on a ring.
        by_hand: Nothing comes by itself beyond the end of the run.
        bookmarks: Events by name, to begin with; None: none.

    Raises:
        ValueError: The run is not recorded, a position is not of a node, or a bookmark not of one
            of its events.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        positions: pictures.Positions | None = None,
        by_hand: bool = False,
        bookmarks: Mapping[str, int] | None = None,
    ) -> None:
        if not isinstance(cluster, Cluster):
            raise ValueError(f"cluster={cluster!r}: must be an electionlab.Cluster")
        if not cluster.records:
            raise ValueError("cluster: one with record=False cannot go back; make it without")
        self.branches = [Branch("branch 1", cluster)]
        self.current = 0
        self.bookmarks = checked_bookmarks(bookmarks, cluster.last_event)
        self._by_hand = by_hand
        self._positions = checked_positions(positions, cluster.actors)
        self._about = pictures.about(cluster, by_hand=by_hand) | {"positions": self._positions}

    @property
    def branch(self) -> Branch:
        """The branch that is shown."""
        return self.branches[self.current]

    @property
    def cluster(self) -> Cluster:
        """The cluster of the branch that is shown."""
        return self.branch.cluster

    # --- requests ---------------------------------------------------------------------------------

    def answer(self, request: Any) -> dict[str, Any]:
        """Does what the page asks for.

        Args:
            request: A dictionary; ``do`` says what.

        Returns:
            The answer, with the request's ``id``; ``error`` says what was refused, and why.
        """
        if not isinstance(request, Mapping):
            return {"id": None, "error": "request: must be a dictionary"}
        known: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "hello": lambda r: {"about": self._about} | self._state(r),
            "state": self._state,
            "step": self._step,
            "seek": self._seek,
            "advance": self._advance,
            "run_to": self._run_to,
            "act": self._act,
            "fork": self._fork,
            "switch": self._switch,
            "compare": self._compare,
            "rows": self._rows,
            "bookmark": self._bookmark,
            "export": self._export,
        }
        do = request.get("do")
        try:
            if not isinstance(do, str) or do not in known:
                raise ValueError(f"do={do!r}: must be one of {', '.join(known)}")
            reply = known[do](request)
        except (ValueError, RuntimeError, TypeError, KeyError, IndexError) as error:
            reply = {"error": str(error) or repr(error)} | self._state(request)
        return {"id": request.get("id"), "do": do} | reply

    def _state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Where the shown branch stands; its timeline too unless the page has this version."""
        for branch in self.branches:
            branch.look()
        branch = self.branch
        cluster = branch.cluster
        before = branch.at(cluster.events - 1) if cluster.events else None
        state: dict[str, Any] = {
            "branch": self.current,
            "branches": [
                {"name": b.name, "parent": b.parent, "parted": b.parted, "last": b.last}
                for b in self.branches
            ],
            "version": [self.current, branch.version],
            "last": branch.last,
            "snapshot": pictures.snapshot(cluster),
            "before": None if before is None else pictures.snapshot(before),
            "bookmarks": self.bookmarks,
        }
        if request.get("version") != state["version"]:
            state["timeline"] = pictures.timeline(branch.trace())
        return state

    def _did(self) -> None:
        """Something was done in the shown branch: it has a future of its own from here."""
        self.branch.end = None
        self.branch.version += 1

    def _new_branch(self, cluster: Cluster, *, end: int | None) -> Branch:
        if len(self.branches) >= _MOST_BRANCHES:
            raise ValueError(f"branches: there are {_MOST_BRANCHES}; that is the most")
        branch = Branch(
            f"branch {len(self.branches) + 1}", cluster, self.current, cluster.events, end
        )
        self.branches.append(branch)
        return branch

    def _keep_future(self) -> None:
        """What is done in the past starts anew from there; what had followed becomes a branch."""
        branch = self.branch
        if not branch.in_past:
            return
        kept = self._new_branch(branch.at(branch.last), end=branch.end)
        kept.parted = branch.cluster.events
        kept.name += f" (what followed event {kept.parted})"
        for mark in self.bookmarks:
            if mark["branch"] == self.current and mark["event"] > kept.parted:
                mark["branch"] = len(self.branches) - 1

    # --- time -------------------------------------------------------------------------------------

    def _step(self, request: Mapping[str, Any]) -> dict[str, Any]:
        branch = self.branch
        note = ""
        if branch.in_past:
            branch.cluster.seek(branch.cluster.events + 1)
        elif self._by_hand:
            note = "nothing comes by itself here: choose a message or a timer"
        elif branch.cluster.step() is None:
            note = "nothing is left to happen"
        else:
            self._did()
        return self._state(request) | {"note": note}

    def _seek(self, request: Mapping[str, Any]) -> dict[str, Any]:
        branch = self.branch
        branch.cluster.seek(whole_number("event", request.get("event"), 0, branch.last))
        return self._state(request)

    def _advance(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Lets time pass up to a moment: what is recorded first, then what comes."""
        branch = self.branch
        cluster = branch.cluster
        to_ms = request.get("to_ms")
        if not isinstance(to_ms, (int, float)) or not 0 <= to_ms < 1e12:
            raise ValueError(f"to_ms={to_ms!r}: must be a time in ms from 0 to below 1e12")
        if branch.in_past:
            last = _event_at(branch.trace(), to_ms)
            cluster.seek(min(max(last, cluster.events), branch.last))
        elif not self._by_hand and to_ms > cluster.now:
            before = cluster.events
            cluster.run(until=to_ms, max_events=MOST_AT_ONCE)
            if cluster.events > before:
                self._did()
        idle = not branch.in_past and (self._by_hand or not cluster.pending)
        return self._state(request) | {"idle": idle}

    def _run_to(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Lets events happen, at the end of the run, until what the user waits for."""
        branch, what = self.branch, request.get("what")
        cluster = branch.cluster
        if what not in ("leader", "violation"):
            raise ValueError(f"what={what!r}: must be 'leader' or 'violation'")
        if self._by_hand:
            raise ValueError("nothing comes by itself here: choose a message or a timer")
        cluster.seek(branch.last)

        def seen(cluster: Cluster) -> set[Any]:
            if what == "violation":
                return set(range(len(cluster.violations())))
            if not cluster.acting_leaders:
                return set()
            views = ((n, cluster.view(n)) for n in range(1, cluster.members + 1))
            return {(n, epoch) for n, (role, _, epoch) in views if role == "leader"}

        held, came = seen(cluster), False
        events, start = cluster.events, cluster.now

        def found(cluster: Cluster) -> bool:
            nonlocal held, came
            now = seen(cluster)
            came = bool(now - held)
            held &= now  # one that no longer leads may begin again
            return came or cluster.now > start + RUN_TO_MS

        cluster.run(found, max_events=MOST_AT_ONCE)
        if cluster.events > events:
            self._did()
        named = "leader change" if what == "leader" else "violation"
        after = f"{cluster.events - events} events, {cluster.now - start:g} ms"
        note = "" if came else f"no {named} within {after}"
        return self._state(request) | {"note": note}

    # --- doing ------------------------------------------------------------------------------------

    def _act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        actions = request.get("actions")
        if not isinstance(actions, list) or not 0 < len(actions) <= 2500:
            raise ValueError("actions: must be a list of 1 to 2500 actions")
        for action in actions:
            if not isinstance(action, Mapping) or action.get("action") not in ACTIONS:
                raise ValueError(f"action={action!r}: must be one of {', '.join(sorted(ACTIONS))}")
        trial = self.cluster.fork()  # all or nothing
        for action in actions:
            trial.act(action)
        self._keep_future()
        for action in actions:
            self.cluster.act(action)
        self._did()
        return self._state(request)

    def _fork(self, request: Mapping[str, Any]) -> dict[str, Any]:
        cluster = self.cluster.fork()
        branch = self._new_branch(cluster, end=cluster.events)
        branch.name += f" (from event {cluster.events})"
        self.current = len(self.branches) - 1
        return self._state(request)

    def _switch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.current = self._number_of_branch(request)
        return self._state(request)

    def _number_of_branch(self, request: Mapping[str, Any]) -> int:
        return whole_number("branch", request.get("branch"), 0, len(self.branches) - 1)

    def _compare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Another branch at the moment at which the shown one stands."""
        other = self.branches[self._number_of_branch(request)]
        last = min(_event_at(other.trace(), self.cluster.now), other.last)
        event = request.get("event")
        if event is not None:
            last = whole_number("event", event, 0, other.last)
        parted = parting(self.branch, other)
        return {
            "branch": self.branches.index(other),
            "name": other.name,
            "last": other.last,
            "parted": parted,
            "snapshot": pictures.snapshot(other.at(last)),
            "since": {
                "here": _since(self.branch.trace(), parted, self.cluster.events),
                "there": _since(other.trace(), parted, last),
            },
        }

    # --- looking ----------------------------------------------------------------------------------

    def _rows(self, request: Mapping[str, Any]) -> dict[str, Any]:
        trace = self.branch.trace()
        first = whole_number("first", request.get("first"), 0)
        last = whole_number("last", request.get("last"), first, first + _MOST_ROWS)
        return {
            "version": [self.current, self.branch.version],
            "first": first,
            "rows": list(pictures.row_dicts(trace, first, last)),
        }

    def _bookmark(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if "remove" in request:
            del self.bookmarks[
                whole_number("remove", request["remove"], 0, len(self.bookmarks) - 1)
            ]
        else:
            event = self.cluster.events
            label = str(request.get("label") or f"event {event}")[:LONGEST_LABEL]
            self.bookmarks.append({"branch": self.current, "event": event, "label": label})
        return self._state(request)

    def _export(self, request: Mapping[str, Any]) -> dict[str, Any]:
        what = request.get("what")
        trace = self.branch.trace()
        name = f"{trace.protocol}-seed-{trace.seed}"
        if what == "trace":
            return {
                "name": f"{name}.jsonl",
                "text": "\n".join([*trace.file_lines(), ""]),
                "type": "text/plain",
            }
        if what == "html":
            marks = [m for m in self.bookmarks if m["branch"] == self.current]
            text = html_of(trace, positions=self._positions, bookmarks=marks, by_hand=self._by_hand)
            return {"name": f"{name}.html", "text": text, "type": "text/html"}
        raise ValueError(f"what={what!r}: must be 'trace' or 'html'")


def _event_at(trace: Trace, ms: float) -> int:
    """The last event that has happened at a moment."""
    columns = trace.columns
    rows = int((columns["time_ns"] / 1e6).searchsorted(ms, side="right"))
    return int(columns["step"][rows - 1]) if rows else 0


def _since(trace: Trace, event: int, last: int) -> dict[str, Any]:
    """The rows after an event, up to another; how many more there are."""
    steps = trace.columns["step"]
    begin, end = (int(row) for row in np.searchsorted(steps, (event, last), side="right"))
    rows = list(pictures.row_dicts(trace, begin, min(end, begin + _MOST_SINCE)))
    return {"rows": rows, "more": max(end - begin - _MOST_SINCE, 0)}


def parting(one: Branch, other: Branch) -> int:
    """The last event up to which two branches are the same."""
    if one is other:
        return one.last
    traces = one.trace(), other.trace()
    rows = min(len(trace) for trace in traces)
    high = min(one.last, other.last)
    if rows:
        a, b = (trace.columns for trace in traces)
        names = ("step", "time_ns", "kind", "node", "peer", "message", "timer", "detail")
        differs = np.any([a[name][:rows] != b[name][:rows] for name in names], axis=0)
        if differs.any():
            first = int(differs.argmax())
            high = min(high, int(min(a["step"][first], b["step"][first])) - 1)

    def same(event: int) -> bool:
        return one.at(event).trace.hash() == other.at(event).trace.hash()

    # What only the fields of a message or an action tell apart is found by halving.
    low = high if same(high) else 0
    while low < high:
        middle = (low + high + 1) // 2
        if same(middle):
            low = middle
        else:
            high = middle - 1
    return low


__all__ = ["ACTIONS", "Branch", "Session", "parting"]
