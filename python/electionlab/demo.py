"""The main job: elections and failovers, the textbooks' examples, Figure 16, pictures."""

from __future__ import annotations

import dataclasses
import math
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from electionlab import _core, fig16, plot, settings
from electionlab._comparable import comparable
from electionlab._experiments import leader_crash
from electionlab._values import whole_number
from electionlab.cluster import Cluster, NoLeader, make_config
from electionlab.plot.files import save
from electionlab.protocols import PROTOCOLS, Protocol, make_protocol
from electionlab.settings import Network
from electionlab.story import failed, measure_lines, outcome_lines, outcome_of, tell

WIDTH = 100
#: Trials of the distribution that is drawn for each protocol.
ECDF_TRIALS = 2_000
#: How long a cluster has to agree on a leader.
PATIENCE_MS = 60_000.0
#: Silence after which a leader is suspected [ms].
TIMEOUT_MS = 1000.0
#: Nodes of the clusters that are told: Raft needs three, five show a majority; the story of the
#: other two, where every node stands at the start, is longer than a screen with more than three.
CLUSTERS: dict[str, int] = {"raft": 5, "bully": 3, "ring": 3}


def run_demo(out: Path, *, seed: int = 7, trials: int = 1000, threads: int = 0) -> bool:
    """Runs everything, prints it, and writes the pictures.

    Args:
        out: Folder of the pictures; made if it is not there.
        seed: Fixes the elections and failovers; Figure 16 and the textbooks' examples have theirs.
        trials: Of each curve of Figure 16.
        threads: For the trials; 0: all cores.

    Returns:
        Whether every cluster found its leader, and another after the crash where the protocol
        replaces it; every example ended as its textbook says; and no invariant was broken.

    Raises:
        ValueError: An argument is out of range.
        OSError: The folder cannot be made, or a picture cannot be written.
    """
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    trials = whole_number("trials", trials, 1, 100_000_000)
    threads = whole_number("threads", threads, 0, 1024)
    out.mkdir(parents=True, exist_ok=True)
    _head("1. An election and a failover, event by event")
    told = {name: elect_and_fail_over(name, seed=seed) for name in CLUSTERS}
    good = [not failed(outcome_of(cluster)) and cluster.agreed for cluster in told.values()]
    _head("2. An election with each protocol, and a failover where there is one")
    good += elect_with_each(seed)
    _head("3. The textbooks' examples: nodes A, B and C, and the leader C fails")
    good += [tell_example(example) for example in EXAMPLES]
    _head("4. Figure 16 of the Raft paper: how long is a cluster without a leader?")
    result = run_fig16(trials, threads)
    _head("5. Pictures")
    pictures = list(draw(out, told, result, seed=seed, threads=threads))
    wide = max(len(str(path)) for path, _ in pictures)
    for path, what in pictures:
        print(f"  {path!s:<{wide}}  {what}")
    print()
    print("Everything ended as it should." if all(good) else "NOT everything ended as it should.")
    return all(good)


