"""Leases, locks and coordination services."""

from __future__ import annotations

from typing import Any

from electionlab._checked_runs import CheckedState
from electionlab.checker import Bounds, Budget, Timing
from electionlab.museum._exhibit import Exhibit
from electionlab.protocols import Bully, Protocol, Zab, ZkLock, ZkRecipe
from electionlab.settings import Resource, command

#: Sessions whose pings never meet their time-outs, as long as messages take 100 ms.
_SESSIONS: dict[str, Any] = {
    "session_timeout_ms": 900,
    "tick_ms": 300,
    "connect_timeout_ms": (300, 300),
}
_IN_TIME = Timing(tick_ms=100, one_way_delay_ms=100)
_SLEEP = Budget(pauses=1)

# --- what is asked --------------------------------------------------------------------------------


def accepted_tokens_never_fall(state: CheckedState) -> bool:
    """The resource accepts nothing with a token below one that it has seen."""
    resource = state.nodes[-1]["disk"]["resource"]
    return resource is None or resource["lower_tokens"] == 0


def nobody_writes_after_a_takeover(state: CheckedState) -> bool:
    """The resource accepts nothing from a leader that another has taken over from."""
    resource = state.nodes[-1]["disk"]["resource"]
    return resource is None or resource["stale"] == 0


def one_is_woken(state: CheckedState) -> bool:
    """A znode that goes wakes one member at most."""
    gone = [
        message["fields"]["path"]
        for message in state.messages
        if message["kind"] == "WatchEvent" and message["fields"]["type"] == "deleted"
    ]
    return len(gone) == len(set(gone))


def somebody_leads(state: CheckedState) -> bool:
    """A node acts as leader."""
    return bool(state.leaders)


def no_leader_goes_back_in_rounds(state: CheckedState) -> bool:
    """Who leads is not in an earlier round than a vote of its own that is under way."""
    at = {node["node"]: node["memory"] for node in state.nodes}
    return not any(
        message["kind"] == "Notification"
        and at[message["from"]]["peer"] == "leading"
        and message["fields"]["round"] > at[message["from"]]["round"]
        for message in state.messages
    )


def who_finds_an_ensemble_joins_it(state: CheckedState) -> bool:
    """Nobody looks on that has heard from a leader and a majority of its followers."""
    for node in state.nodes:
        if not node["memory"] or node["memory"]["peer"] != "looking":
            continue
        heard = node["memory"]["ensemble"]
        for leader in (ballot["node"] for ballot in heard if ballot["state"] == "leading"):
            if 2 * sum(b["vote"]["leader"] == leader for b in heard) > len(state.nodes):
                return False
    return True


# --- the exhibits ---------------------------------------------------------------------------------


def _recipe(nodes: int, *mutations: str, **options: Any) -> Protocol:
    return ZkRecipe(nodes, look_interval_ms=0, mutations=set(mutations), **_SESSIONS, **options)


def _worked(protocol: Protocol, fencing: str) -> Protocol:
    """One job each, that takes a tick."""
    return protocol.at_work(Resource(fencing=fencing, work_ms=100, work_interval_ms=300, jobs=1))


def _two_sites(fencing: str) -> Protocol:
    sites = Bully(
        2,
        answer_timeout_ms=30,
        coordinator_timeout_ms=60,
        heartbeat_interval_ms=30,
        leader_timeout_ms=50,
    )
    return sites.at_work(Resource(fencing=fencing, work_ms=100, work_interval_ms=100, jobs=2))


def _ensemble(*mutations: str) -> Protocol:
    return Zab(
        3,
        tick_time_ms=80,
        init_limit=3,
        sync_limit=2,
        finalize_wait_ms=80,
        min_notification_interval_ms=120,
        max_notification_interval_ms=120,
        connect_retry_ms=80,
        mutations=set(mutations),
    )


