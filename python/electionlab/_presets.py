"""The timing of systems as they are delivered, each number with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from electionlab.protocols import PROTOCOLS, Protocol, make_protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """One system's defaults for a protocol of this laboratory.

    Attributes:
        system: What it is, with the version the numbers are of.
        protocol: Name in the catalogue.
        options: Options of the protocol that differ from its defaults.
        source: Where the numbers stand.
        differs: What the system does otherwise than the model with these options.
    """

    system: str
    protocol: str
    options: Mapping[str, Any]
    source: str
    differs: str = ""

    @property
    def available(self) -> bool:
        """Whether the catalogue has the protocol."""
        return self.protocol in PROTOCOLS

    def make(self, nodes: int, **options: Any) -> Protocol:
        """The protocol with these options.

        Args:
            nodes: How many members.
            options: Others than the preset's, or other values.

        Raises:
            ValueError: The catalogue does not have the protocol, or an option is bad.
        """
        return make_protocol(self.protocol, nodes, {**self.options, **options})


#: Defaults of known systems by name.
#:
#: >>> import electionlab as el
#: >>> el.presets["etcd"].make(nodes=3).options["election_timeout_ms"]
#: [1000.0, 1900.0]
presets: Mapping[str, Preset] = MappingProxyType(
    {
        "raft_paper": Preset(
            system="Raft as in the paper",
            protocol="raft",
            options={"election_timeout_ms": (150, 300), "heartbeat_interval_ms": 75},
            source="Ongaro and Ousterhout, USENIX ATC 2014: section 9.3 recommends 150 to 300 ms, "
            "and measures with heartbeats at half of the minimum, 75 ms",
            differs="logs are given and do not grow",
        ),
        "etcd": Preset(
            system="etcd 3.5 and later",
            protocol="raft",
            options={
                "election_timeout_ms": (1000, 1900),
                "heartbeat_interval_ms": 100,
                "timeout_policy": "quantised",
                "tick_ms": 100,
                "pre_vote": True,
                "check_quorum": True,
                "leader_stickiness": True,
                "stickiness_by_ticks": True,
                "reads": "confirmed",
            },
            source="etcd: --heartbeat-interval=100 (one tick), --election-timeout=1000 (T = 10 "
            "ticks), --pre-vote=true; go.etcd.io/raft: a timeout is T + rand(T) ticks, so T to 2T "
            "- 1, 1000 to 1900 ms; CheckQuorum, and votes withheld for T ticks; "
            "ReadOnlySafe",
            differs="a follower that votes refuses a PreVote only along with CheckQuorum, which "
            "is always on; a leader's timeout for CheckQuorum is T on its ticks; a follower draws "
            "once in a term, and who asks for PreVotes keeps what it drew",
        ),
        "hashicorp_raft": Preset(
            system="hashicorp/raft 1.7 (Consul, Nomad, Vault)",
            protocol="raft",
            options={
                "election_timeout_ms": (1000, 2000),
                "heartbeat_interval_ms": 150,
                "pre_vote": True,
                "check_quorum": True,
                "quorum_timeout_ms": 500,
                "leader_stickiness": True,
            },
            source="hashicorp/raft config.go, DefaultConfig: HeartbeatTimeout = ElectionTimeout = "
            "1000 ms, each drawn from [T, 2T), 1000 to 2000 ms; LeaderLeaseTimeout = 500 ms; "
            "PreVote unless PreVoteDisabled",
            differs="heartbeats are drawn from [100, 200) ms (T/10), here every 150; followers "
            "check at random intervals and not with a timer; Consul multiplies all by its "
            "raft_multiplier, 5 by default",
        ),
        "kafka_kraft": Preset(
            system="Apache Kafka 4 controllers (KRaft)",
            protocol="raft",
            options={
                "election_timeout_ms": (2000, 3000),
                "heartbeat_interval_ms": 500,
                "pre_vote": True,
                "check_quorum": True,
                "quorum_timeout_ms": 3000,
            },
            source="Kafka QuorumConfig: controller.quorum.fetch.timeout.ms=2000, "
            "controller.quorum.election.timeout.ms=1000, election.backoff.max.ms=1000; KIP-595, "
            "KIP-996 (pre-vote), KAFKA-15489 (a leader resigns after 1.5 fetch timeouts, 3000 ms)",
            differs="followers fetch (long polls of at most 500 ms) instead of being sent "
            "heartbeats, and wait the fetch timeout of 2000 ms, which is not random; a candidate "
            "waits 1000 to 2000 ms for votes, and a failed one up to 1000 ms more: the range of "
            "2000 to 3000 ms stands for all",
        ),
        "zookeeper": Preset(
            system="Apache ZooKeeper 3.9, its own leader",
            protocol="zab",
            options={
                "tick_time_ms": 2000,
                "init_limit": 10,
                "sync_limit": 5,
                "finalize_wait_ms": 200,
                "min_notification_interval_ms": 200,
                "max_notification_interval_ms": 60_000,
                "connect_retry_ms": 100,
                "connect_tries": 5,
            },
            source="ZooKeeper zoo_sample.cfg: tickTime=2000, initLimit=10, syncLimit=5; "
            "FastLeaderElection: finalizeWait=200 ms, notifications repeated after 200 to 60000 "
            "ms; Learner: 5 tries, leaderConnectDelayDuringRetryMs=100",
            differs="a crashed process closes its connections, which its peers see at once, and "
            "nobody waits for syncLimit; here a crash says nothing, as a machine that loses its "
            "power, unless the command CloseConnections comes right before",
        ),
        "curator_latch": Preset(
            system="Apache Curator 5 LeaderLatch on ZooKeeper",
            protocol="zk_recipe",
            options={
                "session_timeout_ms": 40_000,
                "tick_ms": 2000,
                "connect_timeout_ms": (13_333, 14_333),
                "step_down_on_disconnect": True,
                "protected_create": True,
                "look_interval_ms": 2000,
            },
            source="CuratorFrameworkFactory: curator-default-session-timeout=60000, which a "
            "server with tickTime=2000 cuts to maxSessionTimeout = 20 ticks = 40000 ms; "
            "ClientCnxn of a service of three: a third of the time-out to connect, 13333 ms, "
            "after a pause of up to 1000 ms, so up to 14333 ms",
            differs="who leads is asked for when somebody wants to know (getLeader), here every "
            "2000 ms; the service here is one machine, not an ensemble that elects",
        ),
        "kafka_zookeeper": Preset(
            system="Apache Kafka 2.5 to 3.9 with ZooKeeper, its controller",
            protocol="zk_lock",
            options={
                "session_timeout_ms": 18_000,
                "tick_ms": 2000,
                "connect_timeout_ms": (6000, 7000),
                "flavour": "kafka",
                "step_down_on_disconnect": False,
            },
            source="Kafka: zookeeper.session.timeout.ms=18000 (KIP-537; 6000 before 2.5); "
            "zoo_sample.cfg: tickTime=2000; ClientCnxn of a service of three: a third of the "
            "time-out to connect, 6000 ms, after a pause of up to 1000 ms, so up to 7000 ms",
            differs="the service here is one machine, not an ensemble that elects",
        ),
        "yarn": Preset(
            system="Apache Hadoop 3 YARN, the active ResourceManager",
            protocol="zk_lock",
            options={
                "session_timeout_ms": 10_000,
                "tick_ms": 2000,
                "connect_timeout_ms": (3333, 4333),
                "flavour": "yarn",
                "step_down_on_disconnect": False,
                "fence_timeout_ms": 1,
                "unfenced": "goes_on",
                "rejoin_delay_ms": 1000,
            },
            source="YarnConfiguration: yarn.resourcemanager.zk-timeout-ms=10000; "
            "ActiveStandbyElector: SLEEP_AFTER_FAILURE_TO_BECOME_ACTIVE=1000; zoo_sample.cfg: "
            "tickTime=2000; ClientCnxn of a service of three: a third of the time-out to connect, "
            "3333 ms, after a pause of up to 1000 ms, so up to 4333 ms",
            differs="a ResourceManager ignores the call to fence the last one, whose writes its "
            "store refuses; here it is asked, and waited for 1 ms. HDFS's failover controller "
            "does fence (5000 ms for the request, then dfs.ha.fencing.methods). The service here "
            "is one machine, not an ensemble that elects",
        ),
        "kubernetes": Preset(
            system="Kubernetes client-go leader election (controller manager, scheduler)",
            protocol="kubernetes",
            options={
                "lease_duration_ms": 15_000,
                "renew_deadline_ms": 10_000,
                "retry_period_ms": 2_000,
                "jitter_percent": 120,
                "request_timeout_ms": 5_000,
            },
            source="k8s.io/component-base: LeaseDuration=15 s, RenewDeadline=10 s, RetryPeriod=2 "
            "s; client-go tools/leaderelection: JitterFactor=1.2, that is 120 %; the controller "
            "manager's client for the lease: Timeout = RenewDeadline / 2, 5 s",
            differs="the API server and its store are one machine here",
        ),
    }
)
