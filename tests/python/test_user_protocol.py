"""Protocols written in Python: the same runs, faults and guarantees as those of the engine."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import random
import resource
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rewrites import LeaseElection, PythonBully, PythonRaft
from support import rows, settled, whole_state
from test_history import some_action

import electionlab as el

COMPARED = ("step", "time_ns", "kind", "node", "peer", "message", "message_kind", "role", "leader",
            "epoch", "reason", "action", "other_ns", "timer", "fields")  # fmt: skip


def story(trace: el.Trace) -> list[dict[str, Any]]:
    """Everything but reasons in words, and promises, which only the engine's protocols make."""
    found = (trace.row(i) for i in range(len(trace)))
    return [
        {k: row[k] for k in COMPARED if k in row}
        for row in found
        if row["kind"] not in ("note", "violation")
    ]


def second_leaders(cluster: el.Cluster) -> list[dict[str, Any]]:
    return [v for v in cluster.violations() if v["invariant"] == "one_leader_per_epoch"]


NETWORKS = [
    el.Network(),
    el.Network(loss_probability=0.1, duplicate_probability=0.1, one_way_delay_ms=(1, 30)),
    el.Network(one_way_delay_ms=el.lognormal(6, 0.5), fifo=True),
]
MACHINES = [el.Machine(), el.Machine(write_delay_ms=(1, 5), clock_drift_ppm=(-300, 300))]


@pytest.mark.parametrize(
    ("engine", "python"), [(el.Bully, PythonBully), (el.Raft, PythonRaft)], ids=["bully", "raft"]
)
@pytest.mark.parametrize("seed", range(12))
def test_rewrite_gives_the_same_run(engine: Any, python: Any, seed: int) -> None:
    """The engine's draws depend on the order of messages and timers only, not on who runs them."""
    nodes = 2 + seed % 5
    both = [
        el.Cluster(
            protocol(nodes),
            network=NETWORKS[seed % 3],
            machine=MACHINES[seed % 2],
            initial_leader=1 if seed % 4 == 3 else None,
            seed=seed,
        )
        for protocol in (engine, python)
    ]
    rng = random.Random(seed)
    for _ in range(25):
        for cluster in both:
            cluster.run(max_events=20)
        action = some_action(both[0], rng)
        for cluster in both:
            cluster.act(action)
        assert story(both[0].trace) == story(both[1].trace), (seed, action)
    assert second_leaders(both[0]) == second_leaders(both[1])
    metrics = [dict(cluster.metrics) for cluster in both]
    kinds = metrics[0]["messages"]["by_kind"]
    for kind in set(kinds) - set(metrics[1]["messages"]["by_kind"]):  # the engine's variants
        assert kinds.pop(kind) == {"sent": 0, "delivered": 0}
    assert metrics[0] == metrics[1]
    assert dict(both[0].fault_report) == dict(both[1].fault_report)
    assert [n.timers_due_ms for n in both[0].nodes] == [n.timers_due_ms for n in both[1].nodes]
    assert [(p.at_ms, p.fields) for p in both[0].pending] == [
        (p.at_ms, p.fields) for p in both[1].pending
    ]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("python", [PythonBully, PythonRaft])
def test_leader_crash_at_a_random_moment(python: Any, seed: int) -> None:
    cluster = el.Cluster(python(3 + seed % 4), seed=seed)
    assert cluster.run_until_leader(agreed=True), seed
    cluster.run_for(random.Random(seed).uniform(0, 200))
    old = cluster.leader
    cluster.crash("leader")
    new = cluster.run_until_leader(5000, agreed=True)
    assert new, (seed, new)
    assert new.node != old
    assert cluster.violations() == []


def test_lost_disk_reaches_the_protocol() -> None:
    cluster = settled(PythonRaft(3))
    cluster.crash(1)
    assert cluster.node(1).durable["current_term"] == 1
    assert cluster.node(1).memory is None
    cluster.restart(1, lose_disk=True)
    assert cluster.node(1).disk == {
        "current_term": 0, "voted_for": 0, "last_log": {"term": 0, "index": 0},
    }  # fmt: skip
    assert cluster.run_until_leader(agreed=True)


@pytest.mark.parametrize("make", [PythonBully, PythonRaft])
def test_history_works_as_for_the_engine(make: Any, tmp_path: Path) -> None:
    cluster = el.Cluster(make(3), seed=2, network=el.Network(loss_probability=0.1))
    states = [whole_state(cluster)]
    rng = random.Random(2)
    for _ in range(120):
        if rng.random() < 0.15:
            cluster.act(some_action(cluster, rng))
        else:
            cluster.step()
        states.append(whole_state(cluster))
    for event in rng.sample(range(len(states)), 30):
        cluster.seek(event)
        assert whole_state(cluster) == states[event]
    cluster.seek(len(states) - 1)
    for other in (cluster.fork(), copy.copy(cluster), copy.deepcopy(cluster),
                  cluster.trace.replay(), pickle.loads(pickle.dumps(cluster))):  # fmt: skip
        assert whole_state(other) == states[-1]
        other.run(max_events=20)
        assert whole_state(cluster) == states[-1]
    cluster.trace.save(tmp_path / "run.jsonl")
    loaded = el.Cluster.load(tmp_path / "run.jsonl", protocol=make(3))
    assert whole_state(loaded) == states[-1]
    trace = el.Trace.load(tmp_path / "run.jsonl", protocol=make(3))
    assert story(trace) == story(cluster.trace)
    assert pickle.loads(pickle.dumps(trace)).hash() == trace.hash()


