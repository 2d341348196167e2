"""The museum: each exhibit breaks what it says, in as few steps as it says, by its flag alone."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from support import ROOT
from typer.testing import CliRunner

import electionlab as el
from electionlab import museum
from electionlab._checked_runs import state_of
from electionlab.cli import app

GOLDEN = ROOT / "tests/golden/museum.txt"
EVERY = pytest.mark.parametrize("name", museum.names())


@functools.cache
def shown(name: str) -> museum.Shown:
    return museum.run(name)


def length_of(result: el.CheckResult | el.EventualResult) -> int | tuple[int, int]:
    if isinstance(result, el.CheckResult):
        assert result.counterexample is not None, result
        return len(result.counterexample)
    assert result.prefix is not None, result
    assert result.cycle is not None, result
    return len(result.prefix), len(result.cycle)


def searched_through(result: el.CheckResult | el.EventualResult) -> bool:
    """Whether every state within the bounds was seen; a bound on the depth is one as well."""
    ends_early = {"states", "seconds", "memory"} & set(result.bounds_hit)
    return result.exhausted or ("depth" in result.bounds_hit and not ends_early)


def broken_steps(exhibit: museum.Exhibit, run: el.Run) -> list[int]:
    """After which steps of a run in the simulator that is broken which the exhibit asks."""
    asked: Any = exhibit.breaks
    if isinstance(asked, str):
        ends = [run.cluster(step).violations() for step in (len(run) - 1, len(run))]
        named = [asked in {violation["invariant"] for violation in end} for end in ends]
        return [
            step for step, broken in zip((len(run) - 1, len(run)), named, strict=True) if broken
        ]
    states = run.taken_by(run._protocol)[0].states
    if exhibit.between:
        pairs = enumerate(itertools.pairwise(states), 1)
        return [step for step, (before, after) in pairs if not asked(before, after)]
    return [step for step, state in enumerate(states) if not asked(state)]


@EVERY
def test_with_the_flag_it_breaks_in_as_many_steps_as_it_says(name: str) -> None:
    exhibit = museum.EXHIBITS[name]
    result = shown(name).broken
    assert result.violated, result
    assert length_of(result) == exhibit.length


@EVERY
def test_without_the_flag_the_same_bounds_are_exhausted_and_nothing_breaks(name: str) -> None:
    result = shown(name).repaired
    assert searched_through(result), result
    assert not result.violated, result
    assert result.states > 1


@EVERY
def test_the_flag_changes_the_run(name: str) -> None:
    exhibit = museum.EXHIBITS[name]
    run, beside = shown(name).run, shown(name).beside()
    broken = broken_steps(exhibit, run)
    assert broken[-1:] == [len(run)]
    assert exhibit.eventually or broken == [len(run)]
    assert beside.parts is not None
    assert beside.parts > 0
    assert exhibit.eventually or broken_steps(exhibit, beside.run) == []
    assert str(beside) in str(shown(name))


@EVERY
def test_where_it_hides_the_same_flag_breaks_nothing(name: str) -> None:
    exhibit = museum.EXHIBITS[name]
    assert (exhibit.hidden is None) == (exhibit.hides == "")
    if exhibit.hidden is not None:
        result = exhibit.check(exhibit.hidden)
        assert searched_through(result), result
        assert not result.violated, result


@EVERY
def test_its_run_is_pinned_and_replays_byte_for_byte(name: str, tmp_path: Path) -> None:
    """ELECTIONLAB_REWRITE_GOLDEN=1 writes the file anew; the commit must say why it changed."""
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    shown(name).save(first)
    el.Cluster.load(first).trace.save(second)
    assert first.read_bytes() == second.read_bytes()
    line = f"{name} {shown(name).run.trace.hash()}"
    pinned = GOLDEN.read_text(encoding="utf-8").splitlines() if GOLDEN.exists() else []
    if os.environ.get("ELECTIONLAB_REWRITE_GOLDEN") == "1":
        others = [old for old in pinned if old.split()[0] not in (name, *_gone(pinned))]
        pinned = sorted([*others, line])
        GOLDEN.write_text("\n".join(pinned) + "\n", encoding="utf-8")
    assert line in pinned


def _gone(pinned: list[str]) -> set[str]:
    return {line.split()[0] for line in pinned} - set(museum.names())


def test_no_run_is_pinned_that_is_not_shown() -> None:
    pinned = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in pinned] == sorted(museum.names())


@EVERY
def test_what_is_told_of_it(name: str) -> None:
    exhibit = museum.EXHIBITS[name]
    assert exhibit.name == name
    assert exhibit.sources
    assert exhibit.group in ("A", "B", "textbook")
    if exhibit.flag not in repr(exhibit.broken):  # it is a default
        option = exhibit.flag.split("=")[0]
        assert f"{option}=" in repr(exhibit.repaired)
        assert f"{option}=" not in repr(exhibit.broken)
    text = str(shown(name))
    for part in (exhibit.title, exhibit.flag, *exhibit.sources, *exhibit.story.split()):
        assert part in text


def test_states_of_a_cluster_are_those_of_the_checker() -> None:
    run = shown("double-vote").run
    for step, state in enumerate(run.states):
        real = state_of(run.cluster(step))
        assert real.nodes == state.nodes
        assert sorted(map(repr, real.messages)) == sorted(map(repr, state.messages))


def test_a_lasso_is_told_once_round() -> None:
    def agreed(state: el.CheckedState) -> bool:
        return state.nodes[0]["leader"] > 0 and len({n["leader"] for n in state.nodes}) == 1

    exhibit = museum.Exhibit(
        name="lost", title="Lost", group="B", story="A lost message ends it.", sources=("none",),
        flag="losses", broken=el.LeLann(3), repaired=el.LeLann(3), breaks=agreed, eventually=True,
        faults=el.Budget(losses=1), length=(7, 0),
    )  # fmt: skip
    result = exhibit.run()
    assert length_of(result.broken) == exhibit.length
    assert len(result.run) == 7
    assert not agreed(state_of(result.run.cluster()))
    assert result.beside().parts is None
    assert "does the same" in str(result)
    assert exhibit.steps == "7 steps"


def test_an_unknown_exhibit_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"exhibit='moa': must be one of .*double-vote"):
        museum.run("moa")


def test_axes_must_be_two() -> None:
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="must be two axes"):
        shown("double-vote").plot(ax=[ax])
    plt.close("all")


# --- the command ----------------------------------------------------------------------------------


def call(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["museum", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_the_command_lists_every_exhibit() -> None:
    lines = call().stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == museum.names()
    told = json.loads(call("--json").stdout)
    assert [one["name"] for one in told] == museum.names()


def test_the_command_shows_draws_and_saves(tmp_path: Path) -> None:
    plot, trace = tmp_path / "it.png", tmp_path / "it.jsonl"
    result = call("double-vote", "--plot", str(plot), "--save", str(trace))
    assert result.stdout.strip() == str(shown("double-vote"))
    assert plot.stat().st_size > 10_000
    broken = {v["invariant"] for v in el.Cluster.load(trace).violations()}
    assert "one_leader_per_epoch" in broken
    assert json.loads(call("double-vote", "--json").stdout)["length"] == 6


def test_wrong_use_of_the_command() -> None:
    assert "must be one of double-vote" in call("moa", code=2).stderr
    assert "needs the name of an exhibit" in call("--plot", "it.png", code=2).stderr


# --- the page -------------------------------------------------------------------------------------


def test_the_page_is_that_of_the_exhibits() -> None:
    spec = importlib.util.spec_from_file_location("museum_page", ROOT / "dev/museum.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs/museum.md").read_text(encoding="utf-8")
    assert written == module.page(), "run dev/museum.py"


def test_pictures_are_of_exhibits_and_small() -> None:
    pictures = sorted((ROOT / "docs/pictures/museum").iterdir())
    assert [path.stem for path in pictures] == sorted(museum.names())
    assert all(path.stat().st_size < 60_000 for path in pictures)
