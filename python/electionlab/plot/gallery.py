"""Pictures of the gallery's cases: their runs one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from electionlab.gallery.case import Bars, Holders, Panel, Shares, Timeline
from electionlab.plot import lanes, sizes, style
from electionlab.plot.distributions import plot_ecdf
from electionlab.plot.roles import plot_roles
from electionlab.plot.sizes import Size
from electionlab.plot.space_time import plot_space_time

if TYPE_CHECKING:
    from electionlab.gallery.case import CaseResult

# Okabe and Ito (2008); hatches say the same without colour.
_FILLS = (("#0072B2", ""), ("#E69F00", "///"), ("#009E73", "..."), ("#CC79A7", "xx"))
_WIDTH_IN, _LEFT_IN = 8.6, 1.0


@sizes.sized
def plot_panels(
    result: CaseResult, *, ax: Sequence[Axes] | None = None, size: Size | None = None
) -> list[Axes]:
    """The panels of a case that was run, top to bottom.

    Args:
        result: What ``Case.run`` returned.
        ax: As many axes as it has panels; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes.

    Raises:
        ValueError: There are not as many axes as panels.
    """
    panels = result.panels
    axes = _new_axes(result) if ax is None else list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) != len(panels) or not all(isinstance(one, Axes) for one in axes):
        raise ValueError(f"ax={ax!r}: must be {len(panels)} axes, one for each panel, or None")
    for panel, one in zip(panels, axes, strict=True):
        _draw(result, panel, one)
        seed = result.clusters[panel.cluster].seed if isinstance(panel, Timeline) else result.seed
        runs = f", {result.runs} runs" if isinstance(panel, Shares) else ""
        style.write_title(one, f"{panel.title} (seed {seed}{runs})", pad=20.0)
    return axes


def _draw(result: CaseResult, panel: Panel, ax: Axes) -> None:
    if isinstance(panel, Bars):
        _draw_bars(panel, ax)
    elif isinstance(panel, Holders):
        _draw_holders(panel, ax)
    elif isinstance(panel, Shares):
        values = {name: np.asarray(times, float) for name, times in panel.values.items()}
        if all(np.isnan(times).all() for times in values.values()):
            lanes.say(ax, "it happened in none of the runs")
        else:
            plot_ecdf(values, ax=ax, quantity=panel.quantity)
    else:
        trace = result.clusters[panel.cluster].trace
        if panel.messages:
            plot_space_time(
                trace, ax=ax, start_ms=panel.start_ms, end_ms=panel.end_ms, kinds=panel.kinds
            )
        else:
            plot_roles(trace, ax=ax, start_ms=panel.start_ms, end_ms=panel.end_ms)


def _new_axes(result: CaseResult) -> list[Axes]:
    """Axes one below the other, each as high as its panel needs, with room for the legends."""
    form = sizes.current()
    above, below = 0.62, 1.35 if form.columns else 0.62
    heights = [_height_in(result, panel) * form.height_share for panel in result.panels]
    width = form.width_in or _LEFT_IN + _WIDTH_IN + style.LEGEND_WIDTH_IN
    drawing = width - _LEFT_IN - (style.RIGHT_IN if form.columns else style.LEGEND_WIDTH_IN)
    height = sum(heights) + (above + below) * len(heights)
    figure = plt.figure(figsize=(width, height), dpi=form.dpi)
    axes, top = [], height
    for own in heights:
        bottom = top - above - own
        box = (_LEFT_IN / width, bottom / height, drawing / width, own / height)
        axes.append(figure.add_axes(box))
        top = bottom - below
    return axes


def _height_in(result: CaseResult, panel: Panel) -> float:
    if not isinstance(panel, Timeline):
        return 2.6
    lanes = result.clusters[panel.cluster].actors
    return max((0.62 if panel.messages else 0.36) * lanes, 2.5)


def _draw_holders(panel: Holders, ax: Axes) -> None:
    for lane, spans in enumerate(panel.lanes.values()):
        for start, end, who in spans:
            ax.barh(
                lane, end - start, 0.56, start, edgecolor=style.BLACK, linewidth=0.5,
                color="#8CCBF0" if who else "#FFFFFF", hatch="" if who else "xxx",
            )  # fmt: skip
            if who:
                middle = (start + end) / 2
                style.write(
                    ax, middle, lane, who, ha="center", va="center", fontsize=style.FONT_SIZE + 1
                )
    ax.set_yticks(range(len(panel.lanes)), list(panel.lanes), fontsize=style.FONT_SIZE + 1)
    ax.set_ylim(len(panel.lanes) - 0.4, -0.6)
    ax.set_xlim(0, max(end for spans in panel.lanes.values() for _, end, _ in spans))
    ax.set_xlabel("simulated time (ms)", fontsize=style.FONT_SIZE + 1)
    ax.tick_params(axis="x", labelsize=style.FONT_SIZE)
    ax.tick_params(axis="y", length=0, pad=7)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    nobody = Patch(facecolor="#FFFFFF", edgecolor=style.BLACK, hatch="xxx", linewidth=0.5)
    somebody = Patch(facecolor="#8CCBF0", edgecolor=style.BLACK, linewidth=0.5)
    style.show_legend(ax, [(somebody, panel.quantity), (nobody, "nobody")])


def _draw_bars(panel: Bars, ax: Axes) -> None:
    below = list(dict.fromkeys(name for series in panel.values.values() for name in series))
    places = np.arange(len(below))
    wide = 0.8 / len(panel.values)
    entries: list[lanes.Entry] = []
    for number, (name, series) in enumerate(panel.values.items()):
        colour, hatch = _FILLS[number % len(_FILLS)]
        middle = places + (number - (len(panel.values) - 1) / 2) * wide
        heights = [series.get(label, np.nan) for label in below]
        bars = ax.bar(
            middle, heights, wide * 0.94, color=colour, hatch=hatch, edgecolor="#FFFFFF", label=name
        )
        entries.append((bars.patches[0], name))
        ax.bar_label(bars, fmt=lambda value: f"{value:.3g}", fontsize=style.FONT_SIZE, padding=1)
    ax.set_xticks(places, below, fontsize=style.FONT_SIZE + 1)
    ax.set_ylabel(panel.quantity, fontsize=style.FONT_SIZE + 1)
    ax.tick_params(axis="y", labelsize=style.FONT_SIZE)
    if panel.log:
        ax.set_yscale("log")
    ax.margins(y=0.14)
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    if len(panel.values) > 1:
        style.show_legend(ax, entries)
