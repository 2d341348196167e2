"""Sweeps: many trials of an experiment at many points, on all cores, and what they say.

>>> import electionlab as el
>>> result = el.sweep(
...     el.Raft(nodes=5), over={"election_timeout_ms": [(150, 155), (150, 300)]},
...     scenario=el.scenarios.leader_crash(), trials=200, seed=1)
>>> result
Sweep(2 points over election_timeout_ms; 400 trials; seed=1)

docs/sweeps.md tells what can be swept, what is measured, and where it runs.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from electionlab import scenarios
from electionlab._core import __version__
from electionlab._interrupts import ctrl_c
from electionlab._journal import Journal
from electionlab._python_trials import COLUMNS
from electionlab._sweep_chunks import LAST_S, POLL_S, Columns, Progress, Runner, size_of
from electionlab._sweep_estimates import Statistic, check_statistic, estimate
from electionlab._sweep_points import Base, make_points
from electionlab._values import above_zero, path_of, truth, whole_number
from electionlab.protocols import Protocol
from electionlab.scenarios import Scenario
from electionlab.settings import Machine, Network
from electionlab.sweep_result import Sweep
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    import os

    from tqdm import tqdm

#: The cap of `Precision` unless told otherwise, as a multiple of ``trials``.
MOST_DOUBLINGS = 10
Told = Callable[[int, int], object]


@dataclasses.dataclass(frozen=True)
class Precision:
    """When a point has had enough trials.

    Looked at when it has had ``trials`` of them, twice as many, four times, and so on, up to the
    cap: so the number of trials depends on their outcome alone, never on speed or order. (An
    interval that is looked at several times holds a little less often than its 95 %.)

    Attributes:
        measure: Which column: "agreed_ms".
        statistic: What of it: "median", "mean", "p99", 0.9, "share".
        relative_half_width: Enough when half the interval is at most this share of the figure.
        max_trials: The cap; None: 1024 times ``trials``.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    measure: str
    statistic: Statistic = "median"
    relative_half_width: float = 0.01
    max_trials: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.measure, str):
            raise ValueError(f"measure={self.measure!r}: must be the name of a column")
        check_statistic(self.statistic)
        above_zero("relative_half_width", self.relative_half_width)
        if self.max_trials is not None:
            whole_number("max_trials", self.max_trials, 1, 10**9)


