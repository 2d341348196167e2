"""Driving and looking at a cluster: each method does what it says, and is seen to."""

from __future__ import annotations

import copy
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ENGINE, messages_in_flight, settled, whole_state

import electionlab as el

# --- running --------------------------------------------------------------------------------------


def test_step_is_one_event_with_names() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    events = [cluster.step() for _ in range(40)]
    assert [e.step for e in events if e] == list(range(1, 41))
    assert cluster.events == cluster.last_event == 40
    kinds = {e.kind for e in events if e}
    assert {"start", "timer", "deliver"} <= kinds
    for event in events:
        assert event is not None
        assert event.at_ms <= cluster.now
        assert 1 <= event.node <= 3
        if event.kind == "deliver":
            assert event.message > 0
            assert 1 <= event.peer <= 3
            assert event.message_kind in cluster.trace.message_kinds
            assert f"message_kind='{event.message_kind}'" in repr(event)
        else:
            assert (event.message, event.message_kind, event.peer) == (-1, "", 0)
        assert (event.timer != "") == (event.kind == "timer")
        assert (event.reason, event.action) == ("", "")
        assert event.role in ("follower", "candidate", "leader")
    drop = cluster.drop(messages_in_flight(cluster)[0])
    assert (drop.kind, drop.reason) == ("drop", "by_hand")
    crash = cluster.crash(2)
    assert (crash.kind, crash.action, crash.role, crash.node) == ("action", "crash", "down", 2)
    for name in dir(el.Event):
        if not name.startswith("_"):
            assert getattr(el.Event, name).__doc__, name
    for name in dir(el.PendingEvent):
        if not name.startswith("_"):
            assert getattr(el.PendingEvent, name).__doc__, name


def test_run_to_a_time() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    assert cluster.run(400.5) is False
    assert cluster.now == 400.5
    assert cluster.pending[0].at_ms > 400.5
    assert cluster.run(cluster.now) is False
    assert cluster.run(np.float64(401)) is False
    assert cluster.now == 401.0
    events = cluster.events
    cluster.run_for(49.25)
    assert cluster.now == 450.25
    assert cluster.events > events
    with pytest.raises(ValueError, match=r"until=450: must not lie in the past; it is 450.25 ms"):
        cluster.run(450)


def test_run_for_so_many_events() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    assert cluster.run(max_events=17) is False
    assert cluster.events == 17
    cluster.run(max_events=0)
    assert cluster.events == 17
    now = cluster.now
    cluster.run(100_000, max_events=5)
    assert cluster.events == 22
    assert now <= cluster.now < 100_000
    cluster.run_for(100_000, max_events=3)
    assert cluster.events == 25


def test_run_to_a_condition() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    seen: list[int] = []

    def candidate(c: el.Cluster) -> bool:
        assert c is cluster
        seen.append(c.events)
        return any(node.role == "candidate" for node in c.nodes)

    assert cluster.run(candidate) is True
    assert seen == list(range(cluster.events + 1))
    assert [n.role for n in cluster.nodes].count("candidate") == 1
    events = cluster.events
    assert cluster.run(candidate) is True  # holds already
    assert cluster.events == events
    assert cluster.run(lambda c: False, max_events=10) is False
    assert cluster.events == events + 10
    assert cluster.run(lambda c: False, max_events=1000, stop="leader") is True
    assert cluster.leader


def test_run_to_an_outcome() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    assert cluster.run(stop="no_leader")
    assert cluster.events == 0
    assert cluster.run(stop="leader")
    assert cluster.acting_leaders == 1
    assert not cluster.agreed
    assert cluster.run(stop="agreement")
    assert cluster.agreed
    assert [n.leader for n in cluster.nodes] == 3 * [cluster.leader]
    cluster.at(cluster.now + 100, el.crash("leader"))
    assert cluster.run_for(1000, stop="no_leader")
    assert cluster.acting_leaders == 0
    assert not cluster.run(cluster.now + 500, stop="violation")
    split = settled(el.Bully(4), one_leader_at_a_time=True)
    split.partition([1, 2], [3, 4])
    assert split.run_for(5000, stop="violation")
    assert split.violations()[-1]["invariant"] == "one_leader_at_a_time"
    assert split.acting_leaders == 2


