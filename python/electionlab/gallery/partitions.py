"""Kafka's partitions: their leaders are not elected but chosen, by the controller.

The brokers elect one controller. For each partition the controller then picks a leader: the first
of its replicas, in the order of their assignment, that lives and is in sync. Nobody votes. If no
replica in sync lives, the partition has no leader, unless unclean choices are allowed: then the
first that lives leads, and what only the others had is lost.

Source: Apache Kafka, ``PartitionStateMachine`` (offlinePartitionLeaderElection) and the
documentation's section "Replication".

Left out: min.insync.replicas (it is 1), and the time after which a replica counts as behind.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Partition:
    """One partition as its controller and its replicas see it.

    Attributes:
        replicas: Brokers that keep it, the preferred leader first.
        unclean: Whether a replica that is not in sync may be chosen.
        in_sync: Replicas that have every acknowledged record (the ISR).
        leader: Who leads it; None: nobody, it is offline.
        epoch: How many leaders were chosen.
        records: How many records each replica has.
        acknowledged: Records that every replica in sync had: producers were told that they stay.
        lost: Acknowledged records that no later leader had.
    """

    replicas: tuple[int, ...]
    unclean: bool = False
    in_sync: set[int] = dataclasses.field(default_factory=set)
    leader: int | None = None
    epoch: int = 0
    records: dict[int, int] = dataclasses.field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.in_sync = set(self.replicas)
        self.records = dict.fromkeys(self.replicas, 0)
        self.choose(self.in_sync)

    def choose(self, living: set[int]) -> None:
        """The controller picks a leader; it keeps the one that lives."""
        if self.leader in living:
            return
        clean = [r for r in self.replicas if r in living and r in self.in_sync]
        dirty = [r for r in self.replicas if r in living] if self.unclean else []
        self.leader = next(iter(clean or dirty), None)
        if self.leader is None:
            return
        self.epoch += 1
        if not clean:
            self.in_sync = {self.leader}
        kept = self.records[self.leader]
        self.lost += max(self.acknowledged - kept, 0)
        self.acknowledged = min(self.acknowledged, kept)
        for replica in self.replicas:  # followers cut their logs back to the leader's
            self.records[replica] = min(self.records[replica], kept)

    def shrink(self, gone: int) -> None:
        """A replica falls behind or dies: it leaves the ISR, but the last one stays."""
        if len(self.in_sync) > 1:
            self.in_sync.discard(gone)

    def produce(self, living: set[int], lagging: set[int]) -> None:
        """One record: first the leader has it, then all that live and keep up."""
        if self.leader not in living or self.leader is None:
            return
        self.records[self.leader] += 1
        for replica in self.replicas:
            if replica in living and replica not in lagging:
                self.records[replica] = self.records[self.leader]
                self.in_sync.add(replica)
        self.acknowledged = min(self.records[r] for r in self.in_sync)
