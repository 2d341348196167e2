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
        ({"order": [1, 2, 3, 3]}, "order=3: must hold each node once"),
        ({"order": [2**32 + 1, 2, 3, 4]}, "order=4294967297: must be at most"),
        ({"order": [1.0, 2, 3, 4]}, "order=1.0: must be a whole number"),
        ({"initiators": [5]}, "initiators=5: must hold nodes from 1 to 4"),
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
    return hashes


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
