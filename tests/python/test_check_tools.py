"""The tools around the checker: its commands, the matrix, shrinking, state graphs, limits."""

from __future__ import annotations

import json
import os
import pickle
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_cli import PNG, call, document, in_a_folder, refused

import electionlab as el
from electionlab.check_matrix import ROWS
from electionlab.shrinking import _by_hand, _Trials
from electionlab.state_graphs import label_of

__all__ = ["in_a_folder"]  # every test runs in a folder of its own

ONE_TERM = el.Bounds(epoch=1, copies=1)


# --- electionlab check ----------------------------------------------------------------------------


def test_check_tells_what_holds_within_which_bounds() -> None:
    told = call("check", "raft", "--epoch", "1", "--copies", "1").stdout
    assert "nothing is violated within epoch <= 1, copies <= 1: no proof beyond" in told
    assert "10,141 states, 45,018 steps between them, to depth 15" in told


def test_check_tells_the_shortest_run_draws_and_saves_it() -> None:
    result = call(
        "check", "raft", "-i", "one_leader_at_a_time", "--epoch", "2", "--copies", "1",
        "--plot", "run.png", "--save", "run.jsonl", code=1,
    )  # fmt: skip
    assert "one_leader_at_a_time, 6 steps:" in result.stdout
    assert "leads term 2" in result.stdout
    assert Path("run.png").read_bytes().startswith(PNG)
    assert "one_leader_at_a_time" in call("replay", "run.jsonl", "--quiet", code=1).stdout


def test_check_in_json() -> None:
    mutation = 'mutations=["double_vote"]'
    said = document("check", "raft", "-o", mutation, "--epoch", "1", "--copies", "1", "--depth",
                    "8", "--all", code=1)  # fmt: skip
    assert said["violated"] is True
    assert {run["invariant"]: len(run["steps"]) for run in said["counterexamples"]} == {
        "one_vote_per_term": 3,
        "one_leader_per_epoch": 6,
    }
    fine = document("check", "le_lann", "--states", "10000")
    assert fine["proved"] is True
    assert fine["states"] == 436


def test_check_takes_time_from_its_options() -> None:
    options = [f"--option={name}_timeout_ms={ms}" for name, ms in
               (("answer", 30), ("coordinator", 60), ("leader", 50))]  # fmt: skip
    bully = ["check", "bully", *options, "-o", "heartbeat_interval_ms=30", "--tick", "5",
             "-i", "one_leader_at_a_time", "--crashes", "2", "--restarts", "0"]  # fmt: skip
    assert document(*bully, "--timing-delay", "5:10")["states"] == 4266
    assert document(*bully, "--timing-delay", "5..10")["proved"] is True
    assert document(*bully, "--timing-delay", "5:20", code=1)["depth"] == 27


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["raft", "--losses", "few"], "--losses 'few': must be a whole number of at least 0, or"),
        (["raft", "--crashes", "99"], "faults.crashes=99: must be a whole number from 0 to 31"),
        (["raft", "--memory", "much"], "--memory 'much': must be a number of bytes such as"),
        (["raft", "--tick", "5"], "--tick '5': needs --timing-delay as well"),
        (["raft", "--invariant", "peace"], "invariants='peace': is not known here"),
        (["raft", "--network", "tube"], "network='tube': must be one of"),
        (["raft", "--plot", "run.doc"], "--plot 'run.doc': must end in"),
        (["raft", "--depth=-1"], "bounds.depth=-1: must be a whole number of at least 0"),
        (["rafft"], "rafft"),
    ],
)
def test_check_refuses_by_name(arguments: list[str], says: str) -> None:
    assert says in refused("check", *arguments)


def test_bounds_end_a_check_with_what_is_known() -> None:
    said = document("check", "raft", "--memory", "2MB", "--threads", "1")
    assert said["bounds_hit"] == ["memory"]
    assert said["states"] > 1000
    assert not said["exhausted"]
    assert 2_000_000 <= said["peak_bytes"] < 6_000_000
    said = document("check", "raft", "--seconds", "0.01", "--threads", "1")
    assert said["bounds_hit"] == ["seconds"]


# --- Ctrl-C, kill, progress -----------------------------------------------------------------------

LONG = ["check", "raft", "-n", "5", "--crashes", "1", "--losses", "3", "--epoch", "9", "--json"]
MAIN = """
import io, signal, sys
class Terminal(io.TextIOWrapper):  # not every machine has one to lend
    def isatty(self):
        return True
sys.stderr = Terminal(sys.stderr.buffer, encoding="utf-8", write_through=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
from electionlab.cli import main
main()
"""


