"""A run as a film: one SVG that moves by itself, for slides and pages.

It is made of shapes and CSS keyframes alone: no script, no font, nothing that is loaded. Where less
motion is preferred it stands still and shows the end of the run, with all of it on the time line.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from electionlab.plot import history, lanes, style
from electionlab.plot.history import Flight
from electionlab.trace import Trace

MOST_NODES = 64
_WIDTH, _HEIGHT = 960.0, 540.0
_CENTRE, _RADIUS = (250.0, 290.0), 175.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 590.0, 935.0, 90.0, 400.0  # of the time line
_BLINK = 0.01  # percent of the film in which something appears


class _Sheet:
    """The rules of an animation: each says when something can be seen, or where it is."""

    def __init__(self, start_ms: float, end_ms: float) -> None:
        self._start, self._span = start_ms, end_ms - start_ms
        self._names: dict[str, str] = {}

    def percent(self, at_ms: float) -> float:
        """How much of the film is over at a moment of the run."""
        return min(100.0, max(0.0, 100 * (at_ms - self._start) / self._span))

    @property
    def moment_ms(self) -> float:
        """How long in the run something lasts that should be noticed."""
        return 0.012 * self._span

    def rule(self, frames: str) -> str:
        """The name of these keyframes; equal ones are written once."""
        return self._names.setdefault(frames, f"k{len(self._names)}")

    def seen(self, spans: Sequence[tuple[float, float]]) -> str:
        """Keyframes of something that can be seen in these spans of the run only."""
        frames = ["0%{opacity:0}"]
        for start, end in spans:
            a, b = self.percent(start), self.percent(end)
            frames.append(f"{_number(a)}%{{opacity:1}}")
            if b < 100:
                frames.append(f"{_number(b)}%{{opacity:0}}")
        return self.rule("".join(frames))

    def text(self) -> str:
        return "\n".join(f"@keyframes {name}{{{rule}}}" for rule, name in self._names.items())


def animation_svg(
    trace: Trace,
    *,
    seconds: float = 20.0,
    start_ms: float | None = None,
    end_ms: float | None = None,
    kinds: Iterable[str] | None = None,
    max_messages: int = 1000,
) -> str:
    """A run as an animated SVG: the nodes on a ring, messages on their way, roles over time.

    A node's colour and shape are its role; beside it stands its epoch (term). Small marks
    are messages; one that is lost ends in a cross. At the right a line moves over the roles of all
    nodes. The film begins anew when it is over, and stands still while the pointer is on it.

    Args:
        trace: What happened in a run of at most 64 members and services.
        seconds: How long the film lasts; above 0.
        start_ms: From when, in ms since the start; None: from the start.
        end_ms: Until when, in ms since the start; None: to the end of the trace.
        kinds: Only messages of these kinds; None: all.
        max_messages: Beyond so many only the first are shown, and the film says so; 0 and up.

    Returns:
        The text of the file, from ``<svg`` on; the same run gives the same text.

    Raises:
        ValueError: An argument is out of range; the message names it.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ValueError(f"seconds={seconds!r}: must be a number above 0")
    if not 0 < seconds <= 3600:
        raise ValueError(f"seconds={seconds!r}: must be above 0, and at most 3600")
    if max_messages < 0:
        raise ValueError(f"max_messages={max_messages!r}: must be at least 0")
    if trace.actors > MOST_NODES:
        raise ValueError(
            f"trace: has {trace.actors} members and services; must be at most {MOST_NODES}"
        )
    shown = lanes.make_lanes(trace, start_ms, end_ms, None)
    wanted = history.chosen_kinds(trace, kinds)
    sheet = _Sheet(shown.start_ms, shown.end_ms)
    flights = [
        f
        for f in history.flights(trace)
        if f.kind in wanted and f.end_ms > shown.start_ms and f.sent_ms < shown.end_ms
    ]
    places = _places(trace.nodes, trace.actors)
    parts = [
        _text(20, 34, f"{lanes.describe(trace)}", size=20, weight="bold"),
        _text(_LEFT - 60, 62, "who is what, over time", size=15),
        *_links(places, trace.nodes),
        *_cuts(shown, sheet),
        *_messages(trace, flights[:max_messages], places, sheet),
        *_nodes(shown, places, sheet),
        *_time_line(shown, sheet),
        *_legend(trace, flights[:max_messages], shown),
    ]
    if len(flights) > max_messages:
        said = f"only the first {max_messages:,} of {len(flights):,} messages are shown"
        parts.append(_text(20, _HEIGHT - 14, said, size=14, colour=style.VERMILLION))
    title = html.escape(f"Animation of a run: {lanes.describe(trace)}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'role="img" aria-label="{title}" font-family="DejaVu Sans, Verdana, sans-serif">\n'
        f"<title>{title}</title>\n<style>\n"
        f".a{{animation-duration:{seconds:g}s;animation-iteration-count:infinite;"
        "animation-timing-function:step-end}\n"
        ".m{animation-timing-function:linear;opacity:0}\n"
        ".s{animation-timing-function:step-end}\n"
        "svg:hover .a{animation-play-state:paused}\n"
        "@media (prefers-reduced-motion:reduce){.a{animation:none!important}.m{display:none}}\n"
        f"{sheet.text()}\n</style>\n"
        f'<rect width="{_WIDTH:g}" height="{_HEIGHT:g}" fill="#FFFFFF"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


# --- shapes ---------------------------------------------------------------------------------------


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _text(
    x: float, y: float, text: str, *, size: float, anchor: str = "start", weight: str = "normal",
    colour: str = style.BLACK, more: str = "",
) -> str:  # fmt: skip
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" font-size="{_number(size)}" fill="{colour}" '
        f'text-anchor="{anchor}" font-weight="{weight}"{more}>{html.escape(text)}</text>'
    )


