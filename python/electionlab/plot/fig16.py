"""Figure 16 of the Raft paper: simulated curves as lines, published ones as marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.fig16 import Fig16

# Okabe and Ito (2008); a mark of its own for each says the same without colour.
_COLOURS = ("#000000", "#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")


@sizes.sized
def plot_fig16(
    result: Fig16, *, ax: tuple[Axes, Axes] | None = None, size: Size | None = None
) -> tuple[Axes, Axes]:
    """Both panels of the figure: the share of trials that had found a leader after so long.

    Args:
        result: What `electionlab.fig16.run` returned. Curves that are not in the figure stand in
            the top panel.
        ax: Two axes, for the top and the bottom panel; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The two axes: time without a leader in ms to the right (logarithmic), cumulative percent of
        the trials upwards. A curve ends below 100 % where trials were given up.

    Raises:
        ValueError: `ax` is not a pair of axes.
    """
    from electionlab.fig16 import BOTTOM, TOP

    if ax is None:
        form = sizes.current()
        wide = form.width_in or 8.0
        figure, panels = plt.subplots(2, 1, figsize=(wide, wide), dpi=form.dpi)
        figure.subplots_adjust(left=0.09, right=0.755, top=0.9, bottom=0.07, hspace=0.32)
        _write_head(figure.axes[0], result)
        top, bottom = panels
    else:
        axes = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(axes) != 2 or not all(isinstance(panel, Axes) for panel in axes):
            raise ValueError(f"ax={ax!r}: must be two axes, or None")
        top, bottom = axes
    others = [curve for curve in result.curves if curve not in (*TOP, *BOTTOM)]
    _draw(top, result, [*TOP, *others], "Election timeouts spread more and more")
    _draw(bottom, result, BOTTOM, "Election timeouts and heartbeat interval scaled")
    return top, bottom


def _write_head(top: Axes, result: Fig16) -> None:
    style.write(
        top, 0.0, 1.2, "Time without a leader after the leader crashed", fontsize=12, weight="bold",
        transform=top.transAxes, va="bottom",
    )  # fmt: skip
    style.write(top, 0.0, 1.18, _about(result), transform=top.transAxes, va="top")


def _about(result: Fig16) -> str:
    counts = sorted({len(times) for times in result.downtime_ms.values()})
    trials = " or ".join(f"{count:,}" for count in counts)
    return (
        f"Raft, 5 nodes, 2 of the 4 survivors cannot win; {trials} trials a curve, seed "
        f"{result.seed}, model \u201c{result.model.name}\u201d"
    )


def _draw(ax: Axes, result: Fig16, curves: Sequence[str], title: str) -> None:
    from electionlab.fig16 import TOP, published

    known = published()
    entries: list[tuple[Line2D, str]] = []
    for position, curve in enumerate(curves):
        if curve not in result.downtime_ms:
            continue
        number = TOP.index(curve) if curve in TOP else position  # 150-300 stands in both panels
        colour, mark = _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]
        times = np.sort(result.downtime_ms[curve])
        found = times[~np.isnan(times)]
        ax.step(
            np.concatenate([found[:1], found]),
            100.0 * np.arange(found.size + bool(found.size)) / times.size,
            where="post",
            color=colour,
            linewidth=1.3,
        )
        beside = known.get(curve)
        if beside is not None:
            ax.plot(
                list(beside.quantiles_ms.values()),
                [100.0 * p for p in beside.quantiles_ms],
                linestyle="",
                marker=mark,
                markersize=5.5,
                markerfacecolor=colour,
                markeredgecolor="#FFFFFF",
                markeredgewidth=0.6,
                zorder=3,
            )
        handle = Line2D([], [], color=colour, linewidth=1.3, marker=mark if beside else "")
        handle.set_markersize(5.5)
        lost = 100.0 * (1 - found.size / times.size)
        note = f": {lost:.3g} % without" if lost else ""
        entries.append((handle, f"{curve} ms{note}"))
    entries.append((Line2D([], [], color=style.GREY, linewidth=1.3), "simulated"))
    marks = Line2D([], [], color=style.GREY, linestyle="", marker="o", markersize=5.5)
    entries.append((marks, "published (Ongaro 2014)"))
    style.show_legend(ax, entries)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter())
    ax.set_ylim(0, 101)
    ax.set_xlabel("time without a leader (ms)", fontsize=style.FONT_SIZE + 1)
    ax.set_ylabel("cumulative percent of trials", fontsize=style.FONT_SIZE + 1)
    ax.tick_params(labelsize=style.FONT_SIZE)
    ax.grid(color=style.LIGHT, linewidth=0.6)
    ax.set_axisbelow(True)
    style.write_title(ax, title)
