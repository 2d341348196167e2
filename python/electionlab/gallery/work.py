"""Use cases: what leaders are elected for, and what that work sees of an election."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from electionlab import settings
from electionlab.cluster import Cluster
from electionlab.gallery.case import (
    Bars,
    Case,
    Fact,
    Findings,
    Holders,
    Shares,
    Timeline,
    count,
    median,
)
from electionlab.gallery.partitions import Partition
from electionlab.protocols import Protocol, make_protocol
from electionlab.settings import Network, Resource

_SAFE_RAFT = {"pre_vote": True, "check_quorum": True, "leader_stickiness": True}


# --- a database on shared storage -----------------------------------------------------------------

_FENCINGS = (("raft", "none"), ("raft", "token"), ("bully", "none"), ("bully", "token"),
             ("bully", "takeover"), ("lease", "none"))  # fmt: skip


def _two_primaries(name: str, fencing: str, seed: int, *, record: bool = True) -> Cluster:
    """The primary and one replica are cut off from the others, but not from the storage."""
    primary = 5 if name == "bully" else 1
    minority = [primary, 2]
    others = [node for node in range(1, 6) if node not in minority]
    if name == "lease":
        others.append(6)  # the manager
    cluster = Cluster(
        make_protocol(name, 5), seed=seed, initial_leader=primary, record=record,
        resource=Resource(fencing=fencing),
    )  # fmt: skip
    cluster.run(until=200.0 + seed % 50)
    cluster.partition(minority, others)
    cluster.run(until=1200.0)
    cluster.heal()
    cluster.run(until=1700.0)
    return cluster


def _work(cluster: Cluster) -> Mapping[str, Any]:
    assert cluster.resource is not None
    return cluster.resource


def _play_database(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters = {}
    for name, fencing in _FENCINGS:
        label = f"{name}_{fencing}"
        clusters[label] = _two_primaries(name, fencing, seed)
        work = _work(clusters[label])
        facts[f"{label}_two_primaries_ms"] = clusters[label].metrics["split_brain_ms"]
        facts[f"{label}_writes_of_an_old_primary"] = work["stale"]
        facts[f"{label}_writes_overwritten"] = work["repeated"]
        facts[f"{label}_writes_refused"] = work["refused"]
        facts[f"{label}_damaged_runs"] = count(
            seed, runs, lambda s, n=name, f=fencing: (  # type: ignore[misc]
                _work(_two_primaries(n, f, s, record=False))["stale"] > 0
            ),
        )  # fmt: skip
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Raft, no fencing: the old primary goes on writing to the storage",
                     cluster="raft_none"),
            Timeline(title="Raft, fencing tokens: two act as leader all the same, one can write",
                     cluster="raft_token"),
            Timeline(title="Lease: the old primary stops by itself before the next one begins",
                     cluster="lease_none"),
            Bars(title="Places that two primaries wrote: one of the two writes is lost",
                 quantity="writes overwritten", values={
                     "measured": {f"{n}\n{f}": float(_work(clusters[f"{n}_{f}"])["repeated"])
                                  for n, f in _FENCINGS}}),
        ),
    )  # fmt: skip


# --- a scheduler ----------------------------------------------------------------------------------


def _scheduler(name: str, fencing: str, seed: int, *, record: bool = True) -> Cluster:
    storm = settings.at_random(
        settings.pause("leader"), every_ms=700.0, repair_after_ms=(300.0, 600.0), until_ms=3_500.0
    )
    cluster = Cluster(
        make_protocol(name, 5), seed=seed, initial_leader=1, actions=[storm], record=record,
        resource=Resource(fencing=fencing, work_ms=40.0, work_interval_ms=10.0),
    )  # fmt: skip
    cluster.run(until=4_000.0)
    return cluster


def _play_scheduler(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters = {}
    for name in ("raft", "lease"):
        for fencing in ("none", "token"):
            label = f"{name}_{fencing}"
            clusters[label] = _scheduler(name, fencing, seed)
            every = [_work(_scheduler(name, fencing, s, record=False))
                     for s in range(seed, seed + runs)]  # fmt: skip
            facts[f"{label}_jobs_done_median"] = median([w["next_job"] - 1 for w in every])
            facts[f"{label}_runs_with_a_job_done_twice"] = sum(w["repeated"] > 0 for w in every)
            facts[f"{label}_jobs_done_twice"] = sum(w["repeated"] for w in every)
            facts[f"{label}_results_turned_away"] = sum(w["refused"] for w in every)
    twice = {
        fencing: {name: float(facts[f"{name}_{fencing}_jobs_done_twice"])
                  for name in ("raft", "lease")}
        for fencing in ("none", "token")
    }  # fmt: skip
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Raft at work: the leader is paused in the middle of jobs, again and "
                     "again", cluster="raft_none"),
            Bars(title=f"Jobs done twice in all {runs} runs, without and with tokens",
                 quantity="jobs done twice", values=twice),
        ),
    )  # fmt: skip


# --- Kafka ----------------------------------------------------------------------------------------

_TICK_MS = 10.0


class _Brokers:
    """A Kafka cluster: brokers that elect a controller, and partitions whose leaders it picks."""

    def __init__(self, seed: int, partitions: Sequence[Partition], *, record: bool = True) -> None:
        self.cluster = Cluster(
            make_protocol("zk_lock", 5), seed=seed, initial_leader=1, record=record
        )
        self.partitions = list(partitions)
        self.up = set(range(1, 6))
        self.sessions = set(self.up)
        self.lagging: set[int] = set()
        self.offline_ms = [0.0] * len(self.partitions)
        self.chosen = 0
        # Who led each partition when, as (from ms, to ms, broker).
        self.held: list[list[tuple[float, float, str]]] = [[] for _ in self.partitions]

    def run(self, until: float) -> None:
        while self.cluster.now < until:
            for number, partition in enumerate(self.partitions):
                if partition.leader not in self.up:
                    self.offline_ms[number] += _TICK_MS
            self.cluster.run_for(_TICK_MS)
            if self.cluster.leader is not None:  # only a controller picks leaders
                self._control()
            for partition in self.partitions:
                partition.produce(self.up, self.lagging)
            self._note()

    def crash(self, broker: int) -> None:
        self.cluster.crash(broker)
        self.up.discard(broker)
        self._note()

    def restart(self, broker: int) -> None:
        self.cluster.restart(broker)
        self.up.add(broker)
        self._note()

    def _note(self) -> None:
        """Writes down who leads each partition from now on."""
        now = self.cluster.now
        for partition, spans in zip(self.partitions, self.held, strict=True):
            who = f"broker {partition.leader}" if partition.leader in self.up else ""
            if spans:
                spans[-1] = (spans[-1][0], now, spans[-1][2])
            if not spans or spans[-1][2] != who:
                spans.append((now if spans else 0.0, now, who))

    def _control(self) -> None:
        """What the controller knows: whose session the service has ended, and who is behind."""
        if self.sessions != self.up:
            service = self.cluster.node(self.cluster.actors).disk["service"]
            self.sessions = {session["client"] for session in service["sessions"]}
        for partition in self.partitions:
            before = partition.epoch
            for replica in partition.replicas:
                behind = replica in self.lagging and replica != partition.leader
                if behind or replica not in self.sessions:
                    partition.shrink(replica)
            partition.choose(self.sessions)
            self.chosen += partition.epoch - before


def _broker_dies(broker: int, seed: int, *, record: bool = True) -> _Brokers:
    """A broker that leads one of three partitions dies; broker 1 is the controller as well."""
    partitions = [Partition((1, 2, 3)), Partition((2, 3, 4)), Partition((3, 4, 1))]
    brokers = _Brokers(seed, partitions, record=record)
    brokers.run(300.0 + seed % 50)
    brokers.crash(broker)
    brokers.run(1300.0)
    return brokers


def _last_in_sync_dies(unclean: bool, seed: int) -> _Brokers:
    """The followers fall behind, so that only the leader is in sync, and the leader dies."""
    brokers = _Brokers(seed, [Partition((2, 3, 4), unclean=unclean)])
    brokers.run(200.0)
    brokers.lagging = {3, 4}
    brokers.run(500.0)
    brokers.crash(2)
    brokers.lagging = set()
    brokers.run(1300.0)
    brokers.restart(2)
    brokers.run(2500.0)
    return brokers


def _play_kafka(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    held: dict[str, dict[str, list[tuple[float, float, str]]]] = {}
    for label, broker in (("partition_leader_dies", 2), ("controller_dies", 1)):
        told = _broker_dies(broker, seed)
        clusters[label] = told.cluster
        held[label] = {f"partition {n + 1}": spans for n, spans in enumerate(told.held)}
        offline = [sum(_broker_dies(broker, s, record=False).offline_ms)
                   for s in range(seed, seed + runs)]  # fmt: skip
        facts[f"{label}_controllers_elected"] = told.cluster.metrics["leader_changes"]
        facts[f"{label}_partition_leaders_chosen"] = told.chosen
        facts[f"{label}_partition_offline_median_ms"] = median(offline)
    for label, unclean in (("clean", False), ("unclean", True)):
        told = _last_in_sync_dies(unclean, seed)
        clusters[label] = told.cluster
        partition = told.partitions[0]
        facts[f"{label}_partition_offline_ms"] = told.offline_ms[0]
        facts[f"{label}_acknowledged_records_lost"] = partition.lost
        facts[f"{label}_controllers_elected"] = told.cluster.metrics["leader_changes"]
    offline_bars = {label: float(facts[f"{label}_partition_offline_ms"])
                    for label in ("clean", "unclean")}  # fmt: skip
    lost_bars = {label: float(facts[f"{label}_acknowledged_records_lost"])
                 for label in ("clean", "unclean")}  # fmt: skip
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Broker 2 dies, which leads a partition: no election, node 1 stays "
                     "controller", cluster="partition_leader_dies"),
            Holders(title="The same run: the controller picks broker 3 for partition 2",
                    quantity="leads the partition", lanes=held["partition_leader_dies"]),
            Timeline(title="Broker 1, the controller, dies: an election",
                     cluster="controller_dies"),
            Holders(title="The same run: who is elected then picks broker 2 for partition 1",
                    quantity="leads the partition", lanes=held["controller_dies"]),
            Bars(title="The last replica in sync dies: wait for it, or lose what it had",
                 quantity="ms, records", values={"partition offline (ms)": offline_bars,
                                                 "acknowledged records lost": lost_bars}),
        ),
    )  # fmt: skip


# --- YARN -----------------------------------------------------------------------------------------


def _resource_manager(
    seed: int, *, everybody: bool, record: bool = True, **options: Any
) -> Cluster:
    """The active ResourceManager is cut off, from the service or from everybody."""
    cluster = Cluster(
        make_protocol("zk_lock", 3, options), seed=seed, initial_leader=1, record=record,
        network=Network(one_way_delay_ms=(5.0, 10.0)),
    )  # fmt: skip
    cluster.run(until=105.0 + seed % 50)
    cluster.cut(1, [2, 3, 4] if everybody else 4, both_ways=True)
    cluster.run(until=1_000.0)
    return cluster


_YARN: dict[str, dict[str, Any]] = {
    "lock_only": {"everybody": False, "flavour": "kafka"},
    "breadcrumb": {"everybody": False, "flavour": "yarn"},
    "unreachable_goes_on": {"everybody": True, "flavour": "yarn", "unfenced": "goes_on"},
    "unreachable_gives_up": {"everybody": True, "flavour": "yarn", "unfenced": "gives_up"},
}


def _play_yarn(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters = {}
    for label, how in _YARN.items():
        cluster = clusters[label] = _resource_manager(seed, **how)
        facts[f"{label}_two_active_ms"] = cluster.metrics["split_brain_ms"]
        facts[f"{label}_runs_with_two_active"] = count(
            seed, runs, lambda s, h=how: (  # type: ignore[misc]
                _resource_manager(s, record=False, **h).metrics["split_brain_ms"] > 0
            ),
        )  # fmt: skip
        facts[f"{label}_took_over"] = "yes" if cluster.metrics["leader_changes"] else "no"
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Only the lock: cut off from the service, node 1 goes on beside node 2",
                     cluster="lock_only"),
            Timeline(title="With the breadcrumb: node 2 has node 1 stop, and only then acts",
                     cluster="breadcrumb"),
            Timeline(title="Node 1 cannot be reached at all, node 2 goes on without its answer",
                     cluster="unreachable_goes_on"),
        ),
    )  # fmt: skip


# --- a configuration manager ----------------------------------------------------------------------


def _went_back(cluster: Cluster) -> tuple[int, float]:
    """How often, and for how long, the stored configuration was an older leader's again."""
    trace = cluster.trace
    columns, kinds, names = trace.columns, trace.row_kinds, trace.message_kinds
    write, reply = names.index("Write"), names.index("WriteReply")
    offered = stored = highest = times = 0
    since, older_ms = 0.0, 0.0
    for row in range(len(trace)):
        if columns["node"][row] != cluster.actors:
            continue
        kind, message = kinds[columns["kind"][row]], columns["message_kind"][row]
        fields = trace.message(row) or {}
        if kind == "deliver" and message == write:
            offered = fields["token"]
        elif kind == "send" and message == reply and fields["accepted"]:
            now = float(columns["time_ns"][row]) / 1e6
            older_ms += now - since if stored < highest else 0.0
            times += offered < stored
            stored, highest, since = offered, max(highest, offered), now
    return times, older_ms