def _shape(role: str, x: float, y: float, radius: float, more: str = "") -> str:
    """A role's shape around a place."""
    look = style.ROLES[role]
    paint = f'fill="{look.colour}" stroke="#000000" stroke-width="1.5"{more}'
    if look.marker == "o":
        return f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}" {paint}/>'
    if look.marker == "X":
        arm, half = radius * 1.05, radius * 0.38
        corners = [
            (half, 0), (arm, arm - half), (arm - half, arm), (0, half), (half - arm, arm),
            (-arm, arm - half), (-half, 0), (-arm, half - arm), (half - arm, -arm), (0, -half),
            (arm - half, -arm), (arm, half - arm),
        ]  # fmt: skip
    else:
        count, turn = {"D": (4, 0.0), "h": (6, 0.5), "8": (8, 0.5), "s": (4, 0.5)}[look.marker]
        reach = radius * {4: 1.25, 6: 1.12, 8: 1.06}[count]
        corners = [
            (reach * math.cos(2 * math.pi * (k + turn) / count),
             reach * math.sin(2 * math.pi * (k + turn) / count))
            for k in range(count)
        ]  # fmt: skip
    points = " ".join(f"{_number(x + dx)},{_number(y + dy)}" for dx, dy in corners)
    return f'<polygon points="{points}" {paint}/>'


#: Corners of a message's mark, and by how much of a turn they are turned from the right.
_DOTS = {
    "s": (4, 0.125), "D": (4, 0.0), "d": (4, 0.0), "^": (3, 0.75), "v": (3, 0.25), "<": (3, 0.5),
    ">": (3, 0.0), "p": (5, 0.75), "h": (6, 0.0),
}  # fmt: skip


