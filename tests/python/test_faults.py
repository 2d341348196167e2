"""Every fault, by each of its ways: now, at a time, at a condition, at random; and its counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import messages_in_flight, rows, settled, whole_state

import electionlab as el


def took(cluster: el.Cluster, kind: str) -> int:
    counts = cluster.fault_report["actions"].get(kind, {"effective": 0})
    return int(counts["effective"])


# --- each fault now -------------------------------------------------------------------------------


def test_crash_loses_memory_and_restart_brings_the_disk_back() -> None:
    cluster = settled(el.Raft(3))
    leader = cluster.leader
    event = cluster.crash()
    assert (event.node, event.role, event.action) == (leader, "down", "crash")
    node = cluster.node(leader)  # type: ignore[arg-type]
    assert node.role == "down"
    assert node.timers_due_ms == {}
    assert node.memory["votes"] == []
    assert node.durable["current_term"] == 1
    cluster.run_until_leader()
    cluster.restart(leader)  # type: ignore[arg-type]
    assert cluster.node(leader)["voted_for"] == leader  # type: ignore[arg-type]
    assert took(cluster, "restart") == 1
    assert cluster.run_until_leader(agreed=True)
    assert cluster.live_members == 3


def test_restart_after_and_lost_disk() -> None:
    cluster = settled(el.Raft(3))
    cluster.crash(2, restart_after_ms=50, lose_disk=True)
    now = cluster.now
    cluster.run(lambda c: c.node(2).role != "down")
    assert cluster.now == pytest.approx(now + 50)
    assert cluster.node(2)["current_term"] == 0
    assert cluster.fault_report["disks_lost"] == 1
    cluster.crash(3)
    cluster.restart(3, lose_disk=True)
    assert cluster.fault_report["disks_lost"] == 2


def test_pause_holds_events_until_resume() -> None:
    cluster = settled(el.Raft(3))
    old = cluster.run_until_leader()
    assert old
    cluster.pause("leader")
    assert cluster.node(old.node).role == "paused"
    assert cluster.leader is None
    new = cluster.run_until_leader()
    assert new
    assert new.epoch > old.epoch
    cluster.run_for(100)
    assert cluster.node(old.node)["current_term"] == old.epoch
    assert cluster.fault_report["events_held_by_pause"] > 0
    cluster.resume(old.node)
    assert cluster.node(old.node).role == "leader"  # it does not know yet
    cluster.run_for(1)
    assert cluster.node(old.node)["current_term"] >= new.epoch
    cluster.pause(1, resume_after_ms=20)
    cluster.run_for(25)
    assert cluster.node(1).role != "paused"


def test_partition_cuts_between_groups_only() -> None:
    cluster = settled(el.Raft(5))
    cluster.partition({1, 2}, [3, 4])
    cut = {(a, b) for a in range(1, 6) for b in range(1, 6) if cluster.is_cut(a, b)}
    assert cut == {(a, b) for a in (1, 2) for b in (3, 4)} | {
        (a, b) for a in (3, 4) for b in (1, 2)
    }
    cluster.crash(5)
    cluster.run_for(1000)
    assert cluster.metrics["messages"]["dropped"]["cut"] > 0
    assert cluster.leader is None  # two and two of five
    cluster.restart(5)
    cluster.heal()
    assert not any(cluster.is_cut(a, b) for a in range(1, 6) for b in range(1, 6))
    assert cluster.run_until_leader(agreed=True)


def test_three_sided_and_one_node_partitions() -> None:
    cluster = settled(el.Raft(5))
    cluster.partition([1], [2], [3, 4, 5])
    assert cluster.is_cut(1, 2)
    assert cluster.is_cut(2, 5)
    assert not cluster.is_cut(3, 4)
    cluster.heal()
    cluster.isolate(np.int64(4))  # type: ignore[arg-type]
    assert all(cluster.is_cut(4, n) and cluster.is_cut(n, 4) for n in (1, 2, 3, 5))
    assert not cluster.is_cut(1, 2)


def test_cut_and_mend_are_one_way_unless_told() -> None:
    for make in (
        lambda c, *a, **k: c.cut(*a, **k),
        lambda c, *a, **k: c.act(el.cut(*a, **k)),
    ):
        cluster = settled(el.Raft(4))
        make(cluster, 1, 2)
        assert (cluster.is_cut(1, 2), cluster.is_cut(2, 1)) == (True, False)
        make(cluster, [3], (1, 4), both_ways=True)
        assert all(cluster.is_cut(*ends) for ends in [(3, 1), (1, 3), (3, 4), (4, 3)])
        cluster.mend(3, 1)
        assert (cluster.is_cut(3, 1), cluster.is_cut(1, 3)) == (False, True)
        cluster.act(el.mend(3, {1, 4}, both_ways=True))
        assert not cluster.is_cut(1, 3)
        assert cluster.is_cut(1, 2)


def test_messages_on_the_way_are_lost_in_a_cut() -> None:
    cluster = settled(el.Raft(3))
    cluster.run(lambda c: len(messages_in_flight(c)) > 0)
    flying = messages_in_flight(cluster)[0]
    cluster.cut(flying.peer, flying.node)
    cluster.run_for(50)
    [lost] = [r for r in rows(cluster.trace, kind="drop") if r["message"] == flying.message]
    assert lost["reason"] == "cut"


def test_set_link_for_all_and_for_some() -> None:
    cluster = settled(el.Raft(3))
    cluster.set_link(el.Link(one_way_delay_ms=33))
    cluster.run_for(1)
    assert cluster.run(lambda c: any(m.sent_ms == c.now for m in messages_in_flight(c)))
    fresh = [m for m in messages_in_flight(cluster) if m.sent_ms == cluster.now]
    assert all(m.at_ms == pytest.approx(m.sent_ms + 33) for m in fresh)  # type: ignore[operator]
    cluster.set_link(el.Link(loss_probability=1.0), 1, [2, 3], both_ways=False)
    cluster.run_for(1500)
    lost = rows(cluster.trace, kind="drop", reason="loss")
    assert len(lost) > 3
    assert {row["peer"] for row in lost} == {1}
    cluster.set_link(el.Link(loss_probability=0.0))
    assert cluster.run_until_leader(agreed=True)


def test_loss_duplication_reordering_and_fifo_show_in_the_counts() -> None:
    quiet = settled(el.Raft(5))
    quiet.run_for(2000)
    report = dict(quiet.fault_report)
    assert report.pop("seed") == quiet.seed
    report.pop("actions")
    assert set(report.values()) == {0}
    cases: list[tuple[el.Network, str]] = [
        (el.Network(loss_probability=0.1), "messages_lost"),
        (el.Network(duplicate_probability=0.1), "messages_duplicated"),
        (el.Network(reorder_probability=0.1, reorder_delay_ms=(60, 90)), "messages_held_up"),
        (el.Network(reorder_probability=0.1, reorder_delay_ms=(60, 90)), "messages_overtaken"),
    ]
    for network, count in cases:
        cluster = el.Cluster(el.Raft(5), network=network, seed=2)
        cluster.run_for(2000)
        assert cluster.fault_report[count] > 10, count
    sent, order = {}, []
    cluster = el.Cluster(
        el.Raft(3), network=el.Network(one_way_delay_ms=(1, 200), fifo=True), seed=2
    )
    cluster.run_for(20_000)
    for row in rows(cluster.trace, kind="send"):
        sent[row["message"]] = row
    for row in rows(cluster.trace, kind="deliver"):
        order.append((row["peer"], row["node"], row["message"]))
    assert len(order) > 100
    for ends in {entry[:2] for entry in order}:
        numbers = [n for *link, n in order if tuple(link) == ends]
        assert numbers == sorted(numbers)


def test_a_link_of_its_own() -> None:
    network = el.Network(one_way_delay_ms=5, links={(1, 2): el.Link(one_way_delay_ms=50)})
    cluster = el.Cluster(el.Bully(2), network=network, seed=1)
    cluster.run_for(500)
    sends = rows(cluster.trace, kind="send")
    delays = {(r["node"], r["other_ns"] - r["time_ns"]) for r in sends}
    assert delays == {(1, 50_000_000), (2, 5_000_000)}


def test_clock_slow_and_disk() -> None:
    cluster = settled(el.Raft(3))
    now = cluster.now
    due = cluster.node(1).timers_due_ms
    cluster.set_clock(1, offset_ms=250, drift_ppm=200_000)
    assert cluster.node(1).clock_ms == pytest.approx(now + 250)
    for timer, at in cluster.node(1).timers_due_ms.items():
        assert at == pytest.approx(now + (due[timer] - now) / 1.2, abs=1e-3)
    cluster.crash("leader")
    slow, writer = [n.node for n in cluster.nodes if n.role != "down"]
    cluster.slow(slow, 30)
    cluster.set_disk(writer, (40, 50))
    cluster.set_clock(writer, drift_ppm=5000)
    cluster.run_for(2000)
    assert cluster.fault_report["events_held_by_load"] > 0
    assert cluster.fault_report["timers_on_odd_clocks"] > 0
    writes = [r for r in rows(cluster.trace, kind="write", node=writer) if "other_ns" in r]
    assert writes
    assert all(40e6 <= r["other_ns"] - r["time_ns"] <= 150e6 for r in writes)
    assert rows(cluster.trace, kind="wait", node=slow)


def test_a_clock_is_set_in_part() -> None:
    cluster = settled(el.Raft(3))
    now = cluster.now
    cluster.set_clock(2, offset_ms=30)
    cluster.set_clock(2, drift_ppm=500_000)
    assert cluster.node(2).clock_ms == pytest.approx(now + 30)
    cluster.run_for(100)
    assert cluster.node(2).clock_ms == pytest.approx(now + 180)
    cluster.set_clock(2, offset_ms=0)
    cluster.run_for(10)
    assert cluster.node(2).clock_ms == pytest.approx(now + 115)
    cluster.act(el.clock(2, drift_ppm=0))
    cluster.run_for(10)
    assert cluster.node(2).clock_ms == pytest.approx(now + 125)
    with pytest.raises(ValueError, match="offset_ms, a drift_ppm or both"):
        cluster.set_clock(2)


def test_pending_tells_what_waits_and_why() -> None:
    cluster = settled(el.Raft(3, heartbeat_interval_ms=20))
    leader = cluster.leader
    assert leader is not None
    other = leader % 3 + 1
    cluster.pause(other)
    cluster.run_for(70)
    held = [e for e in cluster.pending if e.kind == "waiting"]
    assert len(held) >= 3
    assert {(e.node, e.peer, e.waits, e.at_ms) for e in held} == {(other, leader, "paused", None)}
    assert {e.message_kind for e in held} == {"Heartbeat"}
    assert "at_ms=None" in repr(held[0])
    assert "waits='paused'" in repr(held[0])
    assert all(e.waits == "" for e in cluster.pending if e.kind != "waiting")
    for refused in (cluster.drop, cluster.deliver, cluster.duplicate, cluster.peek):
        with pytest.raises(ValueError, match="in its turn only"):
            refused(held[0])
    with pytest.raises(ValueError, match=rf"arrived at node {other}, where it waits its turn"):
        cluster.drop(held[0].message)
    cluster.resume(other)
    first = cluster.pending[0]
    assert (first.kind, first.message, first.at_ms) == ("waiting", held[0].message, cluster.now)
    assert cluster.peek(first) == cluster.peek()
    event = cluster.step()
    assert event is not None
    assert (event.kind, event.message) == ("deliver", held[0].message)


def test_faults_before_the_start() -> None:
    cluster = el.Cluster(el.Raft(3), seed=1, actions=[el.crash(3), el.pause(2)])
    assert took(cluster, "crash") == took(cluster, "pause") == 1
    cluster.run_for(2000)
    assert [n.role for n in cluster.nodes[1:]] == ["down", "down"]
    assert cluster.leader is None
    cluster.resume(2)
    leader = cluster.run_until_leader()
    assert leader
    assert leader.node != 3
    cluster.restart(3)
    assert cluster.run_until_leader(agreed=True)
    assert cluster.live_members == 3
    assert whole_state(cluster.trace.replay()) == whole_state(cluster)
    for action in (el.crash("leader"), el.pause("random"), el.fire(1, "election"), el.restart(1)):
        with pytest.raises(ValueError, match=r"actions=.*before the first event"):
            el.Cluster(el.Raft(3), actions=[action])


def test_one_default_for_the_ways_of_a_cut() -> None:
    ends = {"from": [1], "to": [2]}
    cluster = settled(el.Raft(3))
    cluster.act({"action": "cut", **ends})
    assert (cluster.is_cut(1, 2), cluster.is_cut(2, 1)) == (True, False)
    cluster.cut(2, 1)
    cluster.act({"action": "mend", **ends})
    assert (cluster.is_cut(1, 2), cluster.is_cut(2, 1)) == (False, True)


def test_crash_in_a_write_loses_it() -> None:
    cluster = el.Cluster(el.Raft(3), machine=el.Machine(write_delay_ms=20), seed=3)
    cluster.run(lambda c: any(n.role == "candidate" for n in c.nodes))
    [candidate] = [n.node for n in cluster.nodes if n.role == "candidate"]
    cluster.crash(candidate)
    assert cluster.node(candidate).durable["current_term"] == 0
    assert cluster.fault_report["writes_lost"] == 1
    assert cluster.fault_report["messages_unsent"] == 2
    assert cluster.metrics["messages"]["dropped"]["sender_crashed"] == 2


# --- at a time, at a condition, at random ---------------------------------------------------------

FAULTS: dict[str, Callable[[], el.Action]] = {
    "crash": lambda: el.crash(2),
    "pause": lambda: el.pause(2),
    "partition": lambda: el.partition([1], [2, 3]),
    "cut": lambda: el.cut(1, 2),
    "link": lambda: el.link(el.Link(loss_probability=0.9)),
    "clock": lambda: el.clock(2, drift_ppm=1000.0),
    "slow": lambda: el.slow(2, 5),
    "disk": lambda: el.disk(2, 5),
    "fire": lambda: el.fire(2, "election"),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("start", ["argument", "method"])
def test_fault_at_a_time(kind: str, start: str) -> None:
    action = el.at(123.5, FAULTS[kind]())
    cluster = el.Cluster(el.Raft(3), seed=1, actions=[action] if start == "argument" else [])
    if start == "method":
        cluster.run_for(10)
        cluster.at(123.5, FAULTS[kind]())
    cluster.run(123.4)
    assert took(cluster, kind) == 0
    cluster.run(130)
    assert took(cluster, kind) == 1
    done = list(rows(cluster.trace, kind="action", action=kind))
    assert [r["time_ns"] for r in done] == [123_500_000]


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_a_condition(kind: str) -> None:
    cluster = el.Cluster(el.Raft(3), seed=1)
    cluster.when(FAULTS[kind](), role="leader")
    cluster.run(stop="leader", max_events=10_000)
    now = cluster.now
    assert took(cluster, kind) == 0
    event = cluster.step()
    assert event is not None
    assert (event.action or event.kind, cluster.now) == (
        "timer" if kind == "fire" else kind,
        now,
    ) or (kind == "fire")
    assert cluster.fault_report["actions"][kind]["asked"] == 1


def test_conditions_of_each_kind() -> None:
    base = {"seed": 1, "network": el.Network(one_way_delay_ms=5)}
    cluster = el.Cluster(
        el.Raft(3), actions=[el.when(el.crash("trigger"), role="candidate")], **base
    )
    cluster.run_for(400)
    first = rows(cluster.trace, kind="action")[0]
    assert first["node"] == next(r["node"] for r in rows(cluster.trace, kind="view",
                                                         role="candidate"))  # fmt: skip
    second = el.Cluster(el.Raft(3), seed=1)
    second.when(el.pause("leader"), message="Heartbeat", occurrence=5)
    second.run(lambda c: took(c, "pause") == 1, max_events=10_000)
    assert len(rows(second.trace, kind="send", message_kind="Heartbeat")) >= 5
    third = el.Cluster(el.Raft(3), seed=1)
    third.when(el.crash("leader", restart_after_ms=10), role="leader")
    third.when(el.partition([1], [2, 3]), epoch=2, node=2)
    third.run_for(2000)
    assert third.is_cut(1, 2)
    assert third.node(2)["current_term"] >= 2


RANDOM: dict[str, tuple[Any, str]] = {
    "crash": (lambda: el.crash("random"), "restart"),
    "pause": (lambda: el.pause("random"), "resume"),
    "partition": (el.partition, "mend"),
    "cut": (el.cut, "mend"),
    "clock": (lambda: el.clock("random", drift_ppm=1e5), "clock"),
    "slow": (lambda: el.slow("random", 3), "slow"),
    "link": (lambda: el.link(el.Link(loss_probability=0.5)), "link"),
}


@pytest.mark.parametrize("kind", RANDOM)
def test_fault_at_random_and_its_repair(kind: str) -> None:
    action, repair = RANDOM[kind]

    def run(seed: int, plan_seed: int | None = None) -> el.Cluster:
        cluster = el.Cluster(el.Raft(5), seed=seed)
        cluster.at_random(
            action(), every_ms=100, repair_after_ms=(20, 40), from_ms=500, until_ms=3000,
            keep_up=3, seed=plan_seed,
        )  # fmt: skip
        cluster.run_for(4000)
        return cluster

    cluster = run(1)
    assert cluster.fault_report["actions"][kind]["asked"] > 10
    assert took(cluster, kind) > 5
    assert took(cluster, repair) > 5
    times = [r["time_ns"] / 1e6 for r in rows(cluster.trace, kind="action", action=kind)]
    faults = [t for t in times if t < 3000]
    assert min(faults[1:]) >= 500
    assert max(times) < 3100
    assert cluster.live_members == 5
    assert run(1).trace.hash() == cluster.trace.hash()
    assert run(2).trace.hash() != cluster.trace.hash()
    assert run(1, plan_seed=9).trace.hash() != cluster.trace.hash()
    assert whole_state(cluster.trace.replay()) == whole_state(cluster)


def test_random_faults_without_repair_stop_at_keep_up() -> None:
    cluster = el.Cluster(el.Bully(5), seed=1)
    cluster.at_random(el.crash("random"), every_ms=50, repair_after_ms=False, keep_up=2)
    cluster.run_for(3000)
    assert cluster.live_members == 2
    assert took(cluster, "crash") == 3
    assert took(cluster, "restart") == 0
    counts = cluster.fault_report["actions"]["crash"]
    assert counts["asked"] > 20
    assert "of nobody: too few members are up" in str(cluster.trace)
    steps = cluster.trace.columns["step"]
    assert len(set(steps.tolist())) == cluster.events  # every event has a row


def test_targets_by_name() -> None:
    cluster = settled(el.Raft(3))
    leader = cluster.leader
    assert cluster.pause("leader").node == leader
    assert cluster.resume(leader).node == leader  # type: ignore[arg-type]
    assert cluster.crash("follower").node != leader
    assert cluster.restart("random").role != "down"
    for node in (1, 2, 3):
        cluster.crash(node)
    event = cluster.crash("leader")
    assert event.node == 0
    assert cluster.fault_report["actions"]["crash"]["asked"] == 5
    assert took(cluster, "crash") == 4


def test_warm_start_write_modes_and_start_times() -> None:
    warm = el.Cluster(el.Raft(3), initial_leader=2, seed=1)
    warm.run(max_events=3)
    assert warm.leader == 2
    assert warm.run_until_leader(agreed=True).at_ms == 0.0
    late = el.Cluster(el.Raft(3), machines={3: el.Machine(start_ms=700)}, seed=1)
    late.run(699)
    assert late.node(3).role == "down"
    late.run(701)
    assert late.node(3).role == "follower"
    slow = el.Machine(write_delay_ms=120)
    runs = [
        el.Cluster(el.Raft(3), machine=slow, write_mode=mode, seed=1)  # type: ignore[arg-type]
        for mode in ("blocking", "pipelined")
    ]
    for cluster in runs:
        cluster.run_for(5000)
    assert runs[0].fault_report["events_held_by_load"] > 0
    assert runs[1].fault_report["events_held_by_load"] == 0
