"""Traces of real systems: what was seen from outside, in the format of simulated runs.

The rows, the files and the pictures are those of `electionlab.Trace`. What differs: time is real
and counts from when the observation began, chance has no seed, and nothing can be replayed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from electionlab import _core
from electionlab.errors import TraceError
from electionlab.trace import Trace

_TYPES: dict[str, Any] = {
    "kind": str, "node": int, "peer": int, "message": int, "message_kind": str, "fields": dict,
    "reason": str, "action": str, "role": str, "leader": int, "epoch": int, "other_ns": int,
    "text": str, "time_ns": int, "step": int,
}  # fmt: skip
_TAKES_AWAY = ("crash", "pause", "command")
_BEGINS = ("start", "deliver", "drop", "timer", "action", "wait", "lapse")


@dataclasses.dataclass(frozen=True)
class _Numbered:
    """The rows with numbers for names, as the engine keeps its own."""

    rows: Sequence[Mapping[str, Any]]
    messages: Sequence[str]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        def numbers(name: str, default: int, kind: Any) -> npt.NDArray[Any]:
            return np.array([row.get(name, default) for row in self.rows], dtype=kind)

        def places(name: str, values: Sequence[str], default: int, kind: Any) -> npt.NDArray[Any]:
            found = [values.index(row[name]) if name in row else default for row in self.rows]
            return np.array(found, dtype=kind)

        none = np.full(len(self.rows), -1, dtype=np.int64)
        columns = {
            "step": numbers("step", 0, np.uint64),
            "time_ns": numbers("time_ns", 0, np.int64),
            "kind": places("kind", _core.row_kinds, 0, np.uint8),
            "node": numbers("node", 0, np.uint32),
            "peer": numbers("peer", 0, np.uint32),
            "message": numbers("message", -1, np.int64),
            "message_kind": places("message_kind", self.messages, -1, np.int16),
            "timer": np.full(len(self.rows), -1, dtype=np.int16),
            "detail": places("reason", _core.drop_reasons, 0, np.uint8)
            + places("action", _core.action_kinds, 0, np.uint8),
            "role": places("role", _core.roles, 0, np.uint8),
            "leader": numbers("leader", 0, np.uint32),
            "epoch": numbers("epoch", 0, np.int64),
            "other_ns": numbers("other_ns", -1, np.int64),
            "body": none, "text": none, "first": none, "second": none,
        }  # fmt: skip
        for column in columns.values():
            column.flags.writeable = False
        return columns

    def hash(self) -> str:
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
        return digest.hexdigest()[:16]

    def message(self, row: int) -> Any:
        return self.rows[row].get("fields")

    def text(self, row: int) -> str:
        return str(self.rows[row].get("text", ""))

    def line(self, row: int) -> str:
        entry = self.rows[row]
        indent = "" if entry["kind"] in _BEGINS else "  "
        return f"{entry['time_ns'] / 1e6:11.3f} ms  {indent}{self._tell(entry)}"

    def _tell(self, entry: Mapping[str, Any]) -> str:
        node, peer = self._name(entry.get("node", 0)), self._name(entry.get("peer", 0))
        text = entry.get("text", "")
        message = entry.get("message_kind", "")
        fields = ", ".join(f"{name} {value}" for name, value in entry.get("fields", {}).items())
        message += f"({fields})" if fields else ""
        match entry["kind"]:
            case "view":
                epoch, leader = entry.get("epoch", 0), entry.get("leader", 0)
                led = f"leader {leader}" if leader else "no leader known"
                return f"{node}: {entry.get('role')}, {led}, epoch {epoch}"
            case "leader":
                return f"{node} acts as leader in epoch {entry.get('epoch', 0)}"
            case "action":
                return " ".join(part for part in (entry.get("action", ""), node, text) if part)
            case "send":
                return f"{node} sends {message} to {peer}"
            case "deliver":
                return f"{node} receives {message} from {peer}"
            case "drop":
                return f"{message} from {peer} to {node} is lost"
            case kind:
                return f"{node}: {text or kind}"

    def _name(self, node: int) -> str:
        return self.names[node - 1] if node else ""


class ObservedTrace(Trace):
    """What was seen of a real system, up to the moment the trace was taken.

    Attributes:
        system: Which servers, with versions and settings, and on what machine.
        seed: Always 0: real chance has none.
    """

    def __init__(self, recipe: dict[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        about = recipe["observed"]
        self.recipe = recipe
        self.system: dict[str, Any] = about["system"]
        self._rows = tuple(rows)
        self.protocol = recipe["protocol"]["name"]
        self.nodes = recipe["protocol"]["nodes"]
        self.actors = self.nodes + len(about["services"])
        self.seed = 0
        self._about = {"services": about["services"], "messages": about["messages"], "timers": []}
        names = [f"node {node}" for node in range(1, self.nodes + 1)] + about["services"]
        # The engine's rows and these answer the same questions.
        self._core = cast(_core.Trace, _Numbered(self._rows, about["messages"], names))

    def __repr__(self) -> str:
        return (
            f"ObservedTrace({self.protocol}, nodes={self.nodes}, rows={len(self)}, "
            f"end_ms={self.end_ms:.3f})"
        )

    def row(self, index: int) -> dict[str, Any]:
        """One row by name, as it stands in a trace file.

        Raises:
            IndexError: There is no such row.
        """
        return dict(self._rows[index])

    def _file_lines(self) -> Iterator[str]:
        recipe = {**self.recipe, "rows": len(self), "hash": self.hash()}
        for entry in (recipe, *self._rows):
            yield json.dumps(entry, ensure_ascii=False, allow_nan=False)

    def replay(self) -> Any:
        """Raises ValueError: what really happened cannot be made to happen again."""
        raise ValueError("a trace of a real system cannot be replayed")

    def __reduce__(self) -> tuple[Any, ...]:
        return ObservedTrace, (self.recipe, self._rows)

    @property
    def downtimes_ms(self) -> list[float]:
        """For each crash, pause or resignation of a leader: until a node began to lead after it.

        A crash that nobody followed yet is left out.
        """
        down: float | None = None
        found = []
        leads: int | None = None
        for row in self._rows:
            at, node = row["time_ns"] / 1e6, row.get("node")
            if row["kind"] == "leader":
                if down is not None:
                    found.append(at - down)
                leads, down = node, None
            elif row["kind"] == "action" and row["action"] in _TAKES_AWAY and node == leads:
                down = at if down is None else down
        return found

    @staticmethod
    def load(path: str | os.PathLike[str], *, protocol: Any = None) -> ObservedTrace:
        """Reads a trace of a real system.

        Args:
            path: A file that ``save`` wrote.
            protocol: Must be None: nothing is replayed.

        Raises:
            TraceError: The file is truncated, altered, foreign, or of a simulated run.
            OSError: The file cannot be read.
        """
        if protocol is not None:
            raise ValueError(f"protocol={protocol!r}: a trace of a real system is not replayed")
        try:
            lines = Path(path).read_bytes().decode("utf-8").split("\n")
            entries = [json.loads(line) for line in lines[:-1]]
        except (ValueError, RecursionError) as error:
            raise TraceError(f"{path}: not a trace ({error})") from None
        if lines[-1] != "" or len(entries) < 2 or not all(isinstance(e, dict) for e in entries):
            raise TraceError(f"{path}: truncated, or not a trace")
        digest = hashlib.sha256("".join(line + "\n" for line in lines[:-2]).encode()).hexdigest()
        if entries[-1] != {"checksum": "sha256:" + digest}:
            raise TraceError(f"{path}: truncated or altered: the checksum does not match")
        header, *rows, _ = entries
        if header.get("format") != "electionlab-trace" or "observed" not in header:
            raise TraceError(f"{path}: not a trace of a real system")
        if header.get("version") != 1:
            raise TraceError(f"{path}: version {header.get('version')!r}; this is version 1")
        try:
            _check(header, rows)
            return ObservedTrace(header, rows)
        except (KeyError, TypeError, ValueError) as error:
            raise TraceError(f"{path}: altered: {error}") from None


def _check(header: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuses rows that the pictures could not draw."""
    about, nodes = header["observed"], header["protocol"]["nodes"]
    actors = nodes + len(about["services"])
    allowed = {
        "kind": _core.row_kinds, "role": _core.roles, "message_kind": about["messages"],
        "reason": _core.drop_reasons, "action": _core.action_kinds,
    }  # fmt: skip
    if header["rows"] != len(rows) or not isinstance(about["system"], dict):
        raise ValueError(f"{len(rows)} rows instead of {header['rows']!r}")
    last = 0
    for number, row in enumerate(rows, start=2):
        for name, value in row.items():
            if name not in _TYPES or type(value) is not _TYPES[name]:
                raise ValueError(f"line {number}: {name}={value!r}")
            if name in allowed and value not in allowed[name]:
                raise ValueError(f"line {number}: {name}={value!r}")
            if name in ("node", "peer") and not 1 <= value <= actors:
                raise ValueError(f"line {number}: {name}={value!r}")
        if row["time_ns"] < last or "kind" not in row:
            raise ValueError(f"line {number}: out of order")
        last = row["time_ns"]


