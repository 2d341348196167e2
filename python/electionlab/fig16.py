"""The experiment behind Figure 16 of the Raft paper: how long a cluster is without a leader.

    >>> from electionlab import fig16
    >>> result = fig16.run(trials=200, seed=16, curves=["150-300", "12-24"])
    >>> result
    Fig16(curves=150-300, 12-24; trials=200; model=fitted; seed=16)
    >>> bool(result.summary()["mean_ms"].between(20, 250).all())
    True

docs/fig16.md tells each modelling choice, and how far the curves are from the published ones.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import importlib.resources
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from electionlab import _core
from electionlab._experiments import leader_crash
from electionlab._interrupts import ctrl_c
from electionlab._values import whole_number
from electionlab.cluster import make_config
from electionlab.protocols import make_protocol
from electionlab.settings import DelayLike, Machine, Network, exponential, hyperexponential

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

#: Curves of the top panel: the range of the election timeout in ms, wider and wider.
TOP: tuple[str, ...] = ("150-150", "150-151", "150-155", "150-175", "150-200", "150-300")
#: Curves of the bottom panel: the minimum, and with it the maximum and the heartbeat, scaled.
BOTTOM: tuple[str, ...] = ("12-24", "25-50", "50-100", "100-200", "150-300")
#: All ten; 150-300 stands in both panels and is run once.
CURVES: tuple[str, ...] = (*TOP, *(curve for curve in BOTTOM if curve not in TOP))

#: A trial without a leader after so long is given up; 150-150 has needed 528 s in the paper.
HORIZON_MS = 700_000.0
#: Ends of the five logs as (last term, last index): the leader and two survivors with all entries,
#: and two survivors that lack one, so that the others refuse them their votes.
LOGS: tuple[tuple[int, int], ...] = ((1, 2), (1, 2), (1, 2), (1, 1), (1, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """What the servers and links are like; the rest of the experiment is fixed.

    Attributes:
        name: For titles and tables.
        one_way_delay_ms: Of every message, drawn anew.
        write_delay_ms: Of every durable write (a new term or a vote), drawn anew.
        processing_ms: Time to handle a message; a server handles one after the other.
        timer_lateness_ms: How late an expired timer is handled.
        clock_drift_ppm: Range of the servers' clock rates, drawn once a trial for each.
        timeout_policy: How a timeout is drawn; see ``Raft``.
    """

    name: str
    one_way_delay_ms: DelayLike
    write_delay_ms: DelayLike
    processing_ms: DelayLike
    timer_lateness_ms: DelayLike = 0.0
    clock_drift_ppm: float | tuple[float, float] = 0.0
    timeout_policy: str = "redrawn"


#: The preset, fitted to the published curves.
FITTED = Model(
    name="fitted",
    one_way_delay_ms=exponential(0.04, min_ms=0.83),
    write_delay_ms=hyperexponential(0.15, 3.2, 0.4, min_ms=1.15),
    processing_ms=1.15,
    timer_lateness_ms=exponential(0.02),
    clock_drift_ppm=(-55.0, 55.0),
    timeout_policy="rounded",
)
#: The best constant latencies of `scan_constant`; timeouts are real numbers, as in the paper.
CONSTANT = Model(name="constant", one_way_delay_ms=1.0, write_delay_ms=0.75, processing_ms=2.0)
#: The same with timeouts in whole milliseconds.
CONSTANT_WHOLE_MS = Model(
    name="constant_whole_ms",
    one_way_delay_ms=1.0,
    write_delay_ms=1.0,
    processing_ms=1.5,
    timeout_policy="rounded",
)
#: By name, for the command line.
MODELS: dict[str, Model] = {m.name: m for m in (FITTED, CONSTANT, CONSTANT_WHOLE_MS)}


# --- what was published ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Published:
    """One curve of the published figure, as read off it.

    Attributes:
        curve: Range of the election timeout: "150-300".
        trials: How many the authors ran.
        mean_ms: Mean time without a leader.
        min_ms: Smallest.
        max_ms: Largest that is drawn.
        quantiles_ms: Quantile by probability, as far as the curve is drawn.
    """

    curve: str
    trials: int
    mean_ms: float
    min_ms: float
    max_ms: float
    quantiles_ms: Mapping[float, float]

    @property
    def ks_limit(self) -> float:
        """Distance that a sample of that many trials passes by chance in 5 % of cases at most."""
        return 1.36 / math.sqrt(self.trials)


_PERCENT = {
    "p1": 0.01, "p5": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9,
    "p95": 0.95, "p99": 0.99, "p999": 0.999,
}  # fmt: skip


def published() -> dict[str, Published]:
    """The published curves by name.

    Source: D. Ongaro, Consensus: Bridging Theory and Practice, 2014, chapter 9 (CC BY 4.0), read
    off the vector graphics; data/README.md of the package tells how.
    """
    file = importlib.resources.files("electionlab").joinpath("data", "fig16_digitized.csv")
    curves: dict[str, Published] = {}
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        curve, mass = row["range_ms"], float(row["mass"])
        if curve in curves:  # 150-300 stands in both panels, with the same quantiles
            continue
        curves[curve] = Published(
            curve=curve,
            trials=100 if curve == "150-150" else 1000,
            mean_ms=float(row["mean"]),
            min_ms=float(row["min"]),
            max_ms=float(row["max"]),
            quantiles_ms={p: float(row[c]) for c, p in _PERCENT.items() if p <= mass},
        )
    return curves


def ks_distance(values: Any, quantiles: Mapping[float, float]) -> float:
    """Kolmogorov-Smirnov distance of a sample to a distribution of which quantiles are known.

    Args:
        values: One-dimensional; NaN stands for a value larger than all others.
        quantiles: Quantile by probability.

    Returns:
        The largest |F(q) - p| over the known quantiles q of p, F being the share of the sample that
        is at most q. The true distance to the whole distribution is at least this.

    Raises:
        ValueError: The sample or the quantiles are empty.
    """
    sample = np.sort(np.asarray(values, dtype=np.float64))  # NaN last
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"values={values!r}: must be one-dimensional and not empty")
    if not quantiles:
        raise ValueError("quantiles={}: must not be empty")
    if not all(math.isfinite(value) for item in quantiles.items() for value in item):
        raise ValueError(f"quantiles={quantiles!r}: must be finite numbers")
    known = int(np.count_nonzero(~np.isnan(sample)))
    at = np.searchsorted(sample[:known], list(quantiles.values()), side="right") / sample.size
    return float(np.max(np.abs(at - np.array(list(quantiles)))))


# --- the experiment -------------------------------------------------------------------------------


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended the trials; what was finished is not lost.

    Attributes:
        result: The finished trials of the finished curves, and of the one under way.
    """

    def __init__(self, result: Fig16) -> None:
        super().__init__("interrupted; the finished trials are in .result")
        self.result = result