@pytest.mark.parametrize("protocol", ENGINE)
def test_run_until_leader(protocol: Any) -> None:
    cluster = el.Cluster(protocol(4), seed=3)
    assert cluster.leader is None
    assert "no leader" in repr(cluster)
    leader = cluster.run_until_leader()
    assert isinstance(leader, el.Leader)
    assert leader
    assert leader.node == cluster.leader
    assert leader.at_ms == cluster.now
    assert cluster.node(leader.node).role == "leader"
    assert leader.epoch == cluster.node(leader.node).epoch
    assert f"leader={leader.node}" in repr(cluster)
    assert cluster.run_until_leader() == leader
    agreed = cluster.run_until_leader(agreed=True)
    assert agreed
    assert {n.leader for n in cluster.nodes} == {cluster.leader}
    now = cluster.now
    for node in range(1, 5):
        cluster.crash(node)
    nobody = cluster.run_until_leader(250)
    assert isinstance(nobody, el.NoLeader)
    assert not nobody
    assert nobody.reason == "no leader is possible: no node is up"
    assert nobody.at_ms == cluster.now == now + 250


def test_no_leader_says_why() -> None:
    two = el.Cluster(el.Raft(2), seed=1)
    assert two.run_until_leader()
    two.crash("leader")
    assert "1 node is up, and a quorum of 2 needs 2" in str(two.run_until_leader(100))
    short = el.Cluster(el.Raft(3), seed=1).run_until_leader(20)
    assert short.reason == "no leader within 20 ms"  # type: ignore[union-attr]
    few = el.Cluster(el.Raft(3), seed=1).run_until_leader(max_events=4)
    assert few.reason == "no leader within 4 events"  # type: ignore[union-attr]


# --- messages and timers by hand ------------------------------------------------------------------


def in_flight() -> el.Cluster:
    cluster = el.Cluster(el.Raft(3), seed=1)
    cluster.run(lambda c: len(messages_in_flight(c)) == 2)
    return cluster


def test_pending_tells_what_comes() -> None:
    cluster = in_flight()
    cluster.at(900, el.crash(2))
    pending = cluster.pending
    assert [p.at_ms for p in pending] == sorted(p.at_ms for p in pending)
    assert {p.kind for p in pending} == {"message", "timer", "action"}
    for entry in pending:
        if entry.kind == "message":
            assert entry.fields == {"term": 1, "last_log": {"term": 0, "index": 0}}
            assert entry.sent_ms == cluster.now
            assert (entry.message_kind, entry.timer) == ("VoteRequest", "")
        elif entry.kind == "timer":
            assert entry.at_ms == cluster.node(entry.node).timers_due_ms[entry.timer]
            assert (entry.message, entry.sent_ms) == (-1, None)
        else:
            assert entry.fields == {"action": "crash", "node": 2}
            assert entry.at_ms == 900
    while cluster.pending and cluster.now < 900:
        first = cluster.pending[0]
        event = cluster.step()
        assert event is not None
        assert event.at_ms == first.at_ms
        if first.kind == "message":
            assert (event.node, event.message) == (first.node, first.message)


@pytest.mark.parametrize("given", ["number", "entry"])
def test_deliver_drop_duplicate_delay(given: str) -> None:
    cluster = in_flight()
    first, second = messages_in_flight(cluster)

    def name(entry: el.PendingEvent) -> Any:
        return entry if given == "entry" else entry.message

    now = cluster.now
    event = cluster.deliver(name(second))
    assert (event.kind, event.node, event.message) == ("deliver", second.node, second.message)
    assert cluster.now == now
    assert cluster.node(second.node)["voted_for"] == second.peer
    assert second.message not in [p.message for p in messages_in_flight(cluster)]
    cluster.delay(name(first), 40)
    moved = next(p for p in cluster.pending if p.message == first.message)
    assert moved.at_ms == pytest.approx(first.at_ms + 40)
    cluster.duplicate(name(first))
    copies = [p for p in cluster.pending if p.message == first.message]
    assert len(copies) == 2
    dropped = cluster.drop(name(copies[0]))
    assert dropped.reason == "by_hand"
    assert len([p for p in cluster.pending if p.message == first.message]) == 1
    cluster.drop(name(copies[1]))
    with pytest.raises(ValueError, match=f"message={first.message}: is not in flight"):
        cluster.drop(name(first))