@pytest.mark.parametrize(
    "protocol", [None, PythonBully(4), PythonRaft(3), el.Bully(3), "pythonbully", 3]
)
def test_file_of_a_python_protocol_needs_that_protocol(protocol: Any, tmp_path: Path) -> None:
    cluster = settled(PythonBully(3))
    cluster.trace.save(tmp_path / "run.jsonl")
    with pytest.raises(el.TraceError, match="'pythonbully' written in Python with 3 nodes"):
        el.Trace.load(tmp_path / "run.jsonl", protocol=protocol)


def test_protocol_named_like_one_of_the_engine_is_still_itself(tmp_path: Path) -> None:
    class Impostor(PythonBully):
        name = "bully"

    settled(Impostor(3)).trace.save(tmp_path / "run.jsonl")
    with pytest.raises(el.TraceError, match="written in Python"):
        el.Trace.load(tmp_path / "run.jsonl")
    assert el.Trace.load(tmp_path / "run.jsonl", protocol=Impostor(3)).protocol == "bully"


# --- every fault ----------------------------------------------------------------------------------


def test_every_fault_works_on_it() -> None:
    cluster = el.Cluster(
        PythonRaft(5),
        network=el.Network(loss_probability=0.05, duplicate_probability=0.1,
                           reorder_probability=0.2),
        machine=el.Machine(write_delay_ms=2, processing_ms=0.3, timer_lateness_ms=(0, 1)),
        seed=4,
        actions=[
            el.at_random(el.crash("random"), every_ms=400, repair_after_ms=150, keep_up=3),
            el.at_random(el.pause("random"), every_ms=500, repair_after_ms=50, keep_up=3),
            el.at_random(el.partition(), every_ms=600, repair_after_ms=200),
            el.at_random(el.clock("random", drift_ppm=4e5), every_ms=900, repair_after_ms=100),
            el.when(el.crash("trigger", restart_after_ms=50), role="candidate"),
            el.when(el.crash("trigger", restart_after_ms=50, lose_disk=True), role="leader"),
        ],
    )  # fmt: skip
    cluster.run_for(8000)
    report = dict(cluster.fault_report)
    actions = report.pop("actions")
    for kind in ("crash", "restart", "pause", "resume", "partition", "mend", "clock"):
        assert actions[kind]["effective"] > 0, kind
    quiet = [name for name, count in report.items() if count == 0]
    assert quiet == []
    assert whole_state(cluster.trace.replay()) == whole_state(cluster)


# --- timers about single peers --------------------------------------------------------------------


class Watching(el.UserProtocol):
    """Every node watches each peer with a timer of its own; the lowest that it trusts leads."""

    messages = ("Alive",)
    timers = ("beat", "suspect")
    peer_timers = ("suspect",)

    def memory(self, node: int) -> dict[str, Any]:
        return {"suspected": [], "told": []}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("beat", 20)
        for peer in ctx.peers:
            ctx.set_timer("suspect", 50, 60, about=peer)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        ctx.memory["told"].append([timer, ctx.about])
        if timer == "suspect":
            ctx.memory["suspected"] = sorted({*ctx.memory["suspected"], ctx.about})
        else:
            ctx.broadcast("Alive")
            ctx.set_timer("beat", 20)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        assert ctx.about == 0
        ctx.memory["suspected"] = [n for n in ctx.memory["suspected"] if n != sender]
        ctx.cancel_timer("suspect", about=sender)
        ctx.set_timer("suspect", 50, 60, about=sender)

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        trusted = [n for n in range(1, ctx.members + 1) if n not in ctx.memory["suspected"]]
        return ("leader" if trusted[0] == ctx.node else "follower", trusted[0], 0)


