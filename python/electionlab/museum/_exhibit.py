"""What an exhibit is: a story, a protocol with a flag and without, what the checker is asked."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from electionlab._checked_runs import CheckedState, Run, in_steps, in_words
from electionlab.checker import (
    Bounds,
    Budget,
    CheckResult,
    EventualResult,
    Predicate,
    StepPredicate,
    Timing,
    check,
    check_eventually,
)
from electionlab.cluster import Cluster
from electionlab.protocols import Protocol
from electionlab.settings import Action
from electionlab.user_protocol import UserProtocol

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes

    from electionlab.plot.sizes import Size

_WIDTH = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A documented failure of an election.

    Attributes:
        name: In `electionlab.museum.EXHIBITS`.
        title: A few words.
        group: "A", "B", or "textbook" for mistakes that are taught.
        story: What happened, and why.
        sources: Where it is told: addresses, or author, year and section.
        flag: The name of the mutation, or the option that is the mistake.
        broken: The protocol with the flag.
        repaired: The same without.
        breaks: What is asked, and broken: the name of an invariant, a function of a
            `CheckedState` that should be true always, or, with `eventually`, in the end.
        eventually: Whether `breaks` is a goal, as for `check_eventually`.
        between: Whether `breaks` is a function of two states, before and after a step.
        faults: As for `check`, and so are all others up to `symmetry`.
        bounds: Where the search ends.
        timing: How long messages take; None: time is left out.
        network: How messages in flight are kept.
        commands: What clients ask.
        initial_leader: A warm start.
        symmetry: Take states that differ by the nodes' names for one.
        drop_stale: Take messages out of flight that can do nothing any more.
        length: Steps of the shortest run that breaks it; of a run that goes on for ever, the steps
            to its circle and those of the circle.
        hides: Where the same flag does no harm, such as with fewer nodes; empty: nowhere known.
        hidden: The protocol with the flag there, checked as the others; None: nowhere known.
    """

    name: str
    title: str
    group: str
    story: str
    sources: tuple[str, ...]
    flag: str
    broken: Protocol | UserProtocol
    repaired: Protocol | UserProtocol
    breaks: str | Predicate | StepPredicate
    length: int | tuple[int, int]
    eventually: bool = False
    between: bool = False
    faults: Budget | None = None
    bounds: Bounds | None = None
    timing: Timing | None = None
    network: str = "multiset"
    commands: tuple[Action, ...] = ()
    initial_leader: int | None = None
    symmetry: bool = False
    drop_stale: bool = False
    hides: str = ""
    hidden: Protocol | UserProtocol | None = None

    @property
    def invariant(self) -> str:
        """The name of what is broken."""
        return self.breaks if isinstance(self.breaks, str) else self.breaks.__name__

    @property
    def steps(self) -> str:
        """Its length in words."""
        if isinstance(self.length, int):
            return in_steps(self.length)
        prefix, cycle = self.length
        return f"{in_steps(prefix)}, then {in_steps(cycle)} for ever" if cycle else in_steps(prefix)

    def check(self, protocol: Protocol | UserProtocol) -> CheckResult | EventualResult:
        """Asks of any protocol what is asked of those of the exhibit."""
        asked: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("faults", "bounds", "timing", "network", "commands", "initial_leader")
        }
        goal: Any = self.breaks
        if self.eventually:
            return check_eventually(protocol, goal, **asked)
        less: dict[str, Any] = {"symmetry": self.symmetry, "drop_stale": self.drop_stale}
        if self.between:
            return check(protocol, [], between=[goal], **asked, **less)
        return check(protocol, [goal], **asked, **less)

    def run(self) -> Shown:
        """Checks the protocol with the flag and without."""
        return Shown(self, self.check(self.broken), self.check(self.repaired))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside:
    """The steps of a run, taken in a cluster of another protocol as far as they can be.

    Attributes:
        run: The steps that can be taken there.
        parts: The first step after which the two clusters differ; None: they never do.
        refused: Number of the step that cannot be taken there any more, and the step; None: all
            can.
        notes: What the nodes said about the step `parts`: here, and there.
    """

    run: Run
    parts: int | None
    refused: tuple[int, dict[str, Any]] | None
    notes: tuple[tuple[str, ...], tuple[str, ...]]

    def cluster(self, step: int | None = None) -> Cluster:
        """The other protocol's cluster after so many steps; None: all that can be taken."""
        return self.run.cluster(step)

    def __str__(self) -> str:
        if self.parts is None:
            return "The repaired protocol does the same."
        lines = []
        if self.notes[0] != self.notes[1]:
            lines.append(f"The repaired protocol does something else at step {self.parts}:")
            for title, notes in zip(("broken", "repaired"), self.notes, strict=True):
                said = "; ".join(notes) or "says nothing"
                lines += textwrap.wrap(
                    f"{title}: {said}", _WIDTH, initial_indent="  ", subsequent_indent="      "
                )
        elif self.refused is None or self.parts < self.refused[0]:
            lines.append(f"The repaired protocol is in another state from step {self.parts} on.")
        if self.refused is not None:
            number, step = self.refused
            lines.append(
                f"{'and step' if lines else 'Step'} {number} cannot be taken by the "
                f"repaired protocol: {in_words(step)}"
            )
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Shown:
    """An exhibit that was checked.

    Attributes:
        exhibit: Which.
        broken: The verdict with the flag.
        repaired: The verdict without, within the same bounds.
    """

    exhibit: Exhibit
    broken: CheckResult | EventualResult
    repaired: CheckResult | EventualResult

    @functools.cached_property
    def run(self) -> Run:
        """The shortest run that breaks it; of one that goes on for ever, once round its circle."""
        if isinstance(self.broken, CheckResult):
            run = self.broken.counterexample
        elif self.broken.prefix is None or self.broken.cycle is None:
            run = None
        else:
            run = self.broken.prefix.and_then(self.broken.cycle)
        if run is None:
            raise ValueError(f"exhibit={self.exhibit.name!r}: nothing was broken: {self.broken!r}")
        return run

    def beside(self) -> Beside:
        """The same steps with the repaired protocol, and where the two part."""
        return self._beside

    @functools.cached_property
    def _beside(self) -> Beside:
        run = self.run.taken_by(self.exhibit.broken)[0]
        other, ends = run.taken_by(self.exhibit.repaired)
        both = [(here, other.states[end]) for here, end in zip(run.states, ends, strict=False)]
        notes = run.notes()
        told = [_joined(other.notes()[a:b]) for a, b in itertools.pairwise(ends)]
        seen = (step for step, (here, there) in enumerate(both) if _seen(here) != _seen(there))
        said = (step for step, there in enumerate(told, 1) if tuple(notes[step - 1]) != there)
        kept = (step for step, (here, there) in enumerate(both) if step and here != there)
        refused = (len(ends), run.steps[len(ends) - 1]) if len(ends) <= len(run) else None
        parts = next(seen, None) or (refused[0] if refused else next(said, next(kept, None)))
        theirs: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        if parts is not None and parts < len(ends):
            theirs = tuple(notes[parts - 1]), told[parts - 1]
        return Beside(run=other, parts=parts, refused=refused, notes=theirs)

    def plot(self, *, ax: Sequence[Axes] | None = None, size: Size | None = None) -> list[Axes]:
        """Space-time diagrams of the run, and of the same steps in the repaired protocol below.

        Args:
            ax: Two axes; None for those of a new figure.
            size: What a new figure is for: "screen", "paper" or "slide"; None: a screen.

        Returns:
            The axes.

        Raises:
            ValueError: `ax` is not two axes.
        """
        from electionlab.plot.museum import plot_shown

        return plot_shown(self, ax=ax, size=size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the run as a trace file, which `electionlab replay` repeats."""
        self.run.save(path)

    def __str__(self) -> str:
        exhibit = self.exhibit
        lines = [f"{exhibit.title} ({exhibit.name})", ""]
        lines += [*textwrap.wrap(exhibit.story, _WIDTH, break_on_hyphens=False), ""]
        for source in exhibit.sources:
            lines += textwrap.wrap(
                f"Source: {source}", _WIDTH, break_long_words=False, break_on_hyphens=False
            )
        if exhibit.hides:
            lines += textwrap.wrap(f"Hides: {exhibit.hides}", _WIDTH, break_on_hyphens=False)
        lines += ["", f"Flag {exhibit.flag}: {_verdict(self.broken)}"]
        lines += [f"Without it: {_verdict(self.repaired)}", "", str(self.run), ""]
        return "\n".join([*lines, str(self.beside())])


def _joined(notes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(itertools.chain.from_iterable(notes))


def _seen(state: CheckedState) -> Any:
    """What can be seen of a cluster from outside: not what its nodes keep in memory.

    How a resource is set is left out as well: that is a flag, and nothing that happened.
    """
    parts = ("role", "leader", "epoch", "disk")
    nodes = [{part: node[part] for part in parts} for node in state.nodes]
    for node in nodes:
        resource = node["disk"].get("resource")
        if resource is not None:
            node["disk"] = {**node["disk"], "resource": {**resource, "fencing": ""}}
    return nodes, state.messages


def _verdict(result: CheckResult | EventualResult) -> str:
    return repr(result).split(" ", 1)[1].rstrip(">")


__all__: Sequence[str] = ["Beside", "Exhibit", "Shown"]
