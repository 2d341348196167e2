"""Protocols side by side: what was seen under trouble, how long nobody leads, what it costs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.comparison import Comparison

# Okabe and Ito (2008); line styles and marks say the same without colour.
_COLOURS = ("#000000", "#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
_LINES = ("-", "--", ":", "-.")


@sizes.sized
def plot_comparison(
    result: Comparison, *, ax: Sequence[Axes] | None = None, size: Size | None = None
) -> tuple[Axes, Axes, Axes]:
    """Three panels of a comparison.

    Args:
        result: What `electionlab.compare` returned.
        ax: Three axes; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes: percent of the time with two leaders at once, by protocol and trouble; downtime
        after a crash in ms (5 %, median and 95 % of the failovers); messages per election over the
        number of nodes, both logarithmic.

    Raises:
        ValueError: `ax` is not three axes.
    """
    if ax is None:
        rows, form = len(result.protocols), sizes.current()
        about = (
            f"Elections side by side: {result.nodes} nodes, a silent leader is suspected after "
            f"{result.timeout_ms:g} ms, one-way delays 5 to 10 ms; {result.runs} runs of each "
            f"trouble, {result.trials} elections, from seed {result.seed}"
        )
        if form.width_in is None:
            figure, panels = plt.subplots(
                1, 3, figsize=(15, 1.6 + 0.3 * max(rows, 10)), layout="constrained",
                width_ratios=(1.1, 1, 1.3),
            )  # fmt: skip
            figure.suptitle(about)
        else:  # one below the other
            own = (0.6 + 0.18 * max(rows, 8), 0.6 + 0.18 * max(rows, 8), 2.4)
            figure, panels = plt.subplots(
                3, 1, figsize=(form.width_in, sum(own) + 1.6), layout="constrained", dpi=form.dpi,
                height_ratios=own,
            )  # fmt: skip
            figure.suptitle(textwrap.fill(about, 90), fontsize=style.FONT_SIZE + 2)
    else:
        panels = np.ravel(np.asarray(ax, dtype=object))
        if len(panels) != 3 or not all(isinstance(panel, Axes) for panel in panels):
            raise ValueError(f"ax={ax!r}: must be three axes, or None")
    plot_guarantees(result, ax=panels[0])
    plot_downtimes(result, ax=panels[1])
    plot_costs(result, ax=panels[2])
    return panels[0], panels[1], panels[2]


def _names(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def plot_guarantees(result: Comparison, *, ax: Axes) -> Axes:
    """Percent of the time with two leaders at once: rows are protocols, columns kinds of trouble.

    Bold where nothing tells the newer leader from the older: there are no epochs, or both had the
    same. Of a protocol that elects once: percent of the runs that end with two leaders. A dash: the
    leader never changed, so that nothing was tried.
    """
    from electionlab._faults import FAULTS

    names, faults = result.protocols, list(FAULTS)
    known = {(c.protocol, c.fault, c.measure): c.value for c in result.cells}

    def seen(name: str, fault: str) -> float:
        if not result.fails_over(name):
            return known[name, fault, "runs_that_end_with_two_leaders"]
        if known[name, fault, "leader_changes_per_h"] == 0:
            return math.nan
        return known[name, fault, "time_with_two_leaders"]

    share = np.array([[seen(name, fault) for fault in faults] for name in names])
    # A split of a thousandth of the time is as visible as one of half of it.
    shade = np.clip(1 + np.log10(np.maximum(share, 1e-9)) / 4, 0, 1)
    ax.imshow(shade, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
    for row, name in enumerate(names):
        for column, fault in enumerate(faults):
            value = share[row, column]
            instants = known.get((name, fault, "runs_with_two_leaders_at_once"), 0) > 0
            epoch = known.get((name, fault, "runs_with_two_leaders_in_one_epoch"), math.nan)
            ax.text(
                column, row, _percent(value, instants), ha="center", va="center",
                fontsize=style.FONT_SIZE,
                color="white" if shade[row, column] > 0.5 else "black",
                weight="bold" if (value > 0 or instants) and epoch != 0 else "normal",
            )  # fmt: skip
    ax.set_xticks(range(len(faults)), faults)
    _names(ax, names)
    ax.set_title(
        "Time with two leaders at once (once: runs that end so)\n"
        "bold: in one epoch, or without epochs; –: not tried",
        fontsize=10,
    )
    ax.set_xlabel("trouble")
    return ax


def _percent(share: float, instants: bool) -> str:
    if math.isnan(share):
        return "–"
    if share == 0:
        return "instants" if instants else "0"
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"


def plot_downtimes(result: Comparison, *, ax: Axes) -> Axes:
    """Time from a leader's crash until all agree: 5 % to 95 % of the failovers, and the median."""
    names = result.protocols
    known: dict[tuple[str, str], Any] = {
        (c.protocol, c.measure): c.value
        for c in result.cells
        if c.measure.startswith("downtime_ms") and c.nodes == result.nodes
    }
    for row, name in enumerate(names):
        low, median, high = (
            known.get((name, f"downtime_ms_{q}"), math.nan) for q in ("p05", "p50", "p95")
        )
        if math.isnan(median):
            ax.text(
                0.02, row, "elects once", va="center", fontsize=style.FONT_SIZE, color=style.GREY,
                transform=ax.get_yaxis_transform(),
            )  # fmt: skip
            continue
        ax.plot([low, high], [row, row], color="#0072B2", linewidth=4, solid_capstyle="butt")
        ax.plot([median], [row], "D", color="#D55E00", markersize=5)
    ax.axvline(result.timeout_ms, color=style.GREY, linestyle=":", linewidth=1)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    few = high < 5 * low  # less than that, and there is hardly a 1, 2 or 5 among them
    ax.xaxis.set_major_locator(
        MaxNLocator(4, steps=[1, 2, 5, 10]) if few else LogLocator(subs=(1.0, 2.0, 5.0))
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("time from the crash until all agree [ms]")
    _names(ax, names)
    ax.grid(axis="x", color=style.LIGHT)
    ax.set_title("Downtime: 5 %, median, 95 %\n(dotted: the time-out)", fontsize=10)
    return ax


def plot_costs(result: Comparison, *, ax: Axes) -> Axes:
    """Messages per failover (per election, of those that elect once) over the number of nodes."""
    for index, name in enumerate(result.protocols):
        measure = "failover_messages" if result.fails_over(name) else "first_messages"
        points = sorted(
            (c.nodes, max(c.value, 0.0))
            for c in result.cells
            if c.protocol == name and c.measure == measure and not math.isnan(c.value)
        )
        if not points:
            continue
        ax.plot(
            *zip(*points, strict=True), color=_COLOURS[index % len(_COLOURS)],
            marker=_MARKS[index % len(_MARKS)], linestyle=_LINES[index // 7 % len(_LINES)],
            markersize=4, linewidth=1.2, label=f"{name}: {result.orders[name].name}",
            clip_on=False,
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=1, linscale=0.3)  # a failover may cost nothing
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    largest = max((c.nodes for c in result.cells), default=100)
    ticks = [tick for tick in (3, 5, 10, 25, 50, 100) if tick <= largest]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("nodes")
    ax.set_ylabel("messages per election")
    ax.grid(color=style.LIGHT)
    ax.legend(
        fontsize=style.FONT_SIZE, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False
    )
    ax.set_title("Cost as the cluster grows\n(with the fitted order)", fontsize=10)
    return ax
