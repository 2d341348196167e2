"""Confidence intervals against published values, their definitions, and how often they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from electionlab import _intervals


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718), (20, 20, 0.8389, 1.0)],
)  # fmt: skip
def test_share_as_newcombe_prints_it(hits: int, trials: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17, 1998, table I, method 3; the last mirrors the third."""
    assert _intervals.of_share(hits, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "trials"), [(0, 7), (3, 7), (7, 7), (50, 100)])
def test_share_solves_the_equation_of_its_definition(hits: int, trials: int) -> None:
    # The ends are the p at which hits/trials lies 1.96 standard errors away.
    for p in _intervals.of_share(hits, trials):
        away = (hits / trials - p) ** 2
        assert away == pytest.approx(1.959963984540054**2 * p * (1 - p) / trials, abs=1e-12)


def test_mean_of_students_own_data() -> None:
    """Student, Biometrika 6, 1908: hours of sleep gained; 0.7001 to 2.4599 is what R prints."""
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert _intervals.of_mean(gained) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)


@pytest.mark.parametrize(
    ("count", "t"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (31, 2.042), (121, 1.980)]
)
def test_mean_has_the_tables_t(count: int, t: float) -> None:
    values = np.arange(count, dtype=float)
    low, high = _intervals.of_mean(values)
    half = t * values.std(ddof=1) / math.sqrt(count)
    assert (high - low) / 2 == pytest.approx(half, rel=3e-4)
    assert (high + low) / 2 == pytest.approx(values.mean())


def test_mean_of_equal_values_is_certain_and_of_one_unknown() -> None:
    assert _intervals.of_mean([3.0, 3.0, 3.0]) == (3.0, 3.0)
    assert np.isnan(_intervals.of_mean([3.0])).all()
    assert np.isnan(_intervals.of_mean([])).all()


def test_bounded_mean_stays_within_its_bounds() -> None:
    skewed = [0.0] * 30 + [0.4]
    assert _intervals.of_mean(skewed)[0] < 0  # what it is for
    low, high = _intervals.of_bounded_mean(skewed, 0, 1)
    assert 0 < low < 0.4 / 31 < high < 1
    low, high = _intervals.of_bounded_mean([1 - v for v in skewed], 0, 1)
    assert 0 < low < 1 - 0.4 / 31 < high < 1
    low, high = _intervals.of_bounded_mean([10 * v for v in skewed], 0)
    assert 0 < low < 4 / 31 < high
    assert _intervals.of_bounded_mean([0.0, 1e-300], 0)[0] >= 0


def test_bounded_mean_far_from_its_bounds_is_students() -> None:
    values = np.random.default_rng(1).uniform(0.45, 0.55, 50)
    for ends in ((0, 1), (0, math.inf)):
        bounded = _intervals.of_bounded_mean(values, *ends)
        assert bounded == pytest.approx(_intervals.of_mean(values), rel=1e-3)


def test_bounded_mean_of_values_at_an_end() -> None:
    assert _intervals.of_bounded_mean([0.0, 0.0], 0, 1) == (0, 0)
    assert _intervals.of_bounded_mean([1.0, 1.0], 0, 1) == (1, 1)
    assert np.isnan(_intervals.of_bounded_mean([0.5], 0, 1)).all()
    assert np.isnan(_intervals.of_bounded_mean([], 0, 1)).all()
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        _intervals.of_bounded_mean([0.5, 1.2], 0, 1)


@pytest.mark.parametrize(("a", "b"), [(0.5, 2.0), (2.0, 5.0), (5.0, 1.0)])
def test_bounded_mean_covers_the_truth(a: float, b: float) -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(1000):
        low, high = _intervals.of_bounded_mean(rng.beta(a, b, 40), 0, 1)
        hits += low <= a / (a + b) <= high
    assert 930 <= hits <= 970, hits


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(6, 1, 6), (10, 2, 9), (15, 4, 12), (20, 6, 15), (25, 8, 18), (50, 18, 33), (100, 40, 61)],
)
def test_median_between_the_ranks_of_the_tables(count: int, low: int, high: int) -> None:
    """Ranks of the usual tables of the sign test's interval."""
    ranks = np.random.default_rng(3).permutation(np.arange(1, count + 1))
    assert _intervals.of_quantile(ranks, 0.5) == (low, high)


