"""How a measure is distributed over many runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from scipy import stats

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_LINES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (1.5, 1.2)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)


@sizes.sized
def plot_ecdf(
    values: Any,
    *,
    ax: Axes | None = None,
    labels: str | Sequence[str] | None = None,
    quantity: str = "time",
    unit: str = "ms",
    confidence: float | None = None,
    log: bool = False,
    legend: bool = True,
    size: Size | None = None,
) -> Axes:
    """The share of runs in which a measure was at most x: the empirical distribution function.

    NaN means that a run ended before what was waited for: it counts as a run, so that the curve
    stops below 1 at the share of the runs in which it happened; the legend says how many are
    missing.

    Args:
        values: One array, several, or a mapping from labels to arrays.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        labels: One per array.
        quantity: What the values are: "downtime".
        unit: Their unit; empty for none.
        confidence: Also the band in which the whole true curve lies with this probability, above 0
            and below 1; None: no band.
        log: Whether the axis of values is logarithmic; all of them must be above 0 then.
        legend: Whether to add a legend, with the number of runs of each curve.

    Returns:
        The axes; values to the right, the share of the runs upwards.

    Raises:
        ValueError: An array is empty or not one-dimensional, a value is infinite, all of them are
            NaN, the labels do not fit, or confidence is out of range; the message names it.

    Source: Massart, The Tight Constant in the Dvoretzky-Kiefer-Wolfowitz Inequality, 1990 (band).
    """
    arrays, names = _read(values, labels, log)
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r}: must be above 0 and below 1, or None")
    ax = style.axes_or_new(ax, 5.6, 3.6)
    entries = []
    left, right = _limits(arrays, log)
    for number, (array, name) in enumerate(zip(arrays, names, strict=True)):
        colour, line = _COLOURS[number % len(_COLOURS)], _LINES[number % len(_LINES)]
        x, y = _steps(array, left, right)
        ax.plot(x, y, drawstyle="steps-post", color=colour, linestyle=line, linewidth=1.6)
        ax.lines[-1].set_gid(f"ecdf-{number}")
        if confidence is not None:
            half = math.sqrt(math.log(2 / (1 - confidence)) / (2 * len(array)))
            low, high = np.clip(y - half, 0, 1), np.clip(y + half, 0, 1)
            ax.fill_between(x, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
        missing = int(np.isnan(array).sum())
        runs = f"{len(array):,} run" + ("s" if len(array) != 1 else "")
        text = runs + (f", {missing:,} never" if missing else "")
        sample = Line2D([], [], color=colour, linestyle=line, linewidth=1.6)
        entries.append((sample, f"{name}\n{text}" if name else text))
    if confidence is not None:
        entries.append(
            (Line2D([], [], color=style.GREY, linewidth=8, alpha=0.3), _band(confidence))
        )
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(left, right)
    ax.set_ylim(0, 1.02)
    label = f"{style.plain(quantity)} ({style.plain(unit)})" if unit else style.plain(quantity)
    ax.set_xlabel(label, fontsize=style.FONT_SIZE + 1, parse_math=False)
    ax.set_ylabel("share of runs at or below", fontsize=style.FONT_SIZE + 1)
    ax.tick_params(labelsize=style.FONT_SIZE)
    ax.grid(color=style.LIGHT, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    if legend:
        style.show_legend(ax, entries)
    return ax


def _band(confidence: float) -> str:
    return f"{100 * confidence:g} % confidence band"


def _read(
    values: Any, labels: str | Sequence[str] | None, log: bool
) -> tuple[list[npt.NDArray[np.float64]], list[str]]:
    if isinstance(values, Mapping):
        if labels is not None:
            raise ValueError(f"labels={labels!r}: must be None when values is a mapping")
        labels, values = [str(key) for key in values], list(values.values())
    elif _is_one(values):
        values = [values]
    arrays = [np.asarray(array, dtype=np.float64) for array in values]
    if not arrays:
        raise ValueError("values: must be at least one array")
    for number, array in enumerate(arrays):
        if array.ndim != 1 or array.size == 0:
            raise ValueError(
                f"values: array {number} has shape {array.shape}; it must be one-dimensional and "
                "not empty"
            )
        if np.isinf(array).any():
            raise ValueError(f"values: array {number} has infinite values; NaN means never")
        if log and (array <= 0).any():
            raise ValueError(
                f"values: array {number} has values of 0 or below; log=True needs more"
            )
    if all(np.isnan(array).all() for array in arrays):
        raise ValueError("values: all of them are NaN; there is no time to draw")
    names = [labels] if isinstance(labels, str) else list(labels or [""] * len(arrays))
    if len(names) != len(arrays):
        raise ValueError(f"labels={labels!r}: must be {len(arrays)}, one per array")
    return arrays, [style.plain(str(name), longest=26) for name in names]


def _is_one(values: Any) -> bool:
    first = next(iter(values), None) if hasattr(values, "__iter__") else None
    return first is None or np.ndim(first) == 0


def _limits(arrays: Sequence[npt.NDArray[np.float64]], log: bool) -> tuple[float, float]:
    seen = np.concatenate([array[~np.isnan(array)] for array in arrays])
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (1.0, 1.0)
    if log:
        spread = max(high / low, 1.2) ** 0.04
        return low / spread, high * spread
    spread = 0.04 * ((high - low) or abs(high) or 1.0)
    return (min(0.0, low) if 0 <= low < high else low - spread), high + spread


def _steps(
    array: npt.NDArray[np.float64], left: float, right: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Corners of the curve from one end of the axis to the other; runs with NaN come after all."""
    happened = array[~np.isnan(array)]
    if not happened.size:
        return np.array([left, right]), np.zeros(2)
    missing = np.full(array.size - happened.size, happened.max())
    curve = stats.ecdf(stats.CensoredData(uncensored=happened, right=missing)).cdf
    x = np.concatenate([[left], curve.quantiles, [right]])
    y = np.concatenate([[0.0], curve.probabilities, curve.probabilities[-1:]])
    return x, y