def _head(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    """One paragraph; what starts with "=> " is set in below its sign."""
    inset = "   " if text.startswith(("=> ", "   ")) else ""
    print(textwrap.fill(text, WIDTH, subsequent_indent=inset))


def _indented(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"  {line}")


# --- an election and a failover -------------------------------------------------------------------

_RULES = {
    "raft": "Who hears no leader for a random election timeout stands for the next term; who has a "
    "majority of the votes leads it.",
    "bully": "Who misses the leader asks all higher nodes; who gets no answer leads and says so to "
    "all lower ones.",
    "ring": "Who misses the leader sends a list round the ring, to which each live node adds "
    "itself; back home, its highest node leads, and that goes round as well.",
}


def elect_and_fail_over(name: str, *, seed: int) -> Cluster:
    """Tells how a cold cluster elects a leader, loses it, and elects the next one."""
    protocol = make_protocol(name, CLUSTERS[name])
    _say(f"{protocol.about['title']}: {protocol!r}, seed {seed}. {_RULES[name]}")
    print()
    cluster = Cluster(protocol, seed=seed)
    first = cluster.run_until_leader(agreed=True)
    elected_at = cluster.events
    _indented(tell(cluster.trace))
    print()
    if isinstance(first, NoLeader):
        _indented(outcome_lines(cluster))
        return cluster
    term = f" term {first.epoch}" if first.epoch else ""
    _say(f"=> Node {first.node} leads{term}, and after {first.at_ms:.1f} ms every node names it.")
    print()
    cluster.run_for(100.0)
    cluster.crash("leader")
    second = cluster.run_until_leader(agreed=True)
    _indented(tell(cluster.trace, from_step=elected_at + 1))
    print()
    if second:
        _say(_failover(cluster))
    _indented(outcome_lines(cluster) + measure_lines(cluster))
    print()
    return cluster


def _failover(cluster: Cluster) -> str:
    last = next(f for f in reversed(cluster.metrics["failovers"]) if f["by_fault"])
    stages = {
        "detection_ms": "until somebody noticed and stood",
        "until_elected_ms": f"until node {last['successor']} led",
        "until_agreed_ms": "until every live node named one leader",
    }
    took = [f"{last[k]:.1f} ms {what}" for k, what in stages.items() if last[k] is not None]
    when = f"=> Node {last['leader']} failed at {last['lost_ms']:.1f} ms"
    return f"{when}. From then it took {', '.join(took)}." if took else f"{when}."


# --- each protocol --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Failover:
    """A cold start of five nodes, and the crash of the leader where the protocol replaces it.

    Attributes:
        first: Leader that all agree on; None: there was none in time.
        first_ms: After how long.
        first_messages: Sent until then, heartbeats included.
        second: Leader that all live nodes agree on after the crash; None: none, or no crash.
        down_ms: How long after the crash; NaN without a second leader.
        messages: Sent meanwhile, heartbeats included; 0 without a second leader.
        good: Whether it ended as the protocol promises, with no invariant broken.
    """

    first: int | None
    first_ms: float
    first_messages: int
    second: int | None
    down_ms: float
    messages: int
    good: bool


def fail_over(name: str, *, seed: int) -> Failover:
    """Elects a leader of five nodes, and crashes it a second later if another can follow."""
    protocol = comparable(name, 5, TIMEOUT_MS)
    cluster = Cluster(protocol, seed=seed)
    first = cluster.run_until_leader(PATIENCE_MS, agreed=True)
    first_ms, cold = cluster.now, cluster.metrics["messages"]["sent"]
    if isinstance(first, NoLeader):
        return Failover(None, first_ms, cold, None, math.nan, 0, False)
    if not protocol.about["fails_over"]:
        good = not cluster.violations()
        return Failover(first.node, first_ms, cold, None, math.nan, 0, good)
    cluster.run_for(1000.0)
    crashed_ms, before = cluster.now, cluster.metrics["messages"]["sent"]
    cluster.crash("leader")
    second = cluster.run_until_leader(PATIENCE_MS, agreed=True)
    if isinstance(second, NoLeader):
        return Failover(first.node, first_ms, cold, None, math.nan, 0, False)
    sent = cluster.metrics["messages"]["sent"] - before
    down_ms = cluster.now - crashed_ms
    return Failover(
        first.node, first_ms, cold, second.node, down_ms, sent, not cluster.violations()
    )


def elect_with_each(seed: int) -> list[bool]:
    """Prints a line for each protocol; returns whether each ended as it promises."""
    _say(
        f"Five nodes of each, seed {seed}; time-outs of about {TIMEOUT_MS:g} ms for all that have "
        f"one. The first leader that all agree on, how long after the start and with how many "
        f"messages; then it crashes: the next, how long after the crash, and the messages "
        f"meanwhile, heartbeats included."
    )
    print()
    wide = max(len(name) for name in PROTOCOLS)
    good = []
    for name, cls in PROTOCOLS.items():
        one = fail_over(name, seed=seed)
        good.append(one.good)
        line = f"{name:<{wide}}  node {one.first or '-'} after {one.first_ms:6.1f} ms, "
        line += f"{one.first_messages:3} messages;  "
        if not cls.about["fails_over"]:
            line += "elects once"
        elif one.second is None:
            line += "no other"
        else:
            line += f"node {one.second} after {one.down_ms:6.1f} ms, {one.messages:3} messages"
        print(line if one.good else f"{line}  NOT as promised")
    print()
    return good


# --- the textbooks' examples ----------------------------------------------------------------------

NAMES: dict[int, str] = {1: "A", 2: "B", 3: "C"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """A worked example of the textbooks: C leads and fails, one node finds out first.

    Attributes:
        protocol: Its name.
        options: Timeouts so long that only the one that the example lets expire does.
        detector: The node that finds out.
        timer: The timer by which it finds out.
        for_ms: How long the election is watched.
        leader: Who leads then.
        sent: Messages by kind that are sent meanwhile.
        question: The situation.
        answer: Why it ends so.
        mistake: What widespread notes say instead.
        source: Where the rule stands.
    """

    protocol: str
    options: Mapping[str, Any]
    detector: int
    timer: str
    for_ms: float
    leader: int
    sent: Mapping[str, int]
    question: str
    answer: str
    mistake: str
    source: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        protocol="bully",
        options={"leader_timeout_ms": 10_000.0},
        detector=2,
        timer="leader",
        for_ms=100.0,
        leader=2,
        sent={"Election": 1, "Ok": 0, "Coordinator": 1},
        question="Bully, A(1) B(2) C(3). C fails, B detects it. Who leads?",
        answer="B leads. It asks only C, the one node above it, hears nothing, and announces "
        "itself; A is never asked, it just receives COORDINATOR.",
        mistake="B sends ELECTION to A, and A's answer makes B the leader. But ELECTION goes to "
        "higher nodes only, and an answer means that the sender loses.",
        source="Garcia-Molina 1982; Tanenbaum and van Steen",
    ),
    Example(
        protocol="ring",
        options={"leader_timeout_ms": 10_000.0},
        detector=1,
        timer="leader",
        for_ms=150.0,
        leader=2,
        sent={"Election": 3, "Coordinator": 3},
        question="Ring, A -> B -> C -> A. C fails, A starts an election. Who leads?",
        answer="B leads. C acknowledges nothing and is skipped, so the list comes back to A as "
        "(A, B); its highest is B, and COORDINATOR tells everybody.",
        mistake="the list (A, B) is back, so A leads. But max(A, B) is B, and without the second "
        "round nobody but A would know.",
        source="Tanenbaum and van Steen; Chang and Roberts 1979",
    ),
    Example(
        protocol="raft",
        options={"election_timeout_ms": (5_000.0, 9_000.0)},
        detector=1,
        timer="election",
        for_ms=35.0,
        leader=1,
        sent={"VoteRequest": 2, "VoteReply": 1},
        question="Raft, A, B and C. The leader C fails, A's election timeout expires first. Who "
        "leads?",
        answer="A leads term 2 with two votes of three, its own and B's: a majority of all three, "
        "the dead one included.",
        mistake="one vote a term is enough to be safe. But term and vote must be on disk before "
        "the answer leaves, or a restarted node votes twice.",
        source="Ongaro and Ousterhout 2014, section 5.2 and Figure 2",
    ),
)