def _dot(look: style.KindStyle, more: str) -> str:
    """A message of a kind around the origin: its colour, and its shape says the same."""
    if look.marker not in _DOTS:
        return f'<circle r="6" fill="{look.colour}"{more}/>'
    count, turn = _DOTS[look.marker]
    angles = [2 * math.pi * (k / count + turn) for k in range(count)]
    reach = 8.5 if count == 3 else 7.2
    points = " ".join(
        f"{_number(reach * math.cos(a))},{_number(reach * math.sin(a))}" for a in angles
    )
    return f'<polygon points="{points}" fill="{look.colour}"{more}/>'


def _star(x: float, y: float, radius: float) -> str:
    corners = [
        (x + (radius if k % 2 == 0 else radius * 0.42) * math.sin(math.pi * k / 5),
         y - (radius if k % 2 == 0 else radius * 0.42) * math.cos(math.pi * k / 5))
        for k in range(10)
    ]  # fmt: skip
    points = " ".join(f"{_number(px)},{_number(py)}" for px, py in corners)
    return f'<polygon points="{points}" fill="{style.YELLOW}" stroke="#000000" stroke-width="1"/>'


def _cross(x: float, y: float, size: float, more: str = "") -> str:
    return (
        f'<path d="M{_number(x - size)} {_number(y - size)}l{_number(2 * size)} {_number(2 * size)}'
        f"M{_number(x + size)} {_number(y - size)}l{_number(-2 * size)} {_number(2 * size)}"
        f'" stroke="{style.VERMILLION}" stroke-width="4" fill="none"{more}/>'
    )


def _animated(name: str, still: float, kind: str = "a") -> str:
    """Attributes of what appears and goes; `still` is its opacity where nothing moves."""
    return f' class="{kind}" style="animation-name:{name};opacity:{still:g}"'


# --- the ring -------------------------------------------------------------------------------------


def _places(members: int, actors: int) -> list[tuple[float, float]]:
    """Members clockwise from the top; services within the ring."""

    def around(count: int, share: float, shift: float) -> list[tuple[float, float]]:
        angles = [2 * math.pi * (k + shift) / max(count, 1) for k in range(count)]
        return [
            (_CENTRE[0] + share * _RADIUS * math.sin(a), _CENTRE[1] - share * _RADIUS * math.cos(a))
            for a in angles
        ]

    services = actors - members
    inside = [_CENTRE] if services == 1 else around(services, 0.42, 0.5)
    return around(members, 1.0, 0.0) + inside


def _radius(count: int) -> float:
    return max(9.0, min(27.0, 190.0 / max(count, 1)))


def _links(places: Sequence[tuple[float, float]], members: int) -> list[str]:
    if members > 12:
        x, y = _CENTRE
        return [f'<circle cx="{x:g}" cy="{y:g}" r="{_RADIUS:g}" fill="none" stroke="#DDDDDD"/>']
    pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :]]
    drawn = "".join(
        f"M{_number(a[0])} {_number(a[1])}L{_number(b[0])} {_number(b[1])}" for a, b in pairs
    )
    return [f'<path d="{drawn}" stroke="#DDDDDD" fill="none"/>']


def _cuts(shown: lanes.Lanes, sheet: _Sheet) -> list[str]:
    """What is cut, in words, while it is."""
    found = []
    for span in history.cut_spans(shown.trace):
        seen = shown.clip(span.start_ms, span.end_ms)
        if seen is None:
            continue
        words = history.describe_cut(span.links, shown.trace.nodes)
        still = 1.0 if seen[1] >= shown.end_ms else 0.0
        more = _animated(sheet.seen([seen]), still)
        found.append(_text(20, 62, words, size=15, colour=style.VERMILLION, more=more))
    return found