EXHIBITS: tuple[Exhibit, ...] = (
    Exhibit(
        name="no-fencing",
        title="A lock holder that slept writes all the same",
        group="A",
        story=(
            "A holder of a lock looks whether it holds it, and then writes. Between the two it "
            "may stand still, for garbage collection or while its machine is suspended, until its "
            "session has expired and another has the lock; then both write. No lock service can "
            "prevent that: Kleppmann described it in 2016, and Jepsen lost updates under etcd's "
            "locks. The storage can, if every write carries a number that rises with each holder, "
            "here that of the holder's znode, and it refuses those below the highest it has seen."
        ),
        sources=(
            "https://github.com/etcd-io/etcd/issues/11457",
            "https://jepsen.io/blog/2020-01-30-etcd-3.4.3",
            "https://pkg.go.dev/go.etcd.io/etcd/v3@v3.5.5/contrib/lock",
        ),
        flag="fencing='none'",
        broken=_worked(_recipe(2), "none"),
        repaired=_worked(_recipe(2), "token"),
        breaks=accepted_tokens_never_fall,
        faults=_SLEEP,
        timing=_IN_TIME,
        initial_leader=1,
        length=44,
    ),
    Exhibit(
        name="recipe-trusts-old-node",
        title="The znode of a dead session is claimed",
        group="A",
        story=(
            "A client of Curator's LeaderLatch came back with a new session, listed the queue, "
            "and found there the znode that it had made in its old session, which the service had "
            "not yet ended. It took that for its own, and led. When the old session ended the "
            "znode went, and nobody told it: nobody watches their own. The next in the queue led "
            "as well. The repair compares a znode's owner with the session. Here the client comes "
            "back by a restart."
        ),
        sources=(
            "https://github.com/apache/curator/issues/1211",
            "https://github.com/apache/curator/issues/1137",
            "https://github.com/apache/curator/pull/500",
        ),
        flag="trusts_old_node",
        broken=_recipe(2, "trusts_old_node"),
        repaired=_recipe(2),
        breaks="one_leader_at_a_time",
        faults=Budget(reboots=1),
        timing=_IN_TIME,
        initial_leader=1,
        length=47,
    ),
    Exhibit(
        name="failover-without-fencing",
        title="The old primary is not stopped",
        group="A",
        story=(
            "On 21 October 2018 GitHub's two coasts did not reach each other for 43 seconds. The "
            "failover made databases in the west primaries, and nothing stopped those in the "
            "east: when the network healed each side had writes that the other had not, and there "
            "was no way back. Service was degraded for 24 hours and 11 minutes. Here the higher "
            "node is cut off from the other and the storage; the other finds no leader and takes "
            "over, the network heals, and both write. Bully has no epochs that could serve as "
            "tokens: the storage numbers those who take it over, and refuses all but the last."
        ),
        sources=(
            "https://byu-se.github.io/idb/incidents/13.html",
            "https://www.postmortems.app/postmortem/4da4ac8a-fb93-426e-9ae7-eb088f115959",
        ),
        flag="fencing='none'",
        broken=_two_sites("none"),
        repaired=_two_sites("takeover"),
        breaks=nobody_writes_after_a_takeover,
        faults=Budget(partitions=1, partition_family=[[{2}, {1, 3}]]),
        timing=Timing(tick_ms=10, one_way_delay_ms=10),
        initial_leader=2,
        length=27,
    ),
    Exhibit(
        name="kafka-unfenced-controller",
        title="A controller that was replaced goes on",
        group="B",
        story=(
            "Kafka's controller was whoever had made an ephemeral znode. One whose session had "
            "ended did not know yet that another had been elected, and still wrote its view of "
            "the partitions to ZooKeeper. Each controller has an epoch, raised with the znode in "
            "one transaction; the repair makes every write conditional on it. Here the controller "
            "stands still between looking and writing."
        ),
        sources=(
            "https://github.com/apache/kafka/pull/5101",
            "https://github.com/apache/kafka/pull/12506",
        ),
        flag="fencing='none'",
        broken=_worked(ZkLock(2, **_SESSIONS), "none"),
        repaired=_worked(ZkLock(2, **_SESSIONS), "token"),
        breaks=accepted_tokens_never_fall,
        faults=_SLEEP,
        timing=_IN_TIME,
        initial_leader=1,
        length=53,
    ),
    Exhibit(
        name="recipe-orphan-node",
        title="A second znode, while the first lives on",
        group="B",
        story=(
            "A client of Curator's LeaderSelector lost its connection, gave its leadership up, "
            "and could not delete its znode. It connected again in time, so its session lived, "
            "and the znode with it; it made another, and waited for the first one to go. Nobody "
            "led any more, for a session does not end while its client is well."
        ),
        sources=(
            "https://github.com/apache/curator/issues/723",
            "https://github.com/apache/curator/issues/566",
        ),
        flag="forgets_its_node",
        broken=_recipe(1, "forgets_its_node"),
        repaired=_recipe(1),
        breaks="one_znode_per_session",
        faults=Budget(losses=1),
        timing=_IN_TIME,
        initial_leader=1,
        length=22,
    ),
    Exhibit(
        name="recipe-lost-reply",
        title="Made, but the reply was lost",
        group="B",
        story=(
            "The reply to the creation of a sequential znode is lost, and with it the name: the "
            "client does not know that it has a znode, makes another, and waits behind itself. "
            "Curator's LeaderSelector did so. The recipe's way out is a unique prefix in the "
            "znode's name, by which its maker finds it; it came into ZooKeeper's documentation "
            "after ZOOKEEPER-1262."
        ),
        sources=(
            "https://github.com/apache/curator/issues/566",
            "https://mail-archive.com/dev@zookeeper.apache.org/msg05728.html",
        ),
        flag="protected_create=False",
        broken=_recipe(1, protected_create=False),
        repaired=_recipe(1),
        breaks="one_znode_per_session",
        faults=Budget(losses=1),
        timing=_IN_TIME,
        length=30,
    ),
    Exhibit(
        name="recipe-watches-leader",
        title="The herd",
        group="B",
        story=(
            "If all who wait watch the leader's znode, its end wakes all of them at once, and all "
            "list the queue, to find that one of them leads. Each needs to watch the znode before "
            "its own only: then a znode that goes wakes one."
        ),
        sources=(
            "ZooKeeper Recipes and Solutions, Leader Election",
            "Hunt et al., USENIX ATC 2010, section 2.4",
        ),
        flag="watch='leader'",
        broken=_recipe(3, watch="leader"),
        repaired=_recipe(3),
        breaks=one_is_woken,
        commands=(command(1, "Resign"),),
        timing=_IN_TIME,
        length=31,
        hides="with two nodes one waits, and one is woken",
        hidden=_recipe(2, watch="leader"),
    ),
    Exhibit(
        name="no-recheck-after-exists",
        title="Waiting for a znode that is gone",
        group="B",
        story=(
            "A member lists the queue, and asks exists() to watch the znode before its own. That "
            "one goes between the two: exists() finds nothing, and its watch waits for a znode "
            "that nobody will make again. The recipe says to list again then. Who does not waits "
            "for ever, and all behind it."
        ),
        sources=("ZooKeeper Recipes and Solutions, Locks, steps 4 and 5",),
        flag="no_recheck_after_exists",
        broken=_recipe(2, "no_recheck_after_exists"),
        repaired=_recipe(2),
        breaks=somebody_leads,
        eventually=True,
        commands=(command(1, "Resign"),),
        timing=_IN_TIME,
        length=(46, 10),
    ),
    Exhibit(
        name="fle-backward-round",
        title="Back to an earlier round",
        group="B",
        story=(
            "A server of ZooKeeper looks for a leader in a new round of the election, and a "
            "quorum tells it that they follow it: since an earlier round, as they have not "
            "noticed yet that it left. It led, and set its round back to theirs. Meanwhile they "
            "came to look as well, and to elect it in the new round; with a leader and followers "
            "of different rounds others found no quorum that agreed, and could not join. The "
            "repair: who is said to lead believes it only of the round that it is in. Nothing but "
            "the depth ends this search: servers look in ever new rounds."
        ),
        sources=(
            "https://issues.apache.org/jira/browse/ZOOKEEPER-1514",
            "FLEBackwardElectionRoundTest in ZooKeeper's own tests",
        ),
        flag="fle_backward_round",
        broken=Zab(3, init_limit=1, sync_limit=1, mutations={"fle_backward_round"}),
        repaired=Zab(3, init_limit=1, sync_limit=1),
        breaks=no_leader_goes_back_in_rounds,
        bounds=Bounds(depth=9, copies=1),
        initial_leader=1,
        length=9,
    ),
    Exhibit(
        name="fle-mixed-epochs",
        title="An ensemble that tells of two epochs",
        group="B",
        story=(
            "A server that starts asks the others whom they follow, and joins when a quorum says "
            "the same. A leader told of its new epoch, and followers of the epoch in which they "
            "had voted: the answers never agreed, and the server looked for ever, beside an "
            "ensemble that worked. The repair: whoever is up to date tells of the new epoch. "
            "Nothing but the depth ends this search: leaders count their ticks."
        ),
        sources=(
            "https://issues.apache.org/jira/browse/ZOOKEEPER-1732",
            "https://github.com/apache/zookeeper/pull/703",
            "Learner.syncWithLeader and Vote.equals in ZooKeeper 3.9",
        ),
        flag="fle_mixed_epochs",
        broken=_ensemble("fle_mixed_epochs"),
        repaired=_ensemble(),
        breaks=who_finds_an_ensemble_joins_it,
        faults=Budget(reboots=1),
        bounds=Bounds(depth=55, copies=1),
        timing=Timing(tick_ms=20, one_way_delay_ms=20),
        initial_leader=1,
        length=55,
    ),
)
