"""The space-time diagram (Lamport, 1978): life lines, and messages as arrows between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from electionlab.plot import history, sizes, style
from electionlab.plot import lanes as parts
from electionlab.plot.history import Flight
from electionlab.plot.lanes import Entry, Lanes
from electionlab.plot.sizes import Size
from electionlab.trace import Trace

Labels = Literal["auto", "all", "none"]

_MOST_NAMED = 40  # messages whose names fit beside their arrows


@sizes.sized
def plot_space_time(
    trace: Trace,
    *,
    ax: Axes | None = None,
    start_ms: float | None = None,
    end_ms: float | None = None,
    nodes: Iterable[int] | None = None,
    kinds: Iterable[str] | None = None,
    max_messages: int = 2000,
    labels: Labels = "auto",
    late_after_ms: float | None = None,
    legend: bool = True,
    size: Size | None = None,
) -> Axes:
    """The space-time diagram of a run: one life line per node, messages as arrows between them.

    A life line's colour, height and hatch tell the role. An arrow goes from where and when a
    message left to where and when it arrived; a dotted line leads on along the life line to the
    moment at which a paused or busy receiver took it up. A lost message ends in a cross whose shape
    tells why. Late messages are dashed. Framed numbers are epochs (terms) where they change.

    Args:
        trace: What happened in a run.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        start_ms: From when, in ms since the start; None: from the start.
        end_ms: Until when, in ms since the start; None: to the end of the trace.
        nodes: Which actors, top to bottom; None: all. Messages with others are left out.
        kinds: Only messages of these kinds; None: all.
        max_messages: Beyond so many only the first are drawn, and the picture says so; 0 and up.
        labels: Whether to write messages' names at their arrows: where they fit when there are few
            ("auto"), wherever they fit ("all"), or not at all ("none").
        late_after_ms: A message that travels longer is late; None: what is unusual in this trace,
            beyond three times the quartiles' distance above the third quartile.
        legend: Whether to add a legend at the right.

    Returns:
        The axes; time in ms to the right, one lane per node.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: Lamport, Time, Clocks, and the Ordering of Events in a Distributed System, 1978.
    """
    lanes = parts.make_lanes(trace, start_ms, end_ms, nodes)
    if labels not in ("auto", "all", "none"):
        raise ValueError(f"labels={labels!r}: must be 'auto', 'all' or 'none'")
    if max_messages < 0:
        raise ValueError(f"max_messages={max_messages!r}: must be at least 0")
    wanted = history.chosen_kinds(trace, kinds)
    every = history.flights(trace)
    late = history.late_after_ms(every) if late_after_ms is None else float(late_after_ms)
    seen = [f for f in every if f.kind in wanted and _visible(f, lanes)]

    ax = parts.new_axes(ax, lanes, _lane_in(len(lanes.nodes)))
    parts.draw_axes(ax, lanes)
    entries = parts.draw_bars(ax, lanes)
    entries += _draw_messages(ax, lanes, seen[:max_messages], late)
    entries += parts.draw_marks(ax, lanes)
    entries += parts.draw_epochs(ax, lanes, above=0.27)
    entries += parts.draw_cuts(ax, lanes)
    entries += parts.draw_split_brain(ax, lanes)
    parts.write_title(ax, f"Space-time diagram: {parts.describe(trace)}")
    if len(seen) > max_messages:
        parts.say(ax, f"only the first {max_messages:,} of {len(seen):,} messages are drawn")
        ax.axvline(seen[max_messages].sent_ms, color=style.VERMILLION, linestyle=":", zorder=1)
    if labels == "all" or (labels == "auto" and len(seen) <= _MOST_NAMED):
        _write_names(ax, lanes, seen[:max_messages])
    parts.say_if_empty(ax, lanes)
    if legend:
        style.show_legend(ax, entries)
    return ax


def _visible(f: Flight, lanes: Lanes) -> bool:
    last = f.end_ms if math.isnan(f.handled_ms) else f.handled_ms
    ends = f.sender in lanes and f.receiver in lanes
    return ends and f.sent_ms <= lanes.end_ms and last >= lanes.start_ms


def _lane_in(lanes: int) -> float:
    """Height of a lane, inches."""
    return 0.82 if lanes <= 5 else 0.64 if lanes <= 12 else 0.3


def _ends(f: Flight, lanes: Lanes) -> tuple[float, float, float, float]:
    """Where an arrow begins and ends: just before the receiver's bar, or in a cross part-way."""
    y0, y1 = lanes.y(f.sender), lanes.y(f.receiver)
    if f.fate == "delivered":
        short = lanes.half_height(f.receiver, f.end_ms) + 0.04
        return f.sent_ms, y0, f.end_ms, y1 - math.copysign(short, y1 - y0)
    way = 1.0 if f.fate == "flying" else f.way
    if math.isnan(way):  # near the culprit, or else half-way, and between two lanes
        distance = abs(y1 - y0)
        if f.fate == "receiver_down":
            way = 1 - 0.25 / distance
        elif f.fate == "sender_crashed":
            way = 0.25 / distance
        else:
            way = (distance // 2 + 0.5) / distance
    return f.sent_ms, y0, f.sent_ms + way * (f.end_ms - f.sent_ms), y0 + way * (y1 - y0)


def _draw_messages(ax: Axes, lanes: Lanes, seen: Sequence[Flight], late: float) -> list[Entry]:
    names = lanes.trace.message_kinds
    looks = style.kind_styles(names)
    entries: list[Entry] = []
    for kind, (name, look) in enumerate(zip(names, looks, strict=True)):
        own = [f for f in seen if f.kind == kind]
        if not own:
            continue
        entries.append(style.kind_entry(name, look))
        _draw_kind(ax, lanes, own, look, late, kind)
    entries += _draw_losses(ax, lanes, seen)
    if any(f.end_ms - f.sent_ms > late for f in seen if f.fate == "delivered"):
        line = Line2D([], [], color=style.GREY, linestyle=(0, (5, 2)), linewidth=1.1)
        entries.append((line, f"late: longer than {late:.3g} ms"))
    if any(f.fate == "delivered" and f.handled_ms > f.end_ms for f in seen):
        line = Line2D([], [], color=style.GREY, linestyle=":", linewidth=1.6)
        entries.append((line, "waits for its receiver"))
    if any(f.fate == "flying" for f in seen):
        line = Line2D([], [], color=style.GREY, linewidth=1.1, alpha=0.5)
        entries.append((line, "no head: still on its way"))
    return entries


def _draw_kind(
    ax: Axes, lanes: Lanes, own: Sequence[Flight], look: style.KindStyle, late: float, kind: int
) -> None:
    slow = [f for f in own if f.end_ms - f.sent_ms > late and f.fate == "delivered"]
    usual = [f for f in own if f not in slow] if slow else list(own)
    for group, dashes in ((usual, "solid"), (slow, (0, (5, 2)))):
        if not group:
            continue
        lines = LineCollection(
            parts.segments([_ends(f, lanes) for f in group]),
            colors=look.colour,
            linewidths=look.width * (1.0 if group is usual else 1.3),
            linestyles=[dashes],
            alpha=0.9,
            zorder=2,
        )
        lines.set_gid(f"message-lines-{kind}")
        ax.add_collection(lines, autolim=False)
    arrived = [f for f in own if f.fate == "delivered"]
    if arrived:
        ends = np.array([_ends(f, lanes) for f in arrived])
        style.ArrowHeads(
            ax, ends[:, :2], ends[:, 2:], facecolors=look.colour, linewidths=0, zorder=4,
            size=5.0 + look.width, gid=f"message-arrows-{kind}",
        )  # fmt: skip
    starts = sorted({(f.sent_ms, lanes.y(f.sender)) for f in own})
    x, y = zip(*starts, strict=True)
    ax.scatter(
        x, y, s=11, marker=look.marker, color=look.colour, edgecolors="#FFFFFF", linewidths=0.4,
        zorder=5, gid=f"message-starts-{kind}",
    )  # fmt: skip
    waits = [f for f in arrived if f.handled_ms > f.end_ms]
    if waits:
        along = [(f.end_ms, _ends(f, lanes)[3], f.handled_ms, _ends(f, lanes)[3]) for f in waits]
        lines = LineCollection(
            parts.segments(along), colors=look.colour, linestyles=":", linewidths=1.6, zorder=4
        )
        lines.set_gid(f"message-waits-{kind}")
        ax.add_collection(lines, autolim=False)


def _draw_losses(ax: Axes, lanes: Lanes, seen: Sequence[Flight]) -> list[Entry]:
    entries = []
    for reason, (marker, _) in style.LOSSES.items():
        places = [_ends(f, lanes)[2:] for f in seen if f.fate == reason]
        if not places:
            continue
        x, y = zip(*places, strict=True)
        crosses = ax.scatter(
            x, y, s=34, marker=marker, color=style.VERMILLION, linewidths=1.4, zorder=5
        )
        crosses.set_gid(f"lost-{reason}")
        if style.is_filled(marker):
            crosses.set(edgecolors=style.BLACK, linewidths=0.6)
        entries.append(style.loss_entry(reason))
    return entries


def _write_names(ax: Axes, lanes: Lanes, seen: Sequence[Flight]) -> None:
    """Names along the arrows, each where it meets nothing else, if there is such a place."""
    names = lanes.trace.message_kinds
    looks = style.kind_styles(names)
    figure = ax.get_figure(root=True)
    size = (style.FONT_SIZE - 1.5) * (figure.dpi if figure is not None else 72.0) / 72.0
    ends = np.array([_ends(f, lanes) for f in seen]).reshape(-1, 4)
    starts = ax.transData.transform(ends[:, :2])
    tips = ax.transData.transform(ends[:, 2:])
    middles = np.arange(len(lanes.nodes))
    lines_y = ax.transData.transform(np.column_stack([np.zeros(len(middles)), middles]))[:, 1]
    taken = np.empty((0, 2))
    for number, f in enumerate(seen):
        start, end = starts[number], tips[number]
        length = float(np.hypot(*(end - start)))
        text = style.plain(names[f.kind], longest=18)
        width = 0.58 * size * len(text)
        if length < width * 1.05:
            continue
        along = (end - start) / length
        across = np.array([-along[1], along[0]]) * 0.72 * size
        angle = math.degrees(math.atan2(along[1], along[0]))
        if abs(angle) > 90:
            angle, across = angle - math.copysign(180, angle), -across
        dots = np.linspace(-width / 2, width / 2, max(2, len(text)))[:, None] * along
        others = np.arange(len(seen)) != number
        for share in _shares(width / length):
            here = start + share * (end - start) + across + dots
            if here[:, 0].min() < ax.bbox.x0 + size or here[:, 0].max() > ax.bbox.x1 - size:
                continue
            if (np.abs(here[:, 1, None] - lines_y) < 0.8 * size).any():
                continue
            if _nearest(here, taken, taken) < 1.05 * size:
                continue
            if _nearest(here, starts[others], tips[others]) < 0.55 * size:
                continue
            taken = np.vstack([taken, here])
            x, y = ax.transData.inverted().transform(here.mean(axis=0))
            style.write(
                ax, float(x), float(y), text, fontsize=style.FONT_SIZE - 1.5, gid="message-name",
                color=looks[f.kind].colour, rotation=angle, rotation_mode="anchor", ha="center",
                va="center", zorder=5, clip_on=True,
            )  # fmt: skip
            break


def _shares(used: float) -> list[float]:
    """Places along an arrow for a name that takes this share of it, the middle first."""
    room = max(0.0, (1 - used) / 2)
    steps = (0.0, -0.3, 0.3, -0.6, 0.6, -0.9, 0.9)
    return [0.5 + step * room for step in steps]


def _nearest(
    dots: npt.NDArray[np.float64], starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]
) -> float:
    """The least distance from some dots to some line segments; infinite when there are none."""
    if not len(starts):
        return math.inf
    along = ends - starts
    square = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((dots[:, None] - starts) * along).sum(axis=2) / square, 0, 1)
    gaps = dots[:, None] - (starts + share[:, :, None] * along)
    return float(np.sqrt((gaps**2).sum(axis=2)).min())
