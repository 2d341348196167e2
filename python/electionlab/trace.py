"""Traces: what happened in a run, as columns, as a table, as text, and as a file.

The file is JSON lines: a header with all that a replay needs, one line for each row, and a last
line with a checksum. Loading replays the run and compares every row, so a loaded trace is exact.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from electionlab import _core
from electionlab._values import path_of
from electionlab.errors import TraceError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.cluster import Cluster

FORMAT = "electionlab-trace"
VERSION = 1
_ROW_KINDS = _core.row_kinds
_ROLES = _core.roles
_DROPS = _core.drop_reasons
_ACTIONS = _core.action_kinds


class Trace:
    """What happened in a run, up to the moment it was taken.

    Attributes:
        protocol: Name of the protocol.
        nodes: How many members.
        actors: Members and services together.
        seed: The seed of the run.
        recipe: All that a replay needs, as a dictionary.
    """

    def __init__(self, core: _core.Trace, recipe: dict[str, Any], about: dict[str, Any]) -> None:
        self._core = core
        self.recipe = recipe
        self._about = about
        self.protocol: str = recipe["protocol"]["name"]
        self.nodes: int = recipe["protocol"]["nodes"]
        self.actors: int = about["actors"]
        self.seed: int = recipe["config"]["seed"]

    def __len__(self) -> int:
        return len(self._core)

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Every column as a read-only NumPy array over the engine's memory; nothing is copied.

        step, time_ns, kind, node, peer, message, message_kind, timer, detail, role, leader,
        epoch, other_ns, body, text, first, second. Kinds and roles are numbers: positions in
        ``row_kinds`` and ``roles``.
        """
        return self._core.columns()

    @property
    def row_kinds(self) -> list[str]:
        """Names of the numbers in column ``kind``."""
        return list(_ROW_KINDS)

    @property
    def roles(self) -> list[str]:
        """Names of the numbers in column ``role``."""
        return list(_ROLES)

    @property
    def message_kinds(self) -> list[str]:
        """Names of the numbers in column ``message_kind``."""
        return list(self._about["messages"])

    @property
    def timers(self) -> list[str]:
        """Names of the numbers in column ``timer``."""
        return list(self._about["timers"])

    @property
    def end_ms(self) -> float:
        """Simulated time at which the trace was taken."""
        return float(self.recipe["end_ns"]) / 1e6

    def message(self, row: int) -> dict[str, Any] | None:
        """The fields of a row's message; None when it has none."""
        fields: dict[str, Any] | None = self._core.message(row)
        return fields

    def text(self, row: int) -> str:
        """Why a handler did what it did, or which invariant broke; empty for other rows."""
        return self._core.text(row)

    def line(self, row: int) -> str:
        """One row as a line for people.

        Raises:
            IndexError: There is no such row.
        """
        return self._core.line(row)

    def lines(self, *, details: bool = True) -> Iterator[str]:
        """The run, told row by row.

        Args:
            details: Also what follows from an event: messages sent, writes, views, reasons.
        """
        kinds = self.columns["kind"]
        leading = {
            _ROW_KINDS.index(k)
            for k in ("start", "deliver", "drop", "timer", "action", "wait", "lapse")
        }
        for row in range(len(self)):
            if details or kinds[row] in leading:
                yield self._core.line(row)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        steps = int(self.columns["step"][-1]) if len(self) else 0
        return (
            f"Trace({self.protocol}, nodes={self.nodes}, seed={self.seed}, events={steps}, "
            f"rows={len(self)}, end_ms={self.end_ms:.3f})"
        )

    def _repr_html_(self) -> str:
        """The run as a notebook shows it: its diagram, while that is readable, and its rows."""
        from electionlab import plot

        shown = 40
        lines = [html.escape(self._core.line(row)) for row in range(min(shown, len(self)))]
        more = len(self) - len(lines)
        tail = f"\n… {more:,} more rows" if more > 0 else ""
        return (
            f"<div><b>{html.escape(repr(self))}</b><br>{plot.trace_html(self)}"
            f"<details><summary>{len(self):,} rows</summary>"
            f"<pre style='line-height:1.25;overflow-x:auto'>{chr(10).join(lines)}{tail}</pre>"
            f"</details></div>"
        )

    def hash(self) -> str:
        """Sixteen hexadecimal digits over every row: equal runs, equal digits, on any machine."""
        return self._core.hash()

    def row(self, index: int) -> dict[str, Any]:
        """One row by name, with names instead of numbers, as it stands in a trace file.

        Raises:
            ValueError: ``index`` is no whole number.
            IndexError: There is no such row.
        """
        columns = self.columns
        size = len(self)
        if isinstance(index, bool) or not hasattr(type(index), "__index__"):
            raise ValueError(f"index={index!r}: must be a whole number from {-size} to {size - 1}")
        if not -size <= index < size:
            raise IndexError(f"row {index} of a trace with {size} rows")
        kind = _ROW_KINDS[columns["kind"][index]]
        entry: dict[str, Any] = {
            "step": int(columns["step"][index]),
            "time_ns": int(columns["time_ns"][index]),
            "kind": kind,
        }
        node = int(columns["node"][index])
        if node:
            entry["node"] = node
            entry["role"] = _ROLES[columns["role"][index]]
            entry["leader"] = int(columns["leader"][index])
            entry["epoch"] = int(columns["epoch"][index])
        if columns["peer"][index]:
            entry["peer"] = int(columns["peer"][index])
        if columns["message"][index] >= 0:
            entry["message"] = int(columns["message"][index])
        if columns["message_kind"][index] >= 0:
            entry["message_kind"] = self.message_kinds[columns["message_kind"][index]]
            fields = self.message(index)
            if fields is not None:
                entry["fields"] = fields
        if columns["timer"][index] >= 0:
            entry["timer"] = self.timers[columns["timer"][index]]
        if kind == "drop":
            entry["reason"] = _DROPS[columns["detail"][index]]
        if kind == "action":
            entry["action"] = _ACTIONS[columns["detail"][index]]
        if columns["other_ns"][index] >= 0:
            entry["other_ns"] = int(columns["other_ns"][index])
        text = self._core.text(index)
        if text:
            entry["text"] = text
        return entry

    def to_frame(self) -> pd.DataFrame:
        """The trace as a pandas table, one line a row.

        Returns:
            Columns step, time_ms, kind, node, peer, message, message_kind, timer, reason, action,
            role, leader, epoch, sent_ms, due_ms, text. Times are milliseconds since the start.
            Names (kind, message_kind, timer, reason, action, role) are categories. What a row
            does not have is NaN in names and times, 0 in node, peer and leader, -1 in message,
            and "" in text.
        """
        import numpy as np
        import pandas as pd

        c = self.columns
        kinds = c["kind"]

        def names(column: npt.NDArray[Any], values: list[str]) -> pd.Categorical[str]:
            codes: list[int] = column.tolist()
            return pd.Categorical.from_codes(codes, categories=pd.Index(values, dtype="str"))

        def detail(kind: str) -> npt.NDArray[Any]:
            return np.where(kinds == _ROW_KINDS.index(kind), c["detail"].astype(np.int64), -1)

        other = np.where(c["other_ns"] >= 0, c["other_ns"] / 1e6, np.nan)
        sends = kinds == _ROW_KINDS.index("send")
        arrives = (c["message"] >= 0) & ~sends
        return pd.DataFrame(
            {
                "step": np.array(c["step"]),
                "time_ms": c["time_ns"] / 1e6,
                "kind": names(kinds, _ROW_KINDS),
                "node": np.array(c["node"]),
                "peer": np.array(c["peer"]),
                "message": np.array(c["message"]),
                "message_kind": names(c["message_kind"], self.message_kinds),
                "timer": names(c["timer"], self.timers),
                "reason": names(np.maximum(detail("drop") - 1, -1), _DROPS[1:]),  # 0: none
                "action": names(detail("action"), _ACTIONS),
                "role": names(np.where(c["node"] > 0, c["role"].astype(np.int64), -1), _ROLES),
                "leader": np.array(c["leader"]),
                "epoch": np.array(c["epoch"]),
                "sent_ms": np.where(arrives, other, np.nan),
                "due_ms": np.where(sends, other, np.nan),
                "text": pd.Series([self._core.text(i) for i in range(len(self))], dtype="str"),
            }
        )

    # --- files ------------------------------------------------------------------------------------

    def _file_lines(self) -> Iterator[str]:
        header = {
            "format": FORMAT,
            "version": VERSION,
            "engine": _core.__version__,
            "rows": len(self),
            "hash": self.hash(),
            **self.recipe,
        }
        yield json.dumps(header, ensure_ascii=False, allow_nan=False)
        for index in range(len(self)):
            yield json.dumps(self.row(index), ensure_ascii=False, allow_nan=False)

    def file_lines(self) -> Iterator[str]:
        """The lines of the trace's file, without their ends; the last one is the checksum."""
        digest = hashlib.sha256()
        for line in self._file_lines():
            digest.update(line.encode() + b"\n")
            yield line
        yield json.dumps({"checksum": "sha256:" + digest.hexdigest()})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the trace as JSON lines; a file that was there is replaced at once or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        target = path_of("path", path)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".trace-") as folder:
            part = Path(folder, "part")
            with part.open("w", encoding="utf-8", newline="\n") as out:
                for line in self.file_lines():
                    out.write(line + "\n")
            os.replace(part, target)

    @staticmethod
    def load(path: str | os.PathLike[str], *, protocol: Any = None) -> Trace:
        """Reads a trace, replays its run, and compares every row.

        A trace of real servers, which nobody can replay, is held against its checksum only.

        Args:
            path: A file that ``save`` wrote.
            protocol: The protocol object, when the run was of one written in Python.

        Raises:
            TraceError: The file is truncated, altered, foreign or of another version; the message
                says which.
            OSError: The file cannot be read.
        """
        if _is_observed(path):
            from electionlab.real.observed import ObservedTrace

            return ObservedTrace.load(path, protocol=protocol)
        return load_cluster(path, protocol=protocol).trace

    def replay(self) -> Cluster:
        """A new cluster in which this run has just happened; it can be stepped and undone."""
        from electionlab.cluster import Cluster

        return Cluster._from_recipe(self.recipe, self._about.get("object"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _replayed, (self.recipe, self._about.get("object"))

    # --- pictures ---------------------------------------------------------------------------------

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        positions: Mapping[int, tuple[float, float]] | None = None,
        bookmarks: Mapping[str, int] | None = None,
    ) -> None:
        """Writes the run as a page to step through, play and look at, in one file.

        The file needs neither a server nor Python, and loads nothing. It also holds the trace
        file, which its page gives back.

        Args:
            path: A file that was there is replaced at once or not at all.
            title: Of the page; None: protocol, nodes and seed.
            positions: Where nodes stand, ``{node: (x, y)}``, x to the right and y up; None: on a
                ring.
            bookmarks: Events by name, to go to with a click; None: none.

        Raises:
            OSError: The file cannot be written.
            ValueError: A position is not of a node or not two finite numbers, or a bookmark is not
                of an event of the run.
        """
        from electionlab import debugger

        debugger.write_html(self, path, title=title, positions=positions, bookmarks=bookmarks)

    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The space-time diagram; see `electionlab.plot.plot_space_time`."""
        from electionlab import plot

        return plot.plot_space_time(self, ax=ax, **options)

    def animate(self, path: str | os.PathLike[str] | None = None, **options: Any) -> str:
        """The run as a film, one SVG that moves; see `electionlab.plot.animation_svg`.

        Args:
            path: A file to write it to, which ends in .svg; None: none is written.
            options: seconds, start_ms, end_ms, kinds, max_messages.

        Returns:
            The text of the file.

        Raises:
            ValueError: An option is out of range, or the path ends in something else.
            OSError: The file cannot be written.
        """
        from electionlab import plot

        target = None if path is None else path_of("path", path)
        if target is not None and target.suffix.lower() != ".svg":
            raise ValueError(f"path={str(target)!r}: must end in .svg")
        text = plot.animation_svg(self, **options)
        if target is not None:
            target.write_text(text, encoding="utf-8")
        return text

    def plot_roles(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The roles over time; see `electionlab.plot.plot_roles`."""
        from electionlab import plot

        return plot.plot_roles(self, ax=ax, **options)


def _replayed(recipe: dict[str, Any], protocol: Any) -> Trace:
    from electionlab.cluster import Cluster

    return Cluster._from_recipe(recipe, protocol).trace


def _is_observed(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that it is a trace of real servers."""
    with path_of("path", path).open("rb") as lines:
        try:
            header = json.loads(lines.readline())
        except (ValueError, RecursionError):
            return False
    return isinstance(header, dict) and "observed" in header


def _parse(line: str, path: object, number: int) -> dict[str, Any]:
    def refuse(text: str) -> Any:
        raise ValueError(text)

    try:
        value = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{path}: line {number} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise TraceError(f"{path}: line {number} is not a JSON object")
    return value


def _read_recipe(header: dict[str, Any], path: object) -> dict[str, Any]:
    shape: dict[str, type] = {
        "protocol": dict,
        "config": dict,
        "journal": list,
        "events": int,
        "end_ns": int,
        "hash": str,
        "rows": int,
    }
    for name, kind in shape.items():
        if not isinstance(header.get(name), kind) or isinstance(header.get(name), bool):
            raise TraceError(f"{path}: the header's {name!r} is missing or not a {kind.__name__}")
    for name in ("events", "end_ns", "rows"):
        if not 0 <= header[name] < 2**63:
            raise TraceError(f"{path}: the header's {name!r} is out of range")
    if header["events"] > header["rows"]:  # every event has a row; else it is no use to replay them
        raise TraceError(f"{path}: altered: {header['events']} events in {header['rows']} rows")
    return {k: header[k] for k in ("protocol", "config", "journal", "events", "end_ns")}


def load_cluster(
    path: str | os.PathLike[str],
    *,
    protocol: Any = None,
    cluster_type: type[Cluster] | None = None,
) -> Cluster:
    """Reads a trace file and returns the cluster in which its run has just happened.

    Args:
        path: A file that ``Trace.save`` wrote.
        protocol: The protocol object, when the run was of one written in Python.
        cluster_type: A class derived from `electionlab.Cluster`; None: that one.

    Raises:
        TraceError: As for ``Trace.load``.
    """
    from electionlab.cluster import Cluster

    try:
        text = path_of("path", path).read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not a trace: it is not UTF-8 text") from None
    if not text:
        raise TraceError(f"{path}: not a trace: the file is empty")
    lines = text.split("\n")
    header = _parse(lines[0], path, 1)
    if "observed" in header:
        raise TraceError(f"{path}: a trace of real servers: it cannot be replayed")
    if header.get("format") != FORMAT:
        raise TraceError(f"{path}: not a trace: the first line does not say {FORMAT!r}")
    if header.get("version") != VERSION:
        raise TraceError(
            f"{path}: version {header.get('version')!r} of the format; this is version {VERSION}"
        )
    if lines[-1] != "" or len(lines) < 3:
        raise TraceError(f"{path}: truncated: the last line is not finished")
    last = _parse(lines[-2], path, len(lines) - 1)
    if "checksum" not in last:
        raise TraceError(f"{path}: truncated: the checksum at the end is missing")
    body = lines[:-2]
    digest = hashlib.sha256("".join(line + "\n" for line in body).encode()).hexdigest()
    if last["checksum"] != "sha256:" + digest:
        raise TraceError(f"{path}: altered: the checksum does not match")
    recipe = _read_recipe(header, path)
    if len(body) - 1 != header["rows"]:
        raise TraceError(f"{path}: altered: {len(body) - 1} rows instead of {header['rows']}")
    try:
        cluster = (cluster_type or Cluster)._from_recipe(recipe, protocol)
    except KeyError as error:
        raise TraceError(f"{path}: cannot be replayed: {error} is missing") from error
    except Exception as error:
        raise TraceError(f"{path}: cannot be replayed: {error}") from error
    for number, (given, made) in enumerate(
        zip(body[1:], list(cluster.trace._file_lines())[1:], strict=False), start=2
    ):
        if given != made:
            raise TraceError(
                f"{path}: line {number} is not what the replay gives: the file was altered or "
                f"written by another engine (it says {header.get('engine')!r}, this is "
                f"{_core.__version__!r})"
            )
    if cluster.trace.hash() != header["hash"]:
        raise TraceError(f"{path}: altered: its rows are not those of the replay")
    return cluster
