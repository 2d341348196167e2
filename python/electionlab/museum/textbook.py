"""What widespread notes on leader election get wrong, and where the museum shows it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A claim as it is commonly taught.

    Attributes:
        claim: As told, in short.
        right: What is right.
        source: Who says so.
        exhibits: Names in `electionlab.museum.EXHIBITS`; each shows what the claim leads to.
        pages: Pages of the documentation that show or measure it.
    """

    claim: str
    right: str
    source: str
    exhibits: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    @property
    def words_only(self) -> bool:
        """Whether it is a matter of words, with nothing to run."""
        return not self.exhibits and not self.pages


#: By number; the order is that of the algorithms.
TEXTBOOK: dict[int, Mistake] = {
    1: Mistake(
        claim="Bully: B(2) sends ELECTION to A(1), A answers as B is higher, so B leads.",
        right="ELECTION goes to higher nodes only, and an answer means that the sender has lost.",
        source="Garcia-Molina 1982",
        exhibits=("bully-asks-lower",),
    ),
    2: Mistake(
        claim="Ring: A's list comes back as (A, B), so A leads.",
        right="The highest on the list leads, and COORDINATOR goes round to tell the others.",
        source="Tanenbaum and van Steen; Chang and Roberts 1979",
        exhibits=("ring-first-on-list-leads", "ring-no-second-round"),
    ),
    3: Mistake(
        claim="Ring: B sends the list to C, which is dead, and then A has it.",
        right="Each hop is acknowledged; a successor that does not acknowledge is skipped.",
        source="Tanenbaum and van Steen",
        exhibits=("ring-waits-for-the-dead",),
    ),
    4: Mistake(
        claim="Bully: a higher node answers, and starts an election of its own.",
        right="Unless it holds one already: else the messages grow as 2^n.",
        source="Tanenbaum and van Steen",
        exhibits=("bully-without-dedupe",),
    ),
    5: Mistake(
        claim="Bully: one time-out, for the answer.",
        right="There is a second, for COORDINATOR after an answer: then it begins again.",
        source="Garcia-Molina 1982",
        exhibits=("bully-no-second-timeout",),
    ),
    6: Mistake(
        claim="Bully elects one leader.",
        right="Only with bounded delays, no pauses and no partitions.",
        source="Garcia-Molina 1982",
        exhibits=("bully-late-answers", "bully-in-a-partition"),
        pages=("protocols/bully.md", "protocols/invitation.md"),
    ),
    7: Mistake(
        claim="It costs O(n^2); it costs O(n).",
        right=(
            "Of what, and when: messages or ids, at best or at worst, for one election or for "
            "each attempt."
        ),
        source="counted here",
        exhibits=("bully-without-dedupe",),
        pages=("measures.md", "compare.md"),
    ),
    8: Mistake(
        claim="Raft: never vote for a candidate with a shorter log.",
        right="The last term decides first, then the length: a shorter log may have to win.",
        source="Ongaro and Ousterhout 2014, 5.4.1",
        exhibits=("length-only-log-check", "no-log-check"),
    ),
    9: Mistake(
        claim="Raft: one vote per term, and nothing about disks.",
        right="Term and vote are on the disk before the answer leaves; a restart may vote twice.",
        source="Ongaro and Ousterhout 2014, Figure 2",
        exhibits=("vote-not-persisted",),
    ),
    10: Mistake(
        claim="Time-outs are random for each node.",
        right="They are drawn anew each time; drawn once, the same nodes may tie for ever.",
        source="Ongaro and Ousterhout 2014, 5.2",
        exhibits=("fixed-timeout",),
        pages=("fig16.md",),
    ),
    11: Mistake(
        claim="Paxos: with a majority of promises the proposer sends its value, or a commit.",
        right=(
            "It sends accept(n, v) with the value of the highest proposal that the promises "
            "report; they must report it, and one proposer must be left alone."
        ),
        source="Lamport 2001, 2.2 and 2.4",
        exhibits=("paxos-own-value", "paxos-silent-promise", "acceptor-amnesia", "paxos-duel"),
    ),
    12: Mistake(
        claim="ZooKeeper runs Paxos, or Raft; Zab is about ephemeral nodes.",
        right="Its servers run Zab and an election of their own; nodes are what clients use.",
        source="Junqueira, Reed and Serafini 2011",
        pages=("protocols/zab.md", "protocols/zk_recipe.md"),
    ),
    13: Mistake(
        claim="ZooKeeper: the smallest ephemeral node leads, and all watch it.",
        right=(
            "Ephemeral and sequential; each watches the one before it, and looks again when that "
            "is gone already."
        ),
        source="ZooKeeper recipes",
        exhibits=("recipe-watches-leader", "no-recheck-after-exists"),
        pages=("protocols/zk_recipe.md",),
    ),
    14: Mistake(
        claim="kazoo: exists(path, watch=True).",
        right="It takes a function; and what it returns is not to be passed over.",
        source="kazoo",
    ),
    15: Mistake(
        claim="etcd: put(key, me, lease), and who does not fail leads.",
        right="A put never fails so: create the key in a transaction that compares.",
        source="etcd, package concurrency",
        pages=("protocols/etcd.md",),
    ),
    16: Mistake(
        claim="The lease expires, so there is one leader.",
        right="If clocks run at nearly one rate, and the holder counts from before it asked.",
        source="Gray and Cheriton 1989",
        pages=("protocols/lease.md",),
    ),
    17: Mistake(
        claim="Fencing tokens prevent two leaders.",
        right="Two may believe it; the resource refuses the older token, so no harm is done.",
        source="Burrows 2006; Kleppmann 2016",
        exhibits=("no-fencing",),
        pages=("resource.md",),
    ),
    18: Mistake(
        claim="It timed out, so it is dead.",
        right="A time-out is a suspicion.",
        source="Chandra and Toueg 1996",
        exhibits=("bully-late-answers",),
        pages=("detectors.md",),
    ),
    19: Mistake(
        claim="There is at most one leader.",
        right="In each term. Leaders of two terms may live at one moment.",
        source="Ongaro and Ousterhout 2014, 5.2",
        pages=("checker.md",),
    ),
    20: Mistake(
        claim="In a partition each side elects its leader.",
        right="In Bully and rings, yes; not where a majority is asked.",
        source="Ongaro and Ousterhout 2014, 5.2",
        exhibits=("bully-in-a-partition",),
        pages=("compare.md",),
    ),
    21: Mistake(
        claim="ZooKeeper elects the leaders of Kafka's partitions.",
        right="It elected the controller, which appoints them; newer versions do without it.",
        source="Kafka documentation",
    ),
    22: Mistake(
        claim="Bully is fast, ZooKeeper is fast, Raft is medium.",
        right="Nobody measured that.",
        source="measured here",
        pages=("compare.md",),
    ),
    23: Mistake(
        claim="With a leader exactly one node does the work.",
        right="One at most believes in each term; done once takes fencing, or idempotent work.",
        source="Kleppmann 2016",
        exhibits=("no-fencing",),
        pages=("resource.md",),
    ),
}

__all__ = ["TEXTBOOK", "Mistake"]
