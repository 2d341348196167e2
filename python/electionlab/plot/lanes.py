"""What diagrams with one lane per node share: lanes, roles, marks, epochs, cuts."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Patch

from electionlab.plot import history, style
from electionlab.trace import Trace

Entry = tuple[Artist, str]
Box = list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Lanes:
    """The part of a trace that is drawn, and where.

    Attributes:
        trace: The trace.
        nodes: The actors that are drawn, top to bottom.
        start_ms: Left end of the time axis.
        end_ms: Right end of the time axis.
    """

    trace: Trace
    nodes: tuple[int, ...]
    start_ms: float
    end_ms: float

    def __contains__(self, node: int) -> bool:
        return node in self.nodes

    def y(self, node: int) -> float:
        """The middle of a node's lane."""
        return float(self.nodes.index(node))

    def half_height(self, node: int, at_ms: float) -> float:
        """Half the height of a node's bar at an instant, in lanes."""
        starts, halves = self._bars[node]
        return halves[max(bisect.bisect_right(starts, at_ms) - 1, 0)]

    @functools.cached_property
    def _bars(self) -> dict[int, tuple[list[float], list[float]]]:
        bars: dict[int, tuple[list[float], list[float]]] = {n: ([0.0], [0.0]) for n in self.nodes}
        for span in history.role_spans(self.trace):
            if span.node in bars:
                bars[span.node][0].append(span.start_ms)
                bars[span.node][1].append(style.ROLES[span.role].height / 2)
        return bars

    def clip(self, start: float, end: float) -> tuple[float, float] | None:
        """The visible part of a span of time; None when there is none."""
        start, end = max(start, self.start_ms), min(end, self.end_ms)
        return (start, end) if end > start else None

    def shows(self, at_ms: float) -> bool:
        """Whether an instant is visible."""
        return self.start_ms <= at_ms <= self.end_ms


def make_lanes(
    trace: Trace,
    start_ms: float | None,
    end_ms: float | None,
    nodes: Iterable[int] | None,
) -> Lanes:
    """Checks what is to be drawn.

    Raises:
        ValueError: A time or a node is out of range; the message names it.
    """
    start = 0.0 if start_ms is None else float(start_ms)
    end = max(trace.end_ms, start + 1.0) if end_ms is None else float(end_ms)
    for name, value in (("start_ms", start), ("end_ms", end)):
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name}={value!r}: must be a time in ms, 0 or later")
    if end <= start:
        raise ValueError(f"end_ms={end!r}: must be later than start_ms={start!r}")
    chosen = tuple(range(1, trace.actors + 1)) if nodes is None else tuple(nodes)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"nodes={nodes!r}: must be different nodes, at least one")
    for node in chosen:
        if node not in range(1, trace.actors + 1):
            raise ValueError(f"nodes: {node!r} is not a node from 1 to {trace.actors}")
    return Lanes(trace, chosen, start, end)


def new_axes(ax: Axes | None, lanes: Lanes, lane_in: float) -> Axes:
    """Axes with a height that suits the number of lanes."""
    height = min(max(lane_in * len(lanes.nodes) + 0.3, 2.6), 14.0)
    return style.axes_or_new(ax, 8.6, height)


def draw_axes(ax: Axes, lanes: Lanes) -> None:
    """The time axis, and one named lane per node."""
    names = history.actor_names(lanes.trace)
    roomy = len(lanes.nodes) <= 16
    size = style.FONT_SIZE + 1 if roomy else style.FONT_SIZE - 1.5
    ax.set_yticks(
        range(len(lanes.nodes)),
        labels=[_label(names[node - 1], lines=2 if roomy else 1) for node in lanes.nodes],
        fontsize=size,
        parse_math=False,
    )
    ax.set_ylim(len(lanes.nodes) - 0.4, -0.6)
    ax.set_xlim(lanes.start_ms, lanes.end_ms)
    real = is_real(lanes.trace)
    ax.set_xlabel("time (ms)" if real else "simulated time (ms)", fontsize=style.FONT_SIZE + 1)
    ax.tick_params(axis="x", labelsize=style.FONT_SIZE)
    ax.tick_params(axis="y", length=0, pad=7)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)


def _label(name: str, lines: int) -> str:
    """A lane's name, broken between words where there is room for lines."""
    longest = 12
    if len(name) <= longest or lines == 1:
        return style.plain(name, longest=longest)
    first, *rest = textwrap.wrap(name, longest)
    return "\n".join(style.plain(part, longest=longest) for part in (first, " ".join(rest)) if part)


def describe(trace: Trace) -> str:
    """What a title says about a run."""
    nodes = f"{trace.nodes} node" + ("s" if trace.nodes != 1 else "")
    if is_real(trace):
        return f"{style.plain(trace.recipe['observed']['system']['server'])}, {nodes}, observed"
    return f"{style.plain(trace.protocol)}, {nodes}, seed {trace.seed}"


def is_real(trace: Trace) -> bool:
    """Whether the run is one of real servers, not a simulated one."""
    return "observed" in trace.recipe