def seed_of(seed: int, curve: str) -> int:
    """The seed of one curve's trials, so that curves do not depend on which others are run.

    Returns:
        The first 8 bytes of the SHA-256 of ``fig16/<seed>/<curve>``, big-endian, halved.
    """
    digest = hashlib.sha256(f"fig16/{seed}/{curve}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _read_curve(curve: Any) -> tuple[float, float]:
    low, dash, high = str(curve).partition("-")
    try:
        bounds = float(low), float(high)
    except ValueError:
        bounds = math.nan, math.nan
    if not dash or not 2.0 <= bounds[0] <= bounds[1] < math.inf:
        raise ValueError(
            f"curves={curve!r}: must be ranges of the election timeout in ms, at least 2, such as "
            "150-300"
        )
    return bounds


def experiment(
    curve: str, model: Model = FITTED, *, seed: int, horizon_ms: float = HORIZON_MS
) -> dict[str, Any]:
    """The engine's arguments of one curve, as for ``_core.run_trials``."""
    low, high = _read_curve(curve)
    raft = make_protocol(
        "raft",
        5,
        {
            "election_timeout_ms": (low, high),
            "heartbeat_interval_ms": low / 2,
            "timeout_policy": model.timeout_policy,
            "tick_ms": 1.0,
            "logs": [tuple(end) for end in LOGS],
        },
    )
    config = make_config(
        network=Network(one_way_delay_ms=model.one_way_delay_ms),
        machine=Machine(
            write_delay_ms=model.write_delay_ms,
            processing_ms=model.processing_ms,
            timer_lateness_ms=model.timer_lateness_ms,
            clock_drift_ppm=model.clock_drift_ppm,
        ),
        write_mode="blocking",
        initial_leader=1,
        seed=seed_of(seed, curve),
    )
    return {
        "protocol": raft.name,
        "nodes": raft.nodes,
        "options": raft.options,
        "config": config,
        "experiment": leader_crash((0.0, low / 2), horizon_ms=horizon_ms),
    }


def run(
    trials: int = 1000,
    seed: int = 16,
    curves: Iterable[str] | None = None,
    threads: int = 0,
    progress: bool = False,
    *,
    model: Model = FITTED,
    horizon_ms: float = HORIZON_MS,
) -> Fig16:
    """Crashes the leader again and again, and measures how long nobody replaces it.

    Five servers; at time 0 all have just handled the leader's heartbeat. The leader crashes at a
    uniformly random moment of its heartbeat interval, which is half the minimum timeout. Two of the
    four survivors have logs too short to win. A trial ends when all four name the new leader.

    Args:
        trials: How many for each curve, 1 and up.
        seed: Fixes every trial, whatever the number of threads; 0 and up.
        curves: Ranges of the election timeout, "150-300"; None: all ten of the figure. Others than
            those of the figure are run too, and have nothing published beside them.
        threads: How many; 0: all cores.
        progress: Whether to show a progress bar on stderr.
        model: What servers and links are like.
        horizon_ms: A trial without a leader so long after the crash is given up.

    Returns:
        The times of every trial.

    Raises:
        ValueError: An argument is out of range; the message names it.
        Interrupted: Ctrl-C was pressed; it holds the finished trials.

    Source: Ongaro and Ousterhout, USENIX ATC 2014, section 9.3 and Figure 16.
    """
    trials = whole_number("trials", trials, 1, 100_000_000)
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    threads = whole_number("threads", threads, 0, 1024)
    if not isinstance(model, Model):
        raise ValueError(f"model={model!r}: must be an electionlab.fig16.Model")
    if isinstance(curves, str):
        curves = [curves]
    names = list(dict.fromkeys(CURVES if curves is None else curves))
    if not names:
        raise ValueError("curves=[]: must name at least one, such as 150-300")
    runs = {curve: experiment(curve, model, seed=seed, horizon_ms=horizon_ms) for curve in names}
    result = Fig16(seed=seed, model=model, horizon_ms=horizon_ms)
    with (
        ctrl_c() as pressed,
        tqdm(total=trials * len(names), unit="trial", disable=not progress, leave=False) as bar,
    ):
        for done, (curve, arguments) in enumerate(runs.items()):
            bar.set_description(curve)

            def heard(finished: int, before: int = done * trials) -> bool:
                bar.update(before + finished - bar.n)
                return not pressed.is_set()

            table = _core.run_trials(**arguments, trials=trials, threads=threads, progress=heard)
            heard(len(table["censored"]))
            downtime = np.where(table["censored"] == 1, np.nan, table["agreed_ms"])
            if downtime.size:
                result.downtime_ms[curve] = downtime
            if pressed.is_set():
                raise Interrupted(result)
    return result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fig16:
    """The trials of the experiment.

    Attributes:
        seed: The seed they came from.
        model: What servers and links were like.
        horizon_ms: Time after the crash at which a trial was given up.
        downtime_ms: By curve: shape (trials,), float64, milliseconds from the crash until every
            survivor named the new leader; NaN for a trial that was given up.
    """

    seed: int
    model: Model
    horizon_ms: float
    downtime_ms: dict[str, npt.NDArray[np.float64]] = dataclasses.field(default_factory=dict)

    @property
    def curves(self) -> tuple[str, ...]:
        """Names of the curves that were run."""
        return tuple(self.downtime_ms)

    @property
    def censored(self) -> dict[str, int]:
        """By curve: trials that were given up."""
        return {c: int(np.count_nonzero(np.isnan(t))) for c, t in self.downtime_ms.items()}

    def __repr__(self) -> str:
        counts = sorted({len(times) for times in self.downtime_ms.values()})
        return (
            f"Fig16(curves={', '.join(self.curves)}; trials={', '.join(map(str, counts))}; "
            f"model={self.model.name}; seed={self.seed})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Every trial.

        Returns:
            Columns curve (category), trial (0 and up, within its curve), downtime_ms (NaN: given
            up) and censored.
        """
        import pandas as pd

        sizes = [len(times) for times in self.downtime_ms.values()]
        times = np.concatenate([*self.downtime_ms.values(), np.empty(0)])
        codes = np.repeat(np.arange(len(sizes)), sizes)
        names = pd.Index(self.curves, dtype="str")
        return pd.DataFrame(
            {
                "curve": pd.Categorical.from_codes(codes.tolist(), categories=names),
                "trial": np.concatenate([*map(np.arange, sizes), np.empty(0, dtype=np.int64)]),
                "downtime_ms": times,
                "censored": np.isnan(times),
            }
        )

    def summary(self) -> pd.DataFrame:
        """The curves beside the published ones.

        Returns:
            A line for each curve: trials, mean_ms, min_ms, p50_ms, p99_ms, max_ms, censored (share
            of trials given up), the same as published_..., ks (see `ks_distance`) and ks_limit
            (what 95 % of samples as large as the published one keep, if the model were true).
            Quantiles are over all trials, NaN where the trial of that rank was given up; mean and
            maximum are of the others. NaN in the published columns: not in the figure.
        """
        import pandas as pd

        known = published()
        lines = []
        for curve, times in self.downtime_ms.items():
            ended = times[~np.isnan(times)]
            beside = known.get(curve)
            lines.append(
                {
                    "curve": curve,
                    "trials": len(times),
                    "mean_ms": float(np.mean(ended)) if ended.size else math.nan,
                    "min_ms": float(np.min(ended)) if ended.size else math.nan,
                    "p50_ms": _quantile(times, 0.5),
                    "p99_ms": _quantile(times, 0.99),
                    "max_ms": float(np.max(ended)) if ended.size else math.nan,
                    "censored": 1.0 - ended.size / len(times),
                    "published_trials": beside.trials if beside else 0,
                    "published_mean_ms": beside.mean_ms if beside else math.nan,
                    "published_min_ms": beside.min_ms if beside else math.nan,
                    "published_p50_ms": beside.quantiles_ms[0.5] if beside else math.nan,
                    "published_p99_ms": beside.quantiles_ms[0.99] if beside else math.nan,
                    "published_max_ms": beside.max_ms if beside else math.nan,
                    "ks": ks_distance(times, beside.quantiles_ms) if beside else math.nan,
                    "ks_limit": beside.ks_limit if beside else math.nan,
                }
            )
        return pd.DataFrame(lines)

    def table(self) -> str:
        """The summary as text for people: times in ms, "simulated | published"."""
        times = ("mean ms", "median ms", "99 % ms", "max ms")
        head = ("range ms", "trials", *times, "none", "KS", "limit")
        cells = [head, ("", "", *["sim | paper"] * 4, "found", "", "5 %")]
        for line in self.summary().to_dict("records"):
            pairs = [
                f"{_number(line[f'{m}_ms'])} | {_number(line[f'published_{m}_ms'])}"
                for m in ("mean", "p50", "p99", "max")
            ]
            share = f"{100 * line['censored']:.1f} %" if line["censored"] else "0"
            beside = line["published_trials"] > 0
            distance = f"{line['ks']:.3f}" if beside else "-"
            limit = f"{line['ks_limit']:.3f}" if beside else "-"
            cells.append((line["curve"], f"{line['trials']:,}", *pairs, share, distance, limit))
        widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
        shown = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in cells
        ]
        return "\n".join([*shown[:2], "-" * max(map(len, shown)), *shown[2:]])

    def _repr_html_(self) -> str:
        return str(self.summary().to_html(index=False, float_format=lambda v: f"{v:,.3f}"))

    def plot(
        self, ax: tuple[Axes, Axes] | None = None, *, size: Size | None = None
    ) -> tuple[Axes, Axes]:
        """Both panels, simulated as lines, published as marks.

        Args:
            ax: Two axes, for the top and the bottom panel; None for those of a new figure.
            size: What a new figure is for: "screen", "paper" or "slide"; None: a screen.
        """
        from electionlab.plot.fig16 import plot_fig16

        return plot_fig16(self, ax=ax, size=size)


def _quantile(times: npt.NDArray[np.float64], p: float) -> float:
    """The smallest value that at least a share p of the trials does not pass."""
    ordered = np.sort(times)
    return float(ordered[max(0, math.ceil(p * ordered.size) - 1)])


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.1f}"


# --- the best constant latency --------------------------------------------------------------------


def scan_constant(
    trials: int = 600, seed: int = 16, *, timeout_policy: str = "redrawn", threads: int = 0
) -> pd.DataFrame:
    """Looks for constant latencies that come closest to the top panel without 150-150.

    Args:
        trials: How many for each curve and point of the grid; 600 need about half a minute.
        seed: Fixes every trial.
        timeout_policy: How timeouts are drawn; see ``Raft``.
        threads: How many; 0: all cores.

    Returns:
        A line for each point: one_way_delay_ms, write_delay_ms, processing_ms, worst (the largest
        KS distance of the curves), and the distance of each curve; best first.
    """
    import pandas as pd

    known, lines = published(), []
    delays = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    writes = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    for delay, write, handling in itertools.product(delays, writes, (0.0, 1.0, 1.5, 2.0, 2.5)):
        if not 1.8 <= delay + write + handling <= 5.0:
            continue
        point = Model(
            name="constant",
            one_way_delay_ms=delay,
            write_delay_ms=write,
            processing_ms=handling,
            timeout_policy=timeout_policy,
        )
        result = run(trials, seed, TOP[1:], threads, model=point, horizon_ms=60_000.0)
        far = {c: ks_distance(t, known[c].quantiles_ms) for c, t in result.downtime_ms.items()}
        lines.append(
            {
                "one_way_delay_ms": delay,
                "write_delay_ms": write,
                "processing_ms": handling,
                "worst": max(far.values()),
                **far,
            }
        )
    return pd.DataFrame(lines).sort_values("worst", ignore_index=True)