def test_detector_with_one_timer_for_each_peer(tmp_path: Path) -> None:
    cluster = el.Cluster(Watching(4), seed=3)
    cluster.run(105)
    assert list(cluster.node(1).timers_due_ms) == [
        "beat", "suspect about 2", "suspect about 3", "suspect about 4",
    ]  # fmt: skip
    watched = {(p.node, p.peer) for p in cluster.pending if p.timer == "suspect"}
    assert len(watched) == 12
    cluster.crash(1)
    cluster.run_for(70)
    assert [n["suspected"] for n in cluster.nodes[1:]] == [[1], [1], [1]]
    assert cluster.leader == 2
    told = [entry for entry in cluster.node(3)["told"] if entry[0] == "suspect"]
    assert told == [["suspect", 1]]
    assert {entry[1] for entry in cluster.node(3)["told"] if entry[0] == "beat"} == {0}
    expired = rows(cluster.trace, kind="timer", timer="suspect")
    assert [row["peer"] for row in expired] == [1, 1, 1]
    assert all("peer" not in row for row in rows(cluster.trace, kind="timer", timer="beat"))
    assert "node 3: its suspect timer about node 1 expires" in str(cluster.trace)

    event = cluster.fire(2, "suspect", about=4)
    assert (event.timer, event.peer) == ("suspect", 4)
    [other] = [p for p in cluster.pending if (p.node, p.peer, p.timer) == (2, 3, "suspect")]
    assert "timer='suspect', peer=3" in repr(other)
    assert any("about node 3 expires" in line for line in cluster.peek(other))
    cluster.deliver(other)
    assert cluster.node(2)["suspected"] == [1, 3, 4]
    for bad, says in [
        ({"about": 2}, "not armed at node 2"),
        ({}, "fire.about=0: must be a node: there is such a timer about each peer"),
        ({"about": 9}, "fire.about=9"),
    ]:
        with pytest.raises(ValueError, match=says):
            cluster.fire(2, "suspect", **bad)
    with pytest.raises(ValueError, match="there is one such timer, about nobody"):
        cluster.fire(2, "beat", about=3)
    cluster.run_for(100)
    cluster.trace.save(tmp_path / "run.jsonl")
    again = el.Cluster.load(tmp_path / "run.jsonl", protocol=Watching(4))
    assert whole_state(again) == whole_state(cluster)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda ctx: ctx.set_timer("suspect", 5), "about=0: must be a whole number from 1 to 3"),
        (lambda ctx: ctx.set_timer("suspect", 5, about=4), "about=4: must be a whole number"),
        (lambda ctx: ctx.set_timer("suspect", 5, about=1), "about=1: must be another actor"),
        (lambda ctx: ctx.set_timer("beat", 5, about=2), "about=2: 'beat' is not in the class's"),
        (lambda ctx: ctx.cancel_timer("beat", about=2), "about=2: 'beat' is not in the class's"),
        (lambda ctx: ctx.cancel_timer("suspect"), "about=0: must be a whole number from 1 to 3"),
    ],
)
def test_timer_about_nobody_or_the_wrong_one_is_named(call: Any, says: str) -> None:
    class Bad(Watching):
        def on_start(self, ctx: el.NodeContext) -> None:
            call(ctx)

    with pytest.raises(ValueError, match=says):
        el.Cluster(Bad(3), seed=1).step()


# --- what is asked from outside -------------------------------------------------------------------


class Register(el.UserProtocol):
    """A value that clients write to any node, which tells the others."""

    messages = ("Value",)
    commands = ("Write", "Forget")

    def disk(self, node: int) -> dict[str, Any]:
        return {"value": None, "blank": False}

    def empty_disk(self, node: int) -> dict[str, Any]:
        return {"value": None, "blank": True}

    def on_command(self, ctx: el.NodeContext, command: el.Message) -> None:
        ctx.disk["value"] = command.fields.get("value")
        ctx.persist()
        if command.kind == "Write":
            ctx.broadcast("Value", value=command.value)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        ctx.disk["value"] = message.value
        ctx.persist()

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        return "follower", 0, 0


def test_command_reaches_its_handler_and_a_replay(tmp_path: Path) -> None:
    cluster = el.Cluster(Register(3), seed=1, actions=[el.at(50, el.command(3, "Forget"))])
    cluster.run(10)
    event = cluster.command(2, "Write", value=[7, {"a": None}])
    assert (event.kind, event.action, event.node) == ("action", "command", 2)
    assert cluster.node(2)["value"] == [7, {"a": None}]
    cluster.run(40)
    assert [n["value"] for n in cluster.nodes] == [[7, {"a": None}]] * 3
    cluster.run(60)
    assert [n["value"] for n in cluster.nodes] == [[7, {"a": None}], [7, {"a": None}], None]
    assert 'node 2: command Write(value [7, {"a": null}])' in str(cluster.trace)
    assert "node 3: command Forget" in str(cluster.trace)
    assert cluster.fault_report["actions"]["command"] == {"asked": 2, "effective": 2}
    assert any("command Forget" in line for line in cluster.peek(el.command(1, "Forget")))
    cluster.undo()
    cluster.trace.save(tmp_path / "run.jsonl")
    again = el.Cluster.load(tmp_path / "run.jsonl", protocol=Register(3))
    assert whole_state(again) == whole_state(cluster)
    cluster.crash(1)
    cluster.command(1, "Forget")
    assert cluster.node(1)["value"] == [7, {"a": None}]


