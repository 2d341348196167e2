"""Exercises of the notebooks that check themselves, with hints.

An answer is tried, by running or computing what was asked; the lab stores no answers. The solutions
are in docs/solutions, a page for each notebook.

>>> import electionlab as el
>>> el.exercises.check("1.1", ...)
1.1: not answered yet: put a list of two nodes in the place of the dots.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from electionlab._values import whole_number
from electionlab.exercises._exercise import Exercise, Judgement, right, wrong

#: How often each exercise was answered wrongly, or a hint asked for, since the start.
_tries: dict[str, int] = {}


@functools.cache
def lessons() -> tuple[int, ...]:
    """Numbers of the notebooks that have exercises, ascending."""
    found = (info.name for info in pkgutil.iter_modules(__path__))
    return tuple(sorted(int(name[-2:]) for name in found if name.startswith("lesson_")))


def of_lesson(lesson: int) -> dict[str, Exercise]:
    """The exercises of a notebook by name, in its order.

    Raises:
        ValueError: No notebook of this number has exercises.
    """
    if whole_number("lesson", lesson, 0) not in lessons():
        raise ValueError(f"lesson={lesson!r}: must be one of {', '.join(map(str, lessons()))}")
    module = importlib.import_module(f"electionlab.exercises.lesson_{lesson:02}")
    return {exercise.name: exercise for exercise in module.EXERCISES}


def find(name: str) -> Exercise:
    """An exercise by its name: the number of its notebook, a dot, its own: ``"5.2"``.

    Raises:
        ValueError: There is none of this name.
    """
    parts = name.split(".") if isinstance(name, str) else []
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"name={name!r}: must be text such as '5.2': a notebook and an exercise")
    known = of_lesson(int(parts[0]))
    if name not in known:
        raise ValueError(f"name={name!r}: must be one of {', '.join(known)}")
    return known[name]


def grade(name: str, answer: Any) -> Judgement:
    """Tries an answer, prints nothing and counts no tries: for programs that grade.

    Args:
        name: Of the exercise: ``"5.2"``.
        answer: What its question asks for.

    Returns:
        Whether it is right, and why. An answer that cannot be tried at all is wrong.

    Raises:
        ValueError: There is no such exercise.
    """
    exercise = find(name)
    if answer is ... or answer is None:
        return Judgement(False, f"not answered yet: put {exercise.answer} in the place of the dots")
    try:
        return exercise.judge(answer)
    except Exception as failure:  # of the answer's own code, or of what was made of it
        said = f"{type(failure).__name__}: {failure}"
        return Judgement(False, f"this cannot be tried ({said}); the answer is {exercise.answer}")


def check(name: str, answer: Any) -> None:
    """Tries an answer and prints what comes of it; each wrong one brings a further hint.

    Args:
        name: Of the exercise: ``"5.2"``.
        answer: What its question asks for; ``...`` while there is none.

    Raises:
        ValueError: There is no such exercise. A wrong answer raises nothing.
    """
    judgement = grade(name, answer)
    if judgement.right:
        print(f"{name}: right: {judgement.why}")
    elif answer is ... or answer is None:
        print(f"{name}: {judgement.why}.")
    else:
        print(f"{name}: not yet: {judgement.why}")
        hint(name)


def hint(name: str) -> None:
    """Prints the next hint of an exercise; after the last one, that one again.

    Raises:
        ValueError: There is no such exercise.
    """
    hints = find(name).hints
    _tries[name] = _tries.get(name, 0) + 1
    number = min(_tries[name], len(hints))
    print(f"hint {number} of {len(hints)}: {hints[number - 1]}")


__all__ = [
    "Exercise", "Judgement", "check", "find", "grade", "hint", "lessons", "of_lesson", "right",
    "wrong",
]  # fmt: skip