def draw_bars(ax: Axes, lanes: Lanes, height: float | None = None) -> list[Entry]:
    """Bars for the roles: of equal height, or each of its role's height along a life line."""
    boxes: dict[str, list[Box]] = {}
    for span in history.role_spans(lanes.trace):
        seen = lanes.clip(span.start_ms, span.end_ms) if span.node in lanes else None
        if seen is None:
            continue
        half = (style.ROLES[span.role].height if height is None else height) / 2
        y, (left, right) = lanes.y(span.node), seen
        boxes.setdefault(span.role, []).append(_box(left, right, y - half, y + half))
    for role, corners in boxes.items():
        look = style.ROLES[role]
        if height is None and look.height == 0.0:  # a node that is down: no life line to speak of
            lines = LineCollection(
                [[box[0], box[1]] for box in corners],
                colors=style.GREY,
                linestyles=(0, (1, 3)),
                linewidths=1.2,
                zorder=3,
            )
            lines.set_gid(f"role-{role}")
            ax.add_collection(lines, autolim=False)
            continue
        _add_boxes(
            ax, corners, facecolors=look.colour, linewidths=0.4, hatch=look.hatch or None, zorder=3,
            edgecolors=style.BLACK if height is None else "#444444", gid=f"role-{role}",
        )  # fmt: skip
    return [role_entry(role, height) for role in style.ROLES if role in boxes]


def role_entry(role: str, height: float | None) -> Entry:
    """Legend entry of a role as it is drawn."""
    if height is None and style.ROLES[role].height == 0.0:
        line = LineCollection([], colors=style.GREY, linestyles=(0, (1, 3)), linewidths=1.2)
        return line, role
    return style.role_entry(role)


def draw_marks(ax: Axes, lanes: Lanes) -> list[Entry]:
    """What happened to nodes, on their lanes."""
    places: dict[str, list[tuple[float, float]]] = {}
    for mark in history.marks(lanes.trace):
        if mark.node in lanes and lanes.shows(mark.at_ms):
            places.setdefault(mark.kind, []).append((mark.at_ms, lanes.y(mark.node)))
    shrink = 1.0 if len(lanes.nodes) <= 12 else 0.7
    for kind, points in places.items():
        look = style.MARKS[kind]
        x, y = zip(*points, strict=True)
        drawn = ax.scatter(
            x,
            y,
            s=(look.size * shrink) ** 2,
            marker=look.marker,
            facecolors=look.face,
            edgecolors=style.BLACK if look.face != style.BLACK else "#FFFFFF",
            linewidths=0.7,
            zorder=6,
            clip_on=False,
        )
        drawn.set_gid(f"mark-{kind}")
    return [style.mark_entry(kind) for kind in style.MARKS if kind in places]


def points_per_ms(ax: Axes, lanes: Lanes) -> float:
    """How many points on paper a millisecond takes."""
    figure = ax.get_figure(root=True)
    dpi = figure.dpi if figure is not None else 72.0
    return float(ax.bbox.width) / dpi * 72.0 / (lanes.end_ms - lanes.start_ms)


def draw_epochs(ax: Axes, lanes: Lanes, *, above: float) -> list[Entry]:
    """Framed numbers where a node's epoch changes; of several that would overlap, the last."""
    size = style.FONT_SIZE - 1 if len(lanes.nodes) <= 12 else style.FONT_SIZE - 3
    scale = points_per_ms(ax, lanes)
    free: dict[int, float] = {}
    drawn = False
    marked: dict[int, list[float]] = {}
    for mark in history.marks(lanes.trace) if above == 0.0 else ():
        marked.setdefault(mark.node, []).append(mark.at_ms)
    for node, at, epoch in reversed(history.epoch_changes(lanes.trace)):
        if node not in lanes or not lanes.shows(at):
            continue
        text = str(epoch) if abs(epoch) < 10**7 else f"{epoch:.2g}"
        width = (0.62 * size * len(text) + 6.0) / scale
        if at + width > free.get(node, math.inf):
            continue
        free[node] = at
        drawn = True
        near_mark = any(abs(mark - at) * scale < 8 for mark in marked.get(node, ()))
        style.write(
            ax,
            at + (8.0 if near_mark else 2.5) / scale,
            lanes.y(node) - above,
            text,
            fontsize=size,
            ha="left",
            va="center",
            zorder=7,
            clip_on=True,
            gid="epoch",
            bbox={
                "boxstyle": "round,pad=0.15",
                "facecolor": "#FFFFFF",
                "edgecolor": style.GREY,
                "linewidth": 0.5,
            },
        )
    return [style.epoch_entry()] if drawn else []


_CUT_SHADE, _CUT_HATCH = "#F4EFE6", "\\\\"
_CUT_SHADES = ("#F1E4D8", "#DCE6EE", "#E4EEDC", "#EFDDE9")


