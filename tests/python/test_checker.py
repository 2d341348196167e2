"""The checker from Python: verdicts, shortest runs, their replay in the simulator, bad input."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import electionlab as el


def two_lead(state: el.CheckedState) -> bool:
    return len(state.leaders) >= 2


def somebody_leads(state: el.CheckedState) -> bool:
    return bool(state.leaders)


def test_raft_keeps_its_promises_within_a_term_a_crash_and_a_loss() -> None:
    result = el.check(
        el.Raft(3),
        bounds=el.Bounds(epoch=1, copies=1),
        faults=el.Budget(crashes=1, losses=1),
    )
    assert result.exhausted
    assert not result.violated
    assert not result.proved  # the bounds cut something off
    assert sorted(result.bounds_hit) == ["copies", "epoch"]
    assert {"one_leader_per_epoch", "one_vote_per_term"} <= set(result.invariants)
    assert result.with_leader > 0
    assert "no proof beyond" in str(result)
    assert sum(result.levels) == result.states
    assert len(result.levels) == result.depth + 1
    assert 0 < result.omission_probability < 1e-6


def test_a_finite_protocol_is_proved() -> None:
    result = el.check(el.LeLann(3))
    assert result.proved
    assert result.bounds_hit == []
    assert result.terminal > 0
    assert "every reachable state" in str(result)


def test_two_leaders_at_a_time_in_raft_are_six_steps_away() -> None:
    result = el.check(el.Raft(3), "one_leader_at_a_time", bounds=el.Bounds(epoch=2, copies=1))
    run = result.counterexample
    assert run is not None
    # Two elections of three steps each: time-out, request, reply.
    assert len(run) == 6
    assert [step["step"] for step in run.steps].count("fire") == 2
    assert "leads term 2" in str(run)
    for last in range(7):
        found = [v["invariant"] for v in run.cluster(last).violations()]
        assert found == (["one_leader_at_a_time"] if last == 6 else [])


def _same(cluster: el.Cluster, state: el.CheckedState) -> None:
    for node in state.nodes:
        real = cluster.node(node["node"])
        assert (real.role, real.leader or 0, real.epoch) == (
            node["role"], node["leader"] or 0, node["epoch"],
        )  # fmt: skip
        fields = cluster.node_fields(node["node"])
        for part in ("disk", "durable", "memory"):
            assert fields[part] == node[part], (node["node"], part)
        assert sorted(fields["timers_due_ms"]) == sorted(node["timers"])


@pytest.mark.parametrize("name", ["raft", "bully", "ring", "multi_paxos", "viewstamped", "omega"])
def test_each_state_on_the_way_to_a_leader_is_the_simulators(name: str) -> None:
    protocol = el.make_protocol(name, 3)
    result = el.check(
        protocol,
        [],
        sometimes={"a leader": somebody_leads},
        bounds=el.Bounds(copies=1, states=300_000),
        faults=el.Budget(crashes=1),
    )
    run = result.witnesses["a leader"]
    assert run is not None, str(result)
    for last, state in enumerate(run.states):
        _same(run.cluster(last), state)


class Diary(el.UserProtocol):
    """Every node writes down what happens to it."""

    messages = ("Hello",)
    timers = ("again",)
    commands = ("Greet",)

    def disk(self, node: int) -> dict[str, int]:
        return {"lives": 1}

    def empty_disk(self, node: int) -> dict[str, int]:
        return {"lives": -9}

    def memory(self, node: int) -> dict[str, int]:
        return {"heard": 0, "fired": 0, "asked": 0, "back": 0}

    def on_start(self, ctx: Any) -> None:
        if ctx.node == 1:
            ctx.broadcast("Hello", life=1)
        ctx.set_timer("again", 1)

    def on_restart(self, ctx: Any) -> None:
        ctx.memory["back"] = 1
        ctx.disk["lives"] += 1
        ctx.persist()

    def on_timer(self, ctx: Any, timer: str) -> None:
        ctx.memory["fired"] += 1

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        ctx.memory["heard"] += 1

    def on_command(self, ctx: Any, command: Any) -> None:
        ctx.memory["asked"] += 1
        ctx.send(2, "Hello", life=2)

    def view(self, ctx: Any) -> tuple[str, int, int]:
        return "follower", 0, 0


#: A fault, what shows that it happened, and the steps that bring it about.
STEPS: list[tuple[dict[str, Any], Any, list[str]]] = [
    ({}, lambda s: s.nodes[1]["memory"]["heard"] == 1, ["deliver"]),
    ({}, lambda s: s.nodes[2]["memory"]["fired"] == 1, ["fire"]),
    ({}, lambda s: s.nodes[0]["memory"]["asked"] == 1, ["command"]),
    ({"crashes": 1}, lambda s: s.nodes[1]["role"] == "down", ["crash"]),
    ({"crashes": 1}, lambda s: (s.nodes[1]["memory"] or {}).get("back") == 1, ["crash", "restart"]),
    ({"crashes": 1, "lost_disks": 1}, lambda s: s.nodes[1]["disk"]["lives"] == -8,
     ["crash", "restart_empty"]),
    ({"reboots": 1}, lambda s: s.nodes[1]["disk"]["lives"] == 2, ["reboot"]),
    ({"losses": 1}, lambda s: len(s.messages) == 1 and s.nodes[1]["memory"]["heard"] == 0
     and s.nodes[2]["memory"]["heard"] == 0, ["lose"]),
    ({"duplicates": 1}, lambda s: s.nodes[2]["memory"]["heard"] == 2,
     ["duplicate", "deliver", "deliver"]),
    ({"pauses": 1}, lambda s: s.nodes[1]["role"] == "paused", ["pause"]),
    ({"partitions": 1}, lambda s: s.partition == "2 3 | 1" or s.partition == "1 3 | 2",
     ["partition"]),
    ({"partitions": 1}, lambda s: not s.messages and s.partition == ""
     and all(n["memory"]["heard"] == 0 for n in s.nodes),
     ["partition", "arrive_in_vain", "arrive_in_vain", "heal"]),
    ({"crashes": 1, "partitions": 1, "one_way": True},
     lambda s: "-/->" in s.partition and s.nodes[2]["role"] == "down", ["crash", "partition"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faults", "shows", "steps"), STEPS, ids=[" ".join(step[2]) for step in STEPS]
)
def test_every_kind_of_step_is_the_simulators(
    faults: dict[str, Any], shows: Any, steps: list[str]
) -> None:
    result = el.check(
        Diary(3),
        [],
        faults=el.Budget(**faults),
        commands=[el.command(1, "Greet")],
        sometimes={"it": shows},
    )
    run = result.witnesses["it"]
    assert run is not None
    assert sorted(step["step"] for step in run.steps) == sorted(steps)
    for last, state in enumerate(run.states):
        _same(run.cluster(last), state)
    assert len(str(run).splitlines()) > len(steps)


def test_a_run_is_saved_and_replayed(tmp_path: Path) -> None:
    run = el.check(el.Bully(3), "one_leader_at_a_time", bounds=el.Bounds(copies=1)).counterexample
    assert run is not None
    file = tmp_path / "run.jsonl"
    run.save(file)
    again = el.Cluster.load(file)
    assert [v["invariant"] for v in again.violations()] == ["one_leader_at_a_time"]
    assert run.plot() is not None


def test_predicates_in_python_are_invariants_and_wishes() -> None:
    def nobody_stands_twice(state: el.CheckedState) -> bool:
        return max(node["epoch"] for node in state.nodes) < 2

    result = el.check(
        el.Raft(3),
        nobody_stands_twice,
        sometimes=[two_lead],
        bounds=el.Bounds(epoch=3, copies=1, depth=6),
    )
    assert result.counterexample is not None
    assert result.counterexample.name == "nobody_stands_twice"
    assert len(result.counterexample) == 2


def timed_bully() -> el.Protocol:
    return el.Bully(3, answer_timeout_ms=30, coordinator_timeout_ms=60,
                    heartbeat_interval_ms=30, leader_timeout_ms=50)  # fmt: skip


IN_TIME = el.Timing(tick_ms=5, one_way_delay_ms=(5, 10))


@pytest.mark.parametrize("crashes", [0, 1, 2])
def test_bully_is_safe_when_messages_come_in_time_and_nodes_only_crash(crashes: int) -> None:
    result = el.check(
        timed_bully(),
        "one_leader_at_a_time",
        timing=IN_TIME,
        faults=el.Budget(crashes=crashes, restarts=0),
        sometimes={"the lowest leads": lambda state: state.leaders == [1]},
    )
    assert result.proved, str(result)
    assert (result.witnesses["the lowest leads"] is not None) == (crashes == 2)


@pytest.mark.parametrize(
    ("delay_ms", "faults"),
    [
        ((5, 20), el.Budget(crashes=1, restarts=0)),
        ((5, 10), el.Budget(pauses=1)),
        ((5, 10), el.Budget(partitions=1)),
    ],
)
def test_bully_is_refuted_once_an_assumption_is_dropped(
    delay_ms: tuple[float, float], faults: el.Budget
) -> None:
    timing = el.Timing(tick_ms=5, one_way_delay_ms=delay_ms)
    result = el.check(timed_bully(), "one_leader_at_a_time", timing=timing, faults=faults)
    run = result.counterexample
    assert run is not None, str(result)
    ticks = [step["step"] for step in run.steps].count("tick")
    violation = run.cluster().violations()[0]
    assert violation["invariant"] == "one_leader_at_a_time"
    assert violation["at_ms"] == 5 * ticks
    for last, state in enumerate(run.states):
        _same(run.cluster(last), state)


@pytest.mark.parametrize(("drift", "ticks"), [(0.0, 4), (0.1, 3), (0.4, 2), (0.9, 2)])
def test_with_time_a_timer_fires_when_its_time_has_come(drift: float, ticks: int) -> None:
    """A timer of 1 ms, in ticks of a quarter: after 1 / (1 + drift) ms, in whole ticks."""
    run = el.check(
        Diary(2),
        [],
        timing=el.Timing(tick_ms=0.25, one_way_delay_ms=5, clock_drift=drift),
        sometimes={"fired": lambda state: state.nodes[0]["memory"]["fired"] == 1},
    ).witnesses["fired"]
    assert run is not None
    assert [step["step"] for step in run.steps] == ["tick"] * ticks + ["fire"]


def test_with_time_a_message_takes_what_it_takes() -> None:
    def heard(state: el.CheckedState) -> bool:
        return bool(state.nodes[1]["memory"]["heard"])

    for least, most in ((2, 2), (1, 3), (0, 1)):
        timing = el.Timing(tick_ms=1, one_way_delay_ms=(least, most))
        result = el.check(Diary(2), [], timing=timing, sometimes={"heard": heard})
        run = result.witnesses["heard"]
        assert run is not None
        assert [step["step"] for step in run.steps].count("tick") == least
        # And not later: nobody can have gone on for longer without it.
        late = el.check(
            Diary(2),
            lambda state: state.nodes[1]["memory"]["heard"] == 1 or bool(state.messages),
            timing=timing,
        )
        assert late.proved


def test_protocols_that_read_their_clocks_are_never_called_proved() -> None:
    assert "clock" in el.check(el.Lease(2), bounds=el.Bounds(depth=3)).bounds_hit
    bounds = el.Bounds(epoch=1, copies=1, depth=8)
    assert "clock" not in el.check(el.Raft(3), bounds=bounds).bounds_hit
    cautious = el.Raft(3, check_quorum=True, leader_stickiness=True)
    assert "clock" in el.check(cautious, bounds=bounds).bounds_hit


def test_progress_ends_a_search_with_what_is_known() -> None:
    told: list[dict[str, Any]] = []

    def progress(p: dict[str, Any]) -> bool:
        told.append(p)
        return len(told) < 3

    result = el.check(el.Raft(3), bounds=el.Bounds(epoch=2, copies=1), progress=progress)
    assert len(told) == 3
    assert set(told[0]) == {"states", "transitions", "depth", "frontier", "bytes", "seconds"}
    assert result.interrupted
    assert not result.exhausted
    assert result.states >= told[-1]["states"] > 1


def test_a_predicate_that_raises_leaves_what_was_found() -> None:
    def fails(state: el.CheckedState) -> bool:
        if state.messages:
            raise RuntimeError("cannot say")
        return True

    with pytest.raises(el.CheckError, match="RuntimeError: cannot say") as caught:
        el.check(el.Raft(3), fails, bounds=el.Bounds(epoch=1))
    assert caught.value.result.states >= 1
    with pytest.raises(el.CheckError, match="must be True or False"):
        el.check(el.Raft(3), lambda state: 3, bounds=el.Bounds(epoch=1))  # type: ignore[arg-type,return-value]


class Lottery(el.UserProtocol):
    """Not deterministic: what a node does depends on how often it was asked."""

    messages = ("Claim",)
    count = itertools.count()

    def memory(self, node: int) -> dict[str, int]:
        return {"drawn": 0}

    def on_start(self, ctx: Any) -> None:
        ctx.broadcast("Claim")

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        ctx.memory["drawn"] = next(self.count)

    def view(self, ctx: Any) -> tuple[str, int, int]:
        return "follower", 0, 0


def test_a_handler_that_is_not_deterministic_is_told_of() -> None:
    result = el.check(Lottery(3), debug=True, bounds=el.Bounds(depth=2))
    assert "does different things on the same input" in str(result)
    assert el.check(el.Raft(3), debug=True, bounds=el.Bounds(depth=3)).nondeterminism == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"protocol": 3}, "protocol=3"),
        ({"invariants": ["one_king"]}, "invariants='one_king': is not known here; known are: one_"),
        ({"faults": {"crashes": 1}}, "faults=.*must be an electionlab.Budget"),
        ({"faults": el.Budget(crashes=-1)}, "faults.crashes=-1: must be a whole number from 0"),
        ({"faults": el.Budget(losses="many")}, "faults.losses='many'"),
        ({"faults": el.Budget(duplicates="unlimited")}, "network='duplicating'"),
        ({"faults": el.Budget(partitions=1, partition_family=[[{1}, {1, 2}]])}, "two groups"),
        ({"faults": el.Budget(partitions=1, partition_family=[[{1}, {9}]])}, "from 1 to 3"),
        ({"bounds": el.Bounds(epoch=-1)}, "bounds.epoch=-1"),
        ({"bounds": el.Bounds(seconds=float("nan"))}, "bounds.seconds=nan"),
        ({"timing": el.Timing(tick_ms=0)}, "timing.tick_ms=0.0: must be above 0"),
        ({"timing": el.Timing(clock_drift=2)}, "clock_drift=2"),
        ({"timing": el.Timing(), "network": "fifo"}, "cannot be had together"),
        ({"timing": 5}, "timing=5: must be an electionlab.Timing"),
        ({"network": "tube"}, "network='tube': must be one of 'multiset', 'fifo', 'duplicating'"),
        ({"threads": 0}, "threads=0"),
        ({"symmetry": True}, "symmetry=true: .*does not treat all nodes alike"),
        ({"initial_leader": 7}, "initial_leader=7"),
        ({"commands": [el.crash(1)]}, "must be actions such as el.command"),
        ({"commands": [el.command(1, "Write")]}, "Write"),
        ({"sometimes": {"": two_lead}}, "sometimes="),
        ({"sometimes": {"x": 3}}, "sometimes="),
    ],
)
def test_bad_input_is_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    arguments = {"protocol": el.Bully(3) if "symmetry" in arguments else el.Raft(3), **arguments}
    protocol = arguments.pop("protocol")
    with pytest.raises(ValueError, match=says):
        el.check(protocol, **{"bounds": el.Bounds(depth=1), **arguments})


# --- what happens in the end ----------------------------------------------------------------------


class Token(el.UserProtocol):
    """A token goes round for ever; node 1's timer, if it has one, ends it."""

    messages = ("Token",)
    timers = ("end",)

    def __init__(self, nodes: int, *, ends: bool) -> None:
        super().__init__(nodes)
        self.ends = ends

    def memory(self, node: int) -> dict[str, bool]:
        return {"ended": False}

    def on_start(self, ctx: Any) -> None:
        if ctx.node == 1:
            ctx.send(2, "Token")
            if self.ends:
                ctx.set_timer("end", 1)

    def on_timer(self, ctx: Any, timer: str) -> None:
        ctx.memory["ended"] = True

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        ctx.send(ctx.node % ctx.members + 1, "Token")

    def view(self, ctx: Any) -> tuple[str, int, int]:
        return ("leader" if ctx.memory["ended"] else "follower"), 0, 0