def test_fire_a_timer() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    cluster.run(max_events=3)
    event = cluster.fire(2, "election")
    assert (event.kind, event.node, event.timer, event.role) == (
        "timer", 2, "election", "candidate",
    )  # fmt: skip
    timer = next(p for p in cluster.pending if p.kind == "timer" and p.node == 3)
    assert cluster.fire(timer).node == 3
    timer = next(p for p in cluster.pending if p.kind == "timer" and p.node == 1)
    assert cluster.deliver(timer).role == "candidate"
    assert cluster.now == 0.0
    message = messages_in_flight(cluster)[0]
    for wrong in (
        lambda: cluster.fire(message),
        lambda: cluster.drop(timer),
        lambda: cluster.fire(timer, "election"),
        lambda: cluster.fire(1),
    ):
        with pytest.raises(ValueError, match="must be"):
            wrong()


def test_adversary_can_keep_a_leader_away() -> None:
    """Whoever stands, its requests are lost; as long as one likes."""
    cluster = el.Cluster(el.Raft(3), seed=1)
    for _ in range(300):
        for message in messages_in_flight(cluster):
            cluster.drop(message)
        cluster.step()
    assert cluster.leader is None
    assert cluster.metrics["epochs_won"] == 0
    assert cluster.metrics["epochs_stood"] > 5
    assert cluster.run_until_leader()


# --- looking --------------------------------------------------------------------------------------


def test_node_by_field() -> None:
    cluster = settled(el.Raft(3))
    leader = cluster.node(cluster.leader)  # type: ignore[arg-type]
    assert (leader.role, leader.kind, leader.epoch) == ("leader", "member", 1)
    assert leader["current_term"] == leader.disk["current_term"] == 1
    assert len(leader["votes"]) >= 2
    assert leader.clock_ms == cluster.now
    assert list(leader.timers_due_ms) == ["heartbeat"]
    assert [n.node for n in cluster.nodes] == [1, 2, 3]
    assert cluster.node(np.int64(2)) == cluster.node(2)
    with pytest.raises(KeyError, match="'trem': this node has current_term, voted_for"):
        leader["trem"]
    assert cluster.view(leader.node) == ("leader", leader.node, 1)
    assert cluster.live_members == 3


def test_metrics_and_reports_are_tables() -> None:
    cluster = settled(el.Raft(3))
    before = dict(cluster.metrics)
    cluster.crash("leader")
    cluster.run_until_leader(agreed=True)
    after = cluster.metrics
    assert after["leader_changes"] == before["leader_changes"] + 1
    assert after["elapsed_ms"] == cluster.now
    assert after["messages"]["sent"] > before["messages"]["sent"]
    assert len(after["failovers"]) == 1
    [failover] = cluster.failovers()
    assert failover["by_fault"]
    assert failover["successor"] == cluster.leader
    assert failover["until_agreed_ms"] == pytest.approx(cluster.now - failover["lost_ms"])
    assert cluster.fault_report["actions"]["crash"] == {"asked": 1, "effective": 1}
    cluster.heal()
    assert cluster.fault_report["actions"]["heal"] == {"asked": 1, "effective": 0}
    assert "<table>" in after._repr_html_()
    assert after["seed"] == cluster.fault_report["seed"] == cluster.seed == 7
    assert "leader_changes" in after._repr_html_()
    assert f"<td>{cluster.leader}</td>" in cluster._repr_html_()


def test_observers_hear_every_event_until_they_leave() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    heard: list[int] = []
    also: list[str] = []
    leave = cluster.observe(lambda e: heard.append(e.step))
    leave_too = cluster.observe(lambda e: also.append(e.kind))
    cluster.step()
    cluster.run(max_events=10)
    cluster.run_for(400)
    cluster.crash(1)
    cluster.run_until_leader()
    cluster.run(lambda c: False, max_events=3)
    assert heard == list(range(1, cluster.events + 1))
    assert len(also) == cluster.events
    assert "action" in also
    leave()
    count = len(heard)
    cluster.step()
    assert len(heard) == count
    assert len(also) == cluster.events
    leave_too()
    leave_too()
    cluster.step()
    cluster.run(max_events=5)
    assert len(also) == cluster.events - 6
    plain = el.Cluster(el.Raft(3), seed=1)
    plain.run(max_events=10)
    assert "step" not in vars(plain)