def test_command_that_is_not_known_is_named() -> None:
    cluster = el.Cluster(Register(3), seed=1)
    cluster.run(10)
    state = whole_state(cluster)
    with pytest.raises(ValueError, match="command='Read': must be one of 'Write', 'Forget'"):
        cluster.command(1, "Read")
    with pytest.raises(ValueError, match=r"command\.node=4"):
        cluster.command(4, "Write")
    with pytest.raises(AttributeError, match="Write has no field 'value'"):
        cluster.command(1, "Write")
    assert whole_state(cluster) == state
    with pytest.raises(ValueError, match="this protocol takes no commands"):
        el.Cluster(PythonRaft(3), seed=1).command(1, "Write")


def test_lost_disk_is_what_the_protocol_says() -> None:
    cluster = el.Cluster(Register(2), seed=1)
    cluster.run(10)
    cluster.command(1, "Write", value=3)
    cluster.crash(1)
    cluster.restart(1, lose_disk=True)
    assert cluster.node(1).disk == cluster.node(1).durable == {"value": None, "blank": True}
    cluster.crash(2)
    cluster.restart(2)
    assert cluster.node(2).disk["blank"] is False
    assert cluster.fault_report["disks_lost"] == 1


# --- several kinds of actors ----------------------------------------------------------------------


def stale_write(fencing: bool) -> el.Cluster:
    cluster = el.Cluster(
        LeaseElection(3, fencing=fencing), seed=11, network=el.Network(one_way_delay_ms=(2, 4))
    )
    first = cluster.run_until_leader()
    assert first
    cluster.run_for(50)
    cluster.pause(first.node)
    cluster.run_for(300)  # the lease runs out, another member gets the next one
    second = cluster.run_until_leader()
    assert second
    assert (second.node != first.node, second.epoch) == (True, first.epoch + 1)
    cluster.run_for(30)
    cluster.resume(first.node)  # its timer for work comes before that of its lease
    cluster.run_for(30)
    return cluster


def test_paused_leaders_stale_write_is_accepted_without_tokens() -> None:
    cluster = stale_write(fencing=False)
    storage = cluster.node(5)
    assert (storage.kind, storage.role) == ("storage", "service")
    assert storage["stale"] >= 1
    assert storage["refused"] == 0


def test_paused_leaders_stale_write_is_refused_with_tokens() -> None:
    cluster = stale_write(fencing=True)
    assert cluster.node(5)["stale"] == 0
    assert cluster.node(5)["refused"] >= 1
    assert cluster.node(5)["written"] > 5
    tokens = [row["fields"]["token"] for row in rows(cluster.trace, kind="send",
                                                     message_kind="Written")]  # fmt: skip
    assert tokens == sorted(tokens)
    assert "its lease is over: it steps down" in str(cluster.trace)


def test_services_stand_beside_the_members() -> None:
    cluster = el.Cluster(LeaseElection(3, fencing=True), seed=3)
    cluster.run_until_leader(agreed=True)
    assert (cluster.members, cluster.actors) == (3, 5)
    assert [n.kind for n in cluster.nodes] == ["member", "member", "member", "lock", "storage"]
    assert [n.role for n in cluster.nodes[3:]] == ["service", "service"]
    assert cluster.trace.actors == 5
    assert [entry["node"] for entry in cluster.metrics["messages"]["by_node"]] == [1, 2, 3, 4, 5]
    assert {p.kind for p in cluster.pending} <= {"timer", "message"}


def test_services_come_in_the_order_they_are_written_in() -> None:
    class Actors(el.UserProtocol):
        services: Mapping[str, int] = {"zebra": 2, "ant": 1}

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return "service", 0, 0

    cluster = el.Cluster(Actors(1), seed=1)
    assert [cluster.actor_kind(n) for n in range(1, 5)] == ["member", "zebra", "zebra", "ant"]
    with pytest.raises(ValueError, match="node=5: must be a node from 1 to 4"):
        cluster.actor_kind(5)


def test_faults_of_services() -> None:
    cluster = el.Cluster(LeaseElection(3, fencing=True), seed=5)
    leader = cluster.run_until_leader()
    assert leader
    cluster.crash(4)  # the lock is down: the lease runs out and nobody gets the next one
    assert cluster.run(cluster.now + 500, stop="no_leader")
    assert not cluster.run_until_leader(500)
    disk = cluster.node(4).durable
    assert disk == {"token": leader.epoch, "holder": leader.node}
    cluster.restart(4)
    again = cluster.run_until_leader(2000)
    assert again  # before the lock's own timer has run out the same member may take it up again
    assert again.epoch == leader.epoch + (again.node != leader.node)
    cluster.isolate(again.node)  # cut off from the lock, it must step down
    other = cluster.run_until_leader(0)
    assert other
    assert cluster.run(cluster.now + 500, stop="no_leader")
    third = cluster.run_until_leader(2000)
    assert third
    assert third.node != again.node
    assert cluster.violations() == []


# --- handlers that go wrong -----------------------------------------------------------------------


