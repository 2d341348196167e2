"""Known hard cases: where elections go wrong, and what cures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from electionlab import settings
from electionlab._acknowledged import acknowledged_share
from electionlab.cluster import Cluster
from electionlab.gallery.case import (
    Bars,
    Case,
    Fact,
    Findings,
    Panel,
    Shares,
    Timeline,
    count,
    median,
)
from electionlab.protocols import make_protocol
from electionlab.settings import Machine, Network, Resource

_BOTH = {"pre_vote": True, "check_quorum": True}


def _raft(
    seed: int, nodes: int, options: Mapping[str, Any], *, leader: int, record: bool = True
) -> Cluster:
    cluster = Cluster(
        make_protocol("raft", nodes, dict(options)), seed=seed, initial_leader=leader, record=record
    )
    cluster.run(until=10.0)
    return cluster


# --- split brain ----------------------------------------------------------------------------------


def _split(
    name: str, seed: int, minority: Sequence[int], *, record: bool = True, **options: Any
) -> Cluster:
    """A cluster led by its highest node, cut in two for a second."""
    cluster = Cluster(make_protocol(name, 5, options), seed=seed, initial_leader=5, record=record)
    cluster.run(until=100.0 + seed % 50)
    cluster.partition(minority, [n for n in range(1, 6) if n not in minority])
    cluster.run(until=1_100.0)
    return cluster


def _elected_by(cluster: Cluster, minority: Sequence[int]) -> bool:
    """Whether a node of the minority leads that did not before."""
    return any(cluster.node(n).role == "leader" for n in minority if n != 5)


_SPLITS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "bully": ("bully", (1, 2), {}),
    "ring": ("ring", (1, 2), {}),
    "raft": ("raft", (1, 2), {}),
    "raft_old_leader_in_minority": ("raft", (1, 5), {}),
    "raft_check_quorum": ("raft", (1, 5), {"check_quorum": True}),
}


def _play_split_brain(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    for label, (name, minority, options) in _SPLITS.items():
        clusters[label] = _split(name, seed, minority, **options)
        every = [_split(name, s, minority, record=False, **options)
                 for s in range(seed, seed + runs)]  # fmt: skip
        facts[f"{label}_runs_where_minority_elected"] = sum(_elected_by(c, minority) for c in every)
        facts[f"{label}_two_leaders_median_ms"] = median(
            [c.metrics["split_brain_ms"] for c in every]
        )
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Bully: two nodes of five elect a leader of their own", cluster="bully"),
            Timeline(title="Raft: two of five elect nobody, however often they stand",
                     cluster="raft"),
            Timeline(title="Raft, old leader in the minority: acts on in its old term",
                     cluster="raft_old_leader_in_minority"),
            Timeline(title="Raft with CheckQuorum: it steps down by itself",
                     cluster="raft_check_quorum"),
        ),
    )  # fmt: skip


# --- Raft under partial connectivity --------------------------------------------------------------


def _rejoining(seed: int, options: Mapping[str, Any], *, record: bool = True) -> Cluster:
    cluster = _raft(seed, 5, options, leader=1, record=record)
    cluster.partition([5], [1, 2, 3, 4])
    cluster.run(until=2_010.0)
    cluster.heal()
    cluster.run(until=4_000.0)
    return cluster


def _play_rejoining(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    for label, options in (("plain", {}), ("pre_vote", {"pre_vote": True})):
        cluster = clusters[label] = _rejoining(seed, options)
        facts[f"{label}_highest_term"] = max(node.epoch for node in cluster.nodes)
        facts[f"{label}_leader_changes"] = cluster.metrics["leader_changes"]
        facts[f"{label}_no_leader_ms"] = cluster.metrics["no_leader_ms"]
        facts[f"{label}_runs_with_the_leader_unseated"] = count(
            seed, runs, lambda s, o=options: (  # type: ignore[misc]
                _rejoining(s, o, record=False).metrics["leaderships"] > 1
            ),
        )  # fmt: skip
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Node 5 comes back with a high term and unseats a leader that served "
                     "all", cluster="plain"),
            Timeline(title="With PreVote its term stays, and nothing happens", cluster="pre_vote"),
        ),
    )  # fmt: skip


_RUN_MS = 10_000.0


def _cut_up(
    seed: int,
    cuts: Sequence[tuple[Sequence[int], Sequence[int]]],
    options: Mapping[str, Any],
    *,
    nodes: int = 5,
    leader: int,
    down: int | None = None,
) -> Cluster:
    """A Raft cluster in which some pairs cannot talk, for ten seconds."""
    cluster = _raft(seed, nodes, options, leader=leader)
    if down is not None:
        cluster.crash(down)
    for one, other in cuts:
        cluster.cut(one, other, both_ways=True)
    cluster.run(until=_RUN_MS)
    return cluster


#: A rate or median is over at most so many of these longer runs.
_MOST = 10


def _partial(
    seed: int,
    runs: int,
    variants: Mapping[str, Mapping[str, Any]],
    titles: Mapping[str, str],
    end_ms: float,
    **how: Any,
) -> Findings:
    """Judged by leader changes and majority-acknowledged heartbeats, not by one look at the end."""
    runs = min(runs, _MOST)
    facts: dict[str, Fact] = {"runs_of_medians": runs}
    clusters = {}
    for label, options in variants.items():
        every = [_cut_up(s, options=options, **how) for s in range(seed, seed + runs)]
        cluster = clusters[label] = every[0]
        shares = [100 * acknowledged_share(one.trace) for one in every]
        facts[f"{label}_leaderships"] = cluster.metrics["leaderships"]
        facts[f"{label}_leaderships_median"] = median([c.metrics["leaderships"] for c in every])
        facts[f"{label}_acknowledged_percent"] = round(shares[0], 1)
        facts[f"{label}_acknowledged_median_percent"] = round(median(shares), 1)
        facts[f"{label}_leads_at_the_end"] = cluster.leader or "nobody"
    panels: list[Panel] = [
        Timeline(title=title, cluster=label, end_ms=end_ms) for label, title in titles.items()
    ]
    return Findings(facts=facts, clusters=clusters, panels=tuple(panels))


_VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {}, "pre_vote": {"pre_vote": True}, "pre_vote_check_quorum": _BOTH,
}  # fmt: skip


def _play_deadlock(seed: int, runs: int) -> Findings:
    return _partial(
        seed, runs, _VARIANTS,
        {"pre_vote": "PreVote alone: node 2 hears the leader and refuses, nobody else can win",
         "pre_vote_check_quorum": "With CheckQuorum: the leader steps down, another is elected"},
        2_000.0, cuts=[([4], [1, 3])], leader=4, down=5,
    )  # fmt: skip


def _play_partial(seed: int, runs: int) -> Findings:
    return _partial(
        seed, runs, _VARIANTS,
        {"plain": "No option: leaders come and go, none for long",
         "pre_vote_check_quorum": "PreVote and CheckQuorum: the leader stays"},
        4_000.0, cuts=[([4], [1, 3, 5]), ([5], [1, 2, 4])], leader=3,
    )  # fmt: skip


def _play_chained(seed: int, runs: int) -> Findings:
    return _partial(
        seed, runs, _VARIANTS,
        {"plain": "2 - 1 - 3 in a line: the two ends unseat each other for ever",
         "pre_vote_check_quorum": "With PreVote node 1, which hears a leader, says no"},
        2_000.0, cuts=[([2], [3])], nodes=3, leader=2,
    )  # fmt: skip


def _play_quorum_loss(seed: int, runs: int) -> Findings:
    return _partial(
        seed, runs, _VARIANTS,
        {"pre_vote": "PreVote alone: leader 3 reaches only node 1, and stays",
         "pre_vote_check_quorum": "With CheckQuorum it steps down for node 1, which reaches all"},
        2_000.0, cuts=[([2], [3, 4, 5]), ([3], [4, 5]), ([4], [5])], leader=3,
    )  # fmt: skip


def _play_constrained(seed: int, runs: int) -> Findings:
    old_log = {"logs": [[1, 1], [1, 2], [1, 2], [1, 2], [1, 2]]}
    return _partial(
        seed, runs,
        {"old_log": old_log, "old_log_pre_vote_check_quorum": {**old_log, **_BOTH},
         "equal_logs_pre_vote_check_quorum": _BOTH},
        {"old_log_pre_vote_check_quorum": "Only node 1 reaches a majority, and its log is old: "
         "nobody leads",
         "equal_logs_pre_vote_check_quorum": "With equal logs node 1 is elected"},
        2_000.0, leader=3, cuts=[([3], [1, 2, 4, 5]), ([2], [4, 5]), ([4], [5])],
    )  # fmt: skip


# --- a paused leader ------------------------------------------------------------------------------


def _sleeper(name: str, fencing: str, seed: int, *, record: bool = True) -> Cluster:
    cluster = Cluster(
        make_protocol(name, 3), seed=seed, initial_leader=3 if name == "bully" else 1,
        resource=Resource(fencing=fencing, work_interval_ms=40.0, work_ms=40.0), record=record,
    )  # fmt: skip
    cluster.run(until=225.0 + 37 * seed % 80)
    cluster.pause("leader", resume_after_ms=600.0)
    cluster.run(until=1_000.0)
    return cluster


def _stale(cluster: Cluster) -> int:
    assert cluster.resource is not None
    return int(cluster.resource["stale"])


_SLEEPERS = (("raft", "none"), ("raft", "token"), ("lease", "none"), ("lease", "token"),
             ("bully", "token"), ("bully", "takeover"))  # fmt: skip


def _play_paused(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    for name, fencing in _SLEEPERS:
        label = f"{name}_{fencing}"
        # The told run is the first in which the pause comes in the middle of a job.
        clusters[label] = _sleeper(name, fencing, _mid_job(name, seed))
        facts[f"{label}_told_seed"] = clusters[label].seed
        facts[f"{label}_stale_writes"] = _stale(clusters[label])
        facts[f"{label}_runs_with_a_stale_write"] = count(
            seed, runs, lambda s, n=name, f=fencing: (  # type: ignore[misc]
                _stale(_sleeper(n, f, s, record=False)) > 0
            ),
        )  # fmt: skip
    kinds = ["TakeOver", "TakeOverReply", "Write", "WriteReply"]
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Lease, no fencing: node 1 wakes and writes over its successor's work",
                     cluster="lease_none", start_ms=150.0, messages=True, kinds=kinds),
            Timeline(title="Lease, fencing tokens: the same write comes and is turned away",
                     cluster="lease_token", start_ms=150.0, messages=True, kinds=kinds),
            Bars(title=f"How often a write of the sleeper was accepted, of {runs} runs",
                 quantity="runs", values={"measured": {
                     f"{name}\n{fencing}": float(
                         facts[f"{name}_{fencing}_runs_with_a_stale_write"])
                     for name, fencing in _SLEEPERS}}),
        ),
    )  # fmt: skip


def _mid_job(name: str, seed: int) -> int:
    """The first seed from this one on whose pause comes in the middle of a job, or this one."""
    for number in range(seed, seed + 40):
        if _stale(_sleeper(name, "none", number, record=False)):
            return number
    return seed


# --- clocks ---------------------------------------------------------------------------------------


def _drifting(seed: int, believed_ppm: int, ppm: int) -> Cluster:
    """A slow holder is cut off from a fast manager."""
    lease = make_protocol(
        "lease", 2,
        {"lease_ttl_ms": 10_000.0, "renew_interval_ms": 3_000.0, "retry_interval_ms": 5.0,
         "drift_bound_ppm": believed_ppm},
    )  # fmt: skip
    cluster = Cluster(
        lease, seed=seed, initial_leader=1, network=Network(one_way_delay_ms=0.5),
        machines={1: Machine(clock_drift_ppm=-ppm), 3: Machine(clock_drift_ppm=ppm)},
    )  # fmt: skip
    cluster.run(until=3_500.0)
    cluster.cut(1, 3, both_ways=True)
    cluster.run(until=15_000.0)
    return cluster


def _play_drift(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    for ppm in (1_000, 10_000, 50_000):
        rho = ppm / 1e6
        blind, knowing = _drifting(seed, 0, ppm), _drifting(seed, ppm, ppm)
        clusters |= {f"unaware_{ppm}_ppm": blind, f"aware_{ppm}_ppm": knowing}
        facts[f"unaware_{ppm}_ppm_two_holders_ms"] = blind.metrics["split_brain_ms"]
        facts[f"at_most_by_the_formula_{ppm}_ppm_ms"] = round(2 * rho * 1e4 / (1 - rho**2), 3)
        facts[f"aware_{ppm}_ppm_two_holders_ms"] = knowing.metrics["split_brain_ms"]
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Clocks 5 % slow and fast, and nobody allows for it: two holders",
                     cluster="unaware_50000_ppm", start_ms=11_000.0),
            Timeline(title="The holder allows for 5 %: it stops in time",
                     cluster="aware_50000_ppm", start_ms=11_000.0),
        ),
    )  # fmt: skip


# --- a herd, a duel, a lost vote ------------------------------------------------------------------


def _herd(nodes: int, watch: str, seed: int) -> tuple[Cluster, dict[str, int]]:
    protocol = make_protocol("zk_recipe", nodes, {"watch": watch, "look_interval_ms": 0.0})
    cluster = Cluster(protocol, seed=seed, initial_leader=1)
    cluster.run(until=100.0)
    cluster.crash(1)
    cluster.run(until=600.0)
    sent = cluster.metrics["messages"]["by_kind"]
    woken = sent["WatchEvent"]["sent"]
    asked = sum(sent[kind]["sent"] for kind in ("GetChildren", "Exists", "GetData"))
    return cluster, {"woken": woken, "requests": asked}


def _play_herd(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    woken: dict[str, dict[str, float]] = {"leader": {}, "predecessor": {}}
    for nodes in (5, 9, 33):
        for watch, series in woken.items():
            cluster, counts = _herd(nodes, watch, seed)
            clusters[f"{watch}_{nodes}_nodes"] = cluster
            series[f"{nodes} nodes"] = counts["woken"]
            facts[f"watch_{watch}_{nodes}_nodes_woken"] = counts["woken"]
            facts[f"watch_{watch}_{nodes}_nodes_requests"] = counts["requests"]
    kinds = ["WatchEvent", "GetChildren", "Exists", "Reply"]
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="All watch the leader: its end wakes all at once",
                     cluster="leader_5_nodes", start_ms=420.0, end_ms=520.0, messages=True,
                     kinds=kinds),
            Timeline(title="Each watches its predecessor: one is woken, and leads",
                     cluster="predecessor_5_nodes", start_ms=420.0, end_ms=520.0, messages=True,
                     kinds=kinds),
            Bars(title="Who is woken by the death of the leader", quantity="nodes woken",
                 values={f"watch the {name}": series for name, series in woken.items()}),
        ),
    )  # fmt: skip


_DUEL_MS = 5_000.0


def _duel(backoff: float | tuple[float, float], seed: int, *, record: bool = True) -> Cluster:
    paxos = make_protocol(
        "paxos", 3,
        {"proposers": [1, 2], "propose_after_ms": 0.0, "stagger_ms": 5.0, "backoff_ms": backoff},
    )  # fmt: skip
    cluster = Cluster(paxos, seed=seed, network=Network(one_way_delay_ms=10.0), record=record)
    if cluster.run(until=_DUEL_MS, stop="leader"):
        cluster.run_for(25.0)  # until all have heard
    return cluster


def _play_duel(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    times: dict[str, list[float]] = {}
    for label, backoff in (("no_back_off", 0.0), ("random_back_off", (0.0, 50.0))):
        clusters[label] = _duel(backoff, seed)
        every = [_duel(backoff, s, record=False) for s in range(seed, seed + runs)]
        firsts = [c.metrics["first_leader_ms"] for c in every]
        decided = [first for first in firsts if first is not None]
        times[label] = [float("nan") if first is None else first for first in firsts]
        facts[f"{label}_ballots"] = clusters[label].metrics["epochs_stood"]
        facts[f"{label}_runs_decided"] = len(decided)
        facts[f"{label}_decided_median_ms"] = median(decided) if decided else "never"
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="No back-off: each overtakes the other's ballot, for ever",
                     cluster="no_back_off", end_ms=150.0, messages=True),
            Timeline(title="Random back-off: one is left alone long enough",
                     cluster="random_back_off", messages=True),
            Shares(title="Time until a value is chosen", quantity="time until chosen",
                   values=times),
        ),
    )  # fmt: skip


def _forgetful(lose_disk: bool, seed: int, *, record: bool = True) -> Cluster:
    """Whoever votes first crashes right after, and is back at once."""
    again = settings.crash("trigger", restart_after_ms=1.0, lose_disk=lose_disk)
    cluster = Cluster(
        make_protocol("raft", 3, {"election_timeout_ms": (150.0, 160.0)}), seed=seed,
        actions=[settings.when(again, message="VoteReply")], record=record,
    )  # fmt: skip
    cluster.run(until=400.0)
    return cluster


def _two_in_one_term(cluster: Cluster) -> bool:
    return any("one_leader_per_epoch" in str(broken) for broken in cluster.violations())


def _lost_votes(seed: int) -> int:
    """The first seed from this one on in which a lost disk elects two; this one if none does."""
    for number in range(seed, seed + 500):
        if _two_in_one_term(_forgetful(True, number, record=False)):
            return number
    return seed


def _play_lost_vote(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    told = _lost_votes(seed)
    clusters = {}
    for label, lose_disk in (("disk_kept", False), ("disk_lost", True)):
        clusters[label] = _forgetful(lose_disk, told)
        facts[f"{label}_two_leaders_of_one_term"] = (
            "yes" if _two_in_one_term(clusters[label]) else "no"
        )
        facts[f"{label}_runs_with_two_leaders_of_one_term"] = count(
            seed, runs, lambda s, lose=lose_disk: (  # type: ignore[misc]
                _two_in_one_term(_forgetful(lose, s, record=False))
            ),
        )  # fmt: skip
    facts["told_seed"] = told
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="The disk is lost: a node votes twice in one term, and two lead it",
                     cluster="disk_lost", start_ms=140.0, end_ms=230.0, messages=True),
            Timeline(title="The disk is kept: the second candidate gets no vote",
                     cluster="disk_kept", start_ms=140.0, end_ms=230.0, messages=True),
        ),
    )  # fmt: skip


HARD_CASES: tuple[Case, ...] = (
    Case(
        name="split_brain",
        title="Split brain in a partition",
        kind="hard",
        question="A cluster of five is cut into two and three. Who elects whom?",
        story="In Bully and Ring nobody counts, so each side elects its highest node: two leaders "
        "until the network heals. In Raft the two of the minority stand again and again and win "
        "nothing. If the old leader is in the minority it acts on in its old term beside the new "
        "one, until it hears of it: at most one leader a term, and not at most one at a time. "
        "CheckQuorum has it step down by itself, at about the time when the next is elected.",
        source="Garcia-Molina 1982, who assumes that no partition happens; Ongaro and Ousterhout "
        "2014, section 5.2",
        play=_play_split_brain,
    ),
    Case(
        name="rejoining_node",
        title="The rejoining node that inflates terms",
        kind="hard",
        question="A node was alone for two seconds and comes back. Why is the leader gone?",
        story="Alone, it stood again and again, each time in a higher term. Back, its term is "
        "above the leader's, which steps down for it although it served everybody else all the "
        "time. With PreVote it asks first whether anybody would vote for it, is answered by "
        "nobody, and keeps its term.",
        source="Ongaro's thesis, 2014, section 9.6",
        play=_play_rejoining,
    ),
    Case(
        name="prevote_deadlock",
        title="PreVote alone that deadlocks",
        kind="hard",
        question="A majority is connected, and yet nobody of use leads. Why?",
        story="Node 5 is down, and the leader 4 reaches node 2 only; 1, 2 and 3 reach each other. "
        "With PreVote alone node 2 hears the leader and refuses the others, which have two votes "
        "of five, and the leader has two answers of five: a leader in office and of no use, for "
        "ever. With CheckQuorum as well it steps down, node 2 hears it no more, and one of the "
        "three is elected. A look at the end would find a leader in both.",
        source="Howard and Abraham 2020, after Cloudflare's outage of that year",
        play=_play_deadlock,
    ),
    Case(
        name="partial_network",
        title="A partial network in which leaders come and go",
        kind="hard",
        question="Some pairs cannot talk, but a majority is connected. Does one leader stay?",
        story="Node 4 reaches 2 only and node 5 reaches 3 only, while 1, 2 and 3 reach each other. "
        "Without options 4 and 5, which do not hear some leader, stand in higher terms, and reach "
        "a node that passes these on: leaders come and go, and no leader is acknowledged for half "
        "of the time. With PreVote those who hear a leader say no, and it stays.",
        source="Howard and Abraham 2020, Raft does not guarantee liveness in the face of network "
        "faults",
        play=_play_partial,
    ),
    Case(
        name="chained",
        title="The chained case",
        kind="hard",
        question="Three nodes in a line, 2 - 1 - 3, and an end leads. What does the other end do?",
        story="Node 3 does not hear leader 2, stands in the next term, and node 1 votes for it. "
        "Now node 2 does not hear the leader, and so on: dozens of leaders in ten seconds, each "
        "acknowledged while it lasts. With PreVote node 1, which hears a leader, says no: one "
        "leader stays, and the other end hears nobody.",
        source="Ng, Haridi and Carbone, Omni-Paxos, EuroSys 2023",
        play=_play_chained,
    ),
    Case(
        name="quorum_loss",
        title="Quorum loss: only a hub reaches a majority",
        kind="hard",
        question="Everybody reaches node 1 and nobody else. Does the leader give way to it?",
        story="The leader 3 reaches node 1 only, so it has no majority; node 1 reaches all. With "
        "PreVote alone node 1 hears the leader and never stands. With CheckQuorum the leader "
        "steps down, and node 1 is elected. Without options it comes to that as well, by terms "
        "that rise.",
        source="Ng, Haridi and Carbone, Omni-Paxos, EuroSys 2023",
        play=_play_quorum_loss,
    ),
    Case(
        name="constrained",
        title="The constrained election",
        kind="hard",
        question="The only node that reaches a majority has an old log. Who leads?",
        story="The leader is cut off from all, and of the others only node 1 reaches the rest. "
        "Its log is behind theirs, so they refuse it, and reach no majority themselves. No option "
        "of Raft helps, as in Raft only who has the log can lead. With equal logs node 1 leads.",
        source="Ng, Haridi and Carbone, Omni-Paxos, EuroSys 2023",
        play=_play_constrained,
    ),
    Case(
        name="paused_leader",
        title="A paused leader that wakes and writes",
        kind="hard",
        question="A leader sleeps for 600 ms in the middle of a job. What does it do then?",
        story="It finishes what it was at: it looked whether it leads before, and has not heard "
        "that another was elected meanwhile. A lease does not help, as the pause ends after it. "
        "Only the resource can tell: it refuses the older token. Where the protocol has no "
        "numbers (Bully), the resource must give them out itself.",
        source="Gray and Cheriton, Leases, SOSP 1989; Burrows, Chubby, OSDI 2006, section 2.4",
        play=_play_paused,
    ),
    Case(
        name="lease_drift",
        title="A lease under clock drift",
        kind="hard",
        question="The holder's clock is slow and the manager's fast. For how long are there two "
        "holders?",
        story="A lease of D = 10 s. With rates 1 - rho and 1 + rho a holder that believes in all "
        "of D acts 2 rho D / (1 - rho^2) too long, less the delays and the time until another "
        "asks. If it believes in D (1 - rho) / (1 + rho) only, never.",
        source="Gray and Cheriton, Leases, SOSP 1989",
        play=_play_drift,
    ),
    Case(
        name="herd",
        title="The herd at a leader's death",
        kind="hard",
        question="How many are woken when a leader's znode disappears?",
        story="If all watch the leader's znode, all n - 1 are woken, list the candidates, and all "
        "but one set a watch again. If each watches the one before it, one is woken, and leads.",
        source="Hunt et al., ZooKeeper, USENIX ATC 2010, section 2.4",
        play=_play_herd,
    ),
    Case(
        name="duelling_proposers",
        title="Duelling proposers",
        kind="hard",
        question="Two proposers of Paxos outbid each other. Does it end?",
        story="With equal delays and no back-off each promise is overtaken by the other's higher "
        "ballot before its second phase: no value is chosen in five seconds, nor would one be "
        "ever. Safe, and not live. A random back-off of up to 50 ms leaves one of them alone for "
        "long enough.",
        source="Lamport, Paxos Made Simple, 2001, section 2.4; Fischer, Lynch and Paterson 1985",
        play=_play_duel,
    ),
    Case(
        name="lost_vote",
        title="The lost vote after a restart",
        kind="hard",
        question="A node votes, crashes, and is back without its disk. What can happen?",
        story="It has forgotten that it voted, and votes again in the same term, for another: two "
        "nodes lead one term, the one thing that Raft promises never happens. With its disk it "
        "knows. It takes two candidates of one term, so it is a matter of chance; the told run is "
        "the first seed in which it happens.",
        source="Ongaro and Ousterhout 2014, Figure 2 (persistent state)",
        play=_play_lost_vote,
    ),
)