class Recorder:
    """Collects what is seen, in any order, and makes a trace of it.

    Args:
        protocol: Name of what runs.
        nodes: How many members.
        system: Which servers, with versions and settings; no credentials.
        services: Names of the actors after the members.
        messages: Names of the kinds of messages.
    """

    def __init__(
        self,
        protocol: str,
        nodes: int,
        system: Mapping[str, Any],
        *,
        services: Iterable[str] = (),
        messages: Iterable[str] = (),
    ) -> None:
        self._protocol = {"name": protocol, "nodes": nodes, "options": {}, "in_python": False}
        self._about = {
            "system": dict(system), "services": list(services), "messages": list(messages),
        }  # fmt: skip
        self._rows: list[dict[str, Any]] = []

    def add(self, time_ns: int, kind: str, **entry: Any) -> None:
        """Notes a row; entries as in a trace file, those that are None are left out."""
        entry = {name: value for name, value in entry.items() if value is not None}
        self._rows.append({"time_ns": max(0, time_ns), "kind": kind, **entry})

    def view(self, time_ns: int, node: int, role: str, leader: int = 0, epoch: int = 0) -> None:
        """Notes what a node is from now on, and whom it follows."""
        self.add(time_ns, "view", node=node, role=role, leader=leader, epoch=epoch)

    def trace(self, end_ns: int) -> ObservedTrace:
        """All that was noted until now: repeated views are left out, beginnings to lead marked."""
        rows: list[dict[str, Any]] = []
        views: dict[int, tuple[Any, ...]] = {}
        step = 0
        for row in sorted(self._rows, key=lambda row: row["time_ns"]):
            if row["time_ns"] > end_ns:
                break
            begins = row["kind"] in _BEGINS
            step += begins or step == 0
            entry = {"step": step, **row}
            if row["kind"] == "view":
                view = (row["role"], row["leader"], row["epoch"])
                before = views.get(row["node"], ("down", 0, 0))
                if view == before:
                    continue
                views[row["node"]] = view
                rows.append(entry)
                if row["role"] == "leader" and (before[0], before[2]) != (view[0], view[2]):
                    if before[0] == "paused" and before[2] == view[2]:
                        continue
                    rows.append({**entry, "kind": "leader"})
            else:
                role, leader, epoch = views.get(row.get("node", 0), ("down", 0, 0))
                if "node" in row:
                    entry |= {"role": role, "leader": leader, "epoch": epoch}
                rows.append(entry)
        recipe = {
            "format": "electionlab-trace", "version": 1, "engine": _core.__version__,
            "rows": len(rows), "hash": "", "protocol": self._protocol, "observed": self._about,
            "config": {}, "journal": [], "events": step, "end_ns": end_ns,
        }  # fmt: skip
        return ObservedTrace(recipe, rows)