def _stale_reads(reads: str, seed: int) -> tuple[int, int]:
    """A client asks the old leader, which was cut off, for the configuration: stale, answered."""
    raft = make_protocol("raft", 5, {"reads": reads})
    cluster = Cluster(raft, seed=seed, initial_leader=1, record=False)
    cluster.run(until=200.0)
    cluster.isolate(1)
    stale = answered = 0
    for _ in range(50):
        cluster.run_for(20.0)
        before = cluster.node(1)["more"]["reads"]["answered"]
        cluster.command(1, "Read")
        told = cluster.node(1)["more"]["reads"]["answered"] - before
        answered += told
        stale += told * any(n.role == "leader" and n.epoch > 1 for n in cluster.nodes[1:])
    return stale, answered


def _play_configuration(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters = {}
    for label, fencing in (("any_write", "none"), ("compare_epoch", "token")):
        clusters[label] = _two_primaries("raft", fencing, seed)
        times, older_ms = _went_back(clusters[label])
        facts[f"{label}_configuration_went_back_times"] = times
        facts[f"{label}_readers_saw_an_older_leaders_ms"] = round(older_ms, 3)
        facts[f"{label}_runs_that_went_back"] = count(
            seed, runs, lambda s, f=fencing: (  # type: ignore[misc]
                _work(_two_primaries("raft", f, s, record=False))["lower_tokens"] > 0
            ),
        )  # fmt: skip
    for reads in ("unchecked", "lease", "confirmed"):
        every = [_stale_reads(reads, s) for s in range(seed, seed + min(runs, 20))]
        facts[f"reads_{reads}_from_the_old_leader_answered"] = sum(a for _, a in every)
        facts[f"reads_{reads}_from_the_old_leader_stale"] = sum(s for s, _ in every)
    older = {
        label: float(facts[f"{label}_readers_saw_an_older_leaders_ms"])
        for label in ("any_write", "compare_epoch")
    }
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Two leaders write one configuration, each in its own term",
                     cluster="any_write"),
            Bars(title="How long readers saw what an older leader wrote over a newer one's",
                 quantity="ms in 1,700 ms", values={"measured": older}),
        ),
    )  # fmt: skip


