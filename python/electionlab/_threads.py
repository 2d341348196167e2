"""The same work for many seeds, several at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def for_each_seed(work: Callable[[int], T], first: int, runs: int, threads: int) -> list[T]:
    """What `work` returns for the seeds first, first + 1, ..., in their order.

    Args:
        work: Takes a seed.
        first: The first seed.
        runs: How many seeds.
        threads: How many at once; 0: as many as there are cores.
    """
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return list(pool.map(work, range(first, first + runs)))
