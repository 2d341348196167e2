"""Bully, rings and Paxos in the museum, and what textbooks get wrong."""

from __future__ import annotations

import pytest
from support import ROOT

import electionlab as el
from electionlab import museum

DELAY_MS = 10.0


def elections_sent(nodes: int, *mutations: str) -> int:
    """ELECTION messages after the highest node crashes and all others notice at once."""
    bully = el.Bully(
        nodes,
        answer_timeout_ms=1000,
        coordinator_timeout_ms=3000,
        leader_timeout_ms=200,
        mutations=mutations,
    )
    cluster = el.Cluster(
        bully,
        network=el.Network(one_way_delay_ms=DELAY_MS),
        machine=el.Machine(timer_lateness_ms=0),
        initial_leader=nodes,
        seed=1,
    )
    cluster.crash(nodes)
    cluster.run(until=1000)  # all have noticed, and nobody has lost patience
    frame = cluster.trace.to_frame()
    return int(((frame["kind"] == "send") & (frame["message_kind"] == "Election")).sum())


@pytest.mark.parametrize("nodes", range(2, 10))
def test_without_dedupe_bully_sends_a_message_for_each_ascending_chain(nodes: int) -> None:
    assert elections_sent(nodes) == nodes * (nodes - 1) // 2
    assert elections_sent(nodes, "no_dedupe") == 2**nodes - nodes - 1


def bully(minimum_nodes: int) -> el.Protocol:
    return el.Bully(
        3,
        answer_timeout_ms=30,
        coordinator_timeout_ms=60,
        heartbeat_interval_ms=30,
        leader_timeout_ms=70,
        minimum_nodes=minimum_nodes,
    )


@pytest.mark.parametrize("initial_leader", [None, 3])
@pytest.mark.parametrize(
    "faults", [el.Budget(partitions=1), el.Budget(crashes=2, restarts=0)], ids=["cut", "crashes"]
)
def test_bully_that_asks_for_followers_is_safe_in_a_partition(
    faults: el.Budget, initial_leader: int | None
) -> None:
    result = el.check(
        bully(2),
        "one_leader_at_a_time",
        timing=el.Timing(tick_ms=10, one_way_delay_ms=10),
        faults=faults,
        initial_leader=initial_leader,
        sometimes={"node 2 leads": lambda state: state.leaders == [2]},
    )
    assert result.proved, result
    assert result.witnesses["node 2 leads"] is not None


@pytest.mark.parametrize("minimum_nodes", [1, 2])
def test_a_pause_breaks_bully_whatever_it_asks_for(minimum_nodes: int) -> None:
    result = el.check(
        bully(minimum_nodes),
        "one_leader_at_a_time",
        timing=el.Timing(tick_ms=10, one_way_delay_ms=10),
        faults=el.Budget(pauses=1),
        initial_leader=3,
    )
    assert result.violated, result


def test_bully_that_asks_for_followers_leads_with_enough_of_them_only() -> None:
    cluster = el.Cluster(el.Bully(3, minimum_nodes=2), network=el.Network(one_way_delay_ms=5))
    assert cluster.run_until_leader().node == 3
    cluster.crash(3)
    cluster.run_for(2000)
    assert cluster.node(2).role == "leader"
    cluster.crash(2)
    cluster.run_for(2000)
    assert cluster.node(1).role == "candidate"
    cluster.restart(3)
    cluster.run_for(2000)
    assert (cluster.node(3).role, cluster.node(1).leader) == ("leader", 3)


@pytest.mark.parametrize("minimum_nodes", [0, 4])
def test_no_more_followers_can_be_asked_for_than_there_are(minimum_nodes: int) -> None:
    with pytest.raises(ValueError, match=f"minimum_nodes={minimum_nodes}"):
        el.Bully(3, minimum_nodes=minimum_nodes)


@pytest.mark.parametrize("handling", ["ignore", "pause_minority"])
def test_the_smaller_side_of_a_partition_goes_on_or_pauses(handling: str) -> None:
    cluster = el.Cluster(
        el.Heartbeat(3, partition_handling=handling),
        network=el.Network(one_way_delay_ms=5),
        initial_leader=1,
    )
    cluster.run_for(500)
    cluster.partition({1}, {2, 3})
    cluster.run_for(1000)
    alone, others = cluster.node(1), cluster.node(2)
    assert (others.role, cluster.node(3).leader) == ("leader", 2)
    if handling == "ignore":
        assert alone.role == "leader"
    else:
        assert (alone.role, alone.leader) == ("follower", 0)
    cluster.heal()
    cluster.run_for(1000)
    assert [cluster.node(n).leader for n in (1, 2, 3)] == [1, 1, 1]


# --- the mistakes of textbooks --------------------------------------------------------------------


def test_every_mistake_has_a_home_or_is_named_as_words() -> None:
    assert list(museum.TEXTBOOK) == list(range(1, 24))
    assert [n for n, mistake in museum.TEXTBOOK.items() if mistake.words_only] == [14, 21]
    for number, mistake in museum.TEXTBOOK.items():
        assert set(mistake.exhibits) <= set(museum.names()), number
        assert all((ROOT / "docs" / page).is_file() for page in mistake.pages), number


def test_every_exhibit_of_a_mistake_is_listed() -> None:
    listed = {name for mistake in museum.TEXTBOOK.values() for name in mistake.exhibits}
    taught = {name for name, e in museum.EXHIBITS.items() if e.group == "textbook"}
    assert taught <= listed