class Fragile(el.UserProtocol):
    """Works until `armed`; then `spoil` is called in node 2's handlers, but not in a replay of
    what was before. Options that change are what a test may do, not a user.
    """

    messages = ("Ping",)
    timers = ("tick",)

    def __init__(self, nodes: int, spoil: Callable[[el.NodeContext], Any]) -> None:
        super().__init__(nodes)
        self.spoil = spoil
        self.armed_at_ms = math.inf

    def arm(self, cluster: el.Cluster) -> None:
        self.armed_at_ms = cluster.now

    def disarm(self) -> None:
        self.armed_at_ms = math.inf

    def armed(self, ctx: el.NodeContext) -> bool:
        return ctx.node == 2 and ctx.clock_ms >= self.armed_at_ms

    def memory(self, node: int) -> dict[str, Any]:
        return {"pings": 0}

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("tick", 10)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        ctx.memory["pings"] += 1000
        if self.armed(ctx):
            ctx.broadcast("Ping")
            self.spoil(ctx)
        ctx.broadcast("Ping")
        ctx.set_timer("tick", 10)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        ctx.memory["pings"] += 1
        if self.armed(ctx):
            self.spoil(ctx)

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        return "follower", 0, 0


class Mishap(Exception):
    pass


def mishap(ctx: el.NodeContext) -> None:
    raise Mishap("the handler's own trouble")


DRIVES: dict[str, Callable[[el.Cluster], Any]] = {
    "step": lambda c: [c.step() for _ in range(20)],
    "run": lambda c: c.run(max_events=1000),
    "run_for": lambda c: c.run_for(500),
    "until": lambda c: c.run(lambda cluster: False, max_events=1000),
    "leader": lambda c: c.run_until_leader(500),
    "fire": lambda c: c.fire(2, "tick"),
    "deliver": lambda c: c.deliver(
        next(p for p in c.pending if p.kind == "message" and p.node == 2)
    ),
    "restart": lambda c: c.restart(2),
    "at": lambda c: (c.at(c.now + 0.001, el.fire(2, "tick")), c.run_for(500)),
    "peek": lambda c: c.peek(el.fire(2, "tick")),
}


@pytest.mark.parametrize("drive", DRIVES)
def test_exception_propagates_and_nothing_is_lost(drive: str) -> None:
    protocol = Fragile(3, mishap)
    cluster = el.Cluster(protocol, seed=1)
    cluster.run_for(37)
    if drive == "restart":
        protocol.on_restart = lambda ctx: ctx.set_timer("nothing", 1)  # type: ignore[method-assign]
        cluster.crash(2)
    twin = cluster.fork()
    state = whole_state(cluster)
    last = cluster.last_event
    protocol.arm(cluster)
    trouble = ValueError if drive == "restart" else Mishap
    with pytest.raises(trouble) as error:
        DRIVES[drive](cluster)
    if drive != "restart":
        assert "mishap" in [f.name for f in traceback.extract_tb(error.value.__traceback__)]
    protocol.disarm()
    if drive == "restart":
        del protocol.on_restart
    if drive in ("fire", "deliver", "restart", "peek"):  # refused as a whole
        assert whole_state(cluster) == state
        assert cluster.last_event == last
    elif drive == "at":
        twin.at(twin.now + 0.001, el.fire(2, "tick"))
    assert len(cluster.trace.columns["step"]) == len(cluster.trace)
    twin.run(max_events=cluster.events - twin.events)
    if twin.now < cluster.now:
        twin.run(cluster.now, max_events=0)
    assert whole_state(cluster)["trace"] == whole_state(twin)["trace"]
    assert [n.memory for n in cluster.nodes] == [n.memory for n in twin.nodes]
    cluster.run(max_events=300)
    twin.run(max_events=300)
    assert whole_state(cluster) == whole_state(twin)
    assert whole_state(cluster.trace.replay()) == whole_state(cluster)


def test_undone_future_survives_a_failing_action() -> None:
    protocol = Fragile(3, mishap)
    cluster = el.Cluster(protocol, seed=1)
    cluster.run_for(60)
    last, end = cluster.last_event, whole_state(cluster)
    cluster.undo(10)
    protocol.arm(cluster)
    with pytest.raises(Mishap):
        cluster.fire(2, "tick")
    protocol.disarm()
    assert cluster.last_event == last
    cluster.seek(last)
    assert whole_state(cluster) == end


def test_unrecorded_cluster_refuses_to_go_on_after_half_an_event() -> None:
    protocol = Fragile(3, mishap)
    cluster = el.Cluster(protocol, seed=1, record=False)
    cluster.run_for(37)
    protocol.arm(cluster)
    with pytest.raises(Mishap):
        cluster.run_for(100)
    protocol.disarm()
    for drive in (cluster.step, cluster.run, lambda: cluster.crash(1)):
        with pytest.raises(ValueError, match="cannot go back to before it"):
            drive()


def test_observers_exception_comes_after_a_whole_event() -> None:
    cluster = el.Cluster(PythonRaft(3), seed=1)

    def stumble(event: el.Event) -> None:
        if event.step == 20:
            raise Mishap

    end = cluster.observe(stumble)
    with pytest.raises(Mishap):
        cluster.run_for(1000)
    assert cluster.events == 20
    end()
    twin = el.Cluster(PythonRaft(3), seed=1)
    twin.run(max_events=20)
    assert whole_state(cluster) == whole_state(twin)