def sweep(
    protocol: Protocol | UserProtocol,
    over: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    *,
    scenario: Scenario | None = None,
    network: Network | None = None,
    machine: Machine | None = None,
    faults: Any = (),
    trials: int = 1000,
    first_trial: int = 0,
    seed: int = 0,
    measures: Sequence[str] | None = None,
    common_random_numbers: bool = False,
    until: Precision | None = None,
    threads: int = 0,
    executor: Any = None,
    save: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool | Told = False,
) -> Sweep:
    """Runs many trials of an experiment at every point.

    Point i, trial k comes out the same whatever the number of threads, chunks, processes or
    machines, alone or in a larger sweep.

    Args:
        protocol: What runs, unless "protocol" is swept: ``el.Raft(nodes=5)``, or a `UserProtocol`.
        over: What is swept. A dict of lists is a grid; a list of dicts is taken as it is, and
            `grid`, `zipped` and `latin_hypercube` make such lists. Names are options of the
            protocol, "nodes", "protocol", and "network.NAME", "machine.NAME", "scenario.NAME",
            "faults.NAME", "config.NAME" for what these hold. Empty: one point.
        scenario: What happens in a trial; see `electionlab.scenarios`. None: a leader crash where
            the protocol has a heartbeat interval and replaces a crashed leader, else a cold start.
        network: Its links; by default one-way delays of 5 to 10 ms and no faults.
        machine: What every node runs on.
        faults: Actions from the start of each trial, such as ``el.at_random``; or a function that
            returns them, whose parameters are swept as "faults.NAME".
        trials: How many for each point, 1 and up; with ``until`` the first look.
        first_trial: Number of the first, 0 and up: to add trials to an earlier result.
        seed: Fixes every trial; 0 and up.
        measures: Columns to keep, to save memory; None: all. measured, censored and violated are
            always kept.
        common_random_numbers: All points use the same seed, so that they are compared trial by
            trial. Their figures then are not independent of each other.
        until: More trials until a figure is precise enough.
        threads: How many, when they run here; 0: all cores.
        executor: Where else they run: any ``concurrent.futures.Executor`` (its workers need this
            package), or a ``distributed.Client`` of Dask.
        save: A journal: each finished chunk is on the disk before the next counts.
        resume: Go on with the journal if it is there.
        progress: Whether to show a progress bar; or a function of (finished, planned) trials.

    Returns:
        The trials. After Ctrl-C those that are finished, with ``interrupted`` True.

    Raises:
        ValueError: A name or value is bad; the message names it, and nothing has run.
        Exception: What a worker raised.
    """
    if not isinstance(protocol, (Protocol, UserProtocol)):
        raise ValueError(
            f"protocol={protocol!r}: must be a protocol such as electionlab.Raft(nodes=5), or an "
            "object of a class derived from electionlab.UserProtocol"
        )
    trials = whole_number("trials", trials, 1, 10**9)
    first_trial = whole_number("first_trial", first_trial, 0, 2**62)
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    threads = whole_number("threads", threads, 0, 1024)
    common = truth("common_random_numbers", common_random_numbers)
    resume = truth("resume", resume)
    if resume and save is None:
        raise ValueError("resume=True: needs save=, the journal to go on with")
    if until is not None and not isinstance(until, Precision):
        raise ValueError(f"until={until!r}: must be an electionlab.Precision")
    base = Base(
        protocol,
        _default_scenario(protocol) if scenario is None else scenario,
        Network() if network is None else network,
        Machine() if machine is None else machine,
        faults,
    )
    kept = _measures(base, measures, until)
    points = make_points(base, over or [{}], seed, common_random_numbers=common)
    runner = Runner(executor, threads, kept, saving=save is not None)
    journal = None
    if save is not None:
        identity = {
            "version": __version__,
            "seed": seed,
            "common_random_numbers": common,
            "measures": None if kept is None else sorted(kept),
        }
        journal = Journal(path_of("save", save), identity, resume=resume)
    states = [Progress(point, first_trial, first_trial + trials) for point in points]
    run = _Run(runner, journal, states, until, trials)
    try:
        with ctrl_c() as pressed, _bar(progress) as told:
            interrupted = run.run(pressed.is_set, told)
    finally:
        runner.close()
        if journal is not None:
            journal.close()
    return Sweep.of_chunks(
        points,
        [run.kept(state) for state in states],
        seed=seed,
        common_random_numbers=common,
        interrupted=interrupted,
    )


def _default_scenario(protocol: Protocol | UserProtocol) -> Scenario:
    replaces = isinstance(protocol, Protocol) and protocol.about["fails_over"]
    if replaces and "heartbeat_interval_ms" in getattr(protocol, "options", {}):
        return scenarios.leader_crash()
    return scenarios.cold_start()


def _measures(
    base: Base, measures: Sequence[str] | None, until: Precision | None
) -> tuple[str, ...] | None:
    """The columns to keep, checked as far as they are known before anything runs."""
    known = None if base.scenario.in_python else list(COLUMNS)
    wanted = [] if until is None else [until.measure]
    if measures is not None:
        if isinstance(measures, str) or not all(isinstance(name, str) for name in measures):
            raise ValueError(f"measures={measures!r}: must be a list of names of columns")
        wanted += measures
    for name in wanted:
        if known is not None and name not in known:
            raise ValueError(f"measures={name!r}: must be one of {', '.join(known)}")
    return None if measures is None else tuple(dict.fromkeys(wanted))


@contextmanager
def _bar(progress: bool | Told) -> Iterator[Told | None]:
    """What hears how far the sweep is."""
    if callable(progress):
        yield progress
        return
    if not truth("progress", progress):
        yield None
        return
    with warnings.catch_warnings():
        # Without ipywidgets a notebook gets the line of a terminal, which will do.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from tqdm.auto import tqdm
    bar: tqdm[Any]
    with tqdm(unit="trial", unit_scale=True, leave=False) as bar:

        def draw(finished: int, planned: int) -> None:
            bar.total = planned
            bar.update(finished - bar.n)

        yield draw


