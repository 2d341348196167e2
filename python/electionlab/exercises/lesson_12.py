"""Exercises of notebook 12: the checker and the museum."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from electionlab.checker import Bounds, CheckedState, CheckResult, check
from electionlab.exercises._exercise import Exercise, Judgement, compared, right, truth_value, wrong
from electionlab.protocols import PROTOCOLS

_ONE_TERM = Bounds(epoch=1, copies=1)
_FOUR_STEPS = Bounds(epoch=2, depth=4)


def _checked(invariant: Any, *mutations: str, bounds: Bounds = _ONE_TERM) -> CheckResult:
    protocol = PROTOCOLS["raft"](nodes=3, mutations=set(mutations))
    return check(protocol, invariant, bounds=bounds)


def _judge_steps(answer: int) -> Judgement:
    def nobody_leads(state: CheckedState) -> bool:
        return not state.leaders

    found = check(PROTOCOLS["raft"](nodes=5), [nobody_leads], bounds=_ONE_TERM).counterexample
    steps = len(found or ())
    return compared(answer, steps, f"{steps} steps: a timer, two requests and two answers.")


def _judge_without_crash(answer: bool) -> Judgement:
    truth_value(answer, "answer=")
    result = _checked("one_leader_per_epoch", "vote_not_persisted")
    if answer is result.violated:
        return right("what is in memory is only lost in a crash: " + result.verdict + ".")
    return wrong(f"the checker says: {result.verdict}.")


def _one_candidate(state: CheckedState) -> bool:
    nodes = [n for n in state.nodes if n["role"] == "candidate"]
    return all(a["epoch"] != b["epoch"] for a, b in itertools.combinations(nodes, 2))


def _judge_invariant(answer: Callable[[CheckedState], bool]) -> Judgement:
    def agrees(state: CheckedState) -> bool:
        return answer(state) is _one_candidate(state)

    different = _checked(agrees, bounds=_FOUR_STEPS).counterexample
    if different is None:
        steps = len(_checked(answer).counterexample or ())
        return right(f"it is false of Raft: broken in {steps} steps, and that is a split vote.")
    nodes = [(n["role"], n["epoch"]) for n in different.states[-1].nodes]
    said = answer(different.states[-1])
    return wrong(f"of nodes with these roles and terms it says {said}: {nodes}.")


EXERCISES = (
    Exercise(
        name="12.1",
        question="How many steps has the shortest run from the start of five nodes that run Raft "
        "to a first leader?",
        answer="a whole number",
        judge=_judge_steps,
        hints=(
            "three votes of five elect, and one of them is the candidate's own.",
            "count each timer that fires and each message that arrives, nothing else.",
            "one timer; then two others must hear the request, and be heard.",
        ),
    ),
    Exercise(
        name="12.2",
        question="Does the voter that forgets (vote_not_persisted) break the promise without a "
        "crash?",
        answer="True or False",
        judge=_judge_without_crash,
        hints=("what is the disk for?", "while a node is up, it remembers."),
    ),
    Exercise(
        name="12.3",
        question="Write an invariant: no two nodes are candidates of one term. state.nodes has for "
        'each a dictionary with "role" and "epoch".',
        answer="a function of a state that tells True or False",
        judge=_judge_invariant,
        hints=(
            "only the candidates' terms count; is one of them there twice?",
            "a list has something twice if len(it) != len(set(it)).",
        ),
    ),
)
