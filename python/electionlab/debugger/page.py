"""A recorded run as one HTML file: the debugger's page over embedded data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electionlab import _core
from electionlab._values import path_of, whole_number
from electionlab.debugger import pictures
from electionlab.trace import Trace

FOLDER = Path(__file__).parent
#: Every so many events the whole state is written, and between them what changes.
KEY = 128
#: Characters of a bookmark's name.
LONGEST_LABEL = 200


def checked_positions(
    positions: pictures.Positions | None, actors: int
) -> dict[str, list[float]] | None:
    """Positions as the page reads them."""
    if positions is None:
        return None
    if not isinstance(positions, Mapping):
        raise ValueError(f"positions={positions!r}: must be a dict {{node: (x, y)}}")
    found = {}
    for node, place in positions.items():
        number = whole_number("positions", node, 1, actors)
        try:
            x, y = (float(value) for value in place)
        except (TypeError, ValueError):
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"positions[{number}]={place!r}: must be two finite numbers")
        found[str(number)] = [x, y]
    return found


def checked_bookmarks(bookmarks: Mapping[str, int] | None, events: int) -> list[dict[str, Any]]:
    """Bookmarks as the page reads them."""
    if bookmarks is None:
        return []
    if not isinstance(bookmarks, Mapping):
        raise ValueError(f"bookmarks={bookmarks!r}: must be a dict {{name: event}}")
    return [
        {
            "branch": 0,
            "event": whole_number(f"bookmarks[{name!r}]", event, 0, events),
            "label": str(name)[:LONGEST_LABEL],
        }
        for name, event in bookmarks.items()
    ]


def html_of(
    trace: Trace,
    *,
    title: str | None = None,
    positions: pictures.Positions | Mapping[str, Sequence[float]] | None = None,
    bookmarks: Sequence[Mapping[str, Any]] = (),
    by_hand: bool = False,
) -> str:
    """The page of a run as text; arguments as for `electionlab.Trace.to_html`."""
    places = {int(node): (place[0], place[1]) for node, place in (positions or {}).items()}
    data = "\n".join(_data(trace, places or None, bookmarks, by_hand))
    packed = base64.b64encode(zlib.compress(data.encode(), 9)).decode()
    name = (
        f"{trace.protocol}, {trace.nodes} nodes, seed {trace.seed}" if title is None else str(title)
    )
    # Only these two are run or applied, whatever the data say; the data are base64 besides.
    script = (FOLDER / "debugger.js").read_text(encoding="utf-8") + "\nstartPage(document);\n"
    style = (FOLDER / "debugger.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(name)}</title>\n<style>{style}</style>\n</head>\n"
        f'<body class="el-page">\n<h1>{html.escape(name)}</h1>\n<div id="debugger"></div>\n'
        "<noscript>This page needs JavaScript.</noscript>\n"
        f'<script type="application/octet-stream" id="run">{packed}</script>\n'
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(
    trace: Trace,
    positions: pictures.Positions | None,
    bookmarks: Sequence[Mapping[str, Any]],
    by_hand: bool,
) -> Iterator[str]:
    """Lines of JSON: about the run; its rows; the state after each event; the trace file."""
    cluster = trace.replay()
    about = pictures.about(cluster, by_hand=by_hand)
    about["positions"] = checked_positions(positions, cluster.actors)
    events = cluster.last_event
    head = {
        "about": about,
        "engine": _core.__version__,
        "events": events,
        "key": KEY,
        "timeline": pictures.timeline(trace),
        "bookmarks": list(bookmarks),
    }
    yield _line(head)
    for row in pictures.row_dicts(trace, 0, len(trace)):
        yield _line(row)
    before: dict[str, Any] = {}
    for event in range(events + 1):
        cluster.seek(event)
        now = pictures.snapshot(cluster)
        yield _line(now if event % KEY == 0 else pictures.difference(before, now))
        before = now
    yield from trace.file_lines()


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_html(
    trace: Trace,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    positions: pictures.Positions | None = None,
    bookmarks: Mapping[str, int] | None = None,
) -> None:
    """Writes the page of a run; see `electionlab.Trace.to_html`."""
    target = path_of("path", path)
    if positions is not None:
        checked_positions(positions, trace.actors)
    steps = trace.columns["step"]
    marks = checked_bookmarks(bookmarks, int(steps[-1]) if len(steps) else 0)
    text = html_of(trace, title=title, positions=positions, bookmarks=marks)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".page-") as folder:
        part = Path(folder, "part")
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, target)
