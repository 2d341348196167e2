"""Confidence intervals of 95 %, each by the method that suits what was counted or measured."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

#: Level of every confidence interval.
CONFIDENCE = 0.95

Interval = tuple[float, float]

_TAIL = (1 - CONFIDENCE) / 2
_UNKNOWN: Interval = (math.nan, math.nan)
# Below either, the spread between the trials says too little, and a count is taken as Poisson's.
_FEW_EVENTS = 30
_FEW_TRIALS = 10


@functools.lru_cache(maxsize=4096)
def _students_t(freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(1 - _TAIL, freedom))


@functools.lru_cache(maxsize=4096)
def _ranks(size: int, level: float) -> tuple[int, int]:
    """Places of the ends of a quantile's interval among so many values in order."""
    from scipy import stats

    low = int(stats.binom.ppf(_TAIL, size, level)) - 1
    high = int(stats.binom.ppf(1 - _TAIL, size, level))
    return max(low, 0), min(high, size - 1)


@functools.lru_cache(maxsize=4096)
def of_share(hits: int, trials: int) -> Interval:
    """Of a probability, from hits in trials: Wilson's score interval (1927).

    Raises:
        ValueError: There are no trials, or more hits than trials.
    """
    from scipy import stats

    interval = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def of_mean(values: npt.ArrayLike) -> Interval:
    """Of a mean: Student's t (1908); unknown (NaN) with fewer than two values."""
    known = np.asarray(values, dtype=np.float64)
    if known.size < 2:
        return _UNKNOWN
    mean = float(known.mean())
    error = float(known.std(ddof=1)) / math.sqrt(known.size)
    half = _students_t(known.size - 1) * error
    return mean - half, mean + half


def of_bounded_mean(values: npt.ArrayLike, low: float, high: float = math.inf) -> Interval:
    """Of a mean of values from `low` to `high`: never beyond these.

    Student's t on a scale that has no ends, by the delta method: the logit of the mean's place
    between `low` and `high`, or the logarithm of its distance from `low`. Where all values lie at
    one end there is no spread to tell from: both ends are there.

    Raises:
        ValueError: A value is out of the range.
    """
    known = np.asarray(values, dtype=np.float64)
    if known.size and not (low <= known.min() and known.max() <= high):
        raise ValueError(f"values: must be from {low} to {high}")
    ends = of_mean(known)
    mean = float(known.mean()) if known.size else math.nan
    if math.isnan(ends[0]) or mean in (low, high):
        return ends
    half = (ends[1] - ends[0]) / 2
    if math.isinf(high):
        half /= mean - low
        if half > 700:  # it says nothing, and its exponential is no number
            return low, math.inf
        return low + (mean - low) * math.exp(-half), low + (mean - low) * math.exp(half)
    place = (mean - low) / (high - low)
    half /= (high - low) * place * (1 - place)
    odds = math.log(place / (1 - place))

    def back(logit: float) -> float:
        return low + (high - low) / (1 + math.exp(min(-logit, 700)))

    return back(odds - half), back(odds + half)


def of_quantile(values: npt.ArrayLike, level: float) -> Interval:
    """Of a quantile of any continuous distribution: two of the values, by order statistics.

    The number of values below the quantile is binomial. Where there are too few values for an end
    at 95 %, that end is the least or the greatest of them. Unknown (NaN) without values.
    """
    known = np.sort(np.asarray(values, dtype=np.float64))
    if known.size == 0:
        return _UNKNOWN
    low, high = _ranks(known.size, level)
    return float(known[low]), float(known[high])


def of_count(count: int) -> Interval:
    """Of the mean of a Poisson distribution, from one count: exact (Garwood 1936)."""
    from scipy import stats

    low = float(stats.chi2.ppf(_TAIL, 2 * count)) / 2 if count else 0.0
    return low, float(stats.chi2.ppf(1 - _TAIL, 2 * count + 2)) / 2


def of_rate(counts: npt.ArrayLike, span: float) -> Interval:
    """Of events per unit of time, from their counts in trials that each lasted `span`.

    Few events or trials: as of one Poisson count over all of the time. Else: from the spread
    between the trials, which also holds when events come in bursts.
    """
    each = np.asarray(counts)
    total = int(each.sum())
    if total < _FEW_EVENTS or each.size < _FEW_TRIALS:
        low, high = of_count(total)
        return low / (span * each.size), high / (span * each.size)
    low, high = of_mean(each / span)
    return max(low, 0.0), high


def of_ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Interval:
    """Of sum(above) / sum(below) over trials: delta method (Cochran, Sampling Techniques, 2.11).

    Unknown (NaN) with fewer than two trials, and when all of `below` is 0.
    """
    y, x = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if x.sum() == 0 or y.size < 2:
        return _UNKNOWN
    ratio = float(y.sum() / x.sum())
    low, high = of_mean((y - ratio * x) / x.mean())
    half = (high - low) / 2
    return ratio - half, ratio + half