@pytest.fixture
def long_check(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A check that would take hours, with a terminal for its progress."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *LONG, "--threads", "2"],
        stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


def _line_of(terminal: int) -> str:
    """What the progress line says once it has something to say."""
    text = ""
    while not re.search(r"depth [1-9]", text):
        assert select.select([terminal], [], [], 60)[0], text
        text += os.read(terminal, 1000).decode()
    return text


def test_ctrl_c_ends_a_check_with_what_is_known(
    long_check: tuple[subprocess.Popen[str], int],
) -> None:
    process, terminal = long_check
    line = _line_of(terminal)
    assert re.search(r"[\d,]+ states, depth \d+, frontier [\d,]+, [\d.]+ [kMG]?B", line), line
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    said = json.loads(stdout)
    assert said["interrupted"] is True
    assert said["states"] > 1000
    assert said["verdict"] == "nothing is violated so far: it was stopped"


def test_kill_leaves_nothing_behind(
    long_check: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    process, terminal = long_check
    _line_of(terminal)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    assert children == ""
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_progress_draws_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    el.check(el.Raft(3), bounds=el.Bounds(seconds=0.7), progress=True)
    assert re.search(r"states, depth \d+, frontier [\d,]+, [\d.]+ MB", capsys.readouterr().err)
    with pytest.raises(ValueError, match="progress=3: must be True, False or a function"):
        el.check(el.LeLann(2), progress=3)  # type: ignore[arg-type]


# --- invariants of steps --------------------------------------------------------------------------


def stands_only_without_leader(before: el.CheckedState, after: el.CheckedState) -> bool:
    stood = any(
        a["role"] != "candidate" and b["role"] == "candidate"
        for a, b in zip(before.nodes, after.nodes, strict=True)
    )
    return not (stood and before.leaders)


def terms_do_not_fall(before: el.CheckedState, after: el.CheckedState) -> bool:
    pairs = zip(before.nodes, after.nodes, strict=True)
    return all(a["epoch"] <= b["epoch"] for a, b in pairs)


def test_an_invariant_of_steps_is_broken_by_its_last_step_and_by_no_other() -> None:
    result = el.check(
        el.Raft(3), [], between=[stands_only_without_leader, terms_do_not_fall],
        bounds=el.Bounds(epoch=2, copies=1, depth=6), stop_at_first=False,
    )  # fmt: skip
    assert result.invariants == ["stands_only_without_leader", "terms_do_not_fall"]
    (run,) = result.counterexamples
    assert run.name == "stands_only_without_leader"
    assert len(run) == 4
    said = [
        stands_only_without_leader(a, b) for a, b in zip(run.states, run.states[1:], strict=False)
    ]
    assert said == [True, True, True, False]
    cluster = run.cluster()
    assert [cluster.node(n).role for n in (1, 2, 3)] == [n["role"] for n in run.states[-1].nodes]


def test_a_step_between_states_that_were_seen_is_judged_too() -> None:
    """A leader whose heartbeat fires again goes round in a circle: no state on it is new."""

    def no_heartbeats_are_heard(before: el.CheckedState, after: el.CheckedState) -> bool:
        return not (before.leaders and len(after.messages) < len(before.messages))

    def wrong(step: Any) -> bool:
        return bool(step["step"] == "deliver" and step["message"]["kind"] == "Heartbeat")

    run = el.check(
        el.Raft(2), [], between={"quiet": no_heartbeats_are_heard}, bounds=ONE_TERM
    ).counterexample
    assert run is not None
    assert run.name == "quiet"
    graph = el.state_graph(
        el.Raft(2), [], between={"quiet": no_heartbeats_are_heard}, bounds=ONE_TERM
    )
    back = [s for s in graph.steps if graph.states[s.target].depth <= graph.states[s.source].depth]
    assert any(step.broken == ("quiet",) and wrong(step.step) for step in back)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"between": {"x": lambda a, b: 1 / 0}}, "ZeroDivisionError: division by zero"),
        ({"between": {"x": lambda a, b: 3}}, r"<lambda>\(state, state\)=3: must be True or False"),
        ({"sometimes": {"x": lambda s: 1 / 0}}, "ZeroDivisionError"),
    ],
)
def test_predicates_that_fail_leave_what_was_found(given: dict[str, Any], says: str) -> None:
    with pytest.raises(el.CheckError, match=says) as caught:
        el.check(el.Raft(3), [], bounds=ONE_TERM, **given)
    assert caught.value.result.states == 1
    assert caught.value.result.interrupted


