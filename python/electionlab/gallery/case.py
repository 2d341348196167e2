"""What a case of the gallery is: a question, runs with and without the cure, measured facts."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from electionlab._values import whole_number
from electionlab.cluster import Cluster

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

_WIDTH = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timeline:
    """A panel of a picture: roles over time, or the messages as well.

    Attributes:
        title: What one sees.
        cluster: Label of the cluster.
        start_ms: From when.
        end_ms: Until when; None: to the end.
        messages: Draw the messages too (a space-time diagram).
        kinds: Only messages of these kinds; None: all.
    """

    title: str
    cluster: str
    start_ms: float = 0.0
    end_ms: float | None = None
    messages: bool = False
    kinds: Sequence[str] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bars:
    """A panel of a picture: numbers side by side.

    Attributes:
        title: What one sees.
        quantity: What the numbers are, with the unit.
        values: For each series its numbers, by what stands below them.
        log: Whether the axis is logarithmic.
    """

    title: str
    quantity: str
    values: Mapping[str, Mapping[str, float]]
    log: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares:
    """A panel of a picture: the share of the runs in which a time was at most x.

    Attributes:
        title: What one sees.
        quantity: What the times are.
        values: Milliseconds of every run, by series.
    """

    title: str
    quantity: str
    values: Mapping[str, Sequence[float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holders:
    """A panel of a picture: who holds what over time.

    Attributes:
        title: What one sees.
        quantity: What is held.
        lanes: For each thing its holders, (from ms, to ms, who); an empty text: nobody.
    """

    title: str
    quantity: str
    lanes: Mapping[str, Sequence[tuple[float, float, str]]]


Panel = Timeline | Bars | Shares | Holders
Fact = int | float | str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """What playing a case gives.

    Attributes:
        facts: Measured, with the unit in the name, in the order in which they are told.
        clusters: The runs of the told seed, by label.
        panels: What a picture shows, top to bottom.
    """

    facts: dict[str, Fact]
    clusters: dict[str, Cluster]
    panels: tuple[Panel, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaseResult:
    """A case that was run.

    Attributes:
        case: Which.
        seed: Of the clusters; rates are over this seed and those that follow.
        runs: How many runs a rate is over.
        facts: What was measured, by name with unit, in the order in which it is told.
        clusters: The runs of the told seed, by label.
        panels: What `plot` draws, top to bottom.
    """

    case: Case
    seed: int
    runs: int
    facts: dict[str, Fact]
    clusters: dict[str, Cluster]
    panels: tuple[Panel, ...]

    def plot(self, *, ax: Sequence[Axes] | None = None, size: Size | None = None) -> list[Axes]:
        """Draws the case: its runs with and without the cure, one panel each.

        Args:
            ax: As many axes as there are `panels`; None for those of a new figure.
            size: What a new figure is for: "screen", "paper" or "slide"; None: a screen.

        Returns:
            The axes.

        Raises:
            ValueError: There are not as many axes as panels.
        """
        from electionlab.plot.gallery import plot_panels

        return plot_panels(self, ax=ax, size=size)

    def __str__(self) -> str:
        wide = max(len(name) for name in self.facts)
        lines = [f"{self.case.title} (seed {self.seed}, rates over {self.runs} runs)", ""]
        lines += [*_filled(self.case.question), "", *_filled(self.case.story), ""]
        lines += [f"  {name:<{wide}}  {shown(value)}" for name, value in self.facts.items()]
        return "\n".join([*lines, "", *_filled(f"Source: {self.case.source}")])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A use case or a known hard case of leader election that can be run.

    Attributes:
        name: In `electionlab.cases`.
        title: A few words.
        kind: "use" or "hard".
        question: What one wants to know.
        story: What is done, what is seen, and why.
        source: Where it was described first, or best.
        play: Runs it: of the seed and the number of runs of rates, what was found.
    """

    name: str
    title: str
    kind: str
    question: str
    story: str
    source: str
    play: Callable[[int, int], Findings] = dataclasses.field(repr=False)

    def run(self, *, seed: int = 1, runs: int = 50) -> CaseResult:
        """Runs the case, with and without its cure.

        Args:
            seed: Of the run that is told, 0 and up; rates are over this seed and the next ones.
            runs: How many runs a rate is over, 1 and up.

        Returns:
            The measured facts, the clusters and the pictures.

        Raises:
            ValueError: An argument is out of range.
        """
        runs = whole_number("runs", runs, 1, 100_000)
        seed = whole_number("seed", seed, 0, 2**62)
        found = self.play(seed, runs)
        return CaseResult(
            case=self, seed=seed, runs=runs, facts=found.facts, clusters=found.clusters,
            panels=found.panels,
        )  # fmt: skip


class Cases(dict[str, Case]):
    """Cases by name; a name that is not there is refused with those that are."""

    def __missing__(self, name: Any) -> Case:
        raise ValueError(f"case={name!r}: must be one of {', '.join(self)}")


def shown(value: Fact) -> str:
    """A fact as text, times to the tenth of a millisecond."""
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value}"


def _filled(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)


# --- what plays share -----------------------------------------------------------------------------


def median(values: Sequence[float]) -> float:
    """The median, to the thousandth."""
    import numpy as np

    return round(float(np.median(values)), 3)


def count(seed: int, runs: int, trial: Callable[[int], bool]) -> int:
    """In how many runs something holds, from this seed on."""
    return sum(bool(trial(number)) for number in range(seed, seed + runs))
