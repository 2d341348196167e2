"""The protocols from Python: whoever crashes whenever, the living find one leader and name it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support import ENGINE, FAIL_OVER, ROOT, rows, settled, whole_state

import electionlab as el

GOLDEN = ROOT / "tests/golden/python"


@pytest.mark.parametrize("nodes", range(2, 10))
@pytest.mark.parametrize("protocol", ENGINE)
def test_leader_crash_at_any_moment(protocol: Any, nodes: int) -> None:
    """The first acceptance test: many seeds, any moment, and one live leader that all name."""
    for seed in range(60):
        rng = random.Random(seed)
        cluster = el.Cluster(protocol(nodes), seed=seed, record=False)
        assert cluster.run_until_leader(agreed=True), (protocol, nodes, seed)
        cluster.run_for(rng.uniform(0, 300))
        old = cluster.leader
        cluster.crash("leader")
        new = cluster.run_until_leader(10_000, agreed=True)
        if protocol is el.Raft and nodes == 2:
            assert not new
            assert "a quorum of 2 needs 2" in new.reason
            continue
        assert new, (protocol, nodes, seed, new)
        live = [n for n in cluster.nodes if n.role != "down"]
        assert len(live) == nodes - 1
        assert {n.leader for n in live} == {new.node}
        assert [n.node for n in live if n.role == "leader"] == [new.node]
        assert new.node != old
        assert cluster.violations() == []


@pytest.mark.parametrize("protocol", FAIL_OVER)
def test_every_protocol_that_says_so_replaces_a_crashed_leader(protocol: Any) -> None:
    for nodes in (3, 5):
        for seed in range(5):
            cluster = el.Cluster(protocol(nodes), seed=seed, record=False)
            assert cluster.run_until_leader(120_000, agreed=True), (nodes, seed)
            cluster.run_for(random.Random(seed).uniform(0, 300))
            old = cluster.leader
            cluster.crash("leader")
            new = cluster.run_until_leader(120_000, agreed=True)
            assert new, (nodes, seed, new)
            assert new.node != old
            assert cluster.violations() == []


@pytest.mark.parametrize("nodes", range(2, 10))
@pytest.mark.parametrize("protocol", ENGINE)
def test_leader_crash_in_the_midst_of_the_first_election(protocol: Any, nodes: int) -> None:
    for seed in range(30):
        cluster = el.Cluster(protocol(nodes), seed=seed, record=False)
        cluster.run_for(random.Random(seed).uniform(0, 400))
        cluster.crash("leader" if cluster.leader else 1)
        new = cluster.run_until_leader(10_000, agreed=True)
        if protocol is el.Raft and nodes == 2:
            assert not new
        else:
            assert new, (protocol, nodes, seed, new)
        cluster.restart("random")
        assert cluster.run_until_leader(10_000, agreed=True), (protocol, nodes, seed)


def test_bully_and_ring_elect_the_highest_alive() -> None:
    for protocol in (el.Bully, el.Ring):
        for down in range(4):
            cluster = settled(protocol(5))
            for node in range(5, 5 - down, -1):
                cluster.crash(node)
            assert cluster.run_until_leader(10_000, agreed=True).node == 5 - down


@pytest.mark.parametrize("protocol", [el.LeLann, el.ChangRoberts])
def test_rings_of_ids_take_an_order_and_initiators(protocol: Any) -> None:
    ring = protocol(4, order=(3, 1, 4, 2), initiators=[2])
    assert repr(ring) == f"{protocol.__name__}(nodes=4, order=(3, 1, 4, 2), initiators=(2,))"
    cluster = el.Cluster(ring, seed=3)
    assert cluster.run_until_leader(agreed=True).node == 4
    hops = {(row["node"], row["peer"]) for row in rows(cluster.trace, kind="send")}
    assert hops == {(3, 1), (1, 4), (4, 2), (2, 3)}
    for options, said in [
        ({"order": [1, 2, 3]}, r"order=\[1, 2, 3\]: must hold every node from 1 to 4"),
        (
            {"order": [1, 2, 3, 3]},
            r"order=\[1, 2, 3, 3\]: must hold each node once, and has 3 twice",
        ),
        ({"order": [2**32 + 1, 2, 3, 4]}, "order=4294967297: must be at most"),
        ({"order": [1.0, 2, 3, 4]}, "order=1.0: must be a whole number"),
        ({"initiators": [5]}, r"initiators=\[5\]: must hold nodes from 1 to 4"),
    ]:
        with pytest.raises(ValueError, match=said):
            protocol(4, **options)


def test_catalogue_describes_every_protocol() -> None:
    assert list(el.PROTOCOLS)[:3] == ["raft", "bully", "ring"]
    for name, cls in el.PROTOCOLS.items():
        assert getattr(el, cls.__name__) is cls
        assert cls.name == name
        about = cls.about
        for key in ("title", "source", "assumptions", "cost", "weaknesses"):
            assert about[key]
            assert about[key] in (cls.__doc__ or "")
        protocol = el.make_protocol(name, 3)
        assert protocol == cls(3)
        assert protocol != cls(4)
        assert set(protocol.options) == {o["name"] for o in about["options"]}
        assert el.make_protocol(name, 3, protocol.options) == protocol
        cluster = settled(protocol)
        assert cluster.options() == protocol.options
        fields = [f["name"] for part in ("disk", "memory") for f in about[part]]
        node = cluster.node(1)
        assert [*(node.disk or {}), *(node.memory or {})] == fields
        kinds = {m["name"]: [f["name"] for f in m["fields"]] for m in about["messages"]}
        for row in rows(cluster.trace, kind="send"):
            assert list(row["fields"]) == kinds[row["message_kind"]]


# --- determinism ----------------------------------------------------------------------------------


def golden_runs(name: str) -> dict[str, str]:
    hashes = {}
    for nodes, faults in [(1, False), (3, False), (5, True), (9, True)]:
        cluster = el.Cluster(
            el.make_protocol(name, nodes),
            seed=2014 + nodes,
            network=el.Network(
                one_way_delay_ms=el.lognormal(7, 0.4),
                loss_probability=0.02 * faults,
                duplicate_probability=0.02 * faults,
            ),
            machine=el.Machine(write_delay_ms=el.exponential(1), clock_drift_ppm=(-100, 100)),
            actions=[
                el.at_random(el.crash("random"), every_ms=700, repair_after_ms=200, keep_up=2),
                el.at_random(el.partition(), every_ms=900, repair_after_ms=(100, 300)),
            ]
            * faults,
        )
        cluster.run_for(5000)
        hashes[f"{nodes} nodes, {'faults' if faults else 'calm'}"] = (
            f"{cluster.trace.hash()} after {cluster.events} events"
        )
    cluster = run_with_every_fault(name)
    hashes["5 nodes, every kind of fault"] = f"{cluster.trace.hash()} after {cluster.events} events"
    return hashes


#: Rings and floods that wait for messages only, as set here.
WITHOUT_TIMERS = {
    "chang_roberts", "flood_max", "franklin", "hirschberg_sinclair", "itai_rodeh", "le_lann",
    "peterson",
}  # fmt: skip


def run_with_every_fault(name: str) -> el.Cluster:
    """Each kind of docs/faults.md at least once."""
    cluster = el.Cluster(
        el.make_protocol(name, 5),
        seed=1982,
        network=el.Network(
            one_way_delay_ms=(3, 9),
            loss_probability=0.02,
            duplicate_probability=0.03,
            reorder_probability=0.05,
            reorder_delay_ms=(10, 40),
            links={(1, 2): el.Link(one_way_delay_ms=el.pareto(4, 2.5)), (2, 1): el.Link(fifo=True)},
        ),
        machine=el.Machine(write_delay_ms=(0, 2), timer_lateness_ms=(0, 1), clock_offset_ms=70),
        machines={4: el.Machine(processing_ms=0.5, start_ms=30, clock_drift_ppm=2000)},
        write_mode="pipelined",
        actions=[
            el.at_random(el.crash("random"), every_ms=1200, repair_after_ms=(50, 300), keep_up=3),
            el.at_random(el.pause("random"), every_ms=900, repair_after_ms=(50, 400), keep_up=3),
            el.at_random(el.cut(), every_ms=700, repair_after_ms=(100, 400)),
            el.at_random(el.partition(), every_ms=1500, repair_after_ms=(100, 400)),
            el.at_random(el.slow("random", (2, 12)), every_ms=1000, repair_after_ms=300),
            el.at_random(el.disk("random", (5, 60)), every_ms=1000, repair_after_ms=300),
            el.at_random(el.clock("random", offset_ms=400), every_ms=900, repair_after_ms=500),
            el.at_random(el.clock("random", drift_ppm=-40_000), every_ms=900),
            el.at(300, el.partition([1, 2], [3, 4, 5])),
            el.at(450, el.heal()),
            el.at(600, el.crash(3)),
            el.at(800, el.restart(3, lose_disk=True)),
            el.at(1500, el.link(el.Link(loss_probability=0.2, fifo=True))),
            el.at(2500, el.link(el.Link(loss_probability=0.01, fifo=False))),
        ],
    )
    if name not in WITHOUT_TIMERS:
        cluster.fire(soonest(cluster, "timer"))
    cluster.duplicate(soonest(cluster, "message"))
    cluster.delay(soonest(cluster, "message"), 25.0)
    cluster.deliver(soonest(cluster, "message"))
    cluster.drop(soonest(cluster, "message"))
    cluster.run_for(5000)
    return cluster


def soonest(cluster: el.Cluster, kind: str) -> Any:
    """What happens next of a kind, once there is such a thing; a message that has left its node."""
    while True:
        for event in cluster.pending:
            if event.kind != kind:
                continue
            if kind == "timer" or event.sent_ms <= cluster.now_ns / 1e6:
                return event
        assert cluster.step() is not None
        assert cluster.now_ns < 10**9


@pytest.mark.parametrize("name", el.PROTOCOLS)
def test_the_golden_run_has_every_kind_of_fault(name: str) -> None:
    cluster = run_with_every_fault(name)
    report = cluster.fault_report
    wanted = {
        "crash", "restart", "pause", "resume", "partition", "heal", "cut", "mend", "link", "clock",
        "slow", "disk", "duplicate", "delay", "deliver", "drop",
    }  # fmt: skip
    wanted |= set() if name in WITHOUT_TIMERS else {"fire"}
    assert wanted <= {kind for kind, count in report["actions"].items() if count["effective"]}


@pytest.mark.parametrize("name", el.PROTOCOLS)
def test_golden_runs(name: str) -> None:
    """ELECTIONLAB_REWRITE_GOLDEN=1 writes the files anew; the commit must say why they changed."""
    runs = golden_runs(name)
    file = GOLDEN / f"{name}.json"
    if os.environ.get("ELECTIONLAB_REWRITE_GOLDEN") == "1":
        file.write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")
    assert runs == json.loads(file.read_text(encoding="utf-8"))


def test_golden_files_are_of_protocols_that_exist() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(el.PROTOCOLS)


def test_same_run_in_another_process_thread_fork_and_unrecorded(tmp_path: Path) -> None:
    def run(cluster: el.Cluster) -> el.Cluster:
        cluster.run_until_leader()
        cluster.crash("leader", restart_after_ms=77)
        cluster.run_for(900)
        return cluster

    def fresh(record: bool = True) -> el.Cluster:
        network = el.Network(loss_probability=0.05)
        return el.Cluster(el.Raft(5), seed=99, network=network, record=record)

    first = run(fresh())
    program = (
        "import electionlab as el\n"
        "c = el.Cluster(el.Raft(5), seed=99, network=el.Network(loss_probability=0.05))\n"
        "c.run_until_leader(); c.crash('leader', restart_after_ms=77); c.run_for(900)\n"
        "print(c.trace.hash(), c.fingerprint())"
    )
    for hash_seed in ("0", "1"):
        printed = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.split()
        assert printed == [first.trace.hash(), str(first.fingerprint())]
    found: list[el.Cluster] = []
    thread = threading.Thread(target=lambda: found.append(run(fresh())))
    thread.start()
    thread.join()
    assert whole_state(found[0]) == whole_state(first)
    assert whole_state(run(fresh().fork())) == whole_state(first)
    stepped = fresh()
    while stepped.leader is None:
        stepped.step()
    stepped.crash("leader", restart_after_ms=77)
    stepped.run_for(900)
    assert whole_state(stepped) == whole_state(first)
    unrecorded = run(fresh(record=False))
    assert unrecorded.fingerprint() == first.fingerprint()
    assert dict(unrecorded.metrics) == dict(first.metrics)
    watched = fresh()
    watched.observe(lambda event: None)
    assert whole_state(run(watched)) == whole_state(first)


def test_catalogue_says_what_the_fields_and_limits_are() -> None:
    about = el.Raft.about
    assert about["max_nodes"] == 10_000
    assert (about["peer_timers"], about["properties"]) == ([], [])
    assert [command["name"] for command in about["commands"]] == ["TransferLeadership", "Read"]
    assert el.Bully.about["commands"] == []
    role = next(field for field in about["memory"] if field["name"] == "role")
    assert role["type"] == "enumeration"
    assert role["names"] == ["follower", "candidate", "leader", "down", "paused", "service"]
    outbox = next(field for field in el.Ring.about["memory"] if field["name"] == "outbox")
    assert outbox["type"] == "list"
    assert [field["name"] for field in outbox["of"]["fields"]] == ["leader", "ids", "number"]
    for protocol in ENGINE:
        most = protocol.about["max_nodes"]
        assert f"1 to {most}" in protocol.__doc__
        assert protocol(most).nodes == most
        with pytest.raises(ValueError, match=f"nodes={most + 1}: must be .* from 1 to {most}"):
            protocol(most + 1)


# --- signs of life that come too late -------------------------------------------------------------

LATE = {
    "bully": {"heartbeat_interval_ms": 200},
    "garcia_molina": {"check_interval_ms": 200},
    "heartbeat": {"heartbeat_interval_ms": 200},
    "invitation": {"check_interval_ms": 200},
    "multi_paxos": {"heartbeat_interval_ms": 150},
    "omega": {"heartbeat_interval_ms": 150},
    "raft": {"heartbeat_interval_ms": 150},
    "ring": {"heartbeat_interval_ms": 200},
    "swim": {"ping_timeout_ms": 200},
    "viewstamped": {"heartbeat_interval_ms": 200},
}


@pytest.mark.parametrize("name", LATE)
def test_signs_of_life_that_come_too_late_are_allowed_with_a_warning(name: str) -> None:
    """One rule for all: it is seen what happens, safety holds, and time goes on."""
    ((option, value),) = LATE[name].items()
    with pytest.warns(UserWarning, match=rf"{option}={value}(\.0)?: not below \w+="):
        protocol = el.make_protocol(name, 5, LATE[name])
    cluster = el.Cluster(protocol, seed=4)
    cluster.run(until=20_000)
    assert cluster.events < 100_000
    assert cluster.metrics["first_leader_ms"] is not None
    assert cluster.violations() == []
    below = type(protocol)(5, **{option: value - 1})
    assert below.options[option] == value - 1


def test_every_protocol_with_signs_of_life_and_a_silence_is_held_to_that_rule() -> None:
    signs = {"heartbeat_interval_ms", "check_interval_ms", "ping_timeout_ms"}
    with_both = {
        name
        for name, cls in el.PROTOCOLS.items()
        if signs & {option["name"] for option in cls.about["options"]}
    }
    assert with_both == set(LATE)


# --- what is compared is comparable ---------------------------------------------------------------

#: They notice no failure: nothing in their options is a time after which somebody is suspected.
WITHOUT_SUSPICION = {
    "chang_roberts", "flood_max", "franklin", "hirschberg_sinclair", "itai_rodeh", "le_lann",
    "paxos", "peterson",
}  # fmt: skip


@pytest.mark.parametrize("name", el.PROTOCOLS)
def test_a_comparison_sets_the_time_outs_of_every_protocol_that_has_some(name: str) -> None:
    """A protocol that was forgotten would silently run with its own time-outs."""
    fast, slow = (el.comparable(name, timeout_ms=t).options for t in (500, 1000))
    changed = {option for option in fast if fast[option] != slow[option]}
    assert bool(changed) == (name not in WITHOUT_SUSPICION)
    assert {name for name in WITHOUT_SUSPICION if el.PROTOCOLS[name].about["fails_over"]} == set()
