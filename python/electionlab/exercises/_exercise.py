"""What an exercise is, and what its judges share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What became of an answer.

    Attributes:
        right: Whether it is right.
        why: What was seen when it was tried, in a sentence or two.
    """

    right: bool
    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exercise:
    """A question whose answer is tried.

    Attributes:
        name: Number of the notebook, a dot, number of the exercise: ``"5.2"``.
        question: What is asked.
        answer: What is to be handed over, in words: ``"a whole number"``.
        judge: Tries an answer. What it raises counts as a wrong answer.
        hints: From a nudge to nearly all; two or more.
    """

    name: str
    question: str
    answer: str
    judge: Callable[[Any], Judgement]
    hints: tuple[str, ...]


def right(why: str) -> Judgement:
    """A right answer, and why it is."""
    return Judgement(True, why)


def wrong(why: str) -> Judgement:
    """A wrong answer, and what was seen; it must not give the answer away."""
    return Judgement(False, why)


def truth_value(said: Any, what: str = "it says ") -> bool:
    """What was said, which must be True or False.

    Args:
        said: What an answer gave, or the answer itself.
        what: What stands before it in the error.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(said, bool):
        raise ValueError(f"{what}{said!r}: must be True or False")
    return said


def compared(answer: Any, truth: float, why: str, *, within: float = 0.0) -> Judgement:
    """Judges a number by one that was just computed.

    Args:
        answer: What was handed over.
        truth: What it should be.
        why: What is said of the right answer.
        within: How far off an answer may be, of the same unit.

    Raises:
        ValueError: The answer is no number.
    """
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        raise ValueError(f"answer={answer!r}: must be a number")
    if abs(answer - truth) <= within:
        return right(why)
    return wrong(f"{answer} is too {'low' if answer < truth else 'high'}.")


def chosen(answer: Any, known: Iterable[str], truth: Iterable[str], why: str) -> Judgement:
    """Judges a choice of names by one that was just computed.

    Args:
        answer: A list or set of names.
        known: The names there are.
        truth: Those that should be chosen.
        why: What is said of the right answer.

    Raises:
        ValueError: The answer is no list of names, or one of them is not known.
    """
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise ValueError(f"answer={answer!r}: must be a list of names")
    given, names, wanted = set(answer), sorted(known), set(truth)
    for name in given:
        if name not in names:
            raise ValueError(f"answer={name!r}: must be of {', '.join(names)}")
    if given == wanted:
        return right(why)
    parts = []
    if given - wanted:
        parts.append(f"{len(given - wanted)} of these do not belong there")
    if wanted - given:
        parts.append(f"{len(wanted - given)} are missing")
    return wrong("; ".join(parts) + ".")
