"""Trials in Python: of protocols written in Python, and of users' functions.

What is measured, and what chance decides, is the same as in cpp/electionlab/sweep/trials.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from electionlab.cluster import Cluster
from electionlab.scenarios import UNTIL

if TYPE_CHECKING:
    from electionlab._sweep_points import Work

Columns = dict[str, npt.NDArray[Any]]

#: The engine's columns, in their order, with their kind of number.
COLUMNS: dict[str, str] = {
    **dict.fromkeys(
        (
            "from_ms", "detection_ms", "elected_ms", "followed_ms", "agreed_ms", "ended_ms",
            "no_leader_ms", "no_majority_leader_ms", "no_agreed_leader_ms", "split_brain_ms",
        ),
        "float64",
    ),
    **dict.fromkeys(
        (
            "candidacies", "rounds", "split_votes", "leaderships", "leader_changes", "messages",
            "events",
        ),
        "int64",
    ),
    **dict.fromkeys(("measured", "censored", "violated"), "uint8"),
}  # fmt: skip
#: Columns that every table has, whatever was asked for.
FLAGS = ("measured", "censored", "violated")

_WORD = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_SCENARIO = 9  # Purpose::scenario of core/random.h


def _mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _WORD
    return z ^ (z >> 31)


def draw_ns(seed: int, trial: int, number: int, low: int, high: int) -> int:
    """The moment that the engine draws for a trial: core/random.h, stream (trial, scenario)."""
    trial_key = _mix(_mix(seed + _GAMMA & _WORD) ^ (trial * _GAMMA + 1 & _WORD))
    key = _mix(trial_key ^ (_SCENARIO * _GAMMA & _WORD))
    word = _mix(key + (number + 1) * _GAMMA & _WORD)
    return low + (word * (high - low + 1) >> 64)


def _cluster(work: Work, config: Mapping[str, Any], trial: int) -> Cluster:
    cluster = Cluster.__new__(Cluster)
    cluster._start(work.subject, {**config, "trial": trial}, False)
    return cluster


def check_trials(work: Work, config: Mapping[str, Any]) -> None:
    """Refuses what a cluster refuses.

    Raises:
        ValueError: A setting or an action is bad; the message names it.
    """
    cluster = _cluster(work, config, 0)
    for moment in work.experiment.get("moments", ()):
        action = moment["action"]
        if action["action"] not in ("deliver", "drop", "duplicate", "delay", "fire"):
            cluster.act({"action": "at", "at_ms": 1e6, "do": action})


def _ns(ms: float) -> int:
    return round(ms * 1e6)


def _experiment(work: Work, config: Mapping[str, Any], trial: int) -> dict[str, Any]:
    """One trial, as the engine plays it."""
    experiment = work.experiment
    cluster = _cluster(work, config, trial)
    due = []
    for number, moment in enumerate(experiment["moments"]):
        at = moment["at_ms"]
        low, high = at if isinstance(at, (list, tuple)) else (at, at)
        due.append((draw_ns(config["seed"], trial, number, _ns(low), _ns(high)), number))
    from_ns, earlier, measured = 0, 0, True
    before, sent_before = dict.fromkeys(cluster.measures(), 0), 0
    for at_ns, number in sorted(due):
        cluster.run(until=at_ns / 1e6)
        if number == experiment["from"]:
            from_ns, before = at_ns, cluster.measures()
            earlier, sent_before = len(cluster.failovers()), cluster.traffic()["sent"]
        cluster.act(experiment["moments"][number]["action"])
        if number == experiment["from"] and experiment["only_leaderless"]:
            measured = len(cluster.failovers()) > earlier
            if not measured:
                break
    stop = dict(zip(UNTIL, ("agreement", "leader", "never"), strict=True))[experiment["until"]]
    end_ms = (from_ns + _ns(experiment["horizon_ms"])) / 1e6
    end_ms = max(end_ms, cluster.now)
    found = not measured or cluster.run(until=end_ms, stop=stop)
    after = cluster.measures()
    failovers = cluster.failovers()[earlier:]

    def stage(name: str, first: str | None) -> float:
        for failover in failovers:
            if failover[name] is not None:
                return (_ns(failover["lost_ms"]) + _ns(failover[name]) - from_ns) / 1e6
        if experiment["from"] >= 0 or first is None or after[first] is None:
            return math.nan
        return float(after[first])

    def lasted(name: str) -> float:
        return (_ns(after[name]) - _ns(before[name])) / 1e6 if measured else math.nan

    return {
        "from_ms": from_ns / 1e6,
        "detection_ms": stage("detection_ms", None),
        "elected_ms": stage("until_elected_ms", "first_leader_ms"),
        "followed_ms": stage("until_followed_ms", None),
        "agreed_ms": stage("until_agreed_ms", "first_agreement_ms"),
        "ended_ms": (cluster.now_ns - from_ns) / 1e6 if measured else math.nan,
        "no_leader_ms": lasted("no_leader_ms"),
        "no_majority_leader_ms": lasted("no_majority_leader_ms"),
        "no_agreed_leader_ms": lasted("no_agreed_leader_ms"),
        "split_brain_ms": lasted("split_brain_ms"),
        "candidacies": after["candidacies"] - before["candidacies"],
        "rounds": after["epochs_stood"] - before["epochs_stood"],
        "split_votes": after["split_votes"] - before["split_votes"],
        "leaderships": after["leaderships"] - before["leaderships"],
        "leader_changes": after["leader_changes"] - before["leader_changes"],
        "messages": cluster.traffic()["sent"] - sent_before,
        "events": cluster.events,
        "measured": int(measured),
        "censored": int(not found and experiment["until"] != "horizon"),
        "violated": int(bool(cluster.violations())),
    }


def _by_function(work: Work, config: Mapping[str, Any], trial: int) -> dict[str, Any]:
    """One trial, as the user's function plays it."""
    assert work.function is not None
    cluster = _cluster(work, config, trial)
    found = work.function(cluster, **work.parameters)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"custom: {work.function.__qualname__} returned {found!r}; must return a dict of "
            "measures and numbers"
        )
    row: dict[str, Any] = {}
    for name, value in found.items():
        try:
            row[name] = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            raise ValueError(f"custom: {name}={value!r}: must be a number or None") from None
    violated = int(bool(cluster.violations()))
    return {**row, **{"measured": 1, "censored": 0, "violated": violated}}


def run_python_trials(
    work: Work,
    config: Mapping[str, Any],
    *,
    first: int,
    trials: int,
    progress: Callable[[int], bool] | None = None,
) -> Columns:
    """The same as ``_core.run_trials``, one cluster after the other.

    Raises:
        ValueError: The function returned something else than numbers, or other names than before.
    """
    play = _experiment if work.function is None else _by_function
    rows: list[dict[str, Any]] = []
    for trial in range(first, first + trials):
        rows.append(play(work, config, trial))
        if list(rows[-1]) != list(rows[0]):
            raise ValueError(
                f"custom: returned {', '.join(rows[-1])} in trial {trial}, and "
                f"{', '.join(rows[0])} before; must be the same measures every time"
            )
        if progress is not None and not progress(len(rows)):
            break
    names = list(rows[0]) if rows else list(COLUMNS)
    return {
        name: np.array([row[name] for row in rows], dtype=COLUMNS.get(name, "float64"))
        for name in names
    }


__all__: Sequence[str] = ["COLUMNS", "FLAGS", "check_trials", "run_python_trials"]
