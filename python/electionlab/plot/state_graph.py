"""A small state graph: states by their distance from the start, steps as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from electionlab.plot import sizes, style
from electionlab.plot.sizes import Size

if TYPE_CHECKING:
    from electionlab.state_graphs import StateGraph

#: By how many lead: colour, shape, what the legend says, colour of what is written on it.
LOOKS: tuple[tuple[str, str, str, str], ...] = (
    (style.ROLES["follower"].colour, "o", "nobody leads", style.BLACK),
    (style.ROLES["leader"].colour, "h", "one leads", "#FFFFFF"),
    ("#E69F00", "D", "two or more lead", style.BLACK),
)
_LABELLED = 70  # steps: beyond that without labels
_NUMBERED = 150  # states


@sizes.sized
def plot_state_graph(
    graph: StateGraph,
    *,
    ax: Axes | None = None,
    labels: bool | None = None,
    legend: bool = True,
    size: Size | None = None,
) -> Axes:
    """States as marks, those at the same distance from the start below each other; steps as arrows.

    Colour and shape tell how many nodes act as leader. A thick red rim marks a state that breaks an
    invariant, a thick red arrow a step that does; an open end (...) a state with further steps.

    Args:
        graph: What `electionlab.state_graph` returned.
        ax: Axes to draw on; None for those of a new figure.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.
        labels: Whether to write what happens beside each arrow; None: while that is readable.
        legend: Whether to add a legend below.

    Returns:
        The axes, without ticks: positions have no unit.
    """
    places = layered(graph)
    columns = max(state.depth for state in graph.states) + 1
    rows = max(np.bincount([state.depth for state in graph.states]))
    ax = style.axes_or_new(ax, min(2.4 + 1.75 * columns, 22), min(1.8 + 0.85 * rows, 16))
    ax.set_axis_off()
    if labels is None:
        labels = len(graph.steps) <= _LABELLED
    _draw_steps(ax, graph, places, labels=labels)
    area = 330.0 if len(graph.states) <= 60 else 120.0
    for number, state in enumerate(graph.states):
        colour, shape, _, text = LOOKS[min(len(state.leaders), 2)]
        rim = (style.VERMILLION, 2.6) if state.broken else (style.BLACK, 0.8)
        ax.scatter(
            *places[number], s=area, marker=shape, color=colour, edgecolors=rim[0],
            linewidths=rim[1], zorder=3, gid=f"state-{number}",
        )  # fmt: skip
        if len(graph.states) <= _NUMBERED:
            style.write(
                ax, *places[number], str(number), ha="center", va="center", color=text, zorder=4
            )
        if state.open:
            x, y = places[number]
            style.write(ax, x + 0.13, y, "...", ha="left", va="bottom", zorder=4)
    ax.set_xlim(-0.4, columns - 0.6)
    ax.set_ylim(-rows / 2 - 0.2, rows / 2 + 0.2)
    style.write_title(ax, graph.title)
    if legend:
        _legend(ax, graph)
    return ax


def layered(graph: StateGraph) -> list[tuple[float, float]]:
    """A place for each state: its depth, and a row near those of the states it is reached from."""
    layers: list[list[int]] = [[] for _ in range(max(s.depth for s in graph.states) + 1)]
    for number, state in enumerate(graph.states):
        layers[state.depth].append(number)
    near: list[list[int]] = [[] for _ in graph.states]
    for step in graph.steps:
        if step.source != step.target:
            near[step.source].append(step.target)
            near[step.target].append(step.source)
    row = np.zeros(len(graph.states))

    def place(layer: Sequence[int]) -> None:
        for at, number in enumerate(layer):
            row[number] = (len(layer) - 1) / 2 - at

    for layer in layers:
        place(layer)
    # The barycentre method of layered drawings (Sugiyama, Tagawa and Toda 1981), there and back.
    for sweep in range(6):
        order = layers if sweep % 2 == 0 else layers[::-1]
        for layer in order:
            means = {n: np.mean([row[m] for m in near[n]]) if near[n] else row[n] for n in layer}
            layer.sort(key=lambda n: (-means[n], n))
            place(layer)
    return [(float(state.depth), float(row[n])) for n, state in enumerate(graph.states)]


def _draw_steps(
    ax: Axes, graph: StateGraph, places: Sequence[tuple[float, float]], *, labels: bool
) -> None:
    together: dict[tuple[int, int], list[Any]] = {}
    for step in graph.steps:
        together.setdefault((step.source, step.target), []).append(step)
    leaving: dict[int, int] = {}
    for (source, target), steps in sorted(together.items()):
        if source == target:
            continue  # nothing changes: drawn it would be a loop that tells nothing
        broken = any(step.broken for step in steps)
        (x0, y0), (x1, y1) = places[source], places[target]
        bend = 0.0 if x1 > x0 else 0.35  # arrows that go back, or stay, go round
        ax.add_patch(
            FancyArrowPatch(
                (x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=9, shrinkA=9, shrinkB=9,
                color=style.VERMILLION if broken else "#8A8A8A", linewidth=2.0 if broken else 0.9,
                connectionstyle=f"arc3,rad={bend}", zorder=2 if broken else 1,
                gid=f"step-{source}-{target}",
            )
        )  # fmt: skip
        if not labels:
            continue
        turn = leaving.get(source, 0)
        leaving[source] = turn + 1
        share = (0.36, 0.36, 0.6)[turn % 3]
        text = steps[0].label + (f" (+{len(steps) - 1})" if len(steps) > 1 else "")
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        if bend:
            x, y = x + 0.18 * (y1 - y0), y - 0.18 * (x1 - x0)
        style.write(
            ax, x, y, text, ha="center", va="center", fontsize=5.8, zorder=2.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85},
        )  # fmt: skip


def _legend(ax: Axes, graph: StateGraph) -> None:
    used = {min(len(state.leaders), 2) for state in graph.states}
    entries: list[Any] = [
        Line2D([], [], marker=shape, color="none", markerfacecolor=colour,
               markeredgecolor=style.BLACK, markersize=9, label=text)
        for number, (colour, shape, text, _) in enumerate(LOOKS)
        if number in used
    ]  # fmt: skip
    if any(state.broken for state in graph.states):
        entries.append(
            Line2D([], [], marker="o", color="none", markerfacecolor="none", markersize=9,
                   markeredgecolor=style.VERMILLION, markeredgewidth=2.6,
                   label="breaks " + ", ".join(graph.broken))
        )  # fmt: skip
    if any(step.broken for step in graph.steps):
        entries.append(
            Line2D([], [], color=style.VERMILLION, linewidth=2.0, label="a step that breaks it")
        )
    if any(state.open for state in graph.states):
        entries.append(
            Line2D([], [], marker="$...$", color="none", markeredgecolor=style.BLACK, markersize=9,
                   label="goes on")
        )  # fmt: skip
    ax.legend(
        handles=entries, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(entries),
        frameon=False, fontsize=style.FONT_SIZE,
    )  # fmt: skip


__all__ = ["layered", "plot_state_graph"]
