"""The result of a sweep: its points, its trials, and what they say, with an interval each."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from electionlab._core import __version__
from electionlab._python_trials import FLAGS
from electionlab._sweep_estimates import Estimate, Statistic, estimate, split_unit, summary
from electionlab._sweep_points import Point, canonical_json, plain_value, shown
from electionlab._values import path_of

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

Array = npt.NDArray[Any]
Columns = dict[str, Array]

_FORMAT = 1
_METADATA = b"electionlab.sweep"


def _joined(parts: Sequence[Array], kind: Any = None) -> Array:
    """One read-only array; nothing is copied where there is one part already."""
    if len(parts) == 1 and not parts[0].flags.writeable:
        return parts[0]
    joined = np.concatenate(parts) if parts else np.empty(0, dtype=kind or np.float64)
    joined.flags.writeable = False
    return joined


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """The trials of a sweep; it never changes.

    Attributes:
        points: Its points, in order.
        seed: The seed they came from.
        version: Version of the package that ran them.
        common_random_numbers: Whether all points had the same seed.
        interrupted: Whether Ctrl-C ended it early.
    """

    points: tuple[Point, ...]
    seed: int
    version: str
    common_random_numbers: bool
    interrupted: bool
    # By point: its chunks, as (number of the first trial, columns), in order. `_cache` has the
    # columns of all points, joined when they are first asked for.
    _chunks: tuple[tuple[tuple[int, Columns], ...], ...]
    _cache: dict[str, Array] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_chunks(
        cls,
        points: Sequence[Point],
        chunks: Sequence[Sequence[tuple[int, Columns]]],
        *,
        seed: int,
        version: str = __version__,
        common_random_numbers: bool = False,
        interrupted: bool = False,
    ) -> Sweep:
        """A result of finished chunks, by point and in order."""
        return cls(
            tuple(points),
            seed,
            version,
            common_random_numbers,
            interrupted,
            tuple(tuple(each) for each in chunks),
        )

    # --- what there is ----------------------------------------------------------------------------

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what was swept."""
        return tuple(self.points[0].values) if self.points else ()

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the columns of every trial, with their units."""
        return next((tuple(table) for each in self._chunks for _, table in each), ())

    @property
    def trials(self) -> tuple[int, ...]:
        """How many trials each point has."""
        return tuple(sum(len(t["measured"]) for _, t in each) for each in self._chunks)

    def __len__(self) -> int:
        return sum(self.trials)

    def __repr__(self) -> str:
        count = f"{len(self.points)} point" + ("s" if len(self.points) != 1 else "")
        over = f" over {', '.join(self.parameters)}" if self.parameters else ""
        ended = "; interrupted" if self.interrupted else ""
        return f"Sweep({count}{over}; {len(self):,} trials; seed={self.seed}{ended})"

    def _repr_html_(self) -> str:
        return str(self.to_frame("point").to_html(index=False, float_format=lambda v: f"{v:,.4g}"))

    def __iter__(self) -> Iterator[Sweep]:
        return (self[number] for number in range(len(self.points)))

    def __getitem__(self, number: int) -> Sweep:
        """One point, as a result of its own; its columns are views of this one's."""
        if not isinstance(number, (int, np.integer)) or not (
            -len(self.points) <= number < len(self.points)
        ):
            if isinstance(number, (int, np.integer)):
                raise IndexError(f"point {number}: there are {len(self.points)}")
            raise ValueError(f"point={number!r}: must be a whole number; at() finds by value")
        number = int(number) % len(self.points)
        trials = self.column("trial", point=number)
        starts = np.flatnonzero(np.diff(trials, prepend=-2) != 1)
        ends = [*starts[1:], trials.size][: starts.size]
        columns = {name: self.column(name, point=number) for name in self.measures}
        chunks = [
            (int(trials[a]), {name: column[a:b] for name, column in columns.items()})
            for a, b in zip(starts, ends, strict=True)
        ]
        return dataclasses.replace(
            self, points=(self.points[number],), _chunks=(tuple(chunks),), _cache={}
        )

    def at(self, **values: Any) -> Sweep:
        """The points with these values, as a result of their own.

        Args:
            values: By name; a dot is written as two underscores: ``network__loss_probability=0``.

        Raises:
            ValueError: A name was not swept, or no point has these values.
        """
        wanted = {name.replace("__", "."): value for name, value in values.items()}
        for name in wanted:
            if name not in self.parameters:
                raise ValueError(f"{name}: was not swept; {', '.join(self.parameters)} were")
        found = [
            number
            for number, point in enumerate(self.points)
            if all(plain_value(point.values[n]) == plain_value(v) for n, v in wanted.items())
        ]
        if not found:
            raise ValueError(f"{wanted!r}: no point has these values")
        return dataclasses.replace(
            self,
            points=tuple(self.points[k] for k in found),
            _chunks=tuple(self._chunks[k] for k in found),
            _cache={},
        )

    def column(self, name: str, *, point: int | None = None, measured: bool = False) -> Array:
        """A measure of every trial, point after point; read-only, and not copied.

        Args:
            name: One of `measures`; or "trial", the trial's number, or "point".
            point: Only of this point.
            measured: Without the trials that measured nothing (a copy, if there are any).

        Returns:
            float64, int64 or uint8; times in ms, NaN where the trial ended before.

        Raises:
            ValueError: There is no such measure.
        """
        if name not in (*self.measures, "trial", "point"):
            known = ", ".join(self.measures) or "none"
            raise ValueError(f"measure={name!r}: must be one of {known}")
        if name not in self._cache:
            self._cache[name] = self._join(name)
        values = self._cache[name]
        if point is not None:
            ends = np.cumsum((0, *self.trials))
            values = values[ends[point] : ends[point + 1]]
        if measured and name != "measured":
            flags = self.column("measured", point=point)
            if not flags.all():
                values = values[flags == 1]
        return values

    def _join(self, name: str) -> Array:
        if name == "point":
            return _joined([np.repeat(np.arange(len(self.points)), self.trials)])
        if name == "trial":
            parts = [
                np.arange(first, first + len(table["measured"]), dtype=np.int64)
                for each in self._chunks
                for first, table in each
            ]
            return _joined(parts, np.int64)
        joined = _joined([table[name] for each in self._chunks for _, table in each])
        at = 0
        for each in self._chunks:  # so that the values are not held twice
            for _, table in each:
                size = len(table[name])
                table[name] = joined[at : at + size]
                at += size
        return joined

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over all points and trials: equal results, equal digits."""
        found = hashlib.sha256(canonical_json([self._about(), self.measures]).encode())
        for name in ("point", "trial", *self.measures):
            column = self.column(name)
            found.update(column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
        return found.hexdigest()

    # --- what it says -----------------------------------------------------------------------------

    def estimate(
        self, measure: str, statistic: Statistic = "median", *, point: int = 0
    ) -> Estimate:
        """A figure of one point, with its interval of 95 % confidence.

        Args:
            measure: Which column.
            statistic: "median", "p99" or a probability: by order statistics, trials that never got
                there counted as the latest. "share": of the trials in which it is above 0, by
                Wilson. "mean": of the trials that have a value, by Student's t. A function of an
                array: of the trials that have a value, by the bootstrap.
            point: Which point.

        Raises:
            ValueError: There is no such measure, statistic or point.
        """
        if not 0 <= point < len(self.points):
            raise ValueError(f"point={point!r}: must be from 0 to {len(self.points) - 1}")
        return estimate(self.column(measure, point=point, measured=True), statistic, seed=self.seed)

    def estimates(self, measure: str, statistic: Statistic = "median") -> pd.DataFrame:
        """A figure of every point: what was swept, value, low, high, trials, missing.

        Raises:
            ValueError: There is no such measure or statistic.
        """
        import pandas as pd

        _, unit = split_unit(measure)
        lines = []
        for number in range(len(self.points)):
            figure = self.estimate(measure, statistic, point=number)
            lines.append(
                {
                    f"value{unit}": figure.value,
                    f"low{unit}": figure.low,
                    f"high{unit}": figure.high,
                    "trials": figure.trials,
                    "missing": figure.missing,
                }
            )
        return pd.concat([self._swept(), pd.DataFrame(lines)], axis=1)

    def ecdf(self, measure: str, *, point: int = 0) -> tuple[Array, Array]:
        """The empirical distribution function of a measure at one point.

        Returns:
            The values at which it steps, ascending, and the share of the trials at or below each;
            it ends below 1 where trials never got there.
        """
        values = self.column(measure, point=point, measured=True).astype(np.float64)
        known = values[~np.isnan(values)]
        x, counts = np.unique(known, return_counts=True)
        return x, np.cumsum(counts) / max(values.size, 1)

    # --- tables -----------------------------------------------------------------------------------

    def _swept(self) -> pd.DataFrame:
        """What was swept, a line for each point."""
        import pandas as pd

        return pd.DataFrame(
            {
                name: [shown(point.values[name]) for point in self.points]
                for name in self.parameters
            },
            index=range(len(self.points)),
        )

    def to_frame(self, per: str = "point") -> pd.DataFrame:
        """All of it as a table.

        Args:
            per: "trial": a line for each trial, with all measures. "point": a line for each point,
                with the mean, the median and the 99 % quantile of each time, the mean of each count
                and the share of the trials in which it is above 0, all with the ends of their 95 %
                intervals, as NAME_low and NAME_high; NAME_missing is how many trials have no value.

        Returns:
            point, what was swept, seed (of the point), trials or trial, and the measures with their
            units. A range is text: "150-300".

        Raises:
            ValueError: ``per`` is neither.
        """
        import pandas as pd

        if per not in ("trial", "point"):
            raise ValueError(f"per={per!r}: must be 'trial' or 'point'")
        swept = self._swept()
        if per == "trial":
            place = self.column("point")
            columns: dict[str, Any] = {"point": place}
            for name in self.parameters:
                cells = swept[name]
                if pd.api.types.is_numeric_dtype(cells.dtype):
                    columns[name] = cells.to_numpy()[place]
                else:
                    names = list(dict.fromkeys(cells))
                    codes = np.array([names.index(cell) for cell in cells], dtype=np.int64)
                    columns[name] = pd.Categorical.from_codes(
                        cast("Any", codes[place]), categories=cast("Any", names)
                    )
            columns["trial"] = self.column("trial")
            columns.update({name: self.column(name) for name in self.measures})
            return pd.DataFrame(columns, copy=False)
        lines = []
        for number, point in enumerate(self.points):
            line: dict[str, Any] = {"seed": point.seed, "trials": self.trials[number]}
            for name in self.measures:
                if name != "from_ms":
                    values = self.column(name, point=number, measured=name not in FLAGS)
                    line.update(summary(name, values))
            lines.append(line)
        frame = pd.concat([swept, pd.DataFrame(lines)], axis=1)
        frame.insert(0, "point", range(len(self.points)))
        return frame

    def _about(self) -> dict[str, Any]:
        """All but the trials, as plain data."""
        return {
            "format": _FORMAT,
            "seed": self.seed,
            "version": self.version,
            "common_random_numbers": self.common_random_numbers,
            "interrupted": self.interrupted,
            "points": [
                {
                    "values": {n: plain_value(v) for n, v in point.values.items()},
                    "id": point.id,
                    "seed": point.seed,
                    "definition": point.definition,
                }
                for point in self.points
            ],
        }

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes every trial, the points, the seed and the version; equal results, equal bytes.

        Columns as of ``to_frame("trial")``. Needs pyarrow (``pip install electionlab[sweep]``).
        """
        import pyarrow as pa
        from pyarrow import parquet

        target = path_of("path", path)
        table = pa.Table.from_pandas(self.to_frame("trial"), preserve_index=False)
        about = json.dumps(self._about())
        table = table.replace_schema_metadata({_METADATA: about.encode()})
        parquet.write_table(table, target, compression="zstd")

    @classmethod
    def read_parquet(cls, path: str | os.PathLike[str]) -> Sweep:
        """The result that `to_parquet` wrote. Swept values that are no plain data are their text.

        Raises:
            ValueError: The file is something else, or damaged.
        """
        import pyarrow as pa
        from pyarrow import parquet

        source = path_of("path", path)
        try:
            table = parquet.read_table(source)
            about = json.loads((table.schema.metadata or {})[_METADATA])
            if about["format"] != _FORMAT:
                raise ValueError(f"is of format {about['format']}, not {_FORMAT}")
            points = tuple(
                Point(
                    {n: tuple(v) if isinstance(v, list) else v for n, v in p["values"].items()},
                    p["id"],
                    p["seed"],
                    p["definition"],
                )
                for p in about["points"]
            )
            skipped = {"point", "trial", *(points[0].values if points else ())}
            columns = {
                name: table.column(name).to_numpy()
                for name in table.column_names
                if name not in skipped
            }
            numbers, trials = (table.column(n).to_numpy() for n in ("point", "trial"))
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"path={str(source)!r}: is no result of a sweep ({text})") from None
        chunks: list[list[tuple[int, Columns]]] = [[] for _ in points]
        if numbers.size:
            breaks = (np.diff(numbers, prepend=-1) != 0) | (np.diff(trials, prepend=-2) != 1)
            starts = np.flatnonzero(breaks)
            for a, b in zip(starts, [*starts[1:], numbers.size], strict=True):
                part = {name: column[a:b] for name, column in columns.items()}
                chunks[int(numbers[a])].append((int(trials[a]), part))
        return cls.of_chunks(
            points,
            chunks,
            seed=about["seed"],
            version=about["version"],
            common_random_numbers=about["common_random_numbers"],
            interrupted=about["interrupted"],
        )

    # --- joining ----------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Sweep:
        """Both together: more trials of the same points, more points, or both.

        Raises:
            ValueError: Seed, version, measures or swept names differ, or both have the same trials.
        """
        if not isinstance(other, Sweep):
            return NotImplemented
        for name in ("seed", "version", "common_random_numbers", "measures", "parameters"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs and not (name == "measures" and (not mine or not theirs)):
                raise ValueError(f"{name}: {mine!r} and {theirs!r} do not fit together")
        points = list(self.points)
        chunks = [list(each) for each in self._chunks]
        places = {point.id: number for number, point in enumerate(points)}
        for point, each in zip(other.points, other._chunks, strict=True):
            if point.id not in places:
                places[point.id] = len(points)
                points.append(point)
                chunks.append([])
            place = places[point.id]
            merged = sorted([*chunks[place], *each], key=lambda chunk: chunk[0])
            for (first, table), (after, _) in itertools.pairwise(merged):
                if first + len(table["measured"]) > after:
                    raise ValueError(
                        f"trials: both have trial {after} of point {point.values or place!r}; use "
                        "first_trial= to run others"
                    )
            chunks[place] = merged
        return Sweep.of_chunks(
            points,
            chunks,
            seed=self.seed,
            version=self.version,
            common_random_numbers=self.common_random_numbers,
            interrupted=self.interrupted or other.interrupted,
        )

    # --- pictures ---------------------------------------------------------------------------------

    def plot_ecdf(self, measure: str, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The distribution of a measure at every point; see `electionlab.plot.sweeps`."""
        from electionlab.plot.sweeps import plot_sweep_ecdf

        return plot_sweep_ecdf(self, measure, ax=ax, **options)

    def plot_lines(
        self,
        x: str,
        measure: str,
        statistic: Statistic = "median",
        *,
        formula: str | Callable[[Mapping[str, Any]], float] | None = None,
        pool: Sequence[str] = (),
        ax: Axes | None = None,
        size: Size | None = None,
    ) -> Axes:
        """A figure with its intervals over a swept value; see `electionlab.plot.sweeps`."""
        from electionlab.plot.sweeps import plot_sweep_lines

        return plot_sweep_lines(
            self, x, measure, statistic, formula=formula, pool=pool, ax=ax, size=size
        )

    def plot_heatmap(
        self,
        x: str,
        y: str,
        measure: str,
        statistic: Statistic = "median",
        *,
        ax: Axes | None = None,
        size: Size | None = None,
    ) -> Axes:
        """A figure over two swept values; see `electionlab.plot.sweeps`."""
        from electionlab.plot.sweeps import plot_sweep_heatmap

        return plot_sweep_heatmap(self, x, y, measure, statistic, ax=ax, size=size)


__all__: Sequence[str] = ["Sweep"]