# --- handing over ---------------------------------------------------------------------------------


def _handover(to: int | None, seed: int, *, record: bool = True) -> Cluster:
    cluster = Cluster(
        make_protocol("raft", 5, _SAFE_RAFT), seed=seed, initial_leader=1, record=record
    )
    cluster.run(until=200.0 + seed % 50)
    if to is None:
        cluster.crash(1)
    else:
        cluster.command(1, "TransferLeadership", to=to)
    cluster.run(until=1_000.0)
    return cluster


def _play_handover(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters, times = {}, {}
    for label, to in (("crash", None), ("handover", 4)):
        clusters[label] = _handover(to, seed)
        every = [_handover(to, s, record=False).metrics for s in range(seed, seed + runs)]
        times[label] = [metrics["no_leader_ms"] for metrics in every]
        facts[f"{label}_no_leader_median_ms"] = median(times[label])
        facts[f"{label}_no_leader_longest_ms"] = max(times[label])
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Timeline(title="Handed over: node 4 is told to stand at once", cluster="handover",
                     start_ms=150.0, end_ms=500.0, messages=True),
            Timeline(title="Crashed: first a timeout, then an election", cluster="crash",
                     start_ms=150.0, end_ms=500.0, messages=True),
            Shares(title="Time without a leader", quantity="time without a leader", values=times),
        ),
    )  # fmt: skip


