"""Bully, rings, Paxos, and mistakes of textbooks."""

from __future__ import annotations

from typing import Any

from electionlab._checked_runs import CheckedState
from electionlab.checker import Bounds, Budget, Timing
from electionlab.museum._exhibit import Exhibit
from electionlab.protocols import Bully, Paxos, Ring

_GARCIA_MOLINA = "Garcia-Molina, IEEE Transactions on Computers C-31(1), 1982"
_TANENBAUM = "Tanenbaum and van Steen, Distributed Systems, section on election algorithms"
_LAMPORT = "Lamport, Paxos Made Simple, SIGACT News 32(4), 2001"

_IN_TIME = Timing(tick_ms=10, one_way_delay_ms=10)
_EARLY_OR_LATE = Timing(tick_ms=5, one_way_delay_ms=(5, 10))
_ONE_ROUND = Bounds(epoch=1003, copies=1)


def _bully(**options: Any) -> Bully:
    return Bully(
        3,
        answer_timeout_ms=30,
        coordinator_timeout_ms=60,
        heartbeat_interval_ms=30,
        leader_timeout_ms=70,
        **options,
    )


def _ring(**options: Any) -> Ring:
    return Ring(
        3,
        ack_timeout_ms=30,
        round_timeout_ms=200,
        heartbeat_interval_ms=60,
        leader_timeout_ms=100,
        **options,
    )


def _paxos(**options: Any) -> Paxos:
    return Paxos(3, proposers=[1, 3], **options)


def _hasty(*proposers: int) -> Paxos:
    return Paxos(
        3,
        proposers=proposers,
        propose_after_ms=0,
        stagger_ms=5,
        backoff_ms=0,
        round_timeout_ms=100,
    )


# --- what is asked that has no name in the protocols ----------------------------------------------


def one_election_at_a_time(state: CheckedState) -> bool:
    """Nobody has two ELECTION on the way to one node: it holds one election, and not many."""
    asked = [(m["from"], m["to"]) for m in state.messages if m["kind"] == "Election"]
    return len(set(asked)) == len(asked)


def an_election_ends_for_all(state: CheckedState) -> bool:
    """Once no list and no announcement is on its way, nobody takes part in an election."""
    under_way = any(m["kind"] in ("Election", "Coordinator") for m in state.messages)
    return under_way or not any(node["role"] == "candidate" for node in state.nodes)


def a_list_goes_round_once(state: CheckedState) -> bool:
    """Whoever sends a list has just put itself at its end."""
    lists = [m for m in state.messages if m["kind"] == "Election"]
    return all(m["fields"]["visited"][-1] == m["from"] for m in lists)


def the_living_agree_on_a_live_leader(state: CheckedState) -> bool:
    """All nodes that are up have ended their elections and follow one node that is up."""
    up = [node for node in state.nodes if node["role"] != "down"]
    leaders = {0 if node["role"] == "candidate" else node["leader"] for node in up}
    return len(leaders) == 1 and leaders <= {node["node"] for node in up}


def a_value_is_chosen(state: CheckedState) -> bool:
    """Somebody has learned which value is chosen."""
    return any(node["disk"]["chosen"]["ballot"]["round"] > 0 for node in state.nodes)


# --- the exhibits ---------------------------------------------------------------------------------

