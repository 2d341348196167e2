"""Which values a sweep tries: a grid, pairs, or a Latin hypercube; each a list of dictionaries.

>>> from electionlab.samplers import grid, zipped
>>> grid({"nodes": [3, 5], "network.loss_probability": [0, 0.1]})[1]
{'nodes': 3, 'network.loss_probability': 0.1}
>>> zipped({"nodes": [3, 5], "network.loss_probability": [0, 0.1]})[1]
{'nodes': 5, 'network.loss_probability': 0.1}
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from electionlab._values import whole_number

#: More points than this are taken for a mistake.
MOST_POINTS = 1_000_000


def _lists(over: Any) -> dict[str, list[Any]]:
    if not isinstance(over, Mapping):
        raise ValueError(f"over={over!r}: must be a dict of names and lists of values")
    lists: dict[str, list[Any]] = {}
    for name, values in over.items():
        if not isinstance(name, str):
            raise ValueError(f"over={{{name!r}: ...}}: a name must be text")
        plain_list = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
        lists[name] = list(values) if plain_list else []
        if not lists[name]:
            raise ValueError(f"over={{{name!r}: {values!r}}}: must be a list of values, not empty")
    return lists


def grid(over: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Every combination; the last name changes fastest.

    Args:
        over: Names, each with its values.

    Raises:
        ValueError: A list of values is empty or none, or there are too many combinations.
    """
    lists = _lists(over)
    count = math.prod(len(values) for values in lists.values())
    if count > MOST_POINTS:
        raise ValueError(f"over: {count:,} points; must be at most {MOST_POINTS:,}")
    return [dict(zip(lists, each, strict=True)) for each in itertools.product(*lists.values())]


def zipped(over: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """The first values together, the second ones, and so on.

    Args:
        over: Names, each with as many values as the others.

    Raises:
        ValueError: A list of values is empty or none, or they are not equally long.
    """
    lists = _lists(over)
    if len({len(values) for values in lists.values()}) > 1:
        sizes = ", ".join(f"{name!r} has {len(values)}" for name, values in lists.items())
        raise ValueError(f"over: must have equally many values for each name; {sizes}")
    return [dict(zip(lists, each, strict=True)) for each in zip(*lists.values(), strict=True)]


def latin_hypercube(
    ranges: Mapping[str, tuple[float, float]], points: int, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Points that fill a box evenly: each value's range is cut into as many cells as points.

    Args:
        ranges: Names, each with the least and the greatest value; whole numbers where both are.
        points: How many, 1 and up.
        seed: Fixes them, for one version of SciPy and NumPy.

    Raises:
        ValueError: A range is none, or a number is out of range.

    Source: McKay, Beckman and Conover, Technometrics 21(2), 1979; scipy.stats.qmc.
    """
    from scipy.stats import qmc

    if not isinstance(ranges, Mapping) or not ranges:
        raise ValueError(f"ranges={ranges!r}: must be a dict of names and (low, high)")
    points = whole_number("points", points, 1, MOST_POINTS)
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    columns: dict[str, list[Any]] = {}
    unit = qmc.LatinHypercube(len(ranges), rng=rng).random(points)
    for place, (name, ends) in zip(unit.T, ranges.items(), strict=True):
        good = isinstance(ends, (tuple, list)) and len(ends) == 2
        numbers = good and all(
            isinstance(end, (int, float)) and not isinstance(end, bool) and math.isfinite(end)
            for end in ends
        )
        if not numbers or not ends[0] < ends[1]:
            raise ValueError(f"ranges={{{name!r}: {ends!r}}}: must be two numbers, ascending")
        low, high = ends
        if isinstance(low, int) and isinstance(high, int):
            columns[name] = [low + int(u * (high - low + 1)) for u in place]
        else:
            columns[name] = [float(low + u * (high - low)) for u in place]
    return zipped(columns)


def points_of(over: Any) -> list[dict[str, Any]]:
    """What a sweep is asked to try, as a list of dictionaries with the same names.

    Raises:
        ValueError: It is neither a mapping nor a list of dictionaries with the same names.
    """
    if isinstance(over, Mapping):
        return grid(over) if over else [{}]
    if isinstance(over, (str, bytes)) or not isinstance(over, Iterable):
        raise ValueError(f"over={over!r}: must be a dict of lists, or a list of dicts")
    found = list(over)
    if not found:
        raise ValueError("over=[]: must have at least one point")
    for number, each in enumerate(found):
        if not isinstance(each, Mapping) or not all(isinstance(name, str) for name in each):
            raise ValueError(f"over[{number}]={each!r}: must be a dict of names and values")
        if set(each) != set(found[0]):
            raise ValueError(
                f"over[{number}]={each!r}: must have the names of the first, "
                f"{', '.join(found[0]) or 'none'}"
            )
    if len(found) > MOST_POINTS:
        raise ValueError(f"over: {len(found):,} points; must be at most {MOST_POINTS:,}")
    return [{name: each[name] for name in found[0]} for each in found]


__all__: Sequence[str] = ["grid", "latin_hypercube", "points_of", "zipped"]