class _Run:
    """The loop that keeps a runner busy until every point has had enough."""

    def __init__(
        self,
        runner: Runner,
        journal: Journal | None,
        states: list[Progress],
        until: Precision | None,
        trials: int,
    ) -> None:
        self._runner, self._journal, self._states = runner, journal, states
        self._until = until
        self._cap = trials
        if until is not None:
            self._cap = until.max_trials or trials * 2**MOST_DOUBLINGS
            if self._cap < trials:
                raise ValueError(
                    f"max_trials={self._cap}: must be at least trials={trials}, the first look"
                )
        self._finished = 0
        self._planned = 0
        if journal is not None:
            self._take_over(journal)

    def _take_over(self, journal: Journal) -> None:
        """What is in the journal needs no second run."""
        known = {state.point.id: state for state in self._states}
        for point, first, _, columns in journal.chunks():
            if point in known:
                known[point].chunks[first] = columns

    def kept(self, state: Progress) -> list[tuple[int, Columns]]:
        """A point's finished trials, in order, of those that it was to have."""
        found = []
        at = state.first
        for first, columns in sorted(state.chunks.items(), key=lambda item: item[0]):
            start, end = max(first, at), min(first + size_of(columns), state.target)
            if start >= end:
                continue
            if (start, end) != (first, first + size_of(columns)):
                columns = {n: c[start - first : end - first] for n, c in columns.items()}
            found.append((start, columns))
            at = end
        return found

    def _done(self, state: Progress) -> int:
        return sum(size_of(columns) for _, columns in self.kept(state))

    def _enough(self, state: Progress) -> bool:
        """Whether a point with all its trials so far needs no more; else its target grows."""
        while self._until is not None:
            count = state.target - state.first
            if count >= self._cap or self._precise(state):
                return True
            state.target = state.first + min(2 * count, self._cap)
            self._planned += state.target - state.first - count
            state.plan()
            if state.open_ranges:
                return False
        return True

    def _precise(self, state: Progress) -> bool:
        assert self._until is not None
        one = Sweep.of_chunks((state.point,), [self.kept(state)], seed=0)
        figure = estimate(one.column(self._until.measure, measured=True), self._until.statistic)
        return figure.relative_half_width <= self._until.relative_half_width

    def run(self, pressed: Callable[[], bool], told: Told | None) -> bool:
        """Runs it all; whether it was interrupted."""
        waiting: list[Progress] = []
        self._planned = sum(state.target - state.first for state in self._states)
        for state in self._states:
            state.plan()
            if state.open_ranges or not self._enough(state):
                waiting.append(state)
        self._finished = sum(self._done(state) for state in self._states)
        waiting.reverse()  # the next point is the last
        while waiting or self._runner.busy:
            while waiting and self._runner.busy < self._runner.slots:
                state = waiting[-1]
                self._runner.submit(state, *state.take(self._runner.wanted_s))
                if not state.open_ranges:
                    waiting.pop()
            self._hear(POLL_S, waiting)
            if told is not None:
                told(self._finished, self._planned)
            if pressed():
                self._last_moment()
                return True
        return False

    def _hear(self, timeout_s: float, waiting: list[Progress] | None) -> None:
        """Takes in a chunk that has ended, if there is one."""
        ended = self._runner.next(timeout_s)
        if ended is None:
            return
        state, first, asked, columns, _ = ended
        done = size_of(columns)
        if done:
            if self._journal is not None:
                self._journal.append(state.point.id, first, done, columns)
            state.chunks[first] = columns
            self._finished += done
        if waiting is None:
            return
        if done < asked:
            state.open_ranges.append((first + done, asked - done))
            if state not in waiting:
                waiting.append(state)
        elif not state.open_ranges and not state.under_way and not self._enough(state):
            waiting.append(state)

    def _last_moment(self) -> None:
        """After Ctrl-C: what ends at once is taken in, the rest is left alone."""
        self._runner.stop()
        end = time.monotonic() + LAST_S
        while self._runner.busy and time.monotonic() < end:
            self._hear(POLL_S, None)


__all__: Sequence[str] = ["Precision", "Sweep", "sweep"]