def ended(state: el.CheckedState) -> bool:
    return state.leaders == [1]


def agreed(state: el.CheckedState) -> bool:
    return state.nodes[0]["leader"] > 0 and len({n["leader"] for n in state.nodes}) == 1


def test_a_circle_is_a_counterexample() -> None:
    result = el.check_eventually(Token(4, ends=False), ended)
    assert result.violated
    assert not result.proved
    assert result.prefix is not None
    assert len(result.prefix) == 0
    assert result.cycle is not None
    assert [(step["step"], step["node"]) for step in result.cycle] == [
        ("deliver", 2), ("deliver", 3), ("deliver", 4), ("deliver", 1),
    ]  # fmt: skip
    assert "4 steps for ever" in str(result)
    assert result.states == 4


def test_fairness_rules_a_circle_out_in_which_a_timer_never_fires() -> None:
    result = el.check_eventually(Token(4, ends=True), ended)
    assert result.proved
    assert result.cycle is None
    assert result.states == 4


def test_a_run_that_ends_is_a_counterexample() -> None:
    assert el.check_eventually(el.LeLann(3), agreed).proved
    result = el.check_eventually(el.LeLann(3), agreed, faults=el.Budget(losses=1))
    assert result.violated
    assert result.cycle == []
    assert result.prefix is not None
    assert [step["step"] for step in result.prefix.steps].count("lose") == 1
    for last, state in enumerate(result.prefix.states):
        _same(result.prefix.cluster(last), state)
    assert not result.prefix.states[-1].messages