def test_observer_may_act_but_not_go_back() -> None:
    cluster = el.Cluster(el.Raft(5), seed=1)

    def assassin(event: el.Event) -> None:
        if event.kind != "action" and event.role == "leader":
            cluster.crash(event.node, restart_after_ms=100)

    leave = cluster.observe(assassin)
    cluster.run_for(3000)
    leave()
    assert cluster.metrics["leaderships"] > 5
    assert cluster.fault_report["actions"]["crash"]["effective"] == cluster.metrics["leaderships"]
    assert whole_state(cluster.trace.replay()) == whole_state(cluster)
    state = whole_state(cluster)
    cluster.step()
    cluster.undo()
    assert whole_state(cluster) == state
    cluster.observe(lambda e: cluster.undo())
    with pytest.raises(ValueError, match="a run that is under way cannot go back"):
        cluster.run_for(100)


def test_seed_fixes_everything_and_is_told() -> None:
    one = el.Cluster(el.Raft(5))
    two = el.Cluster(el.Raft(5))
    assert one.seed != two.seed
    again = el.Cluster(el.Raft(5), seed=one.seed)
    for cluster in (one, again):
        cluster.run_for(1000)
    assert one.trace.hash() == again.trace.hash()
    assert f"seed={one.seed}" in repr(one)
    sequence = np.random.SeedSequence(5)
    assert (
        el.Cluster(el.Raft(3), seed=sequence).seed
        == el.Cluster(el.Raft(3), seed=np.random.SeedSequence(5)).seed
        != el.Cluster(el.Raft(3), seed=np.random.SeedSequence(6)).seed
    )


def test_names_for_a_shell() -> None:
    assert set(el.__all__) <= set(dir(el))
    assert len(set(el.__all__)) == len(el.__all__)
    space: dict[str, Any] = {}
    exec("from electionlab import *", space)
    assert set(el.__all__) <= set(space)
    assert "np" not in space
    assert {"Raft", "Bully", "Ring", "Cluster"} <= set(el.__all__)
    for name in dir(el.Cluster):
        if not name.startswith("_"):
            assert getattr(el.Cluster, name).__doc__, name
    assert repr(el.Raft(5)) == "Raft(nodes=5)"
    assert repr(el.Raft(3, election_timeout_ms=(10, 20), heartbeat_interval_ms=5)) == (
        "Raft(nodes=3, election_timeout_ms=(10, 20), heartbeat_interval_ms=5)"
    )
    assert "election_timeout_ms: Range of the election timeout" in (el.Raft.__doc__ or "")
    assert repr(el.crash(3)) == "crash(node=3)"
    assert repr(el.exponential(3)) == "exponential(mean_ms=3.0)"
    assert repr(el.normal(9, 2, min_ms=1)) == "normal(mean_ms=9.0, deviation_ms=2.0, min_ms=1.0)"


ACTIONS = [
    el.crash(3),
    el.crash("leader", restart_after_ms=5.5, lose_disk=True),
    el.restart("random", lose_disk=True),
    el.pause(1, resume_after_ms=3),
    el.resume(1),
    el.partition([1, 2], [3]),
    el.cut(1, 2),
    el.cut([1, 2], 3, both_ways=True),
    el.mend(1, [2, 3]),
    el.heal(),
    el.link(el.Link(loss_probability=0.5, one_way_delay_ms=(1, 2), fifo=True)),
    el.link(el.Link(one_way_delay_ms=el.lognormal(6, 0.5)), 1, 2, both_ways=False),
    el.clock(2, offset_ms=-3.5, drift_ppm=100),
    el.slow(1, 2.5),
    el.slow("leader", (1, 2)),
    el.disk(1, el.normal(9, 2, min_ms=1)),
    el.disk(1, el.empirical([1, 2, 5])),
    el.deliver(4),
    el.drop(4),
    el.duplicate(4),
    el.delay(4, 2.5),
    el.fire(1, "election"),
    el.fire(1, "suspect", about=2),
    el.command(1, "Write"),
    el.command("leader", "Write", value=[1, {"a": None}], text="x'y"),
    el.command(1, "Write", **{"class": 1, "two words": 2}),
    el.at(5, el.crash(3)),
    el.at(5, el.when(el.pause("trigger"), role="candidate", node=2, occurrence=3)),
    el.when(el.drop(3), message="VoteReply"),
    el.at_random(el.crash("random"), every_ms=400, repair_after_ms=(1, 2), keep_up=3, seed=4),
    el.at_random(el.partition(), every_ms=el.pareto(3, 1.5), repair_after_ms=False),
    el.at_random(el.cut(), every_ms=(5, 9), from_ms=1, until_ms=100),
]


