"""Orders of search and smaller spaces: what each finds, and what it must not change."""

from __future__ import annotations

from typing import Any

import pytest

import electionlab as el

ONE_TERM = el.Bounds(epoch=1, copies=1)
BUGGY = el.Raft(3, mutations={"double_vote"})


@pytest.mark.parametrize("search", ["depth", "walks", "swarm"])
def test_other_orders_find_a_bug_by_a_run_that_replays(search: str) -> None:
    result = el.check(BUGGY, "one_leader_per_epoch", bounds=ONE_TERM, search=search, seed=3)
    run = result.counterexample
    assert run is not None, result
    assert len(run) >= 6  # the shortest, breadth first
    assert not result.shortest
    assert "perhaps in fewer" in str(result)
    assert "one_leader_per_epoch" in {v["invariant"] for v in run.cluster().violations()}


def test_the_first_found_breadth_first_is_a_shortest() -> None:
    result = el.check(BUGGY, "one_leader_per_epoch", bounds=ONE_TERM)
    assert result.shortest
    assert len(result.counterexample or ()) == 6


@pytest.mark.parametrize("search", ["walks", "swarm"])
def test_a_seed_fixes_what_is_drawn(search: str) -> None:
    def steps(seed: int, threads: int) -> Any:
        asked: dict[str, Any] = {"bounds": ONE_TERM, "search": search, "runs": 200}
        result = el.check(BUGGY, "one_leader_per_epoch", seed=seed, threads=threads, **asked)
        assert result.counterexample is not None, (seed, result)
        return result.counterexample.steps, result.states

    assert steps(5, 1) == steps(5, 2)
    assert steps(5, 1) != steps(6, 1)


def test_walks_prove_nothing() -> None:
    result = el.check(el.Raft(3), bounds=ONE_TERM, search="walks", runs=50)
    assert not result.violated
    assert not result.exhausted
    assert not result.proved
    assert "runs" in result.bounds_hit
    assert "runs" in result.verdict


def test_a_swarm_whose_member_saw_everything_says_so() -> None:
    result = el.check(el.LeLann(3), search="swarm")
    assert result.exhausted
    assert result.bounds_hit == []
    assert result.proved


def test_the_exact_search_sees_the_same_and_passes_over_nothing() -> None:
    usual = el.check(el.Raft(3), bounds=ONE_TERM, threads=1)
    exact = el.check(el.Raft(3), bounds=ONE_TERM, exact=True)
    assert exact.states == usual.states
    assert exact.transitions == usual.transitions
    assert exact.levels == usual.levels
    assert exact.collisions == 0
    assert exact.omission_probability == 0
    assert "passed over" not in str(exact)
    assert usual.omission_probability > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"retry_interval_ms": 50.0},
        {"check_quorum": True},
        {"pre_vote": True},
        {"leader_stickiness": True},
        {"reads": "lease"},
    ],
    ids=str,
)
def test_what_raft_calls_stale_does_nothing_any_more(options: dict[str, Any]) -> None:
    """With `debug` its word is checked over every state, message and event that was seen."""
    bounds = el.Bounds(epoch=1, copies=1, states=20_000)
    faults = el.Budget(crashes=1, losses=1)
    protocol = el.Raft(3, **options)
    result = el.check(protocol, faults=faults, bounds=bounds, drop_stale=True, debug=True)
    assert not result.violated
    assert result.states > 1000


def test_without_stale_messages_and_names_there_are_far_fewer_states() -> None:
    asked: dict[str, Any] = {"faults": el.Budget(crashes=1, losses=1), "bounds": ONE_TERM}
    every = el.check(el.Raft(3), **asked)
    named = el.check(el.Raft(3), symmetry=True, **asked)
    few = el.check(el.Raft(3), drop_stale=True, **asked)
    fewest = el.check(el.Raft(3), symmetry=True, drop_stale=True, **asked)
    assert (every.states, few.states, named.states, fewest.states) == (173756, 45284, 29094, 7662)
    for result in (every, named, few, fewest):
        assert result.exhausted
        assert not result.violated
        assert result.depth == 17
    # An orbit of three nodes has six states at most.
    assert every.states / named.states > 5.9
    assert every.states / named.states <= 6


@pytest.mark.parametrize("search", ["breadth", "depth"])
def test_a_bug_is_found_with_names_and_stale_messages_gone(search: str) -> None:
    for asked in ({"symmetry": True}, {"drop_stale": True}, {"symmetry": True, "drop_stale": True}):
        asks: dict[str, Any] = {"bounds": ONE_TERM, "search": search, **asked}
        result = el.check(BUGGY, "one_leader_per_epoch", **asks)
        run = result.counterexample
        assert run is not None, asked
        assert len(run) == 6 or search == "depth"
        assert "one_leader_per_epoch" in {v["invariant"] for v in run.cluster().violations()}


@pytest.mark.parametrize(
    ("protocol", "asked", "message"),
    [
        (el.Raft(3), {"search": "best"}, r"search='best': must be one of 'breadth', 'depth'"),
        (el.Raft(3), {"search": "walks", "runs": 0}, r"runs=0: must be"),
        (el.Raft(3), {"seed": -1}, r"seed=-1: must be"),
        (el.Raft(3), {"exact": True, "search": "depth"}, r"exact=true: can be had with"),
        (el.Raft(3), {"exact": True, "symmetry": True}, r"exact=true: can be had with"),
        (el.Raft(3), {"exact": 1}, r"exact=1: must be True or False"),
        (el.LeLann(3), {"drop_stale": True}, r"drop_stale=true: this protocol does not tell"),
        (el.Raft(3, priorities=[1, 2, 3]), {"symmetry": True}, r"symmetry=true: this protocol"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(protocol: Any, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        el.check(protocol, bounds=ONE_TERM, **asked)