def _nodes(shown: lanes.Lanes, places: Sequence[tuple[float, float]], sheet: _Sheet) -> list[str]:
    radius = _radius(len(places))
    names = history.actor_names(shown.trace)
    spans: dict[tuple[int, str], list[tuple[float, float]]] = {}
    last: dict[int, str] = {}
    for span in history.role_spans(shown.trace):
        seen = shown.clip(span.start_ms, span.end_ms)
        if seen is not None:
            spans.setdefault((span.node, span.role), []).append(seen)
            last[span.node] = span.role
    found = []
    for (node, role), seen_in in spans.items():
        x, y = places[node - 1]
        still = 1.0 if last[node] == role else 0.0
        more = _animated(sheet.seen(seen_in), still)
        label = str(node) if node <= shown.trace.nodes else ""
        size = max(9.0, radius * 0.85)
        number = _text(
            x, y + size * 0.36, label, size=size, anchor="middle", weight="bold",
            colour=style.ROLES[role].text,
        )  # fmt: skip
        found.append(f"<g{more}>{_shape(role, x, y, radius)}{number}</g>")
    for node in range(shown.trace.nodes + 1, len(places) + 1):
        x, y = places[node - 1]
        found.append(_text(x, y + radius * 1.25 + 15, names[node - 1], size=13, anchor="middle"))
    return found + _epochs(shown, places, sheet, radius)


def _epochs(
    shown: lanes.Lanes, places: Sequence[tuple[float, float]], sheet: _Sheet, radius: float
) -> list[str]:
    if radius < 14:
        return []
    changes: dict[int, list[tuple[float, int]]] = {}
    for node, at, epoch in history.epoch_changes(shown.trace):
        if node <= shown.trace.nodes:
            changes.setdefault(node, []).append((at, epoch))
    found = []
    for node, steps in changes.items():
        x, y = places[node - 1]
        down = radius * 1.2 + 16
        y = y + down if y >= _CENTRE[1] - 1 else y - down + 11
        for place, (at, epoch) in enumerate(steps):
            end = steps[place + 1][0] if place + 1 < len(steps) else shown.end_ms
            seen = shown.clip(at, end)
            if seen is None or epoch == 0:
                continue
            still = 1.0 if place + 1 == len(steps) else 0.0
            more = _animated(sheet.seen([seen]), still)
            found.append(_text(x, y, f"epoch {epoch}", size=14, anchor="middle", more=more))
    return found


def _messages(
    trace: Trace,
    flights: Sequence[Flight],
    places: Sequence[tuple[float, float]],
    sheet: _Sheet,
) -> list[str]:
    looks = style.kind_styles(trace.message_kinds)
    found = []
    for f in flights:
        (x0, y0), (x1, y1) = places[f.sender - 1], places[f.receiver - 1]
        lost = f.fate not in ("delivered", "flying")
        share = (0.5 if math.isnan(f.way) else f.way) if lost else 1.0
        end_ms = f.sent_ms + share * (f.end_ms - f.sent_ms)
        x2, y2 = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        a, b = sheet.percent(f.sent_ms), sheet.percent(end_ms)
        b = max(b, min(100.0, a + 3 * _BLINK))
        here = f"transform:translate({_number(x0)}px,{_number(y0)}px)"
        there = f"transform:translate({_number(x2)}px,{_number(y2)}px)"
        after = min(100.0, b + _BLINK)
        name = sheet.rule(
            f"0%{{opacity:0;{here}}}{_number(a)}%{{opacity:0;{here}}}"
            f"{_number(a + _BLINK)}%{{opacity:1;{here}}}{_number(b)}%{{opacity:1;{there}}}"
            + ("" if after >= 100 else f"{_number(after)}%{{opacity:0;{there}}}")
            + ("" if after >= 100 else f"100%{{opacity:0;{there}}}")
        )
        more = f' stroke="#FFFFFF" class="a m" style="animation-name:{name}"'
        found.append(_dot(looks[f.kind], more))
        if lost:
            more = _animated(sheet.seen([(end_ms, end_ms + sheet.moment_ms)]), 0, "a m s")
            found.append(_cross(x2, y2, 7, more))
    return found


# --- the time line --------------------------------------------------------------------------------