BAD: dict[str, tuple[Callable[[el.NodeContext], Any], str]] = {
    "nobody": (lambda ctx: ctx.send(9, "Ping"), "to=9: must be a whole number from 1 to 3"),
    "zero": (lambda ctx: ctx.send(0, "Ping"), "to=0: must"),
    "negative": (lambda ctx: ctx.send(-1, "Ping"), "to=-1: must"),
    "itself": (lambda ctx: ctx.send(ctx.node, "Ping"), "to=2: must be another actor"),
    "truth": (lambda ctx: ctx.send(True, "Ping"), "to=True: must"),
    "text": (lambda ctx: ctx.send("1", "Ping"), "to='1': must"),  # type: ignore[arg-type]
    "kind": (lambda ctx: ctx.send(1, "Pong"), "kind='Pong': must be one of Ping"),
    "cast": (lambda ctx: ctx.broadcast("Pong"), "kind='Pong': must be one of Ping"),
    "timer": (lambda ctx: ctx.set_timer("tock", 1), "timer='tock': must be one of tick"),
    "cancel": (lambda ctx: ctx.cancel_timer("tock"), "timer='tock': must be one of tick"),
    "nan": (lambda ctx: ctx.set_timer("tick", math.nan), "min_ms=nan: must"),
    "endless": (lambda ctx: ctx.set_timer("tick", 1, math.inf), "max_ms=inf: must"),
    "before": (lambda ctx: ctx.set_timer("tick", -1), "min_ms=-1: must"),
    "reversed": (lambda ctx: ctx.set_timer("tick", 5, 3), "max_ms=3: must be at least min_ms, 5"),
    "span": (lambda ctx: ctx.set_timer("tick", "a"), "min_ms='a': must"),  # type: ignore[arg-type]
    "huge": (lambda ctx: ctx.set_timer("tick", 1e300), "timer=.*must be a number of milli"),
    "field": (lambda ctx: ctx.broadcast("Ping", what=object()), "Ping.what=<object"),
    "field nan": (lambda ctx: ctx.broadcast("Ping", x=math.nan), "Ping.x=nan: must be finite"),
    "memory": (lambda ctx: ctx.memory.update(x=object()), "memory.x=<object"),
    "memory nan": (lambda ctx: ctx.memory.update(x=[math.nan]), "memory.x=nan: must be finite"),
    "memory inf": (lambda ctx: ctx.memory.update(x={"y": math.inf}), "memory.x.y=inf: must be fin"),
    "memory big": (
        lambda ctx: ctx.memory.update(x=2**63),
        "memory.x=9223372036854775808: must fit",
    ),
    "lock": (lambda ctx: ctx.memory.update(x=threading.Lock()), "memory.x=<unlocked"),
    "surrogate": (lambda ctx: ctx.broadcast("Ping", x="\ud800"), "UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_effects_are_named(case: str) -> None:
    spoil, says = BAD[case]
    protocol = Fragile(3, spoil)
    cluster = el.Cluster(protocol, seed=1)
    cluster.run_for(15)
    state = whole_state(cluster)
    protocol.arm(cluster)
    with pytest.raises(ValueError, match=says):
        cluster.fire(2, "tick")
    protocol.disarm()
    assert whole_state(cluster) == state
    cluster.run_for(100)


def showing(answer: Any) -> el.UserProtocol:
    class Shows(el.UserProtocol):
        def view(self, ctx: el.NodeContext) -> Any:
            return answer

    return Shows(3)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, r"view=None: must be \(role, believed leader, epoch\)"),
        ("follower", "view='follower'"),
        (("follower", 0), "view="),
        (("king", 0, 0), "role='king'"),
        (("down", 0, 0), "role='down'"),
        (("paused", 0, 0), "role='paused'"),
        ((3, 0, 0), "role=3"),
        (("follower", 4, 0), "view's leader=4: must be a whole number from 0 to 3"),
        (("follower", -1, 0), "view's leader=-1"),
        (("follower", 1.5, 0), "view's leader=1.5"),
        (("follower", "1", 0), "view's leader='1'"),
        (("follower", 0, -1), "view's epoch=-1"),
        (("follower", 0, 2**63), "view's epoch=9223372036854775808"),
        (("follower", 0, None), "view's epoch=None"),
        (("follower", 0, 0.5), "view's epoch=0.5"),
    ],
)
def test_bad_views_are_named(answer: Any, says: str) -> None:
    cluster = el.Cluster(showing(answer), seed=1)
    state = whole_state(cluster)
    with pytest.raises(ValueError, match=says):
        cluster.step()
    assert whole_state(cluster) == state


def test_view_without_a_leader_may_say_none() -> None:
    cluster = el.Cluster(showing(("follower", None, 0)), seed=1)
    assert cluster.step().leader == 0  # type: ignore[union-attr]


