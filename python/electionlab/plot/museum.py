"""Pictures of the museum: a run of a broken protocol above the same steps of the repaired one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size
from electionlab.plot.space_time import plot_space_time

if TYPE_CHECKING:
    from electionlab.museum import Shown

_WIDTH_IN, _LEFT_IN, _LANE_IN = 8.6, 1.0, 0.72


@sizes.sized
def plot_shown(
    shown: Shown, *, ax: Sequence[Axes] | None = None, size: Size | None = None
) -> list[Axes]:
    """The run of an exhibit, and below it the same steps taken by the repaired protocol.

    Args:
        shown: What ``museum.run`` returned.
        ax: Two axes; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes.

    Raises:
        ValueError: `ax` is not two axes.
    """
    beside = shown.beside()
    runs = (shown.run, beside.run)
    axes = _new_axes(shown.exhibit.broken.nodes) if ax is None else list(np.ravel(np.asarray(ax)))
    if len(axes) != 2 or not all(isinstance(one, Axes) for one in axes):
        raise ValueError(f"ax={ax!r}: must be two axes, or None")
    titles = (
        f"{shown.exhibit.title}: {_broken(shown)}, {shown.exhibit.steps}",
        "The same steps without the flag"
        + ("" if beside.parts is None else f": another course from step {beside.parts} on")
        + ("" if beside.refused is None else f"; step {beside.refused[0]} cannot be taken"),
    )
    end_ms = runs[0].trace.end_ms
    for run, title, one in zip(runs, titles, axes, strict=True):
        cluster = run.cluster()
        cluster.run(until=end_ms)
        plot_space_time(cluster.trace, ax=one)
        if run is beside.run and beside.refused is not None:  # what came next was not tried
            one.axvspan(run.trace.end_ms, end_ms, color="white", alpha=0.85, zorder=100)
        style.write_title(one, title, pad=20.0)
    _share_legend(*axes)
    return axes


def _share_legend(upper: Axes, lower: Axes) -> None:
    """What both have is explained once: two long legends would meet."""
    above, below = upper.get_legend(), lower.get_legend()
    if above is None or below is None:
        return
    explained = {text.get_text() for text in above.get_texts()}
    if explained >= {text.get_text() for text in below.get_texts()}:
        below.remove()


def _broken(shown: Shown) -> str:
    name = shown.exhibit.invariant
    return f"never {name}" if shown.exhibit.eventually else f"{name} is broken"


def _new_axes(nodes: int) -> list[Axes]:
    form = sizes.current()
    above, below = 0.62, 1.35 if form.columns else 0.62
    own = max(_LANE_IN * nodes, 2.4) * form.height_share
    width = form.width_in or _LEFT_IN + _WIDTH_IN + style.LEGEND_WIDTH_IN
    drawing = width - _LEFT_IN - (style.RIGHT_IN if form.columns else style.LEGEND_WIDTH_IN)
    height = 2 * (above + own + below)
    figure = plt.figure(figsize=(width, height), dpi=form.dpi)
    return [
        figure.add_axes((_LEFT_IN / width, bottom / height, drawing / width, own / height))
        for bottom in (height - above - own, below)
    ]
