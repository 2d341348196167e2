"""Downtimes of a real system beside those of its simulation and of the naive model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from electionlab.plot import sizes, style
from electionlab.plot.distributions import plot_ecdf
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.real.calibration import Calibration


@sizes.sized
def plot_calibration(
    result: Calibration, *, ax: Axes | None = None, size: Size | None = None
) -> Axes:
    """The three distribution functions, with their Kolmogorov-Smirnov distances.

    Args:
        result: What was measured and simulated.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes; downtime in ms to the right, share of the runs upwards.
    """
    models = (result.simulated_ms, result.naive_ms)
    curves = {
        f"real: {result.measured.system['server']}": result.real_ms,
        f"simulated: KS {result.distance:.3f}": result.simulated_ms,
        f"naive: KS {result.naive_distance:.3f}": result.naive_ms,
    }
    ax = plot_ecdf(curves, ax=ax, quantity="downtime")
    most = max(float(result.real_ms.max()), *(float(np.quantile(v, 0.995)) for v in models))
    ax.set_xlim(0, 1.05 * most)
    fault = {"crash": "killed", "pause": "paused"}[result.measured.fault]
    title = f"{result.name}: leader {fault}; chance allows {result.limit:.3f} (95 %)"
    style.write_title(ax, title, pad=8.0)
    return ax


@sizes.sized
def plot_formula(result: Calibration, *, ax: Axes | None = None, size: Size | None = None) -> Axes:
    """Times since the last renewal beside what the rule says of them.

    Args:
        result: What was measured, with a rule.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes; time since the last renewal in ms to the right, share of the runs upwards.

    Raises:
        ValueError: There is no rule for what was measured.
    """
    rule = result.formula
    if rule is None:
        raise ValueError(f"result: {result.name!r} has no rule for the time since a renewal")
    since = result.measured.since_renewal_ms
    ax = plot_ecdf(since, ax=ax, quantity="time since the last renewal", legend=False)
    (real,) = ax.lines
    (line,) = ax.plot(
        [0, rule.low_ms, rule.high_ms, 10 * rule.high_ms], [0, 0, 1, 1],
        color=style.GREY, linestyle="--", linewidth=1.6,
    )  # fmt: skip
    entries: list[tuple[Artist, str]] = [
        (real, f"real: {result.measured.system['server']}\n{len(since):,} runs"),
        (line, f"formula: KS {result.formula_distance:.3f}"),
    ]
    style.show_legend(ax, entries)
    span = rule.high_ms - rule.low_ms
    most = max(float(result.measured.since_renewal_ms.max()), rule.high_ms)
    ax.set_xlim(rule.low_ms - 0.2 * span, min(most, rule.high_ms + 2 * span) + 0.2 * span)
    title = f"{result.name}: {rule.text}; chance allows {result.limit:.3f} (95 %)"
    style.write_title(ax, title, pad=8.0)
    return ax
