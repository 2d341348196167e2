"""What a sweep has measured: distributions, curves over a swept value, maps over two."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from electionlab._sweep_estimates import Estimate, Statistic, estimate, split_unit
from electionlab._sweep_points import plain_value, shown
from electionlab.formulas import FORMULAS, Setting
from electionlab.plot import sizes, style
from electionlab.plot.distributions import plot_ecdf
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.sweep_result import Sweep

# Okabe and Ito (2008); a mark of its own for each says the same without colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
#: More curves than this nobody tells apart.
_MOST_CURVES = len(_COLOURS)
_CLOSED_FORM = (0, (4, 2))

Formula = str | Callable[[Mapping[str, Any]], float]


def _check_measure(result: Sweep, measure: str) -> None:
    if measure not in result.measures:
        raise ValueError(f"measure={measure!r}: must be one of {', '.join(result.measures)}")
    if not len(result):
        raise ValueError("the sweep has no trials")


def _check_names(result: Sweep, **names: Any) -> None:
    for argument, name in names.items():
        if name not in result.parameters:
            swept = ", ".join(result.parameters) or "nothing"
            raise ValueError(f"{argument}={name!r}: must be a name that was swept: {swept}")


def _label(measure: str, statistic: Any = None) -> str:
    """A measure in words, with its unit."""
    name, unit = split_unit(measure)
    words = name.replace("_", " ")
    if statistic is not None:
        words = f"{_statistic(statistic)} {words}"
        if statistic == "share":
            return f"share of trials with {name.replace('_', ' ')}"
    return f"{words} ({unit[1:]})" if unit else words


def _statistic(statistic: Any) -> str:
    if callable(statistic):
        return str(getattr(statistic, "__name__", "statistic"))
    if isinstance(statistic, float):
        return f"{100 * statistic:g} % quantile of"
    if statistic.startswith("p") and statistic[1:2].isdigit():
        return f"{statistic[1:]} % quantile of"
    return str(statistic)


def _about(result: Sweep) -> str:
    """What all of a picture has in common."""
    first = [point.definition for point in result.points]
    names = ", ".join(dict.fromkeys(d["protocol"] for d in first))
    sizes = sorted({d["nodes"] for d in first})
    nodes = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    least, most = min(result.trials), max(result.trials)
    trials = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    ended = ", interrupted" if result.interrupted else ""
    trials += " trial" if most == 1 else " trials"
    return f"{names}, {nodes} nodes; {trials} a point; seed {result.seed}{ended}"


def _values_text(values: Mapping[str, Any]) -> str:
    parts = [f"{name} = {shown(value)}" for name, value in values.items()]
    return "\n".join(style.plain(part, longest=34) for part in parts)


def _write_about(ax: Axes, result: Sweep, more: str = "") -> None:
    style.write(
        ax, 0.0, 1.02, style.plain(_about(result), longest=110) + more, transform=ax.transAxes,
        va="bottom", fontsize=style.FONT_SIZE,
    )  # fmt: skip


@sizes.sized
def plot_sweep_ecdf(
    result: Sweep, measure: str, *, ax: Axes | None = None, size: Size | None = None, **options: Any
) -> Axes:
    """The share of the trials in which a measure was at most x, a curve for each point.

    Args:
        result: The sweep; at most seven points, `Sweep.at` picks some.
        measure: Which column.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        options: For `electionlab.plot.plot_ecdf`: confidence, log, legend.

    Raises:
        ValueError: There is no such measure, or there are too many points.
    """
    _check_measure(result, measure)
    if len(result.points) > _MOST_CURVES:
        raise ValueError(
            f"points={len(result.points)}: must be at most {_MOST_CURVES} curves; at() picks some"
        )
    name, unit = split_unit(measure)
    curves = [result.column(measure, point=k, measured=True) for k in range(len(result.points))]
    labels = [
        ", ".join(str(shown(value)) for value in point.values.values()) for point in result.points
    ]
    ax = plot_ecdf(
        curves, labels=labels, quantity=name.replace("_", " "), unit=unit[1:], ax=ax, **options
    )
    over = f"\ncurves: {', '.join(result.parameters)}" if result.parameters else ""
    _write_about(ax, result, over)
    return ax


def _key(value: Any) -> Any:
    """A swept value as something that is equal where the values are."""
    return repr(plain_value(value))


def _places(values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Where values stand on an axis: numbers at their place, others one after the other."""
    number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if number:
        return [float(v) for v in values], None
    return [float(k) for k in range(len(values))], [str(shown(v)) for v in values]


def _formula_of(formula: Formula) -> Callable[[Any], float]:
    if callable(formula):
        return lambda point: float(formula(point.values))
    if formula not in FORMULAS:
        raise ValueError(
            f"formula={formula!r}: must be one of {', '.join(FORMULAS)}, or a function of the "
            "swept values"
        )
    named = FORMULAS[formula]
    return lambda point: named(Setting(point.definition))