def test_steps_are_judged_by_functions_only() -> None:
    with pytest.raises(ValueError, match=r"between=.*must be functions of two CheckedStates by"):
        el.check(el.Raft(3), between={"x": 3})  # type: ignore[dict-item]


class Growing(el.UserProtocol):
    """Its memory is nothing that can be compared, from the first message on or from the start."""

    messages = ("Hello",)

    def __init__(self, nodes: int, *, at_start: bool) -> None:
        super().__init__(nodes)
        self.at_start = at_start

    def memory(self, node: int) -> dict[str, Any]:
        return {"kept": None}

    def on_start(self, ctx: Any) -> None:
        if self.at_start:
            ctx.memory["kept"] = object()
        ctx.broadcast("Hello")

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        ctx.memory["kept"] = object()

    def view(self, ctx: Any) -> tuple[str, int, int]:
        return "follower", 0, 0


@pytest.mark.parametrize(("at_start", "states"), [(True, 0), (False, 1)])
def test_a_state_that_cannot_be_compared_ends_a_check(at_start: bool, states: int) -> None:
    with pytest.raises(el.CheckError, match=r"memory\.kept=<object.*must be made of") as caught:
        el.check(Growing(2, at_start=at_start), [])
    assert caught.value.result.states == states
    assert caught.value.result.depth == 0
    with pytest.raises(el.CheckError, match=r"memory\.kept"):
        el.state_graph(Growing(2, at_start=at_start), [])


# --- shrinking ------------------------------------------------------------------------------------


def bully() -> el.Cluster:
    """A leader is cut off now and then; the rest elect another."""
    plan = el.at_random(el.partition(), every_ms=4000)
    return el.Cluster(el.Bully(5), seed=1, actions=[plan], one_leader_at_a_time=True)


def raft(seed: int) -> el.Cluster:
    plans = [
        el.at_random(el.crash("random"), every_ms=1400),
        el.at_random(el.partition(), every_ms=1800),
    ]
    return el.Cluster(
        el.Raft(5, mutations={"double_vote"}), seed=seed, actions=plans,
        network=el.Network(loss_probability=0.05),
    )  # fmt: skip


def lease() -> el.Cluster:
    """Holders wake up as leaders of a lease that is another's."""
    plan = el.at_random(el.pause("leader"), every_ms=4000)
    return el.Cluster(el.Lease(3), seed=1, actions=[plan], one_leader_at_a_time=True)


RUNS: list[tuple[Any, str, int, int]] = [
    (bully, "one_leader_at_a_time", 518, 1),
    (lambda: raft(2), "one_leader_per_epoch", 794, 10),
    (lease, "one_leader_at_a_time", 1388, 6),
]


@pytest.mark.parametrize(("make", "invariant", "before", "after"), RUNS)
def test_a_long_run_becomes_a_few_steps_none_of_which_can_go(
    make: Any, invariant: str, before: int, after: int, tmp_path: Path
) -> None:
    cluster = make()
    broken = lambda c: any(v["invariant"] == invariant for v in c.violations())  # noqa: E731
    cluster.run(until=broken, max_events=5000)
    trace = cluster.trace.hash()
    run = el.shrink(cluster, invariant)
    assert (run.steps_before, len(run)) == (before, after)
    assert cluster.trace.hash() == trace
    # It breaks the same invariant with its last step, and not before.
    assert broken(run.cluster())
    assert not broken(run.cluster(len(run) - 1))
    # Without any one of its steps it does not; what then cannot be taken is passed over.
    trials = _Trials(cluster, invariant, None)
    for left_out in range(len(run)):
        rest = run.steps[:left_out] + run.steps[left_out + 1 :]
        assert trials.violating(rest) is None, left_out
    # It is told, and saved for a replay.
    assert f"{invariant}, {after} step" in str(run)
    run.save(tmp_path / "run.jsonl")
    assert broken(el.Cluster.load(tmp_path / "run.jsonl"))
    assert run.plot() is not None


def test_a_run_by_hand_and_a_trace_are_shrunk_alike() -> None:
    cluster = bully()
    cluster.run(stop="violation")
    first, second = el.shrink(cluster), el.shrink(cluster.trace)
    assert first.steps == second.steps
    again = el.shrink(first.cluster())
    assert [s["step"] for s in again.steps] == [s["step"] for s in first.steps]


