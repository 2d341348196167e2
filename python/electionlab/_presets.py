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
            source="Ongaro and Ousterhout, USENIX ATC 2014: section 9.3 recommends 150-300 ms, and "
            "measures with heartbeats at half of the minimum",
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
                "reads": "confirmed",
            },
            source="etcd: --heartbeat-interval=100 (one tick), --election-timeout=1000 (T = 10 "
            "ticks), --pre-vote=true; go.etcd.io/raft: a timeout is T + rand(T) ticks, so T to "
            "2T - 1; CheckQuorum; ReadOnlySafe",
            differs="a follower that votes refuses a PreVote only along with CheckQuorum, which is "
            "always on; a leader's timeout for CheckQuorum is T on its ticks",
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
            "1 s, each drawn from [T, 2T); LeaderLeaseTimeout = 500 ms",
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
            "KIP-996 (pre-vote), KAFKA-15489 (a leader resigns after 1.5 fetch timeouts)",
            differs="followers fetch (long polls of at most 500 ms) instead of being sent "
            "heartbeats, and wait the fetch timeout of 2000 ms, which is not random; a failed "
            "candidate waits up to 1000 ms more: the range here joins the two",
        ),
        "zookeeper": Preset(
            system="Apache ZooKeeper 3.8",
            protocol="zab",
            options={"tick_time_ms": 2000},
            source="ZooKeeper administrator's guide and zoo_sample.cfg: tickTime=2000, "
            "initLimit=10, syncLimit=5; FastLeaderElection: finalizeWait=200 ms",
        ),
        "kubernetes": Preset(
            system="Kubernetes client-go leader election (controller manager, scheduler)",
            protocol="kubernetes",
            options={
                "lease_duration_ms": 15_000,
                "renew_deadline_ms": 10_000,
                "retry_period_ms": 2_000,
            },
            source="k8s.io/component-base: LeaseDuration=15s, RenewDeadline=10s, RetryPeriod=2s; "
            "client-go tools/leaderelection: JitterFactor=1.2",
        ),
    }
)
