"""Detection time against mistakes, for several failure detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.detectors import DetectorCurve

# Okabe and Ito (2008); a mark of its own for each says the same without colour.
_LOOKS = {
    "fixed": ("#000000", "o", "fixed time-out"),
    "nfd_s": ("#0072B2", "s", "NFD-S"),
    "nfd_e": ("#009E73", "^", "NFD-E"),
    "phi": ("#D55E00", "D", "phi accrual"),
}


@sizes.sized
def draw_detector_curve(
    curve: DetectorCurve, *, ax: Axes | None = None, size: Size | None = None
) -> Axes:
    """Draws what `electionlab.plot_detector_curve` describes."""
    ax = style.axes_or_new(ax, 5.6, 4.2)
    entries: list[tuple[Artist, str]] = []
    for detector in curve.detectors:
        colour, mark, name = _LOOKS[detector]
        lines = curve.frame[curve.frame["detector"] == detector].sort_values("value")
        x, y = lines["detection_ms"].to_numpy(), lines["mistakes_per_s"].to_numpy()
        low, high = lines["mistakes_low_per_s"].to_numpy(), lines["mistakes_high_per_s"].to_numpy()
        seen = y > 0
        ax.errorbar(
            x[seen],
            y[seen],
            xerr=np.maximum(
                0.0,
                [
                    x[seen] - lines["detection_low_ms"].to_numpy()[seen],
                    lines["detection_high_ms"].to_numpy()[seen] - x[seen],
                ],
            ),
            yerr=np.maximum(0.0, [y[seen] - low[seen], high[seen] - y[seen]]),
            color=colour,
            marker=mark,
            markersize=5,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=1.5,
        )
        ax.plot(
            x[~seen],
            high[~seen],
            linestyle="",
            marker="v",
            markersize=6,
            markerfacecolor="#FFFFFF",
            markeredgecolor=colour,
        )
        values = ", ".join(f"{v:g}" for v in (lines["value"].iloc[0], lines["value"].iloc[-1]))
        parameter = lines["parameter"].iloc[0]
        entries.append(
            (
                Line2D([], [], color=colour, marker=mark, markersize=5, linewidth=1.2),
                f"{name}\n{parameter}\n{values.replace(', ', ' to ')}",
            )
        )
    _draw_closed_form(ax, curve, entries)
    if (curve.frame["mistakes"] == 0).any():
        none = Line2D([], [], linestyle="", marker="v", markersize=6, color="#FFFFFF")
        none.set_markeredgecolor(style.GREY)
        entries.append((none, "no mistake seen:\n95 % upper limit"))
    style.show_legend(ax, entries)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(_lowest(curve) / 5)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("mean detection time of a crash (ms)", fontsize=style.FONT_SIZE + 1)
    ax.set_ylabel("mistakes per second (1 / T_MR)", fontsize=style.FONT_SIZE + 1)
    ax.tick_params(labelsize=style.FONT_SIZE)
    ax.grid(color=style.LIGHT, linewidth=0.6)
    ax.set_axisbelow(True)
    style.write_title(ax, "Fast detection costs false alarms", pad=32.0)
    style.write(
        ax, 0.0, 1.02, _about(curve), transform=ax.transAxes, va="bottom", fontsize=style.FONT_SIZE
    )
    return ax


def _lowest(curve: DetectorCurve) -> float:
    """The lowest rate that is drawn; the closed form goes on for ever."""
    rates = curve.frame[["mistakes_per_s", "mistakes_high_per_s"]].to_numpy()
    return float(rates[rates > 0].min())


def _draw_closed_form(ax: Axes, curve: DetectorCurve, entries: list[tuple[Artist, str]]) -> None:
    lines = curve.frame[curve.frame["detector"] == "nfd_s"].sort_values("value")
    points = [
        (x, curve.nfd_s(v)) for x, v in zip(lines["detection_ms"], lines["value"], strict=True)
    ]
    known = [(x, q.mistakes_per_s) for x, q in points if q is not None and q.mistakes_per_s > 0]
    if known:
        ax.plot(*zip(*known, strict=True), color="#56B4E9", linestyle=(0, (4, 2)), linewidth=2.2,
                zorder=1.5)  # fmt: skip
        handle = Line2D([], [], color="#56B4E9", linestyle=(0, (4, 2)), linewidth=2.2)
        entries.append((handle, "NFD-S, closed form"))


def _about(curve: DetectorCurve) -> str:
    lines = curve.frame
    n = curve.network
    trials = int(lines["trials"].max())
    seconds = lines["observed_s"].max() / trials
    return (
        f"2 nodes, heartbeat every {curve.heartbeat_interval_ms:g} ms, one-way delay (ms) "
        f"{n.one_way_delay_ms!r}, loss {n.loss_probability or 0:g};\n{trials:,} trials of "
        f"{seconds:g} s a point, node 1 crashes once in each; seed {curve.seed}"
    )
