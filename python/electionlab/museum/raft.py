"""Failures of Raft and of systems that elect as Raft does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from electionlab._checked_runs import CheckedState
from electionlab._quorums import Quorum
from electionlab.checker import Bounds, Budget, Timing
from electionlab.museum._exhibit import Exhibit
from electionlab.protocols import Raft
from electionlab.settings import command

# --- what is asked --------------------------------------------------------------------------------


def leader_has_every_committed_entry(state: CheckedState) -> bool:
    """Whether each leader's log is as up to date as those of a majority (5.4.1)."""
    logs = [node["disk"]["last_log"] for node in state.nodes]
    ends = sorted(((log["term"], log["index"]) for log in logs), reverse=True)
    on_a_majority = ends[len(ends) // 2]
    leaders = [node["disk"]["last_log"] for node in state.nodes if node["role"] == "leader"]
    return all((log["term"], log["index"]) >= on_a_majority for log in leaders)


def node_1_leads(state: CheckedState) -> bool:
    """Whether the leader that node 1 is at first still leads."""
    return bool(state.nodes[0]["role"] == "leader")


def node_1_leads_while_the_link_is_cut(state: CheckedState) -> bool:
    """The same, and what comes after the repair is not asked."""
    return state.partition == "" or node_1_leads(state)


def a_node_leads(state: CheckedState) -> bool:
    """Whether there is a leader."""
    return bool(state.leaders)


def a_node_stands(state: CheckedState) -> bool:
    """Whether there is a candidate."""
    return any(node["role"] == "candidate" for node in state.nodes)


def replaced_leaders_answer_no_read(before: CheckedState, after: CheckedState) -> bool:
    """Whether none answers a read at once while another leads a newer term.

    Reads that waited for a majority to answer are as fresh as the moment at which they were asked.
    """
    newest = max((n["epoch"] for n in after.nodes if n["role"] == "leader"), default=0)
    return not any(
        _answered(new) > _answered(old) + _waiting(old) and new["epoch"] < newest
        for old, new in zip(before.nodes, after.nodes, strict=True)
    )


def _answered(node: Mapping[str, Any]) -> int:
    return int(node["memory"]["more"]["reads"]["answered"])


def _waiting(node: Mapping[str, Any]) -> int:
    return int(node["memory"]["more"]["reads"]["waiting"])


# --- how it is asked ------------------------------------------------------------------------------

_ONE_TERM = Bounds(epoch=1, copies=1)
#: Messages in a tick; a leader sends twice in the shortest election timeout.
_IN_TIME = Timing(tick_ms=10, one_way_delay_ms=10)
_COARSE: dict[str, Any] = {"election_timeout_ms": (40, 50), "heartbeat_interval_ms": 20}

_RAFT = "Ongaro and Ousterhout, USENIX ATC 2014"
_THESIS = "Ongaro, PhD thesis, Stanford 2014"
_GITHUB = "https://github.com"

# --- votes and quorums ----------------------------------------------------------------------------

_BEHIND: dict[str, Any] = {"logs": [(1, 1), (1, 2), (1, 2)], "terms": [1, 1, 1]}
_LONG_AND_OLD: dict[str, Any] = {"logs": [(1, 3), (2, 2), (2, 2)], "terms": [1, 2, 2]}

_VOTES = (
    Exhibit(
        name="double-vote",
        title="A vote for everybody who asks",
        group="A",
        story=(
            "A voter looks at the term of a request, and not whether its vote of that term is "
            "gone. Two candidates of one term both find a majority. In Kerala two nodes of a "
            "cluster of four won one term with the votes of the same two others."
        ),
        sources=(f"{_GITHUB}/djjonno/kerala/issues/18", f"{_RAFT}, section 5.2"),
        flag="double_vote",
        broken=Raft(3, mutations={"double_vote"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        bounds=_ONE_TERM,
        length=6,
    ),
    Exhibit(
        name="vote-not-persisted",
        title="A voter forgets in a crash",
        group="A",
        story=(
            "The term is on the disk and the vote in it is not. A voter that restarts votes again "
            "in the same term, and a second leader is elected. Several implementations kept votes "
            "in memory; one that writes term and vote one after the other is asked what a crash "
            "between the two writes leaves."
        ),
        sources=(
            f"{_GITHUB}/hashicorp/raft/issues/661",
            f"{_GITHUB}/stateIs0/lu-raft-kv/issues/33",
            f"{_GITHUB}/mgodave/barge/issues/5",
            f"{_RAFT}, Figure 2",
        ),
        flag="vote_not_persisted",
        broken=Raft(3, mutations={"vote_not_persisted"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        faults=Budget(reboots=1),
        bounds=_ONE_TERM,
        length=7,
    ),
    Exhibit(
        name="candidacy-not-persisted",
        title="A candidate forgets that it stood",
        group="A",
        story=(
            "A node that stands for election raises its term and votes for itself, and writes "
            "neither. After a restart it is back in the old term and votes for another candidate "
            "of the term that it has led itself. In raft-java the routine that begins an election "
            "saved neither field."
        ),
        sources=(f"{_GITHUB}/wenweihu86/raft-java/issues/57", f"{_RAFT}, Figure 2"),
        flag="candidacy_not_persisted",
        broken=Raft(3, mutations={"candidacy_not_persisted"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        faults=Budget(reboots=1),
        bounds=_ONE_TERM,
        length=7,
    ),
    Exhibit(
        name="vote-cleared-by-leader",
        title="The vote is forgotten when the leader is heard",
        group="A",
        story=(
            "A node that hears the leader of its term takes the election for over and clears its "
            "vote. A request of the loser that comes late gets the vote a second time. Zeebe "
            "cleared it with every change of the known leader, Redpanda with every batch from the "
            "leader; a vote may be cleared only when the term rises."
        ),
        sources=(
            f"{_GITHUB}/camunda/camunda/issues/5356",
            f"{_GITHUB}/redpanda-data/redpanda/pull/19",
        ),
        flag="vote_cleared_by_leader",
        broken=Raft(3, mutations={"vote_cleared_by_leader"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        bounds=_ONE_TERM,
        length=7,
    ),
    Exhibit(
        name="vote-cleared-on-step-down",
        title="The routine for a new term, run for the same term",
        group="A",
        story=(
            "A candidate that hears a leader of its own term steps down by the routine that "
            "enters a new term, which clears the vote. Without PreVote that is harmless: the vote "
            "was its own, and CCF's developers noted it as minor. With PreVote a node that only "
            "asks who would vote for it steps down in the same way, and the vote that it "
            "forgets was for the leader."
        ),
        sources=(
            f"{_GITHUB}/microsoft/CCF/issues/5891",
            f"{_GITHUB}/microsoft/CCF/pull/8094",
            f"{_GITHUB}/ktoso/akka-raft/issues/56",
        ),
        flag="vote_cleared_on_step_down",
        broken=Raft(3, pre_vote=True, mutations={"vote_cleared_on_step_down"}),
        repaired=Raft(3, pre_vote=True),
        breaks="one_leader_per_epoch",
        bounds=Bounds(epoch=1, copies=1, depth=12),
        symmetry=True,
        length=12,
        hides="without PreVote three nodes never elect two leaders of a term.",
        hidden=Raft(3, mutations={"vote_cleared_on_step_down"}),
    ),
    Exhibit(
        name="quorum-of-one",
        title="Two nodes, and one is enough",
        group="A",
        story=(
            "Each node may decide alone. Elasticsearch before version 7 left to a setting how many "
            "master-eligible nodes must see each other, and without it one was enough: when the "
            "link between two nodes broke, both were master, and stayed it when the link came back."
        ),
        sources=(
            f"{_GITHUB}/elastic/elasticsearch/issues/10935",
            f"{_GITHUB}/sighupio/module-logging/issues/18",
        ),
        flag="quorum",
        broken=Raft(2, quorum=Quorum.at_least(1, unsafe=True)),
        repaired=Raft(2),
        breaks="one_leader_per_epoch",
        bounds=_ONE_TERM,
        length=2,
    ),
    Exhibit(
        name="half-quorum",
        title="Half is no majority",
        group="A",
        story=(
            "With four voters two are taken for enough, and so are the other two. The number of "
            "nodes that Elasticsearch asked for was written by hand; a sample value in its "
            "configuration file was taken over in clusters of every size, until text took its "
            "place. Only nodes 1 and 2 stand here, to keep the search small."
        ),
        sources=(
            f"{_GITHUB}/elastic/elasticsearch/pull/26803",
            f"{_GITHUB}/elastic/elasticsearch/issues/18573",
        ),
        flag="quorum",
        broken=Raft(4, witnesses=[3, 4], quorum=Quorum.at_least(2, unsafe=True)),
        repaired=Raft(4, witnesses=[3, 4]),
        breaks="one_leader_per_epoch",
        bounds=_ONE_TERM,
        length=6,
        hides="with three nodes two are a majority.",
        hidden=Raft(3, witnesses=[3], quorum=Quorum.at_least(2)),
    ),
    Exhibit(
        name="no-log-check",
        title="Logs are not compared",
        group="A",
        story=(
            "A vote goes to whoever asks first, and a node whose log lacks an entry that a "
            "majority has may lead; it then overwrites what was committed. akka-raft and "
            "jgroups-raft sent the ends of the logs and did not read them at first."
        ),
        sources=(
            f"{_GITHUB}/ktoso/akka-raft/issues/51",
            f"{_GITHUB}/jgroups-extras/jgroups-raft/issues/14",
            f"{_RAFT}, section 5.4.1",
        ),
        flag="no_log_check",
        broken=Raft(3, **_BEHIND, mutations={"no_log_check"}),
        repaired=Raft(3, **_BEHIND),
        breaks=leader_has_every_committed_entry,
        bounds=Bounds(epoch=2, copies=1),
        length=3,
    ),
    Exhibit(
        name="length-only-log-check",
        title="The longer log wins",
        group="A",
        story=(
            "Many texts say that a voter refuses a shorter log. But a log that is longer may end "
            "in an older term, and lack what was committed since: the later last term decides, and "
            "the length only between equal ones. noraft compared the index alone; Neo4j refused "
            "every shorter log, which keeps the committed entries and loses elections."
        ),
        sources=(
            f"{_GITHUB}/sile/noraft/pull/22",
            f"{_GITHUB}/neo4j/neo4j/pull/6289",
            f"{_RAFT}, section 5.4.1",
        ),
        flag="length_only_log_check",
        broken=Raft(3, **_LONG_AND_OLD, mutations={"length_only_log_check"}),
        repaired=Raft(3, **_LONG_AND_OLD),
        breaks=leader_has_every_committed_entry,
        bounds=Bounds(epoch=3, copies=1, depth=6),
        length=3,
    ),
    Exhibit(
        name="answers-counted",
        title="Answers are counted, not voters",
        group="B",
        story=(
            "A candidate adds one for every granted vote, whoever sent it. An answer that arrives "
            "twice, or a request that was repeated, counts as two voters. akka-raft and xraft "
            "counted so; xraft's report needs five nodes, as every example must: of three nodes "
            "one answer is enough. Only nodes 1 and 2 stand here, to keep the search small."
        ),
        sources=(
            f"{_GITHUB}/ktoso/akka-raft/issues/45",
            f"{_GITHUB}/xnnyygn/xraft/issues/27",
        ),
        flag="answers_counted",
        broken=Raft(5, witnesses=[3, 4, 5], mutations={"answers_counted"}),
        repaired=Raft(5, witnesses=[3, 4, 5]),
        breaks="one_leader_per_epoch",
        network="duplicating",
        bounds=Bounds(epoch=1),
        length=8,
        hides="three nodes hide it: a candidate needs one answer only.",
        hidden=Raft(3, witnesses=[3], mutations={"answers_counted"}),
    ),
    Exhibit(
        name="stale-grants-counted",
        title="Votes of an earlier term are counted",
        group="B",
        story=(
            "A candidate that stands again counts an answer to its earlier request. The voter has "
            "promised nothing for the new term, and gives that vote to another. akka-raft's "
            "candidates did not compare the term of an answer; a random test with nine nodes "
            "found two leaders."
        ),
        sources=(
            f"{_GITHUB}/ktoso/akka-raft/issues/46",
            f"{_GITHUB}/ktoso/akka-raft/issues/47",
        ),
        flag="stale_grants_counted",
        broken=Raft(3, mutations={"stale_grants_counted"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        bounds=Bounds(epoch=2, copies=1, depth=9),
        length=7,
    ),
    Exhibit(
        name="two-term-variables",
        title="One term for votes, another for the log",
        group="B",
        story=(
            "Votes are compared with the term that was proposed last, the leader's messages with "
            "the term of the leader that was followed last. A voter that has promised a newer "
            "term takes a late message of the old leader, goes back with it, and gives its vote of "
            "the newer term once more. NebulaGraph kept two such variables."
        ),
        sources=(
            f"{_GITHUB}/vesoft-inc/nebula/issues/685",
            f"{_GITHUB}/vesoft-inc/nebula/issues/2405",
        ),
        flag="two_term_variables",
        broken=Raft(3, mutations={"two_term_variables"}),
        repaired=Raft(3),
        breaks="one_leader_per_epoch",
        bounds=Bounds(epoch=2, copies=1, depth=10),
        symmetry=True,
        length=10,
    ),
)

# --- leaders that are disturbed, and leaders that stay too long -----------------------------------

_ISOLATED = Budget(partitions=1, partition_family=[[{1, 2}, {3}]])
_BAD_LINK = Budget(partitions=1, partition_family=[[{1}, {3}]])
_CUT_OFF = Budget(partitions=1, partition_family=[[{1}, {2, 3}]])
_WATCHED: dict[str, Any] = {
    "election_timeout_ms": (60, 70),
    "heartbeat_interval_ms": 10,
    "quorum_timeout_ms": 30,
}

_OFFICE = (
    Exhibit(
        name="no-prevote",
        title="A node comes back with a higher term",
        group="A",
        story=(
            "A follower that was cut off stands again and again, and raises its term each time. "
            "Back in the network it cannot win, but its term deposes a leader that everybody "
            "else could hear. Consul's clusters of three lost their leader when a follower was "
            "plugged in again, and so did etcd's. With PreVote a node asks before it raises its "
            "term."
        ),
        sources=(
            f"{_GITHUB}/hashicorp/consul/issues/1782",
            f"{_GITHUB}/etcd-io/etcd/pull/9352",
            f"{_THESIS}, section 9.6",
        ),
        flag="pre_vote=False",
        broken=Raft(3, **_COARSE),
        repaired=Raft(3, **_COARSE, pre_vote=True),
        breaks=node_1_leads,
        faults=_ISOLATED,
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2),
        length=13,
    ),
    Exhibit(
        name="one-bad-link",
        title="One bad link is enough",
        group="A",
        story=(
            "Leader and follower do not hear each other, and a third node hears both. The "
            "follower stands, the third node takes over its term, and with it the leader learns "
            "that its own is over. On 2 November 2020 a switch of Cloudflare's failed in this way "
            "between members of an etcd cluster: elections began again and again, and the API and "
            "dashboard were impaired for six hours and 33 minutes. With PreVote the third node "
            "says that there is a leader. After the repair of the link nothing is asked."
        ),
        sources=(
            "https://blog.cloudflare.com/a-byzantine-failure-in-the-real-world/",
            f"{_THESIS}, section 9.6",
        ),
        flag="pre_vote=False",
        broken=Raft(3, **_COARSE),
        repaired=Raft(3, **_COARSE, pre_vote=True),
        breaks=node_1_leads_while_the_link_is_cut,
        faults=_BAD_LINK,
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2),
        length=15,
    ),
    Exhibit(
        name="removed-server-campaigns",
        title="A removed server stands for election",
        group="B",
        story=(
            "A server that is no longer a member hears no leader, so its election timer runs out, "
            "and its requests carry ever higher terms. LogCabin's removed servers could depose "
            "the leader of those that stayed; a leader that had removed itself won elections and "
            "stepped down, over and over. Here node 4 has no vote any more, and its timer "
            "still runs."
        ),
        sources=(
            f"{_GITHUB}/logcabin/logcabin/issues/205",
            f"{_GITHUB}/logcabin/logcabin/issues/56",
        ),
        flag="removed_server_campaigns",
        broken=Raft(4, **_COARSE, non_voters=[4], mutations={"removed_server_campaigns"}),
        repaired=Raft(4, **_COARSE, non_voters=[4]),
        breaks=node_1_leads,
        faults=Budget(partitions=1, partition_family=[[{1, 2, 3}, {4}]]),
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2),
        length=15,
    ),
    Exhibit(
        name="coarse-check-quorum",
        title="A leader that looks too rarely who hears it",
        group="B",
        story=(
            "A leader looks from time to time whether a majority has answered since it looked "
            "last. If it does so once in an election timeout, it may lead for almost two after "
            "it was cut off, and others elect after one. SOFAJRaft's leader looked twice in an "
            "election timeout and counted answers for a whole one: for two seconds there were two "
            "leaders, and reads under the lease could be old. It now looks at the lease at each "
            "read."
        ),
        sources=(
            f"{_GITHUB}/sofastack/sofa-jraft/pull/34",
            f"{_GITHUB}/hashicorp/consul/issues/54",
        ),
        flag="quorum_timeout_ms=60",
        broken=Raft(3, **(_WATCHED | {"quorum_timeout_ms": 60}), check_quorum=True),
        repaired=Raft(3, **_WATCHED, check_quorum=True),
        breaks="one_leader_at_a_time",
        faults=_CUT_OFF,
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2),
        length=30,
    ),
    Exhibit(
        name="check-quorum-off",
        title="A leader that nobody hears any more",
        group="B",
        story=(
            "A leader that is cut off learns of no newer term, and leads on: its clients wait for "
            "nothing, or get old answers. The thesis lets it step down when a majority has not "
            "answered for an election timeout, and etcd calls that CheckQuorum. If it looks at "
            "least twice in the time in which others elect, no two lead at one moment."
        ),
        sources=(
            f"{_THESIS}, section 6.2",
            "https://aphyr.com/posts/316-jepsen-etcd-and-consul",
        ),
        flag="check_quorum=False",
        broken=Raft(3, **_WATCHED),
        repaired=Raft(3, **_WATCHED, check_quorum=True),
        breaks="one_leader_at_a_time",
        faults=_CUT_OFF,
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2),
        length=19,
    ),
)

# --- nobody leads any more ------------------------------------------------------------------------

_ALL_AT_ONCE: dict[str, Any] = {"election_timeout_ms": 40, "heartbeat_interval_ms": 20}
_BEHIND_IN_TERM: dict[str, Any] = {
    **_COARSE,
    "pre_vote": True,
    "logs": [(1, 3), (1, 2), (1, 1)],
    "terms": [3, 3, 1],
}
_CRASH = Budget(crashes=1, restarts=0)
_AHEAD_OF_LONGER: dict[str, Any] = {
    **_COARSE,
    "pre_vote": True,
    "logs": [(1, 5), (1, 4), (2, 3)],
    "terms": [2, 2, 2],
}
_SOON_REPLACED: dict[str, Any] = {
    **_COARSE,
    "pre_vote": True,
    "check_quorum": True,
    "quorum_timeout_ms": 10,
    "logs": [(1, 3), (1, 2), (1, 1)],
}

_NOBODY = (
    Exhibit(
        name="prevote-ignores-lower-term",
        title="PreVote between different terms: silence",
        group="B",
        story=(
            "Messages of older terms are dropped, as usual in Raft. But PreVote's requests do not "
            "raise the receiver's term, so a node that is behind stays behind: its questions and "
            "its answers are dropped by those that are ahead. When the leader crashes, the "
            "two that are left are a majority and elect nobody. etcd's PreVote did so; since then "
            "an answer bears the term of the question, and who is behind is told. No two logs are "
            "equal here: of two nodes one can win only, so that no split votes are in the way."
        ),
        sources=(
            f"{_GITHUB}/etcd-io/etcd/issues/8243",
            f"{_GITHUB}/etcd-io/etcd/pull/8288",
        ),
        flag="prevote_ignores_lower_term",
        broken=Raft(3, **_BEHIND_IN_TERM, mutations={"prevote_ignores_lower_term"}),
        repaired=Raft(3, **_BEHIND_IN_TERM),
        breaks=a_node_leads,
        eventually=True,
        faults=_CRASH,
        timing=_IN_TIME,
        length=(7, 9),
    ),
    Exhibit(
        name="longer-and-later-log-check",
        title="A log that must be both longer and later",
        group="B",
        story=(
            "The voter refuses if its own last term is later, or if its own log is longer. The "
            "paper compares lengths only when the last terms are equal. Of two nodes, one with the "
            "longer and one with the later log, neither then votes for the other, and a cluster of "
            "three that has lost its third node has no leader any more. HashiCorp's Raft compared "
            "so until one of Raft's authors read it. PreVote is on here: without it two nodes "
            "may stand at the same moments for ever, by any rule."
        ),
        sources=(
            f"{_GITHUB}/hashicorp/raft/issues/94",
            f"{_GITHUB}/neo4j/neo4j/pull/6289",
            f"{_RAFT}, section 5.4.1",
        ),
        flag="longer_and_later_log_check",
        broken=Raft(3, **_AHEAD_OF_LONGER, mutations={"longer_and_later_log_check"}),
        repaired=Raft(3, **_AHEAD_OF_LONGER),
        breaks=a_node_leads,
        eventually=True,
        faults=_CRASH,
        timing=_IN_TIME,
        length=(7, 10),
    ),
    Exhibit(
        name="precandidate-keeps-leader",
        title="Who asks for votes still believes in the leader",
        group="B",
        story=(
            "A node whose election timer has run out asks for PreVotes, and goes on to take the "
            "old leader for alive: it refuses the questions of the others for another election "
            "timeout. The others do the same, and there is no candidate any more, and no leader. "
            "In etcd's raft a pre-candidate kept the leader's name, by which it judged. Here the "
            "leader of term 1 steps down at once: its quorum timeout is below a round trip."
        ),
        sources=(
            f"{_GITHUB}/etcd-io/etcd/issues/9586",
            f"{_GITHUB}/etcd-io/etcd/pull/8334",
        ),
        flag="precandidate_keeps_leader",
        broken=Raft(3, **_SOON_REPLACED, mutations={"precandidate_keeps_leader"}),
        repaired=Raft(3, **_SOON_REPLACED),
        breaks=a_node_stands,
        eventually=True,
        timing=_IN_TIME,
        initial_leader=1,
        length=(9, 19),
    ),
    Exhibit(
        name="fixed-timeout",
        title="The same election timeout for all",
        group="A",
        story=(
            "All nodes time out together, each votes for itself, nobody wins, and all begin the "
            "next term together. Raft draws a new timeout for every attempt; goraft did not after "
            "a split vote, and openraft drew one at the start and kept it, with which two nodes "
            "can tie for ever. The checker knows no chance: it would find the run in which new "
            "draws are equal each time as well. What rules that out is an order among the nodes; "
            "the repair shown here is priorities."
        ),
        sources=(
            f"{_RAFT}, section 5.2",
            f"{_GITHUB}/goraft/raft/issues/13",
            f"{_GITHUB}/fluree/db/pull/1845",
        ),
        flag="election_timeout_ms",
        broken=Raft(3, **_ALL_AT_ONCE),
        repaired=Raft(3, **_ALL_AT_ONCE, priorities=[3, 2, 1]),
        breaks=a_node_leads,
        eventually=True,
        timing=_IN_TIME,
        length=(26, 19),
    ),
)

# --- reads ----------------------------------------------------------------------------------------

_LEASED: dict[str, Any] = {**_COARSE, "reads": "lease"}
#: Whole ticks of 20 ms on clocks at 0.8 and 1.2: a heartbeat 1, a timeout 2.
_ON_CLOCKS: dict[str, Any] = {
    "election_timeout_ms": 48,
    "heartbeat_interval_ms": 16,
    "reads": "lease",
    "witnesses": [3],
}
_READ = command(1, "Read")

_READS = (
    Exhibit(
        name="unchecked-reads",
        title="A leader answers without asking whether it leads",
        group="B",
        story=(
            "Reads are answered from what the leader has. A leader that was replaced, and does not "
            "know it, answers with old data. Jepsen found such reads in etcd and Consul in 2014. "
            "A leader is to hear from a majority after a read was asked and before it is "
            "answered."
        ),
        sources=(
            "https://aphyr.com/posts/316-jepsen-etcd-and-consul",
            f"{_THESIS}, section 6.4",
        ),
        flag="unchecked",
        broken=Raft(3, reads="unchecked"),
        repaired=Raft(3, reads="confirmed"),
        breaks=replaced_leaders_answer_no_read,
        between=True,
        commands=(_READ,),
        initial_leader=1,
        bounds=Bounds(epoch=2, copies=1, depth=6),
        length=4,
    ),
    Exhibit(
        name="transfer-keeps-lease",
        title="A lease that outlives the handing over",
        group="B",
        story=(
            "A leader that hands over tells the target to stand at once, and all may vote for it "
            "although they hear a leader. So the leader's lease, which rests on their silence, is "
            "worth nothing from then on. If it keeps the lease and does not hear of the new "
            "leader, it takes its office up again after a timeout, and answers reads. TiKV cleared "
            "the lease then; etcd and raft-rs were asked the same."
        ),
        sources=(
            f"{_GITHUB}/tikv/tikv/issues/1593",
            f"{_GITHUB}/etcd-io/etcd/issues/12704",
            f"{_GITHUB}/tikv/raft-rs/issues/234",
        ),
        flag="transfer_keeps_lease",
        broken=Raft(3, **_LEASED, mutations={"transfer_keeps_lease"}),
        repaired=Raft(3, **_LEASED),
        breaks=replaced_leaders_answer_no_read,
        between=True,
        commands=(_READ, command(1, "TransferLeadership", to=2)),
        faults=Budget(partitions=1, partition_family=[[{1}, {2}]]),
        timing=_IN_TIME,
        initial_leader=1,
        bounds=Bounds(epoch=2, depth=17),
        length=17,
    ),
    Exhibit(
        name="lease-clock-drift",
        title="A lease that is counted on a slow clock",
        group="B",
        story=(
            "A leader counts its lease on its own clock, and the voters on theirs how long they "
            "keep still. If its clock is slow and theirs are fast, they elect another while it "
            "takes the lease for valid. The lease must be shortened by the most that clocks may "
            "differ in rate. TiKV and etcd learned that ticks and wall clocks are no measure of "
            "it: a thread that waits, or a clock that is set, counts as a slow one. Node 1's clock "
            "goes at 0.8 here, the others' at 1.2, and node 3 has a vote and never stands."
        ),
        sources=(
            f"{_GITHUB}/tikv/tikv/issues/964",
            f"{_GITHUB}/etcd-io/etcd/issues/6005",
            f"{_THESIS}, section 6.4.1",
        ),
        flag="clock_drift_bound_ppm=0",
        broken=Raft(3, **_ON_CLOCKS),
        repaired=Raft(3, **_ON_CLOCKS, clock_drift_bound_ppm=200_000),
        breaks=replaced_leaders_answer_no_read,
        between=True,
        commands=(_READ,),
        timing=Timing(tick_ms=20, one_way_delay_ms=(0, 20), rates={1: 0.8, 2: 1.2, 3: 1.2}),
        initial_leader=1,
        bounds=Bounds(epoch=2, depth=12),
        length=12,
    ),
)

EXHIBITS: tuple[Exhibit, ...] = _VOTES + _OFFICE + _NOBODY + _READS