def play(example: Example) -> Cluster:
    """The example, played to its end; every message takes 10 ms."""
    cluster = Cluster(
        make_protocol(example.protocol, 3, dict(example.options)),
        network=Network(one_way_delay_ms=10.0),
        initial_leader=3,
        seed=1,
    )
    cluster.run(until=1.0)
    cluster.crash(3)
    cluster.fire(example.detector, example.timer)
    cluster.run_for(example.for_ms)
    return cluster


def differences(example: Example, cluster: Cluster) -> list[str]:
    """What did not end as the textbook says; empty if all did."""
    found = []
    outcome = outcome_of(cluster)
    if outcome["leader"] != example.leader or not outcome["agreed"]:
        found.append(
            f"leader {outcome['leader']}, agreed: {outcome['agreed']}; the textbook says "
            f"{NAMES[example.leader]}"
        )
    kinds = cluster.metrics["messages"]["by_kind"]
    for kind, count in example.sent.items():
        if kinds[kind]["sent"] != count:
            found.append(f"{kinds[kind]['sent']} {kind} sent; the textbook says {count}")
    return found + list(outcome["violations"])


def tell_example(example: Example) -> bool:
    """Tells an example and whether it ends as the textbook says."""
    _say(example.question)
    print()
    cluster = play(example)
    # Before the crash nothing happens but the three starts.
    _indented(tell(cluster.trace, names=NAMES, from_step=4))
    print()
    _say(f"=> {example.answer} ({example.source})")
    _say(f"   Notes often say: {example.mistake}")
    wrong = differences(example, cluster)
    for text in wrong:
        _say(f"   NOT as in the textbook: {text}")
    if not wrong:
        counts = ", ".join(f"{count} {kind}" for kind, count in example.sent.items())
        print(f"   Checked: {NAMES[example.leader]} leads, A and B agree; {counts} sent.")
    print()
    return not wrong