def draw_cuts(ax: Axes, lanes: Lanes) -> list[Entry]:
    """Shades the times of cut links; in a partition the lanes of each side have one shade."""
    boxes: dict[str, list[Box]] = {}
    edges: set[float] = set()
    top, bottom = -0.6, len(lanes.nodes) - 0.4
    scale = points_per_ms(ax, lanes)
    free_from = -math.inf
    for span in history.cut_spans(lanes.trace):
        seen = lanes.clip(span.start_ms, span.end_ms)
        if seen is None:
            continue
        groups = history.groups_of(span.links, lanes.trace.nodes)
        if groups is not None and len(groups) <= len(_CUT_SHADES):
            for shade, group in zip(_CUT_SHADES, groups, strict=False):
                middles = [lanes.y(node) for node in group if node in lanes]
                boxes.setdefault(shade, []).extend(_box(*seen, y - 0.5, y + 0.5) for y in middles)
        else:
            boxes.setdefault(_CUT_SHADE, []).append(_box(*seen, top, bottom))
        edges |= {x for x in (span.start_ms, span.end_ms) if lanes.shows(x)}
        free_from = _label_cut(ax, lanes, span, seen, max(free_from, seen[0]), scale)
    for shade, corners in boxes.items():
        _add_boxes(
            ax, corners, facecolors=shade, linewidths=0, zorder=0, gid="cut-shade",
            edgecolors="#D8CDBB" if shade == _CUT_SHADE else "none",
            hatch=_CUT_HATCH if shade == _CUT_SHADE else None,
        )  # fmt: skip
    if edges:
        ax.vlines(sorted(edges), top, bottom, colors=style.GREY, linewidths=0.7, zorder=1)
    entries: list[Entry] = []
    if set(boxes) & set(_CUT_SHADES):
        two = Patch(facecolor=_CUT_SHADES[0], edgecolor=_CUT_SHADES[1], linewidth=4)
        entries.append((two, "partition: a shade per side"))
    if _CUT_SHADE in boxes:
        one = Patch(facecolor=_CUT_SHADE, edgecolor="#D8CDBB", hatch=_CUT_HATCH, linewidth=0)
        entries.append((one, "links cut"))
    return entries


def _label_cut(
    ax: Axes,
    lanes: Lanes,
    span: history.CutSpan,
    seen: tuple[float, float],
    free_from: float,
    scale: float,
) -> float:
    """Writes above the lanes what was cut, if there is room; returns where there is room next."""
    left, right = seen
    text = history.describe_cut(span.links, lanes.trace.nodes)
    for choice in (text, text.split(" ")[0]):
        width = 0.52 * (style.FONT_SIZE - 0.5) * len(choice) / scale
        fits = left + width <= (lanes.end_ms if choice == text else right)
        if fits and left >= free_from:
            style.write(
                ax, left, -0.6, choice, fontsize=style.FONT_SIZE - 0.5, ha="left", va="bottom",
                gid="cut-label",
            )  # fmt: skip
            return left + width
    return free_from


def _box(left: float, right: float, top: float, bottom: float) -> Box:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _add_boxes(ax: Axes, corners: Sequence[Box], *, gid: str, **look: Any) -> None:
    boxes = PolyCollection(corners, **look)
    boxes.set_gid(gid)
    ax.add_collection(boxes, autolim=False)


def draw_split_brain(ax: Axes, lanes: Lanes) -> list[Entry]:
    """A striped band under the time axis' lanes while two nodes act as leader at one instant."""
    bottom = len(lanes.nodes) - 0.4
    spans = [lanes.clip(*span) for span in history.split_brain_spans(lanes.trace)]
    seen = [span for span in spans if span is not None]
    if not seen:
        return []
    look: dict[str, Any] = {"edgecolor": style.VERMILLION, "hatch": "//////", "linewidth": 0.8}
    corners = [_box(start, end, bottom - 0.12, bottom) for start, end in seen]
    _add_boxes(ax, corners, gid="split-brain", facecolor="#FFFFFF", zorder=5, **look)
    ax.vlines(
        sorted({x for span in seen for x in span}), -0.6, bottom, colors=style.VERMILLION,
        linestyles=(0, (4, 2)), linewidths=0.8, zorder=1,
    )  # fmt: skip
    return [(Patch(facecolor="#FFFFFF", **look), "split brain: two leaders")]


def write_title(ax: Axes, text: str) -> None:
    """The title, above what stands above the lanes."""
    occupied = any(t.get_gid() == "cut-label" for t in ax.texts)
    style.write_title(ax, text, pad=18.0 if occupied else 8.0)


def say_if_empty(ax: Axes, lanes: Lanes) -> None:
    """Tells that a trace has no rows, so that its picture is not taken for a broken one."""
    if len(lanes.trace) == 0:
        say(ax, "nothing has happened yet")


def say(ax: Axes, text: str) -> None:
    """A sentence about the picture, in it: right above the lanes."""
    ax.annotate(
        text,
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 9),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.FONT_SIZE,
        color=style.VERMILLION,
        parse_math=False,
        annotation_clip=False,
    )


def segments(points: Sequence[tuple[float, float, float, float]]) -> list[np.ndarray]:
    """Lines from (x, y) to (x, y)."""
    return [np.array([[a, b], [c, d]]) for a, b, c, d in points]