# --- the leader as a bottleneck -------------------------------------------------------------------

_NODES = _GROUPS = 5


def _raft_for(leader: int) -> Protocol:
    """A group whose leader is to be this node, or else the next one round."""
    priorities = [100 - 20 * ((node - leader) % _NODES) for node in range(1, _NODES + 1)]
    return make_protocol("raft", _NODES, {"priorities": priorities})


def _group(leader: int, groups: int, seed: int) -> Cluster:
    """One group of several that share the same jobs; node 1 dies after 2 seconds."""
    resource = Resource(work_ms=5.0, work_interval_ms=25.0 * groups - 5.0)
    cluster = Cluster(_raft_for(leader), seed=seed, initial_leader=leader, resource=resource)
    cluster.run(until=2_000.0)
    return cluster


_PLACES = {"one_group": [1], "all_on_one": [1] * _GROUPS, "spread": list(range(1, _GROUPS + 1))}


def _play_bottleneck(seed: int, runs: int) -> Findings:
    facts: dict[str, Fact] = {}
    clusters: dict[str, Cluster] = {}
    shares: dict[str, dict[str, float]] = {}
    for label, leaders in _PLACES.items():
        groups = [_group(leader, len(leaders), seed + g) for g, leader in enumerate(leaders)]
        load = dict.fromkeys(range(1, _NODES + 1), 0)
        for group in groups:
            for entry in group.metrics["messages"]["by_node"][:_NODES]:
                load[entry["node"]] += entry["sent"] + entry["delivered"]
        total = sum(load.values())
        shares[label] = {f"node {n}": round(100 * own / total, 3) for n, own in load.items()}
        facts[f"{label}_jobs_done"] = sum(_work(g)["next_job"] - 1 for g in groups)
        facts[f"{label}_messages_at_members"] = total
        facts[f"{label}_busiest_node_percent"] = max(shares[label].values())
        for group in groups:
            group.crash(1)
        facts[f"{label}_groups_without_a_leader_after_a_crash"] = sum(
            group.leader is None for group in groups
        )
        for group in groups:
            group.run(until=4_000.0)
        led = [group.leader for group in groups]
        facts[f"{label}_most_led_by_one_afterwards"] = max(led.count(n) for n in set(led))
        clusters |= {f"{label}_{g + 1}": group for g, group in enumerate(groups)}
    return Findings(
        facts=facts,
        clusters=clusters,
        panels=(
            Bars(title="Who sends and receives, in 2 s before the crash of node 1",
                 quantity="percent of all messages", values=shares),
            Timeline(title="Spread, group 1 of 5: the only one that loses its leader to node 1's "
                     "crash", cluster="spread_1", start_ms=1_500.0, end_ms=3_000.0),
            Timeline(title="Spread, group 2 of 5: led by node 2, does not notice",
                     cluster="spread_2", start_ms=1_500.0, end_ms=3_000.0),
        ),
    )  # fmt: skip