# --- Figure 16 ------------------------------------------------------------------------------------


def run_fig16(trials: int, threads: int) -> fig16.Fig16:
    """Runs the experiment and prints it beside the published curves."""
    _say(
        f"Five servers; the leader crashes at a random moment between two heartbeats; two of the "
        f"four survivors have logs too short to win. {trials:,} trials a curve, each until all "
        f"survivors follow a new leader. KS is the largest distance between the simulated and the "
        f"published distribution at the published quantiles; two samples of one distribution stay "
        f"below the limit in 95 % of cases."
    )
    print()
    result = fig16.run(trials, threads=threads, progress=sys.stderr.isatty())
    print(result.table())
    print()
    _say(
        "The servers and links are a model fitted to these curves; docs/fig16.md tells each "
        "choice and what it leaves open. Timeouts that are all alike (150-150) split the votes "
        "again and again; a few milliseconds of chance end it."
    )
    return result


# --- pictures -------------------------------------------------------------------------------------


def downtimes(protocol: Protocol, *, seed: int, threads: int) -> npt.NDArray[np.float64]:
    """Times from a leader's crash until all live nodes agree on the next, ms; NaN: not in 10 s."""
    table = _core.run_trials(
        protocol.name,
        protocol.nodes,
        protocol.options,
        make_config(network=Network(), initial_leader=protocol.nodes, seed=seed),
        leader_crash((500.0, 600.0), horizon_ms=10_000.0),
        trials=ECDF_TRIALS,
        threads=threads,
    )
    return np.where(table["censored"] == 1, np.nan, table["agreed_ms"])


def draw(
    out: Path, told: Mapping[str, Cluster], result: fig16.Fig16, *, seed: int, threads: int
) -> Iterable[tuple[Path, str]]:
    """Writes the pictures; yields each path with what it shows, when it is there."""
    for name, cluster in told.items():
        longer = cluster.fork()
        longer.run_for(60.0)  # so that the last messages arrive in the picture
        yield (
            save(longer.trace.plot(), out / f"space_time_{name}.png"),
            f"{name}: messages between life lines, the crash, both leaders",
        )
    yield (
        save(_split_brain(seed).trace.plot_roles(), out / "roles.png"),
        "bully cut in two and healed: roles over time, and two leaders at once",
    )
    yield (
        save(plot.plot_cluster(_collecting_votes(seed)), out / "ring.png"),
        "raft while votes are counted: nodes on a ring, votes and messages on their way",
    )
    yield save(result.plot()[0], out / "fig16.png"), "Figure 16: lines simulated, marks published"
    times = {
        name: downtimes(make_protocol(name, 5), seed=seed, threads=threads) for name in CLUSTERS
    }
    ax = plot.plot_ecdf(times, quantity="time to agreement")
    ax.set_title(f"After the leader's crash: 5 nodes, seed {seed}", loc="left", fontsize=10)
    yield save(ax, out / "ecdf.png"), "time to agreement after a crash: three protocols, five nodes"


def _split_brain(seed: int) -> Cluster:
    cluster = Cluster(
        make_protocol("bully", 5),
        initial_leader=5,
        actions=[
            settings.at(100.0, settings.partition([1, 2], [3, 4, 5])),
            settings.at(600.0, settings.heal()),
        ],
        seed=seed,
    )
    cluster.run(until=900.0)
    return cluster


def _collecting_votes(seed: int) -> Cluster:
    """A Raft cluster in which a candidate holds two votes of five."""
    cluster = Cluster(make_protocol("raft", 5), initial_leader=1, seed=seed)
    cluster.run(until=200.0)
    cluster.crash("leader")

    def counting(now: Cluster) -> bool:
        return any(node.role == "candidate" and len(node["votes"]) == 2 for node in now.nodes)

    cluster.run(until=counting, max_events=10_000)
    return cluster
