"""Who had which role when: one bar per node."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from electionlab.plot import lanes as parts
from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size
from electionlab.trace import Trace

_BAR = 0.56


@sizes.sized
def plot_roles(
    trace: Trace,
    *,
    ax: Axes | None = None,
    start_ms: float | None = None,
    end_ms: float | None = None,
    nodes: Iterable[int] | None = None,
    legend: bool = True,
    size: Size | None = None,
) -> Axes:
    """The roles of every node over time, as coloured and hatched bars.

    Framed numbers are epochs (terms) where they change; crashes, restarts, pauses and broken
    invariants are marked; cut links are shaded; a striped band shows split brain, when two nodes
    act as leader at one instant.

    Args:
        trace: What happened in a run.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        start_ms: From when, in ms since the start; None: from the start.
        end_ms: Until when, in ms since the start; None: to the end of the trace.
        nodes: Which actors, top to bottom; None: all.
        legend: Whether to add a legend at the right.

    Returns:
        The axes; time in ms to the right, one lane per node.

    Raises:
        ValueError: A time or a node is out of range; the message names it.
    """
    lanes = parts.make_lanes(trace, start_ms, end_ms, nodes)
    ax = parts.new_axes(ax, lanes, 0.5 if len(lanes.nodes) <= 12 else 0.3)
    parts.draw_axes(ax, lanes)
    entries = parts.draw_bars(ax, lanes, _BAR)
    entries += parts.draw_marks(ax, lanes)
    entries += parts.draw_epochs(ax, lanes, above=0.0)
    entries += parts.draw_cuts(ax, lanes)
    entries += parts.draw_split_brain(ax, lanes)
    parts.write_title(ax, f"Roles: {parts.describe(trace)}")
    parts.say_if_empty(ax, lanes)
    if legend:
        style.show_legend(ax, entries)
    return ax
