"""Runs handed in: what is accepted, what is refused, and that each task can be solved."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import electionlab as el
from electionlab._goals import GOALS
from electionlab.cli import app


def _failover() -> el.Cluster:
    cluster = el.Cluster(el.Raft(5), seed=1)
    cluster.run_until_leader(agreed=True)
    cluster.crash("leader")
    cluster.run_until_leader(agreed=True)
    return cluster


def _split(options: dict[str, Any] | None = None) -> el.Cluster:
    cluster = el.Cluster(el.Raft(5, **(options or {})), seed=1, initial_leader=1)
    cluster.partition([1, 2], [3, 4, 5])
    cluster.run(until=1000)
    return cluster


def _refused() -> el.Cluster:
    """The leader is in the majority; the two others do not hear it, and stand in vain."""
    cluster = el.Cluster(el.Raft(5), seed=1, initial_leader=1)
    cluster.partition([1, 2, 3], [4, 5])
    cluster.run(until=600)
    cluster.heal()
    cluster.run_until_leader(agreed=True)
    cluster.run_for(500)
    return cluster


def _split_vote() -> el.Cluster:
    cluster = el.Cluster(el.Raft(5, election_timeout_ms=(150, 155)), seed=0)
    cluster.run_until_leader(agreed=True)
    return cluster


def _bully() -> el.Cluster:
    cluster = el.Cluster(el.Bully(5), seed=1, initial_leader=5)
    cluster.partition([5, 4], [1, 2, 3])
    cluster.run(until=2000)
    return cluster


def _sleeper(fencing: str) -> el.Cluster:
    cluster = el.Cluster(
        el.Lease(3), seed=18, initial_leader=1, resource=el.Resource(fencing=fencing)
    )
    cluster.run_for(118)
    cluster.pause(1)
    cluster.run_for(600)
    cluster.resume(1)
    cluster.run_for(100)
    return cluster


SOLUTIONS: dict[str, Callable[[], el.Cluster]] = {
    "failover": _failover,
    "two_leaders": _split,
    "quorum_refuses": _refused,
    "split_vote": _split_vote,
    "bully_split": _bully,
    "stale_write": lambda: _sleeper("none"),
    "fenced": lambda: _sleeper("token"),
}


def missing(grade: el.Grade) -> list[str]:
    return [one.name for one in grade.criteria if not one.met]


def test_every_task_has_a_solution_here() -> None:
    assert list(SOLUTIONS) == list(el.tasks)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_passes_its_task_and_a_quiet_run_does_not(name: str) -> None:
    solved = el.tasks[name].judge(SOLUTIONS[name]())
    assert missing(solved) == [], str(solved)
    assert solved.passed
    assert solved.points == 1.0
    task = el.tasks[name]
    resource = None if task.resource is None else el.Resource(fencing=task.resource)
    quiet = el.Cluster(
        getattr(el, task.protocol.capitalize())(5), seed=3, initial_leader=5, resource=resource
    )
    quiet.run(until=300)
    judged = task.judge(quiet)
    assert not judged.passed
    assert set(missing(judged)) <= set(task.goals)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_of_one_task_does_not_pass_another(name: str) -> None:
    cluster = SOLUTIONS[name]()
    passed = [other for other in el.tasks if el.tasks[other].judge(cluster).passed]
    assert passed == [name]


def test_rules_are_kept() -> None:
    task = el.tasks["two_leaders"]
    assert missing(task.judge(_split({"pre_vote": True}))) == ["options"]
    assert missing(task.judge(_split({"mutations": {"vote_not_persisted"}}))) == ["options"]
    assert missing(task.judge(_bully())) == ["protocol"]
    cut_twice = _split()
    cut_twice.pause(5)
    assert missing(task.judge(cut_twice)) == ["faults"]
    healed = _split()
    healed.heal()  # repairs are free
    assert task.judge(healed).passed
    odd = el.Cluster(
        el.Raft(5), seed=1, initial_leader=1, machines={3: el.Machine(clock_drift_ppm=9)}
    )
    odd.partition([1, 2], [3, 4, 5])
    odd.run(until=1000)
    assert missing(task.judge(odd)) == ["machines"]
    short = el.Task(
        name="long", title="Longer than it was.", protocol="raft",
        goals={"two_leaders_at_once": {"at_least_ms": 5000}},
    )  # fmt: skip
    judged = short.judge(_split())
    assert missing(judged) == ["two_leaders_at_once"]
    assert judged.points == 0.0


def test_faults_of_every_kind_are_counted() -> None:
    """Those that were planned, those of chance, and those before the first event."""
    network = el.Network(loss_probability=0.2, duplicate_probability=0.2)
    cluster = el.Cluster(
        el.Raft(5), seed=5, network=network,
        actions=[el.partition([1], [2, 3, 4, 5]), el.at(400, el.crash("random"))],
    )  # fmt: skip
    cluster.run(until=700)
    report = cluster.fault_report
    assert report["messages_lost"] > 0
    assert report["messages_duplicated"] > 0
    total = 2 + report["messages_lost"] + report["messages_duplicated"]
    for most, met in ((total, True), (total - 1, False)):
        task = el.Task(
            name="t", title="t", protocol="raft", goals={"nobody_leads": {"at_least_ms": 0}},
            faults_at_most=most,
        )  # fmt: skip
        (faults,) = (c for c in task.judge(cluster).criteria if c.name == "faults")
        assert faults.met == met, faults
    lost = el.Cluster(el.Raft(3), seed=1, initial_leader=1)
    lost.crash(2)
    lost.restart(2, lose_disk=True)
    (faults,) = (c for c in el.tasks["failover"].judge(lost).criteria if c.name == "faults")
    assert not faults.met
    assert "1 lost disk" in faults.said


def test_files_and_folders(tmp_path: Path) -> None:
    for student in ("ann", "bob"):
        (tmp_path / student).mkdir()
        _split().trace.save(tmp_path / student / "run.jsonl")
    _refused().trace.save(tmp_path / "carl.jsonl")
    ann, bob, carl = el.grade(tmp_path, "two_leaders")
    assert (ann.who, bob.who, carl.who) == ("ann/run", "bob/run", "carl")
    assert (ann.same_as, bob.same_as, carl.same_as) == (("bob/run",), ("ann/run",), ())
    assert (ann.passed, carl.passed) == (True, False)
    frame = el.grades_frame([ann, bob, carl])
    assert frame["passed"].tolist() == [True, True, False]
    assert frame["missing"].str.startswith("two_leaders_at_once").tolist() == [False, False, True]
    one, other = el.grade(
        [tmp_path / "ann" / "run.jsonl", tmp_path / "bob" / "run.jsonl"], "failover"
    )
    assert one.who != other.who
    with pytest.raises(ValueError, match="no such file"):
        el.grade(tmp_path / "nobody.jsonl", "failover")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no trace"):
        el.grade(tmp_path / "empty", "failover")
    with pytest.raises(ValueError, match="task='nothing': must be one of failover"):
        el.grade(tmp_path, "nothing")


def _seal(lines: list[str]) -> str:
    body = "".join(line + "\n" for line in lines)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return body + json.dumps({"checksum": "sha256:" + digest}) + "\n"


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (lambda lines: lines[:-9], "truncated"),
        (lambda lines: [*lines[:9], *lines[10:], ""], "checksum"),
        (lambda lines: _seal([x.replace('ch": 1', 'ch": 2') for x in lines[:-1]]), "replay"),
        (lambda lines: _seal([lines[0], *lines[2:-1]]), "rows"),
        (lambda lines: "I did my homework.\n", "not JSON"),
        (lambda lines: "", "empty"),
        (lambda lines: "\udcff", "UTF-8"),
        (lambda lines: "[" * 100_000, "JSON"),
        (lambda lines: '{"format": "electionlab-trace", "protocol": []}\n', "version"),
    ],
)  # fmt: skip
def test_what_was_made_by_hand_earns_nothing(
    tmp_path: Path, forge: Callable[[list[str]], str | list[str]], said: str
) -> None:
    path = tmp_path / "run.jsonl"
    _split().trace.save(path)
    made = forge(path.read_text(encoding="utf-8").splitlines())
    text = made if isinstance(made, str) else "\n".join(made)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    (judged,) = el.grade(path, "two_leaders")
    assert not judged.passed
    assert judged.points == 0.0
    (criterion,) = judged.criteria
    assert criterion.name == "file"
    assert said in criterion.said


def test_a_header_that_asks_for_too_much_is_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    _split().trace.save(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    header = json.loads(lines[0])
    header["protocol"]["nodes"] = 1_000_000
    path.write_text(_seal([json.dumps(header), *lines[1:-1]]), encoding="utf-8")
    (judged,) = el.grade(path, "two_leaders")
    assert missing(judged) == ["protocol"]


FIELDS: dict[str, Any] = {
    "name": "t", "title": "t", "protocol": "raft", "goals": {"split_vote": {}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "name=''"),
        ({"protocol": "rafft"}, "protocol='rafft'"),
        ({"goals": {}}, "goals"),
        ({"goals": {"win": {}}}, "'win' must be one of two_leaders"),
        ({"goals": {"split_vote": {"at_last": 1}}}, "has no bound 'at_last'"),
        ({"goals": {"split_vote": {"at_least": "two"}}}, "at_least='two'"),
        ({"goals": {"split_vote": 3}}, "not a task"),
        ({"options": {"pre_votes": True}}, "no option 'pre_votes'"),
        ({"free_options": ["x"]}, "no option 'x'"),
        ({"nodes": [5, 3]}, "nodes=\\(5, 3\\)"),
        ({"nodes": 5}, "not a task"),
        ({"faults_at_most": -1}, "faults_at_most=-1"),
        ({"forbidden": ["explode"]}, "'explode' must be one of crash"),
        ({"delay_at_most_ms": 0}, "delay_at_most_ms=0"),
        ({"resource": "some"}, "resource='some'"),
        ({"resource": "none", "protocol": "swim"}, "with one, protocol must be"),
        ({"colour": "red"}, "'colour': must be one of"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps({**FIELDS, **change}), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        el.Task.load(path)


def call(*arguments: str | Path, code: int) -> Result:
    result = CliRunner().invoke(app, ["grade", *map(str, arguments)])
    assert result.exit_code == code, (arguments, result.output, result.exception)
    return result


def test_the_command(tmp_path: Path) -> None:
    listed = call(code=0).stdout
    assert all(name in listed for name in (*el.tasks, *GOALS))
    assert set(json.loads(call("--json", code=0).stdout)["tasks"][0]) >= {"name", "goals"}
    good, bad = tmp_path / "ann.jsonl", tmp_path / "bob.jsonl"
    _split().trace.save(good)
    _refused().trace.save(bad)
    task, table = tmp_path / "task.json", tmp_path / "grades.csv"
    task.write_text(
        json.dumps({**FIELDS, "goals": {"two_leaders_at_once": {"at_least_ms": 50}}}),
        encoding="utf-8",
    )
    assert call(good, "--task", task, code=0).stdout.endswith(
        "ann  passed      100%\n1 of 1 passed\n"
    )
    both = call(good, bad, "-t", "two_leaders", "--csv", table, "--quiet", code=1).stdout
    assert "bob  not passed    0%  missing: two_leaders_at_once\n1 of 2 passed\n" in both
    with table.open(encoding="utf-8", newline="") as file:
        assert [row["passed"] for row in csv.DictReader(file)] == ["True", "False"]
    document = json.loads(call(good, bad, "-t", "two_leaders", "--json", code=1).stdout)
    assert [one["points"] for one in document["grades"]] == [1.0, 0.0]
    for arguments, said in (
        ((good,), "--task: must be one of"),
        (("-t", "failover"), "TRACE: must be one"),
        ((good, "-t", "nothing"), "task='nothing'"),
        ((good, "-t", tmp_path / "no.json"), "No such file"),
        ((tmp_path / "no.jsonl", "-t", "failover"), "there is no such file"),
    ):
        result = call(*arguments, code=2)
        assert result.stdout == ""
        assert said in result.stderr
