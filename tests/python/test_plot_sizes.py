"""Figures for papers and slides: how wide they are, where their legends stand, what is refused."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

import electionlab as el
from electionlab import plot
from electionlab.plot import sizes

MODULES = [
    importlib.import_module(f"electionlab.plot.{info.name}")
    for info in pkgutil.iter_modules(plot.__path__)
]


@pytest.fixture(autouse=True)
def figures_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cluster() -> el.Cluster:
    made = el.Cluster(el.Raft(5), seed=7)
    made.run_until_leader(agreed=True)
    made.crash("leader")
    made.run_until_leader(agreed=True)
    return made


def first(drawn: Any) -> Axes:
    return drawn if isinstance(drawn, Axes) else drawn[0]


DRAW: dict[str, Callable[[el.Cluster, Any], Any]] = {
    "space_time": lambda cluster, size: cluster.trace.plot(size=size),
    "roles": lambda cluster, size: cluster.trace.plot_roles(size=size),
    "ring": lambda cluster, size: cluster.plot(size=size),
    "ecdf": lambda cluster, size: plot.plot_ecdf([1.0, 2.0], size=size),
    "museum": lambda cluster, size: el.museum.run("bully-asks-lower").plot(size=size),
    "case": lambda cluster, size: el.cases["herd"].run(runs=1).plot(size=size),
    "detectors": lambda cluster, size: el.detector_curve({"fixed": [100, 200]}, trials=3).plot(
        size=size
    ),
}


@pytest.mark.parametrize(("name", "size"), [*itertools.product(DRAW, ("paper", "slide"))])
def test_a_figure_has_the_width_that_was_asked_for(
    name: str, size: str, cluster: el.Cluster
) -> None:
    ax = first(DRAW[name](cluster, size))
    figure = ax.get_figure(root=True)
    assert figure is not None
    form = sizes.FORMATS[size]
    assert figure.get_figwidth() == form.width_in
    assert figure.dpi == form.dpi
    figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    box, below = legend.get_window_extent(renderer), ax.xaxis.label.get_window_extent(renderer)
    if ax.axison:
        assert box.y1 < below.y0, "the legend stands below what is written at the axis"
    assert box.x0 > -0.2 * figure.dpi
    assert box.x1 < (figure.get_figwidth() + 0.2) * figure.dpi, "and not beside the figure"


@pytest.mark.parametrize("name", DRAW)
def test_a_screen_is_what_there_is_without_a_size(name: str, cluster: el.Cluster) -> None:
    plain = first(DRAW[name](cluster, None)).get_figure(root=True)
    screen = first(DRAW[name](cluster, "screen")).get_figure(root=True)
    assert plain is not None
    assert screen is not None
    assert tuple(plain.get_size_inches()) == tuple(screen.get_size_inches())
    assert plain.get_figwidth() > 7.5


def test_bad_sizes_are_refused_and_nothing_is_left_of_them(cluster: el.Cluster) -> None:
    for bad in ("poster", 7, ("paper",)):
        with pytest.raises(ValueError, match=r"size=.*'screen', 'paper', 'slide'"):
            cluster.trace.plot(size=bad)
    axes = plt.figure().add_subplot()
    with pytest.raises(ValueError, match=r"size='paper'.*must be left out"):
        cluster.trace.plot(ax=axes, size="paper")
    with pytest.raises(ValueError, match="end_ms"):
        cluster.trace.plot(size="paper", end_ms=-1)
    assert sizes.current() is sizes.FORMATS["screen"]


def test_every_picture_can_be_had_in_every_size() -> None:
    found = {
        name: function
        for module in MODULES
        for name, function in vars(module).items()
        if name.startswith("plot_") and inspect.isfunction(function)
    }
    assert len(found) >= 14
    panels = {"plot_guarantees", "plot_downtimes", "plot_costs"}  # of a figure that has a size
    for name, function in found.items():
        assert ("size" in inspect.signature(function).parameters) != (name in panels), name
        assert hasattr(function, "__wrapped__") != (name in panels), name
