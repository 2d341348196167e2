"""Raft's options from Python: partial networks judged over time, quorums, presets."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import electionlab as el

END_MS = 20_000.0


def played(
    links: list[tuple[list[int], list[int]]], leader: int, down: int = 0, **options: Any
) -> Any:
    """Twenty seconds of five nodes, or as many as are named, with links cut both ways."""
    nodes = 5 if any(5 in a + b for a, b in links) or down else 3
    cluster = el.Cluster(el.Raft(nodes=nodes, **options), seed=3, initial_leader=leader)
    cluster.run(until=10)
    if down:
        cluster.crash(down)
    for one, other in links:
        cluster.cut(one, other, both_ways=True)
    cluster.run(until=END_MS)
    assert cluster.violations() == []
    return cluster


PREVOTE = {"pre_vote": True}
BOTH = {"pre_vote": True, "check_quorum": True}
DEADLOCK = ([([4], [1, 3])], 4, 5)
PARTIAL = ([([4], [1, 3, 5]), ([5], [1, 2, 4])], 3, 0)
HUB = ([([2], [3, 4, 5]), ([3], [4, 5]), ([4], [5])], 3, 0)
CHAIN = ([([2], [3])], 2, 0)


@pytest.mark.parametrize(
    ("network", "options", "stable", "of_use"),
    [
        (DEADLOCK, {}, True, True),  # some changes, until node 2 leads
        (DEADLOCK, PREVOTE, True, False),  # one leader for ever, and nobody answers it
        (DEADLOCK, BOTH, True, True),
        (PARTIAL, {}, False, None),
        (PARTIAL, PREVOTE, True, True),
        (PARTIAL, BOTH, True, True),
        (HUB, {}, True, True),
        (HUB, PREVOTE, True, False),
        (HUB, BOTH, True, True),
        (CHAIN, {}, False, None),
        (CHAIN, PREVOTE, True, True),
        (CHAIN, BOTH, True, True),
        (CHAIN, {"leader_stickiness": True}, True, True),
    ],
)
def test_partial_networks_are_judged_by_changes_and_by_acknowledged_time(
    network: Any, options: dict[str, Any], stable: bool, of_use: bool | None
) -> None:
    links, leader, down = network
    cluster = played(links, leader, down, **options)
    changes = cluster.metrics["leaderships"]
    assert (changes <= 6) if stable else (changes >= 20)
    if of_use is not None:
        share = el.acknowledged_share(cluster.trace)
        assert (share > 0.9) if of_use else (share < 0.05)


def test_a_look_at_the_end_would_not_tell() -> None:
    """Deadlocked, there is a leader at the end as well as when all is well."""
    links, leader, down = DEADLOCK
    for options in (PREVOTE, BOTH):
        assert played(links, leader, down, **options).leader is not None


def test_acknowledged_spans_are_what_a_hand_count_gives() -> None:
    """Constant delays: an answer is back 10 ms after each heartbeat, sent every 50 ms."""
    network = el.Network(one_way_delay_ms=5)
    cluster = el.Cluster(el.Raft(nodes=3), network=network, seed=1, initial_leader=1)
    cluster.run(until=402)
    cluster.partition([1], [2, 3])
    cluster.run(until=900)
    spans = el.acknowledged(cluster.trace, within_ms=100)
    first = spans.iloc[0]
    # The heartbeat of 400 ms is lost; that of 350 ms was answered at 360.
    assert (first.from_ms, first.to_ms, first.node, first.epoch) == (60.0, 460.0, 1, 1)
    assert len(spans) == 2
    assert spans.iloc[1].node in (2, 3)
    assert spans.iloc[1].to_ms == 900.0
    assert spans.iloc[1].from_ms > 460.0
    length = (spans["to_ms"] - spans["from_ms"]).sum()
    assert el.acknowledged_share(cluster.trace, within_ms=100) == pytest.approx(length / 900)
    gaps = el.acknowledged(cluster.trace, within_ms=20)
    of_1 = gaps[gaps["node"] == 1]
    np.testing.assert_allclose(of_1["from_ms"], np.arange(60, 361, 50))
    np.testing.assert_allclose(of_1["to_ms"] - of_1["from_ms"], 20)


def test_the_share_counts_a_moment_once_though_two_leaders_are_acknowledged() -> None:
    cluster = played(*CHAIN)
    spans = el.acknowledged(cluster.trace)
    assert (spans["to_ms"] - spans["from_ms"]).sum() > END_MS
    grid = np.arange(0.5, END_MS, 1.0)
    covered = np.zeros(grid.size, dtype=bool)
    for begin, end in spans[["from_ms", "to_ms"]].to_numpy():
        covered |= (grid >= begin) & (grid < end)
    assert el.acknowledged_share(cluster.trace) == pytest.approx(covered.mean(), abs=0.01)


def test_acknowledged_counts_voters_only_and_refuses_what_it_cannot_judge() -> None:
    options = {"non_voters": [4, 5]}
    cluster = el.Cluster(el.Raft(nodes=5, **options), seed=1, initial_leader=1)
    cluster.run(until=10)
    cluster.partition([1, 4, 5], [2, 3])
    cluster.run(until=100)
    assert el.acknowledged(cluster.trace).empty
    with pytest.raises(ValueError, match="within_ms=0: must be above 0"):
        el.acknowledged(cluster.trace, within_ms=0)
    bully = el.Cluster(el.Bully(nodes=3), seed=1)
    bully.run(until=10)
    with pytest.raises(ValueError, match=r"trace.protocol='bully': must be 'raft' or"):
        el.acknowledged(bully.trace)


@pytest.mark.parametrize(
    ("quorum", "beside", "share"),
    [
        (el.Quorum.weighted([3, 1, 1, 1, 1]), [2], 1.0),  # 4 of 7
        (el.Quorum.weighted([3, 1, 1, 1, 1], needed=6), [2], 0.0),
        (el.Quorum.weighted([1, 3, 1, 1, 1]), [3, 4], 0.0),  # three of five, but 3 of 7
        (el.Quorum.at_least(4), [2, 3], 0.0),
        (el.Quorum.at_least(4), [2, 3, 4], 1.0),
        (el.Quorum.sets([[1, 2], [1, 3], [2, 3]]), [3], 1.0),
        (el.Quorum.sets([[1, 2], [1, 3], [2, 3]]), [4, 5], 0.0),
        (el.Quorum.grid(2, 2), [2, 3], 1.0),  # 1 2 / 3 4
        (el.Quorum.grid(2, 2), [2, 5], 0.0),
        (el.Quorum.weighted([5, 1, 1, 1, 1]), [], 1.0),  # a quorum by itself
    ],
)
def test_acknowledged_asks_the_quorum_of_the_run(
    quorum: el.Quorum, beside: list[int], share: float
) -> None:
    cluster = el.Cluster(el.Raft(nodes=5, quorum=quorum), seed=1, initial_leader=1)
    cluster.cut(1, [n for n in range(2, 6) if n not in beside], both_ways=True)
    others = list(range(2, 6))
    for n in others:  # nobody else is elected
        cluster.cut(n, [m for m in others if m != n])
    cluster.run(until=2000)
    found = el.acknowledged(cluster.trace)
    assert set(found["node"]) == ({1} if share else set())
    assert el.acknowledged_share(cluster.trace) == pytest.approx(share, abs=0.04)


def test_who_is_down_or_paused_is_not_acknowledged() -> None:
    for done in (el.crash(1), el.pause(1)):
        cluster = el.Cluster(
            el.Raft(nodes=5, quorum=el.Quorum.weighted([5, 1, 1, 1, 1])), seed=1, initial_leader=1
        )
        cluster.run(until=100)
        cluster.act(done)
        cluster.run(until=400)
        assert el.acknowledged(cluster.trace)[["from_ms", "to_ms"]].to_numpy().tolist() == [
            [0.0, 100.0]
        ]


def test_leaders_at_work_are_acknowledged_as_without_work() -> None:
    shares = []
    for protocol in (el.Raft(nodes=3), el.Raft(nodes=3).at_work(el.Resource())):
        cluster = el.Cluster(protocol, seed=1, initial_leader=1)
        cluster.run(until=300)
        cluster.partition([1], [2, 3])
        cluster.run(until=1000)
        shares.append(el.acknowledged_share(cluster.trace))
    assert 0.5 < shares[0] < 1.0
    assert shares[1] == pytest.approx(shares[0], abs=0.1)


def test_quorums_are_values() -> None:
    assert el.Raft(nodes=3, quorum=el.Quorum.majority()) == el.Raft(nodes=3)
    grid = el.Raft(nodes=6, quorum=el.Quorum.grid(2, 3)).options["quorum"]
    assert len(grid["sets"]) == 6
    assert sorted(grid["sets"][0]) == [1, 2, 3, 4]
    sets = el.Raft(nodes=3, quorum=el.Quorum.sets([(1, 2), (1, 3), (2, 3)]))
    assert sets.options["quorum"] == {"sets": [[1, 2], [1, 3], [2, 3]]}
    unsafe = el.Quorum.at_least(2, unsafe=True)
    assert el.Raft(nodes=4, quorum=unsafe).options["quorum"] == {"at_least": 2, "unsafe": True}
    weighted = el.Quorum.weighted([2, 1, 1], needed=3)
    assert el.Raft(nodes=3, quorum=weighted).options["quorum"]["needed"] == 3
    for quorum, nodes, said in [
        (el.Quorum.grid(2, 3), 5, r'quorum={"grid": \[2, 3\]}: rows times columns must be at most'),
        (el.Quorum.sets([[1, 1, 2]]), 3, "no set may hold a node twice"),
        (el.Quorum.sets([[1, 2], [2, 9]]), 3, "must be sets of nodes from 1 to 3"),
    ]:
        with pytest.raises(ValueError, match=said):
            el.Raft(nodes=nodes, quorum=quorum)
    for bad in (el.Quorum.at_least(2), el.Quorum.sets([[1, 2], [3, 4]])):
        with pytest.raises(ValueError, match=r"quorum=.*share no node"):
            el.Raft(nodes=4, quorum=bad)


def test_an_unsafe_quorum_gives_two_leaders_of_one_term_and_it_is_seen() -> None:
    raft = el.Raft(nodes=4, quorum=el.Quorum.at_least(2, unsafe=True))
    cluster = el.Cluster(raft, seed=2)
    cluster.run(until=1)
    cluster.partition([1, 2], [3, 4])
    cluster.fire(1, "election")
    cluster.fire(3, "election")
    cluster.run(until=100)
    assert "one_leader_per_epoch" in {v["invariant"] for v in cluster.violations()}


@pytest.mark.parametrize("name", list(el.presets))
def test_presets_run_or_say_what_is_missing(name: str) -> None:
    preset = el.presets[name]
    assert preset.source
    assert preset.system
    if not preset.available:
        with pytest.raises(ValueError, match=f"protocol='{preset.protocol}': must be one of"):
            preset.make(nodes=3)
        return
    protocol = preset.make(nodes=3)
    for option, value in preset.options.items():
        assert protocol.options[option] == (list(value) if isinstance(value, tuple) else value)
    cluster = el.Cluster(protocol, seed=1)
    assert cluster.run_until_leader(120_000, agreed=True)
    cluster.crash("leader")
    assert cluster.run_until_leader(120_000, agreed=True)
    assert cluster.violations() == []


def stated(text: str) -> set[float]:
    """The numbers of a text; those in seconds in ms as well."""
    found = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)( s\b)?", text)
    return {float(n) for n, _ in found} | {float(n) * 1000 for n, unit in found if unit}


@pytest.mark.parametrize("name", list(el.presets))
def test_every_number_of_a_preset_stands_in_its_source(name: str) -> None:
    preset = el.presets[name]
    numbers = stated(f"{preset.source}; {preset.differs}")
    for option, value in preset.options.items():
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, (bool, str)):
                assert number in numbers, f"{option}={number!r} of {preset.source!r}"
    assert preset.differs


#: What a preset may leave to the laboratory's defaults: what its options do not use, or data.
LEFT = {
    "raft": {"tick_ms"},  # a policy without ticks
    "zk_lock": {"fence_timeout_ms", "rejoin_delay_ms"},  # yarn's
}


@pytest.mark.parametrize("name", list(el.presets))
def test_a_preset_sets_every_time_and_limit_that_matters(name: str) -> None:
    preset = el.presets[name]
    options = el.protocols.PROTOCOLS[preset.protocol].about["options"]
    numbers = {o["name"]: o for o in options if o["type"] in ("ms", "range_ms", "integer")}
    unset = {
        o for o, info in numbers.items()
        if info["default"] not in (0, [0, 0]) and o not in preset.options
    }  # fmt: skip
    yarn = preset.options.get("flavour") == "yarn"
    assert unset <= (set() if yarn else LEFT.get(preset.protocol, set()))


def test_presets_of_raft_elect_within_what_their_timing_says() -> None:
    """After a crash: the timeout from the last heartbeat, and little else."""
    for name in ("raft_paper", "etcd", "hashicorp_raft", "kafka_kraft"):
        protocol = el.presets[name].make(nodes=5)
        low, high = protocol.options["election_timeout_ms"]
        heartbeat = protocol.options["heartbeat_interval_ms"]
        cluster = el.Cluster(protocol, seed=5, initial_leader=1)
        cluster.run(until=3 * high)
        assert cluster.metrics["leaderships"] == 1, name
        cluster.crash(1)
        cluster.run_until_leader(agreed=True)
        took = cluster.metrics["failovers"][-1]["until_agreed_ms"]
        assert low - heartbeat <= took <= 3 * high, name


def test_disks_may_have_a_term_at_first() -> None:
    cluster = el.Cluster(el.Raft(3, terms=[4, 4, 2]), seed=3)
    cluster.step()
    assert [cluster.node(n).disk["current_term"] for n in (1, 2, 3)] == [4, 4, 2]
    leader = cluster.run_until_leader(agreed=True)
    assert leader
    assert leader.epoch >= 4


def test_what_bugs_break_is_not_assumed_where_states_are_saved() -> None:
    buggy = el.Raft(3, mutations={"double_vote"})
    bounds = el.Bounds(epoch=1, copies=1, depth=8)
    whole = el.check(buggy, [], bounds=bounds)
    fewer = el.check(buggy, [], bounds=bounds, drop_stale=True)
    assert fewer.states == whole.states
    assert el.check(el.Raft(3), [], bounds=bounds, drop_stale=True).states < whole.states
    for options in ({"terms": [1, 2, 3]}, {"mutations": {"answers_counted"}}):
        with pytest.raises(ValueError, match="does not treat all nodes alike"):
            el.check(el.Raft(3, **options), symmetry=True)