_BULLY = (
    Exhibit(
        name="bully-in-a-partition",
        title="Bully in a partition",
        group="A",
        story=(
            "Before version 7 Elasticsearch elected as Bully does: of the nodes that see each "
            "other the first in a fixed order leads. How many must see each other was a setting, "
            "discovery.zen.minimum_master_nodes, and unless somebody set it to more than half of "
            "the nodes, one was enough. In a partition each side then had its master, and each "
            "took writes. Version 7 did away with the setting: the nodes themselves keep a voting "
            "configuration, and elections are numbered. Here a node that no longer hears its "
            "leader asks the higher ones, which are all beyond the cut, and leads; with "
            "minimum_nodes=2 it waits for a follower, in vain, and a leader that is left alone "
            "steps down before anybody else can lead. That is counted on clocks: one node that "
            "stands still for a while, and two lead with minimum_nodes=2 as well."
        ),
        sources=(
            "https://github.com/elastic/elasticsearch/issues/10935",
            "https://github.com/elastic/elasticsearch/issues/18573",
            "https://github.com/elastic/elasticsearch/pull/26803",
            "https://github.com/elastic/elasticsearch/issues/32006",
        ),
        flag="Bully",
        broken=_bully(),
        repaired=_bully(minimum_nodes=2),
        breaks="one_leader_at_a_time",
        faults=Budget(partitions=1),
        timing=_IN_TIME,
        initial_leader=3,
        length=18,
    ),
    Exhibit(
        name="bully-late-answers",
        title="Bully with answers that come too late",
        group="textbook",
        story=(
            "Bully is right as long as every answer comes within the time-out, and notes on it "
            "often leave that out. Messages take up to 20 ms here, so that an answer may take 40: "
            "a node that waits for 30 leads although a higher one lives and leads as well. A "
            "time-out is a suspicion and no proof. With 50 ms, and nodes that only crash, there "
            "is one leader at every moment: all states were seen."
        ),
        sources=(_GARCIA_MOLINA, "Chandra and Toueg, Journal of the ACM 43(2), 1996"),
        flag="answer_timeout_ms=30",
        broken=Bully(
            3,
            answer_timeout_ms=30,
            coordinator_timeout_ms=100,
            heartbeat_interval_ms=30,
            leader_timeout_ms=70,
        ),
        repaired=Bully(
            3,
            answer_timeout_ms=50,
            coordinator_timeout_ms=100,
            heartbeat_interval_ms=30,
            leader_timeout_ms=70,
        ),
        breaks="one_leader_at_a_time",
        faults=Budget(crashes=2, restarts=0),
        timing=Timing(tick_ms=10, one_way_delay_ms=(10, 20)),
        length=21,
    ),
    Exhibit(
        name="bully-asks-lower",
        title="Bully that asks the lower nodes",
        group="textbook",
        story=(
            "As told: of the nodes A(1), B(2) and C(3), B sends ELECTION to A, A answers because "
            "B is higher, and so B leads. It is the other way round: ELECTION goes to the higher "
            "nodes, and an answer means that the sender has lost. Who asks the lower nodes never "
            "asks the one that leads: here node 2 comes back, is answered by node 1, and leads "
            "beside node 3. No message was late and none was lost."
        ),
        sources=(_GARCIA_MOLINA, _TANENBAUM),
        flag="asks_lower_nodes",
        broken=_bully(mutations={"asks_lower_nodes"}),
        repaired=_bully(),
        breaks="one_leader_at_a_time",
        faults=Budget(reboots=1),
        timing=_EARLY_OR_LATE,
        initial_leader=3,
        length=5,
    ),
    Exhibit(
        name="bully-without-dedupe",
        title="A new election for each ELECTION",
        group="B",
        story=(
            "As often told, a higher node answers ELECTION with OK and starts an election of its "
            "own. The clause that is left out: unless it holds one already. Without it each "
            "ELECTION begets one to every higher node, and these do so in turn: one for each "
            "ascending chain of nodes. When the highest of n nodes dies and all others notice at "
            "once, these are 2^n - n - 1 messages, where n(n - 1)/2 are enough. What breaks first "
            "is the promise behind the cost: that a node holds one election at a time, and asks "
            "each higher node once."
        ),
        sources=(_TANENBAUM, _GARCIA_MOLINA),
        flag="no_dedupe",
        broken=_bully(mutations={"no_dedupe"}),
        repaired=_bully(),
        breaks=one_election_at_a_time,
        faults=Budget(crashes=1, restarts=0),
        timing=_EARLY_OR_LATE,
        length=2,
    ),
    Exhibit(
        name="bully-no-second-timeout",
        title="Bully that waits for ever",
        group="textbook",
        story=(
            "A node that was answered by a higher one leaves the election to it, and waits for "
            "COORDINATOR. Notes that give a time-out for the answer only leave it waiting for "
            "ever when the higher node dies in between: here nodes 3 and 2 crash one after the "
            "other, and node 1, the last, has no timer left that could wake it. With a second "
            "time-out it starts again, is not answered, and leads."
        ),
        sources=(_GARCIA_MOLINA, _TANENBAUM),
        flag="no_second_timeout",
        broken=_bully(mutations={"no_second_timeout"}),
        repaired=_bully(),
        breaks=the_living_agree_on_a_live_leader,
        eventually=True,
        faults=Budget(crashes=2, restarts=0),
        timing=_IN_TIME,
        length=(20, 0),
    ),
)