@pytest.mark.parametrize("name", ["chang_roberts", "franklin", "peterson", "flood_max"])
def test_rings_elect_in_every_fair_run_without_faults(name: str) -> None:
    protocol = el.make_protocol(name, 3)
    result = el.check_eventually(protocol, agreed, network="fifo")
    assert result.proved, str(result)
    assert result.states > 10


def test_pauses_end_and_cuts_heal_in_fair_runs() -> None:
    assert el.check_eventually(Token(2, ends=True), ended, faults=el.Budget(pauses=1)).proved
    # A crash need not end: node 1 stays down.
    result = el.check_eventually(Token(2, ends=True), ended, faults=el.Budget(crashes=1))
    assert result.violated


def test_where_a_bound_cuts_off_nothing_is_claimed() -> None:
    result = el.check_eventually(el.Raft(3), agreed, bounds=el.Bounds(epoch=1, copies=1))
    assert not result.violated
    assert not result.proved
    assert "epoch" in result.bounds_hit
    few = el.check_eventually(el.Raft(3), agreed, bounds=el.Bounds(states=50, copies=1))
    assert "states" in few.bounds_hit
    assert not few.proved


def test_a_goal_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="goal=3: must be a function"):
        el.check_eventually(el.Raft(3), 3)  # type: ignore[arg-type]

    def fails(state: el.CheckedState) -> bool:
        raise KeyError("no")

    with pytest.raises(el.CheckError, match="KeyError"):
        el.check_eventually(el.LeLann(3), fails)