def _pooled(result: Sweep, numbers: Sequence[int], measure: str, statistic: Statistic) -> Estimate:
    parts = [result.column(measure, point=k, measured=True) for k in numbers]
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return estimate(values, statistic, seed=result.seed)


@sizes.sized
def plot_sweep_lines(
    result: Sweep,
    x: str,
    measure: str,
    statistic: Statistic = "median",
    *,
    formula: Formula | None = None,
    pool: Sequence[str] = (),
    ax: Axes | None = None,
    size: Size | None = None,
) -> Axes:
    """A figure with its 95 % interval over a swept value, the closed form beside it.

    Args:
        result: The sweep.
        x: Which swept name to the right; ranges and names stand side by side. The others make a
            curve each, at most seven.
        measure: Which column.
        statistic: What of it; see `Sweep.estimate`.
        formula: What the figure should be, drawn dashed where it is known: a name in
            `electionlab.formulas.FORMULAS`, or a function of the swept values of a point.
        pool: Swept names whose trials are taken together.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes. A figure that cannot be told, as too many trials never got there, is left out.

    Raises:
        ValueError: A name, measure, statistic or formula is unknown, or there are too many curves.
    """
    _check_measure(result, measure)
    _check_names(result, x=x, **{f"pool[{k}]": name for k, name in enumerate(pool)})
    expected = None if formula is None else _formula_of(formula)
    curves: dict[str, dict[str, list[int]]] = {}
    names: dict[str, str] = {}
    order: dict[str, Any] = {}
    for number, point in enumerate(result.points):
        others = {n: v for n, v in point.values.items() if n != x and n not in pool}
        key, at = _key(others), _key(point.values[x])
        names[key] = _values_text(others)
        order.setdefault(at, point.values[x])
        curves.setdefault(key, {}).setdefault(at, []).append(number)
    if len(curves) > _MOST_CURVES:
        raise ValueError(
            f"x={x!r}: the other swept values make {len(curves)} curves; must be at most "
            f"{_MOST_CURVES}: at() picks some, pool= takes some together"
        )
    places, labels = _places(list(order.values()))
    place = dict(zip(order, places, strict=True))
    ax = style.axes_or_new(ax, 5.6, 3.8)
    entries: list[tuple[Artist, str]] = []
    for count, (key, by_x) in enumerate(curves.items()):
        colour, mark = _COLOURS[count], _MARKS[count]
        keys = sorted(by_x, key=lambda at: place[at])
        at = np.array([place[k] for k in keys])
        found = [_pooled(result, by_x[k], measure, statistic) for k in keys]
        if labels is not None:  # side by side, so that no interval hides another
            at = at + 0.5 * (count - (len(curves) - 1) / 2) / max(len(curves), 4)
        _draw_curve(ax, at, found, colour, mark, lines=labels is None)
        handle = Line2D([], [], color=colour, marker=mark, markersize=5, linewidth=1.2)
        lines = textwrap.wrap(names[key] or "measured, 95 % interval", 28)
        entries.append((handle, "\n".join(lines)))
        if expected is not None:
            y = np.array([expected(result.points[by_x[k][0]]) for k in keys])
            _draw_expected(ax, at, y, colour, lines=labels is None)
    if expected is not None:
        handle = Line2D([], [], color=style.GREY, linestyle=_CLOSED_FORM, marker="_", linewidth=1.6)
        name = formula if isinstance(formula, str) else getattr(formula, "__name__", "formula")
        entries.append((handle, f"closed form:\n{style.plain(str(name))}"))
    if len(curves) > 1:
        entries.append((Line2D([], [], linestyle=""), "bars: 95 % intervals"))
    _finish(ax, x, labels, places)
    ax.set_ylabel(_label(measure, statistic), fontsize=style.FONT_SIZE + 1, parse_math=False)
    style.show_legend(ax, entries)
    pooled = f"\ntaken together: {', '.join(pool)}" if pool else ""
    _write_about(ax, result, pooled)
    return ax


def _draw_curve(
    ax: Axes,
    at: npt.NDArray[Any],
    found: Sequence[Estimate],
    colour: str,
    mark: str,
    *,
    lines: bool,
) -> None:
    y = np.array([figure.value for figure in found])
    ends = np.array([[figure.low, figure.high] for figure in found]).T
    known = np.isfinite(y)
    reach = np.where(np.isfinite(ends), np.abs(ends - y), 0.0)[:, known]
    ax.errorbar(
        at[known],
        y[known],
        yerr=np.maximum(reach, 0.0),
        color=colour,
        marker=mark,
        markersize=5,
        linestyle="-" if lines else "",
        linewidth=1.2,
        elinewidth=1.0,
        capsize=2.5,
    )