@pytest.mark.parametrize("action", ACTIONS, ids=repr)
def test_repr_of_an_action_is_the_call_that_makes_it(action: el.Action) -> None:
    again = eval(repr(action), {name: getattr(el, name) for name in el.__all__})
    assert type(again) is el.Action
    assert again == action


def test_events_are_equal_when_they_tell_the_same() -> None:
    one, other = (el.Cluster(el.Raft(3), seed=1) for _ in range(2))
    events, same = ([c.step() for _ in range(30)] for c in (one, other))
    assert events == same
    assert len({*events, *same}) == 30
    assert events[3] != events[4]
    assert events[0] != "start"
    assert one.pending == other.pending
    assert len({*one.pending, *other.pending}) == len(one.pending)
    assert one.pending[0] != one.pending[1]
    ring = el.Cluster(el.Ring(3), seed=1, initial_leader=3).step()
    bully = el.Cluster(el.Bully(3), seed=1, initial_leader=3).step()
    assert ring == bully  # whichever protocol it was


def test_engine_internals_are_not_offered() -> None:
    cluster = settled(el.Raft(3))
    names = dir(cluster)
    assert {"run", "crash", "command", "fork", "trace", "metrics", "violations"} <= set(names)
    assert not {"run_engine", "trace_copy", "node_fields", "leader_id", "now_ns"} & set(names)
    assert cluster.leader_id == cluster.leader  # there all the same


class Counting(el.Cluster):
    """A cluster with something of its own."""

    def twice(self) -> int:
        return 2 * self.events


class MyRaft(el.Raft):
    """A protocol with something of its own."""

    def words(self) -> str:
        return "mine"


def test_derived_classes_are_kept(tmp_path: Path) -> None:
    cluster = Counting(MyRaft(3), seed=5)
    cluster.label = "a"  # type: ignore[attr-defined]
    cluster.run(200)
    for other in (cluster.fork(), copy.copy(cluster), pickle.loads(pickle.dumps(cluster))):
        assert type(other) is Counting
        assert (other.twice(), other.label) == (2 * cluster.events, "a")
        assert other.protocol.words() == "mine"
        assert whole_state(other) == whole_state(cluster)
    protocol = pickle.loads(pickle.dumps(MyRaft(3, retry_interval_ms=20)))
    assert (type(protocol), protocol) == (MyRaft, MyRaft(3, retry_interval_ms=20))
    assert copy.deepcopy(el.Raft(3)) == el.Raft(3)
    cluster.trace.save(tmp_path / "run.jsonl")
    loaded = Counting.load(tmp_path / "run.jsonl")
    assert type(loaded) is Counting
    assert loaded.twice() == cluster.twice()


def test_a_run_that_ends_at_once_forgets_nothing() -> None:
    cluster = settled(el.Raft(3))
    cluster.run_for(100)
    last, end = cluster.last_event, whole_state(cluster)
    cluster.undo(5)
    assert cluster.run_until_leader()
    assert cluster.run_until_leader(agreed=True)
    assert cluster.run(cluster.now) is False
    assert cluster.run(max_events=0) is False
    assert cluster.run(stop="leader")
    assert cluster.last_event == last
    cluster.seek(last)
    assert whole_state(cluster)["trace"] == end["trace"]
    cluster.undo(5)
    assert cluster.run(cluster.now + 1, max_events=0) is False
    assert cluster.last_event >= cluster.events