_RINGS = (
    Exhibit(
        name="ring-first-on-list-leads",
        title="The first on the list leads",
        group="textbook",
        story=(
            "As told: A's list comes back as (A, B), and so A leads. It is the highest node on "
            "the list that leads, here B. That is no matter of taste: several nodes may notice "
            "the need of an election at once, their lists hold the same nodes in different "
            "orders, and only what does not depend on the order is the same for all of them. If "
            "the first leads, each of them does."
        ),
        sources=(_TANENBAUM, "Chang and Roberts, CACM 22(5), 1979"),
        flag="first_on_list_leads",
        broken=_ring(mutations={"first_on_list_leads"}),
        repaired=_ring(),
        breaks="one_leader_at_a_time",
        timing=_IN_TIME,
        length=14,
    ),
    Exhibit(
        name="ring-no-second-round",
        title="Nobody else is told",
        group="textbook",
        story=(
            "When its list is back the node that began knows who leads, and notes that end here "
            "leave it at that. All others have only added themselves to a list: they know "
            "neither that it came back nor who else was on it, and take part in an election that "
            "is over. The second round, COORDINATOR, is what tells them."
        ),
        sources=(_TANENBAUM, "Chang and Roberts, CACM 22(5), 1979"),
        flag="no_coordinator_round",
        broken=_ring(mutations={"no_coordinator_round"}),
        repaired=_ring(),
        breaks=an_election_ends_for_all,
        faults=Budget(reboots=1),
        timing=_IN_TIME,
        initial_leader=3,
        length=8,
    ),
    Exhibit(
        name="ring-waits-for-the-dead",
        title="The list is sent to a dead node",
        group="textbook",
        story=(
            "As told: B sends the list to C, which is dead, and then A has it. The rule that is "
            "missing is the one that makes it so: each hop is acknowledged, and a successor that "
            "does not acknowledge is skipped. Without it the list ends at the dead node. A node "
            "that waits too long starts another, which ends there as well, and so on for ever."
        ),
        sources=(_TANENBAUM,),
        flag="dead_not_skipped",
        broken=_ring(mutations={"dead_not_skipped"}),
        repaired=_ring(),
        breaks=the_living_agree_on_a_live_leader,
        eventually=True,
        faults=Budget(crashes=1, restarts=0),
        timing=_IN_TIME,
        length=(9, 23),
    ),
    Exhibit(
        name="ring-orphan-message",
        title="A list whose initiator died",
        group="B",
        story=(
            "A list ends where it began: its initiator takes it off the ring. If that node dies "
            "while its list is on the way nobody does, and as the dead are skipped the list goes "
            "round for ever; each election may leave another behind. The remedy: a node that "
            "finds itself on a list which comes by again ends it, whoever began it. Here it is "
            "passed on as it came, by a node that has passed it on before."
        ),
        sources=("Le Lann, IFIP Congress 1977", "Chang and Roberts, CACM 22(5), 1979"),
        flag="orphans_pass",
        broken=_ring(mutations={"orphans_pass"}),
        repaired=_ring(),
        breaks=a_list_goes_round_once,
        faults=Budget(crashes=1, restarts=0),
        timing=_IN_TIME,
        length=12,
    ),
)

_PAXOS = (
    Exhibit(
        name="paxos-duel",
        title="Two proposers duel",
        group="A",
        story=(
            "A proposer has its promises, and before its accept arrives another has promises of "
            "the same acceptors for a higher ballot. It is refused, takes a ballot higher still, "
            "and so refuses the other's accept in its turn. Nothing is wrong, no message is lost, "
            "and nothing is ever chosen: the same steps again and again, with ballots two rounds "
            "higher each time. Progress needs one distinguished proposer; or, which comes to the "
            "same after a while, proposers that wait for a random time when they are overtaken."
        ),
        sources=(f"{_LAMPORT}, section 2.4",),
        flag="proposers=(1, 2)",
        broken=_hasty(1, 2),
        repaired=_hasty(1),
        breaks=a_value_is_chosen,
        eventually=True,
        bounds=Bounds(states=20_000),
        timing=_IN_TIME,
        length=(12, 10),
    ),
    Exhibit(
        name="acceptor-amnesia",
        title="An acceptor that forgets its promise",
        group="B",
        story=(
            "An acceptor promises a ballot and answers before the promise is on its disk. It "
            "crashes, comes back without it, and takes part in a lower ballot as if it had "
            "never promised. Both ballots then find a quorum, with a value each. What an acceptor "
            "needs to remember is to be on stable storage before its answer leaves."
        ),
        sources=(f"{_LAMPORT}, sections 2.2 and 2.5",),
        flag="promise_not_persisted",
        broken=_paxos(mutations={"promise_not_persisted"}),
        repaired=_paxos(),
        breaks="one_value_chosen",
        faults=Budget(reboots=1),
        bounds=_ONE_ROUND,
        length=9,
    ),
    Exhibit(
        name="paxos-own-value",
        title="A proposer that insists on its own value",
        group="textbook",
        story=(
            "As told: with a majority of promises the proposer sends its value, or even a commit. "
            "It may send its own value only if no promise reports another: else accept(n, v) "
            "carries the value of the proposal with the highest number among those reported, "
            "because that one may be chosen already. Here it was, and then a second value is."
        ),
        sources=(f"{_LAMPORT}, section 2.2",),
        flag="proposes_own_value",
        broken=_paxos(mutations={"proposes_own_value"}),
        repaired=_paxos(),
        breaks="one_value_chosen",
        bounds=_ONE_ROUND,
        length=8,
    ),
    Exhibit(
        name="paxos-silent-promise",
        title="A promise that reports nothing",
        group="textbook",
        story=(
            "As told, an acceptor answers prepare with a promise, and no more. A promise has two "
            "halves: to accept nothing lower any more, and the proposal with the highest number "
            "that was accepted so far. Without the second a proposer cannot know what may be "
            "chosen already, and proposes its own value over it."
        ),
        sources=(f"{_LAMPORT}, section 2.2",),
        flag="promise_reports_nothing",
        broken=_paxos(mutations={"promise_reports_nothing"}),
        repaired=_paxos(),
        breaks="one_value_chosen",
        bounds=_ONE_ROUND,
        length=8,
    ),
)

EXHIBITS: tuple[Exhibit, ...] = (*_BULLY, *_RINGS, *_PAXOS)