def test_faults_commands_and_clocks_are_steps() -> None:
    cluster = el.Cluster(el.MultiPaxos(3), seed=1)
    cluster.run_until_leader()
    cluster.command("leader", "Propose", value=7)
    cluster.set_clock(2, drift_ppm=50.0)
    cluster.pause(3)
    cluster.resume(3)
    cluster.crash(1)
    cluster.restart(1)

    def nobody_restarts_after_a_proposal(at: el.Cluster) -> bool:
        done = at.fault_report["actions"]
        return not all(name in done and done[name]["effective"] for name in ("command", "restart"))

    run = el.shrink(cluster, nobody_restarts_after_a_proposal)
    assert {"command", "crash", "restart"} <= {step["step"] for step in run.steps}
    assert "pause" not in {step["step"] for step in run.steps}
    assert "Propose(value 7)" in str(run)


def test_an_unlucky_start_needs_no_steps() -> None:
    cluster = el.Cluster(el.Omega(3), seed=1, one_leader_at_a_time=True)
    cluster.run_for(10)
    run = el.shrink(cluster)
    assert len(run) == 0
    assert run.cluster().violations()


def test_what_cannot_be_shrunk_is_refused_by_name() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    cluster.run_until_leader()
    with pytest.raises(ValueError, match="invariant=None: the run does not break it"):
        el.shrink(cluster)
    with pytest.raises(ValueError, match=r"invariant='peace': .* it breaks nothing"):
        el.shrink(cluster, "peace")
    with pytest.raises(ValueError, match=r"run=3: must be an electionlab.Cluster or a Trace"):
        el.shrink(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="record=True"):
        el.shrink(el.Cluster(el.Raft(3), record=False))
    with pytest.raises(ValueError, match="must be True or False"):
        el.shrink(cluster, lambda c: 3)  # type: ignore[arg-type,return-value]


def test_in_a_run_by_hand_nothing_comes_by_itself() -> None:
    cluster = lease()
    still = _by_hand(cluster, record=True)
    events = still.events
    still.run_for(1e6)
    assert still.events == events


# --- state graphs ---------------------------------------------------------------------------------


def test_a_state_graph_has_the_states_of_the_check() -> None:
    for protocol, bounds in ((el.LeLann(3), None), (el.Raft(2), ONE_TERM)):
        result = el.check(protocol, bounds=bounds)
        graph = result.graph(1000)
        assert graph.complete
        assert len(graph.states) == result.states
        assert len(graph.steps) == result.transitions
        levels = [state.depth for state in graph.states]
        assert [levels.count(depth) for depth in range(result.depth + 1)] == result.levels
        assert sum(bool(state.leaders) for state in graph.states) == result.with_leader
        assert not graph.broken


def test_a_state_graph_marks_what_breaks_something() -> None:
    graph = el.state_graph(el.Raft(2, mutations={"double_vote"}), bounds=ONE_TERM, limit=40)
    assert len(graph.states) == 40
    assert not graph.complete
    assert graph.broken == ["one_vote_per_term", "one_leader_per_epoch"]
    shortest = min(state.depth for state in graph.states if state.broken)
    run = el.check(el.Raft(2, mutations={"double_vote"}), bounds=ONE_TERM).counterexample
    assert run is not None
    assert shortest == len(run)
    for step in graph.steps:
        assert set(step.broken) <= set(graph.states[step.target].broken)
    at_once = el.state_graph(el.Bully(2), "one_leader_at_a_time", bounds=el.Bounds(copies=1))
    for state in at_once.states:
        assert bool(state.broken) == (len(state.leaders) > 1)


def test_a_state_graph_is_drawn_and_told() -> None:
    graph = el.state_graph(el.Raft(2), bounds=ONE_TERM)
    axes = graph.plot()
    drawn = {artist.get_gid() for artist in axes.findobj(lambda a: a.get_gid() is not None)}
    assert {f"state-{n}" for n in range(len(graph.states))} <= drawn
    between = {(s.source, s.target) for s in graph.steps if s.source != s.target}
    assert {f"step-{a}-{b}" for a, b in between} <= drawn
    dot = graph.to_dot()
    assert dot.count(" -> ") == len(graph.steps)
    assert '0 -> 1 [label="1 election", tooltip="node 1: timer election fires"];' in dot
    assert graph._repr_svg_().startswith("<svg")


