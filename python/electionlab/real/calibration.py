"""What a calibration found: real downtimes beside those of models, and how far they lie apart."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
#: What is told of a distribution: the least, the median, 90 %, the most.
QUANTILES = (0.0, 0.5, 0.9, 1.0)
#: What was done to a leader, and how it is said.
FAULTS = {"crash": "killed", "pause": "paused"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """Downtimes of a real system, before they are compared with anything.

    Attributes:
        name: What was measured: "etcd", "zookeeper", "etcd-lease" or "zk-session".
        fault: What was done to leaders: "crash" or "pause".
        system: Servers, versions and settings.
        real_ms: From the fault to the next leader.
        real_epochs: By how much each election raised the epoch; empty when it does not apply.
        since_renewal_ms: From the last renewal of what ended to the next leader; empty when it does
            not apply.
    """

    name: str
    fault: str
    system: dict[str, Any]
    real_ms: Floats
    real_epochs: tuple[int, ...] = ()
    since_renewal_ms: Floats = dataclasses.field(default_factory=lambda: np.array([]))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Measured:
        """Reads what `electionlab calibrate --json` printed.

        Raises:
            ValueError: The file is not that.
            OSError: It cannot be read.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            name, fault, system = found["calibration"], found["fault"], dict(found["system"])
            real, epochs = found["real_ms"], found["real_epochs"]
            since = found["since_renewal_ms"]
            arrays = [np.array(values, dtype=np.float64) for values in (real, epochs, since)]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: not a calibration: {error!r}") from None
        if any(a.ndim != 1 or not np.isfinite(a).all() for a in arrays) or len(arrays[0]) < 2:
            raise ValueError(f"{path}: not a calibration: downtimes must be two numbers or more")
        return Measured(name, fault, system, arrays[0], tuple(map(int, arrays[1])), arrays[2])


