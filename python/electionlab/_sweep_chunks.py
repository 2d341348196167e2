"""Where a sweep's trials run: chunks of them, on threads or on whatever executor was given.

How trials are cut into chunks decides nothing but speed: a trial depends on its point and number.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

from electionlab import _core
from electionlab._python_trials import FLAGS, run_python_trials
from electionlab._sweep_points import Point, Work

Columns = dict[str, npt.NDArray[Any]]

#: How long a chunk should take, seconds: on threads of this process; elsewhere, or with a journal.
SHORT_S, LONG_S = 0.04, 0.4
#: Trials of the first chunk of a point, and by how much the next may be larger.
FIRST_TRIALS, GROWTH = 16, 8
MOST_TRIALS = 1_000_000
#: A chunk whose worker died is given to others so often.
MOST_LOSSES = 8
#: How often Ctrl-C is looked for, and how long it waits for what is nearly done, seconds.
POLL_S, LAST_S = 0.01, 0.06


def run_chunk(
    work: Work,
    seed: int,
    first: int,
    trials: int,
    measures: tuple[str, ...] | None,
    go_on: Callable[[int], bool] | None = None,
) -> tuple[Columns, float]:
    """Some trials of one point; what executors call, in whatever process.

    Returns:
        The columns asked for, of as many trials as were finished; and the seconds it took.
    """
    started = time.perf_counter()
    config = {**work.config, "seed": seed}
    if work.in_python:
        table = run_python_trials(work, config, first=first, trials=trials, progress=go_on)
    else:
        table = _core.run_trials(
            work.protocol,
            work.nodes,
            work.options,
            config,
            work.experiment,
            first=first,
            trials=trials,
            threads=1,
            progress=go_on,
        )
    if measures is not None:
        for name in measures:
            if name not in table:
                raise ValueError(f"measures={name!r}: must be one of {', '.join(table)}")
        table = {n: c for n, c in table.items() if n in measures or n in FLAGS}
    return table, time.perf_counter() - started


@dataclasses.dataclass
class Progress:
    """How far a point is: what is to be done, what is under way, and what is finished."""

    point: Point
    first: int
    #: Trials first..target-1 are to be run; it grows while the precision is not reached.
    target: int
    chunks: dict[int, Columns] = dataclasses.field(default_factory=dict)
    open_ranges: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    under_way: int = 0
    seconds_per_trial: float = 0.0
    last_trials: int = 0

    def plan(self) -> None:
        """Makes what neither is finished nor under way the open ranges; nothing is under way."""
        self.open_ranges = []
        at = self.first
        for start, size in sorted((s, size_of(c)) for s, c in self.chunks.items()):
            if start > at and at < self.target:
                self.open_ranges.append((at, min(start, self.target) - at))
            at = max(at, start + size)
        if at < self.target:
            self.open_ranges.append((at, self.target - at))

    def take(self, wanted_s: float) -> tuple[int, int]:
        """The next trials to run, as (first, count), of about so many seconds."""
        first, left = self.open_ranges.pop(0)
        most = max(FIRST_TRIALS, self.last_trials * GROWTH)
        if self.seconds_per_trial > 0:
            most = min(most, max(1, int(wanted_s / self.seconds_per_trial)))
        count = min(left, most, MOST_TRIALS)
        if left - count < count // 4:
            count = left
        if count < left:
            self.open_ranges.insert(0, (first + count, left - count))
        self.under_way += 1
        return first, count


def size_of(columns: Columns) -> int:
    """How many trials a chunk holds."""
    return len(columns["measured"])


class _Threads(ThreadPoolExecutor):
    """This process's threads; the engine works without the interpreter's lock."""


def _is_dask(executor: Any) -> bool:
    return hasattr(executor, "get_executor") and hasattr(executor, "scheduler_info")


def _workers(executor: Any) -> int:
    if _is_dask(executor):
        return max(1, int(sum(executor.ncores().values())))
    return int(getattr(executor, "_max_workers", None) or os.cpu_count() or 1)


class Runner:
    """Gives chunks to an executor and hears of their end.

    Args:
        executor: Any ``concurrent.futures.Executor``, a Dask ``Client``, or None for threads here.
        threads: How many, for None; 0: all cores.
        measures: Columns to keep; None: all.
        saving: Whether chunks are written to a journal, each with a cost of its own.
    """

    def __init__(
        self, executor: Any, threads: int, measures: tuple[str, ...] | None, *, saving: bool
    ) -> None:
        self._stop = threading.Event()
        self._measures = measures
        self._ended: queue.SimpleQueue[Future[tuple[Columns, float]]] = queue.SimpleQueue()
        self._pending: dict[Any, tuple[Progress, int, int, int]] = {}
        self._own = executor is None
        if executor is None:
            self.slots = threads or os.cpu_count() or 1
            self._pool: Executor = _Threads(self.slots, thread_name_prefix="sweep")
        elif _is_dask(executor):
            self.slots = 2 * _workers(executor)
            self._pool = executor.get_executor(pure=False, retries=MOST_LOSSES)
        elif isinstance(executor, Executor) or callable(getattr(executor, "submit", None)):
            self.slots = 2 * _workers(executor)
            self._pool = executor
        else:
            raise ValueError(
                f"executor={executor!r}: must be a concurrent.futures.Executor, a "
                "distributed.Client, or None for threads"
            )
        self.wanted_s = LONG_S if saving or not self._own else SHORT_S

    @property
    def busy(self) -> int:
        """How many chunks are under way."""
        return len(self._pending)

    def submit(self, progress: Progress, first: int, count: int, losses: int = 0) -> None:
        """Starts a chunk."""
        work = progress.point.work
        args: list[Any] = [work, progress.point.seed, first, count, self._measures]
        if self._own:
            args.append(lambda _: not self._stop.is_set())
        future = self._pool.submit(run_chunk, *args)
        self._pending[future] = (progress, first, count, losses)
        future.add_done_callback(self._ended.put)

    def next(self, timeout_s: float) -> tuple[Progress, int, int, Columns, float] | None:
        """A chunk that has ended: (whose, first, asked for, columns, seconds); None: none yet.

        Raises:
            Exception: What the chunk has raised.
        """
        try:
            future = self._ended.get(timeout=timeout_s)
        except queue.Empty:
            return None
        entry = self._pending.pop(future, None)
        if entry is None:
            return None
        progress, first, count, losses = entry
        error = future.exception()
        if error is not None and type(error).__name__ == "KilledWorker" and losses < MOST_LOSSES:
            self.submit(progress, first, count, losses + 1)  # Dask gave up too soon
            return None
        progress.under_way -= 1
        if error is not None:
            raise error
        columns, seconds = future.result()
        done = size_of(columns)
        if done:
            progress.seconds_per_trial = seconds / done
            progress.last_trials = max(progress.last_trials, done)
        return progress, first, count, columns, seconds

    def stop(self) -> None:
        """Asks what is under way on threads to end soon, and forgets what has not begun."""
        self._stop.set()
        for future in list(self._pending):
            if future.cancel():
                self._pending.pop(future, None)

    def close(self) -> None:
        """Waits for nothing: what still runs ends by itself."""
        self.stop()
        if self._own:
            self._pool.shutdown(wait=False, cancel_futures=True)


__all__: Sequence[str] = ["Columns", "Progress", "Runner", "run_chunk", "size_of"]
