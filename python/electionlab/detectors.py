"""How good a failure detector is: formulas, measurements, and the trade-off between them.

    >>> import electionlab as el
    >>> quality = el.nfd_s_quality(
    ...     heartbeat_interval_ms=100, freshness_shift_ms=150, one_way_delay_ms=el.exponential(20),
    ...     loss_probability=0.01)
    >>> round(quality.mistake_recurrence_ms), round(quality.mistake_duration_ms, 2)
    (104934, 24.14)

docs/detectors.md defines the measures and shows the curve.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from electionlab import _core, _intervals
from electionlab._values import milliseconds, whole_number
from electionlab.cluster import make_config
from electionlab.protocols import make_protocol
from electionlab.settings import Delay, DelayLike, Machine, Network, lognormal, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

Array = npt.NDArray[np.float64]

#: The option of ``Heartbeat`` that each detector is tuned with.
PARAMETERS: dict[str, str] = {
    "fixed": "timeout_ms",
    "nfd_s": "freshness_shift_ms",
    "nfd_e": "freshness_margin_ms",
    "phi": "phi_threshold",
}
#: What `detector_curve` tries by default, tight to generous.
DEFAULT_VALUES: dict[str, tuple[float, ...]] = {
    "fixed": (55, 60, 75, 90, 110, 130, 150, 175, 200, 225, 250),
    "nfd_s": (20, 40, 60, 80, 100, 125, 150, 175, 200, 225),
    "nfd_e": (0, 15, 30, 50, 75, 100, 125, 150, 175, 200),
    "phi": (0.4, 0.6, 0.8, 1, 1.5, 2, 2.5, 3, 4, 5, 6.5, 8),
}
#: The link of `detector_curve`: half of all messages take more than 20 ms, one in a hundred more
#: than 205 ms, and one in fifty is lost.
JITTERY = Network(one_way_delay_ms=lognormal(20.0, 1.0), loss_probability=0.02)


def phi(
    silence_ms: npt.ArrayLike, *, mean_ms: npt.ArrayLike, deviation_ms: npt.ArrayLike
) -> Array | float:
    """Suspicion level of a silence, when gaps between heartbeats are normal.

    Args:
        silence_ms: Time since the last heartbeat.
        mean_ms: Mean gap.
        deviation_ms: Standard deviation of the gaps, above 0.

    Returns:
        -log10 of the chance that a gap is longer; of the arguments' common shape. The relative
        error is below 1e-12 however long the silence.

    Raises:
        ValueError: A deviation is not above 0, or a number is not finite.

    Example:
        >>> phi(150.0, mean_ms=100.0, deviation_ms=10.0)
        6.542645...

    Source: Hayashibara, Defago, Yared and Katayama, SRDS 2004, section 4.
    """
    deviation = np.asarray(deviation_ms, dtype=np.float64)
    if not np.all(deviation > 0):
        raise ValueError(f"deviation_ms={deviation_ms!r}: must be above 0")
    z = (np.asarray(silence_ms, dtype=np.float64) - np.asarray(mean_ms)) / deviation
    if not np.all(np.isfinite(z)):
        raise ValueError(f"silence_ms={silence_ms!r}: must be finite, as the mean and deviation")
    level = _core.phi_of_deviations(z)
    return float(level) if np.ndim(level) == 0 else np.asarray(level)


# --- NFD-S: closed forms --------------------------------------------------------------------------


def _survival(delay: Delay) -> tuple[Callable[[Array], Array], list[float]]:
    """P(delay > x) as a function of x in ms, and the x where it is not smooth."""
    from scipy import stats

    spec = dict(delay.spec)
    kind, low = spec["kind"], float(spec.get("min_ms", 0.0))
    if kind == "constant":
        at = float(spec["ms"])
        return lambda x: np.where(x < at, 1.0, 0.0), [at]
    if kind == "uniform":
        high = float(spec["max_ms"])
        if high == low:
            return lambda x: np.where(x < low, 1.0, 0.0), [low]
        return lambda x: np.clip((high - x) / (high - low), 0.0, 1.0), [low, high]
    if kind == "empirical":
        known = np.asarray(spec["quantiles_ms"], dtype=np.float64)
        levels = np.linspace(0.0, 1.0, known.size)
        # Equal quantiles are an atom: the chance jumps there, and counts what is not above.
        atoms, first = np.unique(known[::-1], return_index=True)
        at_most = levels[::-1][first]
        least = levels[np.unique(known, return_index=True)[1]]

        def empirical_tail(x: Array) -> Array:
            cell = np.searchsorted(atoms, x, side="right") - 1
            inside = np.clip(cell, 0, atoms.size - 2)
            share = (x - atoms[inside]) / (atoms[inside + 1] - atoms[inside])
            below = at_most[inside] + share * (least[inside + 1] - at_most[inside])
            return np.where(cell < 0, 1.0, np.where(cell >= atoms.size - 1, 0.0, 1.0 - below))

        if atoms.size == 1:
            return lambda x: np.where(x < atoms[0], 1.0, 0.0), [float(atoms[0])]
        return empirical_tail, [float(x) for x in atoms]
    mean = float(spec.get("mean_ms", 0.0))
    if kind == "exponential":
        return lambda x: np.exp(-np.maximum(x - low, 0.0) / mean) if mean else 1.0 * (x < low), [
            low
        ]
    if kind == "hyperexponential":
        tail, chance = float(spec["tail_mean_ms"]), float(spec["tail_probability"])

        def two_tails(x: Array) -> Array:
            late = np.maximum(x - low, 0.0)
            return (1 - chance) * np.exp(-late / mean) + chance * np.exp(-late / tail)

        return two_tails, [low]
    if kind == "normal":
        deviation = float(spec["deviation_ms"])
        return lambda x: np.where(x < low, 1.0, stats.norm.sf(x, mean, deviation)), [low]
    if kind == "lognormal":
        median, sigma = float(spec["median_ms"]), float(spec["sigma"])
        law = stats.lognorm(s=sigma, loc=low, scale=median)
        return lambda x: np.asarray(law.sf(x)), [low, low + median * math.exp(-4 * sigma)]
    scale, shape = float(spec["scale_ms"]), float(spec["shape"])
    return lambda x: (1 + np.maximum(x - low, 0.0) / scale) ** -shape, [low]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NfdQuality:
    """What NFD-S promises on a link whose delays and losses are independent.

    Attributes:
        detection_bound_ms: No crash is detected later: delta + eta.
        mistake_recurrence_ms: E(T_MR), mean time from one mistake to the next; inf: there are none.
        mistake_duration_ms: E(T_M), mean time until a mistake is corrected; NaN: there are none.
        query_accuracy: P_A, chance that it is right at a random moment.
        p_0: Chance that a heartbeat is not there at its freshness point.
        q_0: Chance that one is there at the next one's.
        p_s: Chance that a mistake begins at a freshness point.
        u_0: Chance that none of the heartbeats that count is there at a freshness point.
    """

    detection_bound_ms: float
    mistake_recurrence_ms: float
    mistake_duration_ms: float
    query_accuracy: float
    p_0: float
    q_0: float
    p_s: float
    u_0: float

    @property
    def mistakes_per_s(self) -> float:
        """How often it is wrong: 1 / E(T_MR)."""
        return 1e3 / self.mistake_recurrence_ms


def nfd_s_quality(
    *,
    heartbeat_interval_ms: float,
    freshness_shift_ms: float,
    one_way_delay_ms: DelayLike,
    loss_probability: float = 0.0,
) -> NfdQuality:
    """The exact quality of the failure detector NFD-S.

    Args:
        heartbeat_interval_ms: eta, above 0.
        freshness_shift_ms: delta, at least 0.
        one_way_delay_ms: Of each heartbeat, independent of the others.
        loss_probability: Chance that one is lost, 0 to 1.

    Returns:
        Theorem 5 of the paper: with p_j(x) the chance that the heartbeat that is sent j intervals
        after the i-th is not there x after the i-th freshness point, u(x) their product over
        j = 0..ceil(delta/eta) and p_s = q_0 u(0): E(T_MR) = eta / p_s, E(T_M) = integral of u over
        an interval / p_s, P_A = 1 - the same / eta. The integral is Gauss-Legendre quadrature,
        accurate to about 1e-9. A heartbeat that arrives at the very moment of a freshness point
        counts as there (the engine sees it just after); that matters only where a delay of exactly
        delta has a probability of its own.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: Chen, Toueg and Aguilera, IEEE Transactions on Computers 51(5), 2002, section 4.
    """
    eta = milliseconds("heartbeat_interval_ms", heartbeat_interval_ms)
    delta = milliseconds("freshness_shift_ms", freshness_shift_ms)
    if eta == 0:
        raise ValueError(f"heartbeat_interval_ms={heartbeat_interval_ms!r}: must be above 0")
    loss = float(loss_probability)
    if not 0.0 <= loss <= 1.0:
        raise ValueError(f"loss_probability={loss_probability!r}: must be from 0 to 1")
    delay = Delay(_core.check_distribution(plain(one_way_delay_ms), "one_way_delay_ms"))
    later_than, corners = _survival(delay)
    k = math.ceil(delta / eta)
    shifts = delta - eta * np.arange(k + 1)  # of heartbeat i + j: its age at the freshness point

    def u(x: Array) -> Array:
        age = shifts[:, None] + x[None, :]
        missing = np.where(age < 0, 1.0, loss + (1 - loss) * later_than(age))
        return np.asarray(np.prod(missing, axis=0))

    p_0 = loss + (1 - loss) * float(later_than(np.array([delta]))[0])
    q_0 = (1 - loss) * (1 - float(later_than(np.array([delta + eta]))[0]))
    u_0 = float(u(np.zeros(1))[0])
    p_s = q_0 * u_0
    cuts = {0.0, eta, *(c - s for c in (*corners, 0.0) for s in shifts if 0 < c - s < eta)}
    cuts |= {start + (eta - start) * 2.0**-i for start in cuts for i in range(1, 20) if start < eta}
    nodes, weights = np.polynomial.legendre.leggauss(24)
    area = 0.0
    for low, high in itertools.pairwise(sorted(cuts)):
        half = float(high - low) / 2
        area += half * float(weights @ u(low + half * (nodes + 1)))
    return NfdQuality(
        detection_bound_ms=delta + eta,
        mistake_recurrence_ms=eta / p_s if p_s > 0 else math.inf,
        mistake_duration_ms=area / p_s if p_s > 0 else math.nan,
        query_accuracy=max(0.0, 1 - area / eta),  # weights are rounded
        p_0=p_0,
        q_0=q_0,
        p_s=p_s,
        u_0=u_0,
    )


# --- measured -------------------------------------------------------------------------------------


def _seed_of(seed: int, detector: str, value: float) -> int:
    """Seed of one point, so that points do not depend on which others are run."""
    digest = hashlib.sha256(f"detectors/{seed}/{detector}/{value!r}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _line(
    detector: str, value: float, table: Mapping[str, Any], observe_ms: float
) -> dict[str, Any]:
    mistakes = np.asarray(table["mistakes"])
    suspected = np.asarray(table["suspected_ms"])
    found = np.asarray(table["detection_ms"])
    known = found[~np.isnan(found)]
    seconds = observe_ms / 1e3
    total = int(mistakes.sum())
    rate = _intervals.of_rate(mistakes, seconds)
    nothing = math.nan, math.nan  # too few mistakes to say how they spread
    few = total < 5
    lasting = nothing if few else _intervals.of_ratio(suspected, mistakes)
    right = 1 - suspected / observe_ms
    accuracy = nothing if few else _intervals.of_mean(right)
    line: dict[str, Any] = {
        "detector": detector,
        "parameter": PARAMETERS[detector],
        "value": value,
        "trials": int(mistakes.size),
        "detection_ms": float(known.mean()) if known.size else math.nan,
    }
    line["detection_low_ms"], line["detection_high_ms"] = _intervals.of_mean(known)
    for percent in (50, 95, 99):
        line[f"detection_p{percent}_ms"] = (
            float(np.percentile(known, percent)) if known.size else math.nan
        )
    line["detection_max_ms"] = float(known.max()) if known.size else math.nan
    line["undetected"] = int(np.count_nonzero(np.isnan(found)))
    line["observed_s"] = seconds * mistakes.size
    line["mistakes"] = total
    line["mistakes_per_s"] = total / (seconds * mistakes.size)
    line["mistakes_low_per_s"], line["mistakes_high_per_s"] = rate
    line["recurrence_ms"] = seconds * 1e3 * mistakes.size / total if total else math.inf
    line["duration_ms"] = float(suspected.sum()) / total if total else math.nan
    line["duration_low_ms"], line["duration_high_ms"] = lasting
    line["accuracy"] = float(right.mean())
    line["accuracy_low"], line["accuracy_high"] = accuracy
    return line


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DetectorCurve:
    """What `detector_curve` measured.

    Attributes:
        frame: A line for each detector and value of its parameter: detector, parameter, value,
            trials; detection_ms (mean), _low and _high (95 % confidence), _p50, _p95, _p99, _max;
            undetected (trials in which the crashed node was still trusted at the horizon);
            observed_s, mistakes, mistakes_per_s (1 / T_MR) with low and high; recurrence_ms (mean
            T_MR; inf without mistakes); duration_ms (mean T_M; NaN without) with low and high;
            accuracy (P_A, share of the time in which it was right) with low and high; seed. The
            intervals of duration and accuracy are NaN with fewer than five mistakes.
        network: The link.
        machine: The nodes.
        heartbeat_interval_ms: eta.
        seed: Fixes every trial.
    """

    frame: pd.DataFrame
    network: Network
    machine: Machine
    heartbeat_interval_ms: float
    seed: int

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(self.frame["detector"]))
        return f"DetectorCurve({names}; {len(self.frame)} points; seed={self.seed})"

    @property
    def detectors(self) -> tuple[str, ...]:
        """Those that were run."""
        return tuple(dict.fromkeys(self.frame["detector"]))

    def plot(self, *, ax: Axes | None = None, size: Size | None = None) -> Axes:
        """Draws it; see `electionlab.plot_detector_curve`."""
        from electionlab.plot.detectors import draw_detector_curve

        return draw_detector_curve(self, ax=ax, size=size)

    def table(self) -> str:
        """The frame in short, for people."""
        lines = [
            f"{'detector':<9} {'parameter':>24} {'detection':>9} {'95 %':>7} {'mistakes/s':>22} "
            f"{'lasting':>8} {'accuracy':>10}",
            f"{'':<9} {'':>24} {'mean ms':>9} {'ms':>7} {'(95 % confidence)':>22} {'mean ms':>8}",
        ]
        for row in self.frame.to_dict("records"):
            rate = (
                f"{row['mistakes_per_s']:.2g} ({row['mistakes_low_per_s']:.2g}, "
                f"{row['mistakes_high_per_s']:.2g})"
            )
            lasting = "-" if math.isnan(row["duration_ms"]) else f"{row['duration_ms']:.1f}"
            lines.append(
                f"{row['detector']:<9} {row['parameter'] + ' ' + format(row['value'], 'g'):>24} "
                f"{row['detection_ms']:>9.1f} {row['detection_p95_ms']:>7.1f} {rate:>22} "
                f"{lasting:>8} {row['accuracy']:>10.6f}"
            )
        return "\n".join(lines)

    def nfd_s(self, value: float) -> NfdQuality | None:
        """The closed form of NFD-S on this link; None where it does not apply.

        It applies when every heartbeat meets the same independent delay and loss: no duplicates, no
        reordering, no order kept, no link with settings of its own.
        """
        n = self.network
        plain_link = not (n.duplicate_probability or n.reorder_probability or n.fifo or n.links)
        if not plain_link or n.one_way_delay_ms is None or self.machine != Machine():
            return None
        return nfd_s_quality(
            heartbeat_interval_ms=self.heartbeat_interval_ms,
            freshness_shift_ms=value,
            one_way_delay_ms=n.one_way_delay_ms,
            loss_probability=n.loss_probability or 0.0,
        )


def _read_detectors(
    detectors: Mapping[str, Sequence[float] | None] | Iterable[str] | str | None,
) -> dict[str, tuple[float, ...]]:
    if detectors is None:
        return dict(DEFAULT_VALUES)
    if isinstance(detectors, str):
        detectors = [detectors]
    chosen = detectors if isinstance(detectors, Mapping) else dict.fromkeys(detectors)
    values: dict[str, tuple[float, ...]] = {}
    for name, given in chosen.items():
        if name not in PARAMETERS:
            raise ValueError(f"detectors={name!r}: must be some of {', '.join(PARAMETERS)}")
        points = DEFAULT_VALUES[name] if given is None else tuple(given)
        for value in points:
            if isinstance(value, (bool, str)) or not math.isfinite(value):
                raise ValueError(f"detectors[{name!r}]={value!r}: must be a finite number")
        values[name] = tuple(float(value) for value in points)
    if not any(values.values()):
        raise ValueError("detectors={}: must name at least one, with a value")
    return values


def detector_curve(
    detectors: Mapping[str, Sequence[float] | None] | Iterable[str] | str | None = None,
    *,
    network: Network | None = None,
    machine: Machine | None = None,
    heartbeat_interval_ms: float = 50.0,
    options: Mapping[str, Any] | None = None,
    trials: int = 200,
    observe_ms: float = 30_000.0,
    warm_up_ms: float = 5_000.0,
    horizon_ms: float = 10_000.0,
    seed: int = 1,
    threads: int = 0,
    progress: bool = False,
) -> DetectorCurve:
    """Measures what fast detection costs in false alarms, for several failure detectors.

    In every trial node 2 watches node 1 through the election ``Heartbeat``: it suspects node 1
    while it does not name it as its leader. After the warm-up it is observed for a while; node 1
    lives, so that every suspicion is a mistake. Then node 1 crashes, at a uniformly random moment
    of a heartbeat interval; the detection time lasts until the last change to suspicion.

    Args:
        detectors: Which, with the values of the parameter in `PARAMETERS` to try:
            ``{"fixed": [100, 200], "phi": [1, 8]}``; or only names; None: all four.
        network: The link; None: `JITTERY`.
        machine: What the nodes run on.
        heartbeat_interval_ms: eta, for all of them.
        options: More options of ``Heartbeat``, such as ``{"phi_window": 1000}``.
        trials: For each point.
        observe_ms: How long each of them is observed.
        warm_up_ms: Before that, not counted.
        horizon_ms: How long the watcher is looked at after the crash.
        seed: Fixes everything, whatever the number of threads.
        threads: How many; 0: all cores.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The frame and its picture.

    Raises:
        ValueError: An argument is out of range; the message names it.
    """
    import pandas as pd

    values = _read_detectors(detectors)
    trials = whole_number("trials", trials, 1, 100_000_000)
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    threads = whole_number("threads", threads, 0, 1024)
    interval = milliseconds("heartbeat_interval_ms", heartbeat_interval_ms)
    observe = milliseconds("observe_ms", observe_ms)
    if observe == 0:
        raise ValueError(f"observe_ms={observe_ms!r}: must be above 0")
    link, nodes = network or JITTERY, machine or Machine()
    config = make_config(network=link, machine=nodes, seed=seed)
    points = [(name, value) for name, chosen in values.items() for value in chosen]
    settings = []
    for name, value in points:
        given = {**(options or {}), "detector": name, PARAMETERS[name]: value}
        given["heartbeat_interval_ms"] = interval
        settings.append(make_protocol("heartbeat", 2, given).options)

    chunk = max(1, min(20, trials))
    starts = range(0, trials, chunk)
    with (
        tqdm(total=len(points) * trials, unit="trial", disable=not progress, leave=False) as bar,
        ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool,
    ):
        jobs: list[list[Future[dict[str, Any]]]] = []
        try:
            for (name, value), chosen in zip(points, settings, strict=True):
                run = functools.partial(
                    _core.watch_detector, "heartbeat", 2, chosen, config, warm_up_ms=warm_up_ms,
                    observe_ms=observe, crash_after_ms=(0.0, interval), horizon_ms=horizon_ms,
                    seed=_seed_of(seed, name, value),
                )  # fmt: skip
                jobs.append(
                    [pool.submit(run, first=s, trials=min(chunk, trials - s)) for s in starts]
                )
            lines = []
            for (name, value), parts in zip(points, jobs, strict=True):
                tables = []
                for part in parts:
                    tables.append(part.result())
                    bar.update(len(tables[-1]["mistakes"]))
                table = {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}
                lines.append({**_line(name, value, table, observe), "seed": seed})
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return DetectorCurve(
        frame=pd.DataFrame(lines),
        network=link,
        machine=nodes,
        heartbeat_interval_ms=interval,
        seed=seed,
    )


def plot_detector_curve(
    curve: DetectorCurve | None = None, *, ax: Axes | None = None, size: Size | None = None
) -> Axes:
    """Detection time against mistakes, both logarithmic: the nearer to the corner, the better.

    Args:
        curve: What `detector_curve` returned; None: it is measured now, as by default.
        ax: Axes to draw on; None for new ones.
        size: What a new figure is for: "screen", "paper" (7 inches) or "slide"; None: a screen.

    Returns:
        The axes: mean detection time in ms to the right, mistakes per second upwards, with 95 %
        confidence intervals. A triangle that points down says that there was no mistake: its place
        is the upper end of the confidence interval. The dashed line is the closed form of NFD-S,
        where it applies.
    """
    return (detector_curve() if curve is None else curve).plot(ax=ax, size=size)