@dataclasses.dataclass(frozen=True)
class Formula:
    """What a rule in one line says of the time since the last renewal: uniform between two ends.

    Attributes:
        text: The rule.
        low_ms: The lower end.
        high_ms: The upper end.
    """

    text: str
    low_ms: float
    high_ms: float

    def distance(self, values_ms: Floats) -> float:
        """The Kolmogorov-Smirnov distance of values from the rule."""
        ordered = np.sort(values_ms)
        expected = np.clip((ordered - self.low_ms) / (self.high_ms - self.low_ms), 0, 1)
        steps = np.arange(len(ordered) + 1) / len(ordered)
        return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Downtimes of a real system, of its simulation, and of the naive model.

    Attributes:
        measured: What really happened.
        simulated_ms: From the fault to the next leader, simulated.
        naive_ms: The same by the naive model.
        naive: What that model is.
        simulated_epochs: By how much each simulated election raised the epoch.
        formula: The rule for the time since the last renewal, where there is one.
    """

    measured: Measured
    simulated_ms: Floats
    naive_ms: Floats
    naive: str
    simulated_epochs: tuple[int, ...] = ()
    formula: Formula | None = None

    @property
    def name(self) -> str:
        """What was calibrated: "etcd", "zookeeper", "etcd-lease" or "zk-session"."""
        return self.measured.name

    @property
    def real_ms(self) -> Floats:
        """From the fault to the next leader, real."""
        return self.measured.real_ms

    @property
    def limit(self) -> float:
        """What chance allows in 95 % when the model is right: 1.36 / sqrt(n), n real downtimes.

        That is the limit against a known distribution; so many runs are simulated that theirs is
        as good as known.
        """
        return 1.36 / float(np.sqrt(len(self.real_ms)))

    @property
    def distance(self) -> float:
        """The Kolmogorov-Smirnov distance between real and simulated downtimes."""
        return ks_distance(self.real_ms, self.simulated_ms)

    @property
    def naive_distance(self) -> float:
        """The same for the naive model."""
        return ks_distance(self.real_ms, self.naive_ms)

    @property
    def formula_distance(self) -> float:
        """The distance between the times since the last renewal and their rule; NaN without one."""
        if self.formula is None or not len(self.measured.since_renewal_ms):
            return float("nan")
        return self.formula.distance(self.measured.since_renewal_ms)

    def interval(self, model_ms: Floats, *, seed: int = 1) -> tuple[float, float]:
        """The middle 95 % of the distance when the real downtimes are drawn again (bootstrap).

        Drawing again adds chance of its own, so that the interval lies above the distance when the
        two distributions are close.
        """
        rng = np.random.default_rng(seed)
        size = len(self.real_ms)
        ordered = np.sort(model_ms)
        found = [ks_distance(rng.choice(self.real_ms, size), ordered) for _ in range(500)]
        low, high = np.quantile(found, [0.025, 0.975])
        return float(low), float(high)

    def summary(self) -> dict[str, Any]:
        """All figures, for JSON."""

        def about(values: Floats) -> dict[str, float]:
            names = ("least", "median", "p90", "most")
            found = np.quantile(values, QUANTILES)
            return {"runs": len(values), **dict(zip(names, map(float, found), strict=True))}

        return {
            "calibration": self.name,
            "fault": self.measured.fault,
            "system": self.measured.system,
            "unit": "ms",
            "real": about(self.real_ms),
            "simulated": about(self.simulated_ms),
            "naive": {"model": self.naive, **about(self.naive_ms)},
            "ks_distance": self.distance,
            "ks_interval": self.interval(self.simulated_ms),
            "ks_distance_naive": self.naive_distance,
            "ks_interval_naive": self.interval(self.naive_ms),
            "ks_limit": self.limit,
            "more_than_one_epoch": {
                "real": share_above_one(self.measured.real_epochs),
                "simulated": share_above_one(self.simulated_epochs),
            },
            "formula": None
            if self.formula is None
            else {**dataclasses.asdict(self.formula), "ks_distance": self.formula_distance},
            "real_ms": np.round(self.real_ms, 3).tolist(),
            "real_epochs": list(self.measured.real_epochs),
            "since_renewal_ms": np.round(self.measured.since_renewal_ms, 3).tolist(),
        }

    def __str__(self) -> str:
        about = self.measured
        settings = ", ".join(f"{key} {value}" for key, value in about.system.items())
        lines = [f"{self.name}: leader {FAULTS[about.fault]} {len(self.real_ms)} times", settings]
        columns = f"{'least':>8}{'median':>8}{'90 %':>8}{'most':>8}"
        lines.append(f"\n{'until the next leader [ms]':28}{columns}")
        every = (("real", self.real_ms), ("simulated", self.simulated_ms), ("naive", self.naive_ms))
        for name, values in every:
            numbers = "".join(f"{x:8.0f}" for x in np.quantile(values, QUANTILES))
            lines.append(f"{name:28}{numbers}")
        lines.append("")
        for name, values in every[1:]:
            d = ks_distance(self.real_ms, values)
            low, high = self.interval(values)
            lines.append(f"KS distance of {name}: {d:.3f} [{low:.3f}, {high:.3f}], {self._says(d)}")
        lines.append(f"naive: {self.naive}")
        if about.real_epochs:
            real, simulated = map(share_above_one, (about.real_epochs, self.simulated_epochs))
            lines.append(f"needed more than one epoch: real {real:.1%}, simulated {simulated:.1%}")
        if self.formula is not None and len(about.since_renewal_ms):
            numbers = "".join(f"{x:8.0f}" for x in np.quantile(about.since_renewal_ms, QUANTILES))
            rule = self.formula
            uniform = [rule.low_ms + q * (rule.high_ms - rule.low_ms) for q in QUANTILES]
            lines += [
                f"\n{'since the last renewal [ms]':28}{columns}",
                f"{'real':28}{numbers}",
                f"{'formula':28}" + "".join(f"{x:8.0f}" for x in uniform),
                f"formula: {rule.text}",
                f"KS distance of formula: {self.formula_distance:.3f}, "
                f"{self._says(self.formula_distance)}",
            ]
        return "\n".join(lines)

    def _says(self, distance: float) -> str:
        return f"{'within' if distance <= self.limit else 'beyond'} {self.limit:.3f}"

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The three distributions; see `electionlab.plot.calibration.plot_calibration`."""
        from electionlab.plot.calibration import plot_calibration

        return plot_calibration(self, ax=ax)


def ks_distance(one: Floats, other: Floats) -> float:
    """The greatest distance between two empirical distribution functions."""
    one, other = np.sort(one), np.sort(other)
    every = np.concatenate([one, other])
    shares = [np.searchsorted(x, every, side="right") / len(x) for x in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def share_above_one(epochs: tuple[int, ...]) -> float:
    """Which share of the elections raised the epoch by more than one; NaN when there are none."""
    return float(np.mean(np.array(epochs) > 1)) if epochs else float("nan")