def _draw_expected(
    ax: Axes, at: npt.NDArray[Any], y: npt.NDArray[Any], colour: str, *, lines: bool
) -> None:
    known = np.isfinite(y)
    ax.plot(
        at[known],
        y[known],
        color=colour,
        linestyle=_CLOSED_FORM if lines else "",
        marker="_",
        markersize=14,
        markeredgewidth=1.4,
        linewidth=1.6,
        alpha=0.75,
        zorder=1.5,
    )


def _finish(ax: Axes, x: str, labels: list[str] | None, places: Sequence[float]) -> None:
    if labels is not None:
        long = max(map(len, labels)) * len(labels) > 60
        ax.set_xlim(-0.5, len(labels) - 0.5)
        ax.set_xticks(list(places), [style.plain(text, longest=34) for text in labels])
        if long:
            for text in ax.get_xticklabels():
                text.set_rotation(30)
                text.set_horizontalalignment("right")
    ax.set_xlabel(_axis(x), fontsize=style.FONT_SIZE + 1, parse_math=False)
    ax.tick_params(labelsize=style.FONT_SIZE)
    ax.grid(color=style.LIGHT, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)


def _axis(name: str) -> str:
    """A swept name in words, with its unit."""
    text, unit = split_unit(name)
    words = text.replace("_", " ").replace(".", ": ")
    return f"{words} ({unit[1:]})" if unit else words


@sizes.sized
def plot_sweep_heatmap(
    result: Sweep,
    x: str,
    y: str,
    measure: str,
    statistic: Statistic = "median",
    *,
    ax: Axes | None = None,
    size: Size | None = None,
) -> Axes:
    """A figure over two swept values, in colours and in digits with the ends of its interval.

    Args:
        result: The sweep; each pair of values at most once.
        x: Which swept name to the right.
        y: Which swept name upwards.
        measure: Which column.
        statistic: What of it; see `Sweep.estimate`.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Raises:
        ValueError: A name, measure or statistic is unknown, or a pair of values is there twice.
    """
    _check_measure(result, measure)
    _check_names(result, x=x, y=y)
    if x == y:
        raise ValueError(f"y={y!r}: must be another name than x")
    columns, rows = (
        _sorted({_key(p.values[name]): p.values[name] for p in result.points}) for name in (x, y)
    )
    cells: dict[tuple[int, int], Estimate] = {}
    for number, point in enumerate(result.points):
        where = (
            list(rows).index(_key(point.values[y])), list(columns).index(_key(point.values[x]))
        )  # fmt: skip
        if where in cells:
            raise ValueError(
                f"{x}={point.values[x]!r}, {y}={point.values[y]!r}: is there twice; at() picks one"
            )
        cells[where] = result.estimate(measure, statistic, point=number)
    shape = len(rows), len(columns)
    values = np.full(shape, np.nan)
    for where, figure in cells.items():
        values[where] = figure.value
    ax = style.axes_or_new(ax, max(3.6, 1.1 * shape[1]), max(2.4, 0.62 * shape[0]))
    image = ax.imshow(values, origin="lower", aspect="auto", cmap="cividis")
    image.set_gid("heatmap")
    _write_cells(ax, values, cells)
    for axis, labels in ((ax.xaxis, columns), (ax.yaxis, rows)):
        texts = [style.plain(str(shown(value)), longest=34) for value in labels.values()]
        axis.set_ticks(range(len(texts)), texts)
    ax.set_xlabel(_axis(x), fontsize=style.FONT_SIZE + 1, parse_math=False)
    ax.set_ylabel(_axis(y), fontsize=style.FONT_SIZE + 1, parse_math=False)
    ax.tick_params(labelsize=style.FONT_SIZE, length=0)
    figure_ = ax.figure
    bar = figure_.colorbar(image, ax=ax, pad=0.03)
    bar.set_label(_label(measure, statistic), fontsize=style.FONT_SIZE + 1)
    bar.ax.tick_params(labelsize=style.FONT_SIZE)
    _write_about(ax, result, "\nin each cell: the figure, and its 95 % interval")
    return ax


def _sorted(values: dict[str, Any]) -> dict[str, Any]:
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values.values())
    if not numbers:
        return values
    return dict(sorted(values.items(), key=lambda item: float(item[1])))


def _digits(value: float) -> str:
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _write_cells(
    ax: Axes, values: npt.NDArray[Any], cells: Mapping[tuple[int, int], Estimate]
) -> None:
    if values.size > 150:
        return  # too small to read
    known = values[np.isfinite(values)]
    middle = (known.min() + known.max()) / 2 if known.size else 0.0
    for (row, column), figure in cells.items():
        dark = math.isfinite(figure.value) and figure.value <= middle
        text = f"{_digits(figure.value)}\n[{_digits(figure.low)}, {_digits(figure.high)}]"
        style.write(
            ax, column, row, text, ha="center", va="center", fontsize=style.FONT_SIZE - 1,
            color="#FFFFFF" if dark and known.size > 1 else style.BLACK,
        )  # fmt: skip


__all__ = ["plot_sweep_ecdf", "plot_sweep_heatmap", "plot_sweep_lines"]
