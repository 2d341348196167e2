"""Downtimes of a real system beside those of its simulation and of the naive model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from electionlab.plot import style
from electionlab.plot.distributions import plot_ecdf

if TYPE_CHECKING:
    from electionlab.real.calibration import Calibration


def plot_calibration(result: Calibration, *, ax: Axes | None = None) -> Axes:
    """The three distribution functions, with their Kolmogorov-Smirnov distances.

    Args:
        result: What was measured and simulated.
        ax: Axes to draw on; None for those of a new figure.

    Returns:
        The axes; downtime in ms to the right, share of the runs upwards.
    """
    curves = {
        f"real: {result.measured.system['server']}": result.real_ms,
        f"simulated: KS {result.distance:.3f}": result.simulated_ms,
        f"naive: KS {result.naive_distance:.3f}": result.naive_ms,
    }
    ax = plot_ecdf(curves, ax=ax, quantity="downtime")
    fault = {"crash": "killed", "pause": "paused"}[result.measured.fault]
    title = f"{result.name}: leader {fault}; chance allows {result.limit:.3f} (95 %)"
    style.write_title(ax, title, pad=8.0)
    return ax
