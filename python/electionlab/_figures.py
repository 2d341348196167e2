"""Figures of a measurement: values with their confidence intervals and where they come from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from electionlab import _intervals

if TYPE_CHECKING:
    import pandas as pd

Figure = tuple[float, float, float]  # a value and the ends of its confidence interval


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

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "none"
        text = f"{self.value:.4g}"
        return text if math.isnan(self.low) else f"{text} [{self.low:.4g}, {self.high:.4g}]"


def frame_of(cells: Sequence[Cell]) -> pd.DataFrame:
    """A row for each figure, with the columns of `Cell`."""
    import pandas as pd

    return pd.DataFrame([dataclasses.asdict(cell) for cell in cells])


def share(hits: int, runs: int) -> Figure:
    """A proportion."""
    return hits / runs, *_intervals.of_share(hits, runs)


def mean(values: Iterable[float]) -> Figure:
    """The mean of those that are known (not NaN)."""
    known = _known(values)
    return float(known.mean()) if known.size else math.nan, *_intervals.of_mean(known)


def quantile(values: Iterable[float], level: float) -> Figure:
    """A quantile of those that are known (not NaN)."""
    known = _known(values)
    value = float(np.quantile(known, level)) if known.size else math.nan
    return value, *_intervals.of_quantile(known, level)


def per_hour(count: int, hours: float) -> Figure:
    """A rate of rare events."""
    low, high = _intervals.of_count(count)
    return count / hours, low / hours, high / hours


def _known(values: Iterable[float]) -> npt.NDArray[np.float64]:
    return np.asarray([value for value in values if not math.isnan(value)], dtype=np.float64)