def _time_line(shown: lanes.Lanes, sheet: _Sheet) -> list[str]:
    names = history.actor_names(shown.trace)
    high = (_BOTTOM - _TOP) / len(names)

    def across(at_ms: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * sheet.percent(at_ms) / 100

    def down(node: int) -> float:
        return _TOP + high * (node - 0.5)

    found = []
    size = min(15.0, high * 0.8)
    for number, name in enumerate(names, 1):
        said = (
            str(number)
            if number <= shown.trace.nodes
            else style.plain(name if len(name) < 9 else name.split()[-1], longest=9)
        )
        found.append(_text(_LEFT - 8, down(number) + size * 0.36, said, size=size, anchor="end"))
    for span in history.role_spans(shown.trace):
        seen = shown.clip(span.start_ms, span.end_ms)
        if seen is None:
            continue
        x0, x1 = across(seen[0]), across(seen[1])
        look, half = style.ROLES[span.role], high * (0.36 if span.role == "leader" else 0.22)
        fill = "none" if span.role == "down" else look.colour
        dash = ' stroke-dasharray="2 3"' if span.role == "down" else ""
        found.append(
            f'<rect x="{_number(x0)}" y="{_number(down(span.node) - half)}" '
            f'width="{_number(x1 - x0)}" height="{_number(2 * half)}" fill="{fill}" '
            f'stroke="#555555" stroke-width="0.6"{dash}/>'
        )
    for mark in history.marks(shown.trace):
        if shown.shows(mark.at_ms) and mark.kind in ("leader", "crash"):
            x, y = across(mark.at_ms), down(mark.node)
            small = min(7.0, high * 0.4)
            found.append(_star(x, y, small) if mark.kind == "leader" else _cross(x, y, small * 0.6))
    clipped = (shown.clip(*span) for span in history.split_brain_spans(shown.trace))
    for part in (span for span in clipped if span is not None):
        x0, x1 = across(part[0]), across(part[1])
        found.append(
            f'<path d="M{_number(x0)} {_BOTTOM + 6:g}H{_number(x1)}" stroke="{style.VERMILLION}" '
            'stroke-width="7"/>'
        )
        found.append(
            _text(
                (x0 + x1) / 2, _BOTTOM + 24, "two leaders", size=13, anchor="middle",
                colour=style.VERMILLION,
            )
        )  # fmt: skip
    for at_ms in (shown.start_ms, (shown.start_ms + shown.end_ms) / 2, shown.end_ms):
        found.append(
            _text(across(at_ms), _BOTTOM + 42, f"{at_ms:.0f} ms", size=13, anchor="middle")
        )
    wide = _RIGHT - _LEFT
    name = sheet.rule(f"from{{transform:translateX(0px)}}to{{transform:translateX({wide:g}px)}}")
    found.append(
        f'<path d="M{_LEFT:g} {_TOP - 6:g}V{_BOTTOM + 12:g}" stroke="#000000" stroke-width="2.5" '
        f'class="a m" style="animation-name:{name};opacity:1"/>'
    )
    return found


def _legend(trace: Trace, flights: Sequence[Flight], shown: lanes.Lanes) -> list[str]:
    roles = {
        span.role for span in history.role_spans(trace) if shown.clip(span.start_ms, span.end_ms)
    }
    entries: list[tuple[str, str]] = [
        (_shape(role, 0, -5, 8), role) for role in style.ROLES if role in roles
    ]
    looks = style.kind_styles(trace.message_kinds)
    for kind in sorted({f.kind for f in flights}):
        dot = _dot(looks[kind], ' transform="translate(0,-5)"')
        entries.append((dot, style.plain(trace.message_kinds[kind], longest=18)))
    found = []
    columns = 3
    for number, (drawn, words) in enumerate(entries[:12]):
        x, y = 500 + 155 * (number % columns), _BOTTOM + 68 + 21 * (number // columns)
        found.append(
            f'<g transform="translate({x:g},{y:g})">{drawn}{_text(16, 0, words, size=14)}</g>'
        )
    return found