def test_protocol_without_a_view_says_so() -> None:
    with pytest.raises(NotImplementedError):
        el.Cluster(el.UserProtocol(3), seed=1).step()


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"messages": "Ping"}, "messages='Ping': must be a tuple of names"),
        ({"messages": ("A", "A")}, "different names"),
        ({"messages": ("A", 3)}, "must be a tuple of names"),
        ({"messages": ("",)}, "must be a tuple of names"),
        ({"messages": ("a\nb",)}, "must be a tuple of names"),
        ({"timers": tuple(f"t{i}" for i in range(101))}, "at most 100"),
        ({"timers": None}, "timers=None"),
        ({"commands": "Write"}, "commands='Write': must be a tuple of names"),
        ({"timers": ("a",), "peer_timers": ("b",)}, "'b' is not in timers"),
        ({"peer_timers": "b"}, "peer_timers='b': must be a tuple of names"),
        ({"name": "\ud800"}, "must be text on one line"),
        ({"name": "two\nlines"}, "must be text on one line"),
        ({"title": 3}, "title=3"),
        ({"services": [1]}, r"services=\[1\]: must be a dict"),
        ({"services": {"lock": 0}}, r"services\['lock'\]=0: must be a whole number from 1"),
        ({"services": {"lock": 10**9}}, r"services\['lock'\]=1000000000"),
        ({"services": {"lock": True}}, r"services\['lock'\]=True"),
        ({"services": {"member": 1}}, "a name of its own"),
        ({"services": {3: 1}}, "a name of its own"),
    ],
)
def test_bad_class_attributes_are_named(attributes: dict[str, Any], says: str) -> None:
    bad = type("Bad", (el.UserProtocol,), attributes)
    with pytest.raises(ValueError, match=says):
        bad(3)


@pytest.mark.parametrize("nodes", [0, -1, True, "3", 2.5, None, 10_001, 10**30, math.nan])
def test_bad_number_of_nodes_is_named(nodes: Any) -> None:
    with pytest.raises(ValueError, match=r"nodes=.*: must be a whole number from 1 to 10000"):
        el.UserProtocol(nodes)


def test_message_without_such_a_field_says_what_it_has() -> None:
    message = el.Message("Ping", {"term": 3})
    assert message.term == 3
    with pytest.raises(AttributeError, match="Ping has no field 'trem'; it has term"):
        message.trem  # noqa: B018
    assert copy.deepcopy(message) == message
    assert pickle.loads(pickle.dumps(message)) == message


def test_handler_that_drives_its_own_cluster_is_refused() -> None:
    kept: list[el.Cluster] = []
    protocol = Fragile(3, lambda ctx: kept[0].step())
    kept.append(el.Cluster(protocol, seed=1))
    kept[0].run_for(15)
    protocol.arm(kept[0])
    for drive in (lambda: kept[0].fire(2, "tick"), lambda: kept[0].run_for(50)):
        with pytest.raises(ValueError, match="a handler of its own protocol calls it"):
            drive()
    protocol.disarm()
    kept[0].run_for(50)


# --- state ----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Memory:
    seen: list[int] = dataclasses.field(default_factory=list)
    best: dict[str, set[int]] = dataclasses.field(default_factory=dict)
    much: tuple[float, ...] = (1.5, 2.0)


class Meddler(el.UserProtocol):
    """Changes whatever it gets hold of, which must have no effect beyond its own state."""

    messages = ("Take",)

    def memory(self, node: int) -> Memory:
        return Memory()

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.memory.best["x"] = {3, 1, 2}
        if ctx.node == 1:
            mine = ctx.memory.seen
            ctx.broadcast("Take", seen=mine)
            mine.append(1)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        message.seen.append(ctx.node)
        ctx.memory.seen = message.seen

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        ctx.memory.seen.append(99)
        return "follower", 0, 0


def test_states_and_messages_are_copies() -> None:
    cluster = el.Cluster(Meddler(3), seed=1)
    cluster.run()
    assert [n["seen"] for n in cluster.nodes] == [[1], [2], [3]]
    assert cluster.node(1).memory == {
        "seen": [1], "best": {"x": [1, 2, 3]}, "much": [1.5, 2.0],
    }  # fmt: skip
    cluster.node(1).memory["seen"].append(5)
    assert cluster.node(1)["seen"] == [1]
    [first, _] = rows(cluster.trace, kind="send")
    assert first["fields"] == {"seen": []}


def test_notes_are_told_as_they_are() -> None:
    class Noted(el.UserProtocol):
        def on_start(self, ctx: el.NodeContext) -> None:
            ctx.note("a {} and a {0} of {{}} 100 % \\n ü")
            ctx.note(7)  # type: ignore[arg-type]

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return "follower", 0, 0

    cluster = el.Cluster(Noted(1), seed=1)
    cluster.run()
    notes = [row["text"] for row in rows(cluster.trace, kind="note")]
    assert notes == ["a {} and a {0} of {{}} 100 % \\n ü", "7"]
    assert cluster.trace.replay().trace.hash() == cluster.trace.hash()