# --- threads and signals --------------------------------------------------------------------------


def test_two_clusters_in_two_threads() -> None:
    def work(seed: int, out: dict[int, str]) -> None:
        cluster = el.Cluster(el.Raft(5), seed=seed)
        cluster.run(max_events=60_000)
        out[seed] = cluster.trace.hash()

    alone: dict[int, str] = {}
    together: dict[int, str] = {}
    for seed in range(4):
        work(seed, alone)
    threads = [threading.Thread(target=work, args=(seed, together)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_long_run_leaves_other_threads_alone() -> None:
    cluster = el.Cluster(el.Raft(5), seed=1, record=False)
    thread = threading.Thread(target=lambda: cluster.run(max_events=4_000_000))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        time.sleep(0.001)
    thread.join()
    assert turns > 20


def test_cluster_that_runs_elsewhere_is_refused_not_broken() -> None:
    cluster = el.Cluster(el.Raft(5), seed=1, record=False)
    thread = threading.Thread(target=lambda: cluster.run(max_events=3_000_000))
    thread.start()
    refusals, said = 0, set()
    while thread.is_alive():
        for look in (cluster.step, cluster.fork, lambda: cluster.pending, lambda: cluster.node(1)):
            try:
                look()
            except ValueError as error:
                said.add(str(error))
                refusals += 1
    thread.join()
    assert refusals > 10
    assert len(said) == 1
    assert "another thread runs it" in said.pop()
    assert cluster.pending


@pytest.mark.parametrize(
    "make",
    [
        lambda: el.Cluster(el.Raft(5), seed=1),
        lambda: el.Cluster(el.Raft(5), seed=1, record=False),
        lambda: el.Cluster(el.Bully(1500), seed=1, record=False),
    ],
    ids=["recorded", "unrecorded", "large"],
)
def test_interrupt_is_heard_soon_and_loses_nothing(make: Any) -> None:
    cluster = make()

    def ring(*_: Any) -> None:
        raise KeyboardInterrupt

    # In processor time, of which other programs take nothing.
    before = signal.signal(signal.SIGPROF, ring)
    due = time.process_time() + 0.25
    signal.setitimer(signal.ITIMER_PROF, 0.25)
    try:
        with pytest.raises(KeyboardInterrupt):
            cluster.run(max_events=10**9)
        late = time.process_time() - due
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    assert late < 0.2
    events = cluster.events
    assert events > 0
    cluster.run(max_events=10)
    assert cluster.events == events + 10
    if cluster.records:
        cluster.undo(20)
        assert cluster.events == events - 10


def test_control_c_in_a_program() -> None:
    program = """
        import signal
        import electionlab as el
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
        cluster = el.Cluster(el.Raft(5), seed=1, record=False)
        print("ready", flush=True)
        try:
            cluster.run(max_events=10**12)
        except KeyboardInterrupt:
            events = cluster.events
            cluster.run(max_events=5)
            print("usable", cluster.events == events + 5)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "usable True\n"
    assert time.monotonic() - sent < 5
    assert process.wait(10) == 0
    process.stdout.close()


def test_a_cluster_that_is_not_made_yet_is_refused() -> None:
    class Early(el.Cluster):
        def __init__(self) -> None:
            assert self.now == 0
            super().__init__(el.Raft(3))

    with pytest.raises(ValueError, match="cluster=an unfinished one"):
        Early()
    bare = el.Cluster.__new__(el.Cluster)
    for use in (bare.step, bare.fork, lambda: bare.now, lambda: bare.run(until=5)):
        with pytest.raises(ValueError, match="call super"):
            use()


def test_a_protocol_that_changes_later_leaves_its_cluster_alone(tmp_path: Path) -> None:
    raft = el.Raft(3)
    cluster = el.Cluster(raft, seed=1)
    raft.options["election_timeout_ms"] = (10, 20)
    raft.nodes = 9
    cluster.run(until=300)
    cluster.trace.save(tmp_path / "run.jsonl")
    again = el.Cluster.load(tmp_path / "run.jsonl")
    assert again.trace.hash() == cluster.trace.hash()
    assert cluster.protocol == el.Raft(3)