def test_labels_are_short_and_tell_steps_apart() -> None:
    message = {"from": 1, "to": 2, "kind": "Vote", "fields": {}}
    assert [
        label_of(step)
        for step in (
            {"step": "deliver", "node": 2, "message": message},
            {"step": "lose", "node": 2, "message": message},
            {"step": "fire", "node": 2, "timer": "answer", "about": 3},
            {"step": "partition", "groups": [[1], [2, 3]], "one_way": False},
            {"step": "restart_empty", "node": 1},
            {"step": "tick"},
        )
    ] == ["1>2 Vote", "lose 1>2 Vote", "2 answer of 3", "cut 1|23", "restart empty 1", "tick"]


def test_state_graphs_refuse_by_name() -> None:
    with pytest.raises(ValueError, match="limit=0: must be a whole number from 1 to 100000"):
        el.state_graph(el.LeLann(2), limit=0)
    with pytest.raises(ValueError, match="threads=3: must be one of faults, bounds"):
        el.state_graph(el.LeLann(2), threads=3)
    result = pickle.loads(pickle.dumps(el.check(el.LeLann(2))))
    assert result.states == 13
    with pytest.raises(ValueError, match="was pickled"):
        result.graph()


# --- the matrix -----------------------------------------------------------------------------------


def test_the_matrix_tells_what_holds() -> None:
    matrix = el.matrix(["bully", "raft"], threads=2)
    assert {cell.condition: cell.text for cell in matrix if cell.row == "bully"} == {
        "crashes": "holds: proof",
        "restart": "violated: 32 steps",
        "delay": "violated: 7 steps",
        "partition": "violated: 14 steps",
        "pause": "violated: 14 steps",
        "clock": "violated: 25 steps",
    }
    assert {cell.text for cell in matrix if cell.row == "raft"} == {
        "holds: epoch <= 1, copies <= 1"
    }
    for cell in matrix:
        assert cell.result.with_leader > 0
        assert (cell.run is not None) == (cell.verdict == "violated")
        if cell.run is not None:  # and so it is in the simulator
            assert cell.invariant in {v["invariant"] for v in cell.run.cluster().violations()}


def test_a_cell_that_was_not_explored_says_so() -> None:
    cell = el.matrix(["raft"], ["pause"], states=1000, threads=1).cell("raft", "pause")
    assert cell.verdict == "open"
    assert re.fullmatch(r"none to depth \d+", cell.note)
    assert not cell.result.exhausted


def test_the_matrix_as_a_table() -> None:
    matrix = el.matrix(["bully"], ["crashes", "pause"], threads=1)
    frame = matrix.to_frame()
    assert frame["steps"].tolist() == [0, 14]
    assert frame["delay_ms"].tolist() == ["5 to 10", "5 to 10"]
    assert matrix.to_markdown().splitlines() == [
        "|  | crashes | pause |",
        "| --- | --- | --- |",
        "| bully, one leader at a time | holds: proof | violated: 14 steps |",
    ]
    assert str(matrix).splitlines() == [
        "one leader at a time  crashes     pause",
        "bully                 holds       breaks: 14",
        "",
        "breaks: n: the shortest run that does has n steps",
        "holds: bully, one leader at a time: proof (crashes)",
    ]
    assert repr(matrix) == "<Matrix 1 holds, 1 violated, 0 open>"


def test_the_matrix_refuses_by_name() -> None:
    with pytest.raises(ValueError, match="rows='ravt': must be one of bully, ring"):
        el.matrix(["ravt"])
    with pytest.raises(ValueError, match="conditions='luck': must be one of crashes, restart"):
        el.matrix(conditions=["luck"])
    with pytest.raises(ValueError, match="row='raft', condition='pause': must be among rows bully"):
        el.matrix(["bully"], ["pause"], threads=1).cell("raft", "pause")


def test_the_matrix_as_a_command() -> None:
    told = call("matrix", "bully", "--under", "pause", "--csv", "m.csv").stdout
    assert "breaks: 14" in told
    assert Path("m.csv").read_text().startswith("row,protocol,invariant,condition,verdict")
    cells = document("matrix", "bully", "--under", "pause")["cells"]
    assert [cell["steps"] for cell in cells] == [14]
    assert call("matrix", "bully", "--under", "pause", "--markdown").stdout.startswith("| ")
    assert "rows='ravt'" in refused("matrix", "ravt")


def test_every_row_of_the_matrix_is_a_protocol_and_what_it_can_be_asked() -> None:
    for row in ROWS.values():
        protocol = row.protocol()
        el.check(protocol, row.invariant, bounds=el.Bounds(depth=0), threads=1)