def test_messages_are_told_like_those_of_the_engine() -> None:
    class Talker(el.UserProtocol):
        messages = ("Empty", "Full")

        def on_start(self, ctx: el.NodeContext) -> None:
            if ctx.node == 1:
                ctx.send(2, "Empty")
                ctx.send(2, "Full", term=3, ids=[1, 2], last={"term": 1}, text="{}", none=None)

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return "follower", 0, 0

    cluster = el.Cluster(Talker(2), seed=1)
    cluster.run()
    told = str(cluster.trace)
    assert "node 1 sends Empty to node 2" in told
    full = "Full(term 3, ids [1, 2], last (term 1), text {}, none None)"
    assert f"node 1 sends {full} to node 2" in told
    [_, row] = rows(cluster.trace, kind="send")
    assert row["fields"] == {
        "term": 3, "ids": [1, 2], "last": {"term": 1}, "text": "{}", "none": None,
    }  # fmt: skip


def test_non_determinism_is_found_by_a_replay(tmp_path: Path) -> None:
    class Fickle(Fragile):
        counter = 0

        def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
            Fickle.counter += 1
            ctx.set_timer("tick", 10 + Fickle.counter)

    cluster = el.Cluster(Fickle(2, mishap), seed=1)
    cluster.run_for(200)
    cluster.trace.save(tmp_path / "run.jsonl")
    with pytest.raises(el.TraceError, match=r"altered|not what the replay gives"):
        el.Trace.load(tmp_path / "run.jsonl", protocol=Fickle(2, mishap))


def test_own_clock_and_timers() -> None:
    class Clock(el.UserProtocol):
        timers = ("tick",)

        def memory(self, node: int) -> list[float]:
            return []

        def on_start(self, ctx: el.NodeContext) -> None:
            assert ctx.peers == [n for n in range(1, ctx.members + 1) if n != ctx.node]
            assert ctx.quorum == ctx.members // 2 + 1
            ctx.set_timer("tick", 100)

        def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
            ctx.memory.append(ctx.clock_ms)

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return "follower", 0, 0

    fast = el.Machine(clock_offset_ms=1000, clock_drift_ppm=250_000)
    cluster = el.Cluster(Clock(2), seed=1, machines={2: fast})
    cluster.run()
    assert cluster.now == 100.0
    assert cluster.node(1).memory == [100.0]
    assert cluster.node(2).memory == [1100.0]
    assert [row["time_ns"] for row in rows(cluster.trace, kind="timer")] == [
        80_000_000,
        100_000_000,
    ]


def test_notes_that_nobody_records_do_not_pile_up() -> None:
    class Talker(el.UserProtocol):
        timers = ("tick",)

        def memory(self, node: int) -> list[int]:
            return [0]

        def on_start(self, ctx: el.NodeContext) -> None:
            ctx.set_timer("tick", 1)

        def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
            ctx.memory[0] += 1
            ctx.note(f"{ctx.memory[0]} " + "x" * 1_000_000)
            ctx.set_timer("tick", 1)

        def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
            return "follower", 0, 0

    cluster = el.Cluster(Talker(1), seed=1, record=False)
    cluster.run_for(20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cluster.run_for(200)
    assert cluster.node(1).memory == [220]
    # 200 MB of words were said; ru_maxrss counts KiB (bytes on macOS).
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


class Restless(el.UserProtocol):
    """A timer of 0 ms that sets itself again; before that an honest one."""

    timers = ("honest", "restless")

    def on_start(self, ctx: el.NodeContext) -> None:
        ctx.set_timer("honest", 5)

    def on_timer(self, ctx: el.NodeContext, timer: str) -> None:
        ctx.set_timer("restless", 0)

    def on_message(self, ctx: el.NodeContext, sender: int, message: el.Message) -> None:
        raise AssertionError("there are none")

    def view(self, ctx: el.NodeContext) -> tuple[str, int, int]:
        return "follower", 0, 0


def test_time_that_stands_still_ends_the_run() -> None:
    cluster = el.Cluster(Restless(2), seed=1, record=False)
    with pytest.raises(RuntimeError, match=r"events at 5\.000 ms: time stands still; is"):
        cluster.run_for(1000)
    assert 100_000 <= cluster.events < 150_000
    assert cluster.now == 5.0
    assert not cluster.run(max_events=500)  # a smaller bound is kept, and nothing is broken
    assert cluster.now == 5.0


def test_handlers_run_once_for_each_event_whoever_looks_at_the_trace() -> None:
    class Counted(PythonBully):
        handled = 0

        def _handle(self, *given: Any) -> Any:
            Counted.handled += 1
            return super()._handle(*given)

    cluster = el.Cluster(Counted(4), seed=5)
    cluster.run_until_leader(agreed=True)
    handled = Counted.handled
    assert handled > 10
    assert len(cluster.trace) > handled
    assert Counted.handled == handled
