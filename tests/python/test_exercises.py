"""The exercises of the notebooks: each has a solution that is accepted, and refuses others."""

from __future__ import annotations

import re

import pytest
from support import ROOT

import electionlab as el
from electionlab import exercises

SOLUTIONS = ROOT / "docs/solutions"
NAMES = [name for lesson in exercises.lessons() for name in exercises.of_lesson(lesson)]


@pytest.fixture(autouse=True)
def no_tries_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "_tries", {})


def said_of(name: str) -> list[str]:
    """What the page of solutions says of answers; test_docs.py gives them again."""
    text = (SOLUTIONS / f"{int(name.split('.')[0]):02}.md").read_text(encoding="utf-8")
    return re.findall(rf"^{re.escape(name)}: (right|not yet): ", text, re.M)


@pytest.mark.parametrize("name", NAMES)
def test_solutions_have_an_answer_that_is_right_and_one_that_is_not(name: str) -> None:
    said = said_of(name)
    assert said.count("right") >= 1
    assert said.count("not yet") >= 1


def test_every_page_of_solutions_is_of_a_lesson() -> None:
    pages = {path.stem for path in SOLUTIONS.glob("*.md")}
    assert pages == {f"{lesson:02}" for lesson in exercises.lessons()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["", -1, object(), {"x": 1}, lambda: None, [None]])
def test_nonsense_is_wrong_and_brings_a_hint(
    name: str, answer: object, capsys: pytest.CaptureFixture[str]
) -> None:
    exercises.check(name, answer)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{name}: not yet: ")
    assert any(line.startswith("hint 1 of ") for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_what_it_asks(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    exercise = exercises.find(name)
    assert exercise.name == name
    assert len(exercise.hints) >= 2
    assert len(exercise.question) > 20
    exercises.check(name, ...)
    said = f"{name}: not answered yet: put {exercise.answer} in the place of the dots.\n"
    assert capsys.readouterr().out == said


def test_hints_go_on_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    last = len(exercises.find("12.1").hints)
    exercises.hint("12.1")
    for _ in range(last):
        exercises.check("12.1", 0)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("hint")]
    numbers = [int(line.split()[1]) for line in said]
    assert numbers == [*range(1, last + 1), last]


def test_a_grade_counts_no_tries(capsys: pytest.CaptureFixture[str]) -> None:
    assert not el.exercises.grade("12.1", 0).right
    assert el.exercises.grade("12.1", 5).right
    assert capsys.readouterr().out == ""
    exercises.hint("12.1")
    assert capsys.readouterr().out.startswith("hint 1 of ")


def test_what_an_answer_raises_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check("1.3", lambda nodes: nodes[0].colour == "red")
    said = capsys.readouterr().out
    assert "AttributeError" in said
    assert "hint 1 of " in said


@pytest.mark.parametrize(
    ("name", "allowed"),
    [(12.1, "a notebook and an exercise"), ("12", "a notebook and an exercise"),
     ("12.99", "12.1, 12.2"), ("99.1", "must be one of"), ("12.x", "a notebook and an exercise")],
)  # fmt: skip
def test_an_unknown_name_is_refused(name: object, allowed: str) -> None:
    for call in (exercises.find, exercises.hint, lambda n: exercises.check(n, 1)):
        with pytest.raises(ValueError, match=re.escape(allowed)):
            call(name)