@pytest.mark.parametrize(("count", "level"), [(40, 0.25), (60, 0.5), (200, 0.95), (200, 0.05)])
def test_ranks_of_a_quantile_are_the_innermost_that_hold(count: int, level: float) -> None:
    def at_most(k: int) -> float:
        return math.fsum(
            math.comb(count, i) * level**i * (1 - level) ** (count - i) for i in range(k + 1)
        )

    low, high = (int(rank) for rank in _intervals.of_quantile(range(1, count + 1), level))
    # It is below the interval if fewer than `low` values are below the quantile.
    assert at_most(low - 1) <= 0.025 < at_most(low)
    assert at_most(high - 1) >= 0.975 > at_most(high - 2)


def test_quantile_of_few_values_ends_with_them() -> None:
    assert _intervals.of_quantile([4.0, 2.0, 9.0], 0.5) == (2.0, 9.0)
    assert _intervals.of_quantile([4.0, 2.0, 9.0], 0.95) == (4.0, 9.0)
    assert _intervals.of_quantile([4.0], 0.5) == (4.0, 4.0)
    assert np.isnan(_intervals.of_quantile([], 0.5)).all()


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (2, 0.242, 7.225), (3, 0.619, 8.767), (5, 1.62, 11.67),
     (10, 4.80, 18.39), (20, 12.22, 30.89), (100, 81.36, 121.63)],
)  # fmt: skip
def test_count_as_the_tables_print_it(count: int, low: float, high: float) -> None:
    """Garwood, Biometrika 28, 1936; Pearson and Hartley's table 40."""
    assert _intervals.of_count(count) == pytest.approx((low, high), abs=5e-3)


@pytest.mark.parametrize("count", [0, 1, 7, 29])
def test_count_has_two_and_a_half_percent_beyond_each_end(count: int) -> None:
    def at_most(k: int, mean: float) -> float:
        return math.fsum(math.exp(-mean) * mean**i / math.factorial(i) for i in range(k + 1))

    low, high = _intervals.of_count(count)
    assert at_most(count, high) == pytest.approx(0.025)
    if count:
        assert 1 - at_most(count - 1, low) == pytest.approx(0.025)
    else:
        assert low == 0


def test_rate_of_few_events_is_the_counts_over_all_of_the_time() -> None:
    low, high = _intervals.of_rate([0, 3, 0, 2], 0.5)
    assert (low, high) == pytest.approx((1.6235 / 2, 11.6683 / 2), abs=1e-4)
    # One trial of many events has no spread.
    assert _intervals.of_rate([100], 2.0) == pytest.approx((81.364 / 2, 121.627 / 2), abs=1e-3)


def test_rate_of_bursts_is_wider_than_of_single_events() -> None:
    single, bursts = np.full(40, 10), np.tile([0, 0, 0, 40], 10)
    assert _intervals.of_rate(single, 1.0) == (10.0, 10.0)
    low, high = _intervals.of_rate(bursts, 1.0)
    assert high - low > 2 * math.sqrt(10 / 40) * 1.96
    assert _intervals.of_rate([30] + [0] * 11, 1.0)[0] == 0.0  # never below zero


@pytest.mark.parametrize("mean", [0.01, 0.1, 1.0, 20.0])
def test_rate_covers_the_truth(mean: float) -> None:
    rng = np.random.default_rng(5)
    intervals = [_intervals.of_rate(rng.poisson(mean, 60), 1.0) for _ in range(1000)]
    hits = sum(low <= mean <= high for low, high in intervals)
    assert hits >= 930, (mean, hits)
    assert all(low >= 0 for low, _ in intervals)


def test_ratio_over_a_constant_is_a_mean() -> None:
    above = [1.0, 4.0, 2.0, 2.5]
    low, high = _intervals.of_mean(above)
    assert _intervals.of_ratio(above, [2.0] * 4) == pytest.approx((low / 2, high / 2))


def test_ratio_as_computed_by_hand() -> None:
    # R = 9/6; residuals y - Rx = 0.5, -1, 0.5, their variance 0.75; mean of x is 2; t(2) = 4.3027.
    half = 4.302653 * math.sqrt(0.75 / 3) / 2
    found = _intervals.of_ratio([2.0, 2.0, 5.0], [1.0, 2.0, 3.0])
    assert found == pytest.approx((1.5 - half, 1.5 + half))


def test_ratio_covers_the_truth() -> None:
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(1000):
        below = rng.poisson(6, 50)
        above = np.array([rng.exponential(3.0, count).sum() for count in below])
        low, high = _intervals.of_ratio(above, below)
        hits += low <= 3.0 <= high
    assert 925 <= hits <= 975, hits


def test_ratio_of_nothing_is_unknown() -> None:
    assert np.isnan(_intervals.of_ratio([1.0, 2.0], [0.0, 0.0])).all()
    assert np.isnan(_intervals.of_ratio([1.0], [1.0])).all()