USE_CASES: tuple[Case, ...] = (
    Case(
        name="database",
        title="A primary and its replicas on shared storage",
        kind="use",
        question="The network splits, and the old primary still reaches the storage. Are writes "
        "lost or overwritten, and what does fencing change?",
        story="After about 200 ms the primary and one replica are cut off from the other three, "
        "for a second. The three elect a new primary, but the old one does not know and writes "
        "on: both write the same place, and one of the two writes is lost. Raft's term as a "
        "fencing token has the storage refuse the older one. Bully has no numbers, so tokens "
        "cannot tell its primaries apart; a number that the storage itself gives to whoever takes "
        "over can. With a lease the old primary stops by itself.",
        source="Gray and Cheriton, Leases, SOSP 1989; Burrows, Chubby, OSDI 2006, section 2.4",
        play=_play_database,
    ),
    Case(
        name="scheduler",
        title="A scheduler that must run each job once",
        kind="use",
        question="The leader is paused in the middle of jobs, again and again. How many jobs are "
        "done twice?",
        story="A job takes 40 ms. The leader is paused for 300 to 600 ms, about every 700 ms; "
        "meanwhile another is elected and does the job that was begun. The old one wakes, has not "
        "heard of it, and delivers its own result: the job is done twice. With fencing tokens the "
        "second result is turned away. Turned away is not the same as never run: what a job does "
        "elsewhere happens twice all the same, unless that place checks the token too.",
        source="Burrows, Chubby, OSDI 2006, section 2.4 (sequencers)",
        play=_play_scheduler,
    ),
    Case(
        name="kafka",
        title="Kafka's controller and its partition leaders",
        kind="use",
        question="Is the leader of a partition elected?",
        story="No. The brokers elect one controller, by the znode /controller. It picks each "
        "partition's leader: the first replica of its list that lives and is in sync. A broker "
        "that leads a partition dies, and no election takes place; the controller dies, and there "
        "is one, before anybody picks. If the last replica in sync dies, a clean choice waits "
        "until it is back; an unclean one takes a replica that lags, and acknowledged records are "
        "gone.",
        source="Apache Kafka before KRaft, KafkaController and PartitionStateMachine",
        play=_play_kafka,
    ),
    Case(
        name="yarn",
        title="YARN's ResourceManager and its breadcrumb",
        kind="use",
        question="The active ResourceManager loses the coordination service but still runs. Are "
        "there two?",
        story="The lock's session ends and another gets it. With the lock alone, the old one acts "
        "on until it learns that its session is over. YARN's next active reads in the breadcrumb "
        "who was the last, has it stop, and only then acts. If it cannot be reached, there is a "
        "choice between two active ones and none that takes over.",
        source="Apache Hadoop, org.apache.hadoop.ha.ActiveStandbyElector",
        play=_play_yarn,
    ),
    Case(
        name="configuration",
        title="A configuration manager",
        kind="use",
        question="The leader writes the configuration. Can readers see an old leader's after a "
        "newer one's?",
        story="Two leaders of two terms write while the network is split. If the store takes every "
        "write, the configuration goes back and forth. If it compares the writer's epoch with the "
        "highest it has seen, it only goes forward. Who reads from the leader instead must have "
        "the leader make sure that it still leads: unchecked reads from the old one are stale, "
        "reads under a lease or confirmed by a majority are not.",
        source="Burrows, Chubby, OSDI 2006; Ongaro's thesis, 2014, section 6.4 (reads)",
        play=_play_configuration,
    ),
    Case(
        name="handover",
        title="Graceful handover against a crash",
        kind="use",
        question="How long is there no leader when one is told to go, and when one dies?",
        story="Raft's leader is told to hand over: it has node 4 stand at once, and leads until "
        "the newer term reaches it. A crash must be noticed first: a timeout of 150 to 300 ms, "
        "then two rounds of messages.",
        source="Ongaro's thesis, 2014, section 3.10",
        play=_play_handover,
    ),
    Case(
        name="bottleneck",
        title="The leader as a bottleneck, and leaderships spread over partitions",
        kind="use",
        question="How much of all messages does the leader handle, and does it help to have "
        "several groups with a leader each?",
        story="One Raft group of five does all jobs; then five groups share them, all led by node "
        "1, or one by each node (by priorities). The leader is at one end of every message of its "
        "group. Five groups spread over five nodes load all alike, at the price of five times the "
        "heartbeats. And when node 1 dies, one group of five waits for a leader, and not all.",
        source="NuRaft (priorities); CockroachDB and TiKV, one Raft group for each range or region",
        play=_play_bottleneck,
    ),
)
