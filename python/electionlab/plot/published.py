"""Pictures of published curves, measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.published import Reproduction

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKERS = ("o", "s", "^", "D")


@sizes.sized
def plot_reproduction(
    shown: Reproduction, *, ax: Axes | None = None, size: Size | None = None
) -> Axes:
    """Measured points with intervals of 95 %, the closed form as a line, quoted numbers as crosses.

    Args:
        shown: What a function of ``electionlab.published`` returned.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes.
    """
    ax = style.axes_or_new(ax, 5.6, 3.6)
    frame = shown.frame
    named = frame[shown.x].dtype.kind not in "if"
    groups = list(frame.groupby(shown.by)) if shown.by else [("", frame)]
    entries: list[tuple[Any, str]] = []
    for number, (name, rows) in enumerate(groups):
        colour, marker = _COLOURS[number % 4], _MARKERS[number % 4]
        x = list(range(len(rows))) if named else rows[shown.x].tolist()
        word = "" if isinstance(name, str) else f" {shown.by}"
        suffix = f", {name!s}{word}" if shown.by else ""
        errors = (rows.measured - rows.low, rows.high - rows.measured)
        points = ax.errorbar(
            x, rows.measured, yerr=errors, fmt=marker, color=colour, markersize=5, capsize=3
        )
        entries.append((points, f"measured{suffix}"))
        if "closed_form" in rows:
            (line,) = ax.plot(
                x, rows.closed_form, color=colour, linewidth=1.2,
                linestyle="none" if named else "--", marker="_" if named else None, markersize=16,
            )  # fmt: skip
            entries.append((line, f"closed form{suffix}"))
        if "quoted" in rows:
            (cross,) = ax.plot(x, rows.quoted, "x", color="black", markersize=7)
            entries.append((cross, "quoted"))
    if shown.limit is not None:
        line = ax.axhline(shown.limit, color="0.4", linewidth=1.0, linestyle=":")
        entries.append((line, f"limit: {shown.limit:.3f}"))
    if named:
        ax.set_xticks(range(len(frame)), frame[shown.x].tolist(), rotation=40, ha="right")
    elif frame[shown.x].dtype.kind == "i":
        ax.set_xticks(sorted(set(frame[shown.x])))
    ax.set_xlabel(_X_NAMES.get(shown.x, shown.x))
    ax.set_ylabel(shown.quantity)
    if shown.limit is None:
        ax.set_ylim(bottom=0)
    else:  # what matters is how far it still is
        least = float(frame.low.min())
        ax.set_ylim(least - 0.15 * (shown.limit - least), shown.limit + 0.1 * (shown.limit - least))
    style.write_title(ax, shown.title)
    style.show_legend(ax, entries)
    return ax


_X_NAMES = {
    "servers": "servers that survive",
    "setting": "servers, of them failed, latency as a share of the range",
    "latency": "one-way latency as a share of the range",
    "failed": "servers that have failed",
    "range": "range of the timeouts (one-way latencies)",
    "nodes": "members, the crashed one included",
}
