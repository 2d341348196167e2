"""Figures of a measurement: values with their confidence intervals and where they come from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from electionlab import _intervals

if TYPE_CHECKING:
    import pandas as pd


class Figure(NamedTuple):
    """A value, the ends of its confidence interval, and what it is from."""

    value: float
    low: float
    high: float
    runs: int  # that it is from
    failed: int  # that gave none: it did not come to that


@dataclasses.dataclass(frozen=True)
class Cell:
    """One figure of a comparison, with where it comes from.

    Attributes:
        protocol: Its name.
        requirement: What it is about: "uniqueness", "liveness", "speed", "cost", ...
        measure: Which figure; units are in its name.
        fault: Under which trouble; "" for none.
        nodes: Members.
        value: The figure; NaN: there is none.
        low: Lower end of the 95 % confidence interval.
        high: Its upper end.
        runs: From how many runs.
        failed: How many more there were that gave no such figure, as it did not come to that.
        seed: Seed of the first; the others follow.
    """

    protocol: str
    requirement: str
    measure: str
    fault: str
    nodes: int
    value: float
    low: float
    high: float
    runs: int
    seed: int
    failed: int = 0

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "none"
        text = f"{self.value:.4g}"
        return text if math.isnan(self.low) else f"{text} [{self.low:.4g}, {self.high:.4g}]"


def frame_of(cells: Sequence[Cell]) -> pd.DataFrame:
    """A row for each figure, with the columns of `Cell`."""
    import pandas as pd

    return pd.DataFrame([dataclasses.asdict(cell) for cell in cells])


def cell(
    protocol: str, requirement: str, measure: str, fault: str, nodes: int, figure: Figure, seed: int
) -> Cell:
    """A figure with where it comes from."""
    return Cell(
        protocol, requirement, measure, fault, nodes, figure.value, figure.low, figure.high,
        figure.runs, seed, figure.failed,
    )  # fmt: skip


def share(hits: int, runs: int) -> Figure:
    """A proportion."""
    return Figure(hits / runs, *_intervals.of_share(hits, runs), runs, 0)


def mean(values: Iterable[float], low: float = -math.inf, high: float = math.inf) -> Figure:
    """The mean of those that are known (not NaN), which lie between two ends."""
    known, failed = _known(values)
    value = float(known.mean()) if known.size else math.nan
    ends = (
        _intervals.of_mean(known)
        if math.isinf(low)
        else _intervals.of_bounded_mean(np.clip(known, low, high), low, high)
    )
    return Figure(value, *ends, known.size, failed)


def quantile(values: Iterable[float], level: float) -> Figure:
    """A quantile of those that are known (not NaN)."""
    known, failed = _known(values)
    value = float(np.quantile(known, level)) if known.size else math.nan
    return Figure(value, *_intervals.of_quantile(known, level), known.size, failed)


def per_hour(counts: Sequence[int], hours: float) -> Figure:
    """A rate, from the counts of runs of so many hours."""
    value = sum(counts) / (hours * len(counts))
    return Figure(value, *_intervals.of_rate(counts, hours), len(counts), 0)


def _known(values: Iterable[float]) -> tuple[npt.NDArray[np.float64], int]:
    every = np.asarray(list(values), dtype=np.float64)
    known = every[~np.isnan(every)]
    return known, int(every.size - known.size)
