"""What a column of trials says: a figure and its 95 % interval, by the method that suits it."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from electionlab import _intervals

Array = npt.NDArray[Any]
Statistic = str | float | Callable[[Array], float]

_BOOTSTRAPS = 999


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure with its interval of 95 % confidence.

    Attributes:
        value: NaN: it cannot be told, because too many trials ended before.
        low: Lower end; NaN where it is not known.
        high: Upper end; inf: beyond the horizon of the trials.
        trials: How many it rests on.
        missing: How many of them ended before what was waited for.
    """

    value: float
    low: float
    high: float
    trials: int
    missing: int

    @property
    def relative_half_width(self) -> float:
        """Half the interval as a share of the figure; inf when it cannot be told."""
        half = (self.high - self.low) / 2
        if half == 0:
            return 0.0
        return half / abs(self.value) if math.isfinite(half) and self.value else math.inf

    def __repr__(self) -> str:
        missing = f", {self.missing} missing" if self.missing else ""
        return f"{self.value:.6g} [{self.low:.6g}, {self.high:.6g}] ({self.trials} trials{missing})"


def level_of(statistic: Any) -> float | None:
    """The probability of a quantile: 0.99, "median", "p99", "p99.9"; None for other statistics."""
    if statistic == "median":
        return 0.5
    if isinstance(statistic, str):
        match = re.fullmatch(r"p(\d+(?:\.\d+)?)", statistic)
        level = float(match[1]) / 100 if match else None
    elif isinstance(statistic, float):
        level = statistic
    else:
        return None
    if level is not None and not 0 < level < 1:
        raise ValueError(f"statistic={statistic!r}: must be above 0 and below 1 (p0 and p100)")
    return level


def check_statistic(statistic: Any) -> None:
    """Refuses what is no statistic.

    Raises:
        ValueError: It is none; the message tells what is allowed.
    """
    if callable(statistic) or statistic in ("mean", "share") or level_of(statistic) is not None:
        return
    raise ValueError(
        f"statistic={statistic!r}: must be 'mean', 'median', 'p99' and the like, a probability, "
        "'share' (of the trials in which it is above 0) or a function of an array"
    )


def estimate(values: Array, statistic: Statistic, *, seed: int = 0) -> Estimate:
    """A statistic of a column, with its interval.

    Quantiles count NaN (not reached within the horizon) as later than all others, by order
    statistics; "share" is the share of trials above 0, by Wilson; "mean" is of the trials that have
    a value, by Student's t on a scale that suits what is never negative; a function is of the
    trials that have a value, by the percentile bootstrap.

    Raises:
        ValueError: There is no such statistic.
    """
    check_statistic(statistic)
    sample = np.asarray(values, dtype=np.float64)
    size, missing = sample.size, int(np.count_nonzero(np.isnan(sample)))
    if size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    level = None if callable(statistic) else level_of(statistic)
    if level is not None:
        return _quantile(sample, level, missing)
    if statistic == "share":
        hits = int(np.count_nonzero(sample > 0))
        return Estimate(hits / size, *_intervals.of_share(hits, size), size, missing)
    known = sample[~np.isnan(sample)] if missing else sample
    if known.size == 0:
        return Estimate(math.nan, math.nan, math.nan, size, missing)
    if callable(statistic):
        return Estimate(*_bootstrap(known, statistic, seed), size, missing)
    positive = known.min() >= 0
    ends = _intervals.of_bounded_mean(known, 0) if positive else _intervals.of_mean(known)
    return Estimate(float(known.mean()), *ends, size, missing)


def _quantile(sample: Array, level: float, missing: int) -> Estimate:
    """The smallest value that at least a share `level` of the trials does not pass."""
    late = np.where(np.isnan(sample), np.inf, sample) if missing else sample
    ordered = np.sort(late)
    value = float(ordered[max(0, math.ceil(level * ordered.size) - 1)])
    low, high = _intervals.of_quantile(ordered, level)
    if math.isinf(value):
        value = math.nan
    return Estimate(value, low, high, sample.size, missing)


def _bootstrap(
    known: Array, statistic: Callable[[Array], float], seed: int
) -> tuple[float, float, float]:
    from scipy import stats

    value = float(statistic(known))
    if known.size < 2:
        return value, math.nan, math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample without spread: its interval is one point
        interval = stats.bootstrap(
            (known,),
            statistic,
            n_resamples=_BOOTSTRAPS,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return value, float(interval.low), float(interval.high)


def split_unit(measure: str) -> tuple[str, str]:
    """A measure's name without its unit, and the unit with its underscore: agreed, _ms."""
    return (measure[:-3], "_ms") if measure.endswith("_ms") else (measure, "")


def summary(measure: str, values: Array) -> dict[str, float]:
    """The columns of a measure in the table of points: names with units, an interval each."""
    name, unit = split_unit(measure)
    found: dict[str, float] = {}

    def add(label: str, statistic: Statistic) -> None:
        figure = estimate(values, statistic)
        found[f"{name}_{label}{unit}"] = figure.value
        found[f"{name}_{label}_low{unit}"] = figure.low
        found[f"{name}_{label}_high{unit}"] = figure.high

    if measure in ("measured", "censored", "violated"):
        add("share", "share")
        return found
    add("mean", "mean")
    if unit:
        for label in ("p50", "p99"):
            add(label, label)
        found[f"{name}_missing"] = int(np.count_nonzero(np.isnan(values)))
    else:
        add("share", "share")
    return found


__all__: Sequence[str] = ["Estimate", "Statistic", "check_statistic", "estimate", "summary"]
