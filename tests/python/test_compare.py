"""The measured table: what its figures mean, that they are right, and that they come out again."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import electionlab as el
from electionlab import FAULTS, Comparison, cli, comparable, compare, requirements
from electionlab._comparable import Subject, actors_of
from electionlab._costs import fitted_order, measure_election, orders_to_try
from electionlab._faults import Setting, cuts
from electionlab.comparison import FAMILIAR, LARGE_SIZES, SIZES, share_text


@pytest.fixture(scope="module")
def three() -> Comparison:
    return compare(["raft", "bully", "le_lann"], runs=20, trials=40, hours=2, threads=2)


#: Protocols that promise one leader, or one of an epoch, and replace one that is cut off.
UNIQUE = [n for n, cls in el.PROTOCOLS.items() if cls.about["fails_over"] and cls.about["epochs"]]
T = 5000.0


# --- the pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "cost"),
    [
        ("1", lambda n: 7.0),
        ("log n", lambda n: 3 * math.log2(n) + 1),
        ("n", lambda n: 2 * (n - 1)),
        ("n log n", lambda n: 4 * n * math.log2(n) - 5),
        ("n^2", lambda n: n * (n + 1) / 2),
        ("n^3", lambda n: n**3 / 8 + 2),
    ],
)
def test_the_order_of_a_closed_form_is_found(order: str, cost: Any) -> None:
    found = fitted_order(SIZES, [cost(n) for n in SIZES])
    assert found.order == found.name == order
    assert math.isfinite(found.factor)
    assert math.isfinite(found.offset)


def test_orders_that_chance_cannot_tell_apart_are_both_named() -> None:
    rng = np.random.default_rng(2)
    found = fitted_order(SIZES, [4 * n + rng.normal(0, 3) for n in SIZES])
    assert found.name == "n .. n log n"
    assert re.fullmatch(r"[\d.]+ n \.\. [\d.]+ n log n", str(found))
    assert fitted_order(SIZES, [4 * n for n in SIZES]).name == "n"
    # Nor a cost that does not grow from one that hardly does.
    assert fitted_order(SIZES, [5 + rng.normal(0, 1) for _ in SIZES]).name.startswith("1")
    assert str(fitted_order(SIZES, [0.0] * len(SIZES))) == "constant"


def test_an_order_needs_three_figures() -> None:
    assert fitted_order([3, 5, 7], [1.0, math.nan, 2.0])[0] == ""
    assert fitted_order([3, 5, 7], [9.0, 5.0, 1.0])[0] == ""  # it shrinks
    assert str(fitted_order([3, 5, 7], [9.0, 5.0, 1.0])) == "unknown"
    found = fitted_order([3, 5, 7, 9], [4.0, math.nan, 12.0, 16.0])
    assert found[:3] == ("n", pytest.approx(2.0), pytest.approx(-2.0))


def test_comparable_timeouts_are_the_timeouts() -> None:
    assert comparable("raft", 3, 100).options["election_timeout_ms"] == [100, 200]
    assert comparable("bully", 3, 100).options["leader_timeout_ms"] == 100
    for name in el.PROTOCOLS:
        assert comparable(name, 5).nodes == 5


def test_every_fault_really_happens() -> None:
    report = requirements(comparable("bully"), runs=5, seconds=50)
    assert set(report.effects) == set(FAULTS)
    assert all(count > 0 for count in report.effects.values())
    drift = FAULTS["drift"].during(Setting(300, 1000, 5, 5, 1))["machine"]
    cluster = el.Cluster(el.Bully(5), machine=drift, seed=1)
    cluster.run(until=1000)
    assert {node.clock_ms for node in cluster.nodes} != {1000.0}


def test_partitions_put_services_on_a_side_too_and_come_out_again() -> None:
    protocol = el.ZkRecipe(4)
    assert (actors_of(protocol), actors_of(el.Raft(4))) == (5, 4)
    assert actors_of(el.Lease(4).at_work(el.Resource(fencing="token"))) == 5
    given = Setting(100, 10_000, 4, 5, 7)
    plan = cuts(given)
    assert plan == cuts(given)
    assert plan != cuts(Setting(100, 10_000, 4, 5, 8))
    groups = [action["do"]["groups"] for action in plan if action["do"]["action"] == "partition"]
    assert len(groups) > 5
    assert all(sorted(left + right) == [1, 2, 3, 4, 5] for left, right in groups)
    assert len({tuple(left) for left, _ in groups}) > 3
    times = [action["at_ms"] for action in plan]
    assert times == sorted(times)
    assert times[-1] <= 10_000


@pytest.mark.parametrize("name", UNIQUE)
def test_leaders_change_wherever_uniqueness_is_claimed(name: str) -> None:
    """A guarantee that nothing has tried is none: under cuts, late messages and drift."""
    faults = ["partition", "late", "drift"]
    frame = requirements(comparable(name, 5, T), faults, runs=4, seconds=300, patience_s=1).frame
    changes = frame[frame.measure == "leader_changes_per_h"]
    assert list(changes.fault) == faults
    assert (changes.value > 0).all(), name


def test_drift_breaks_a_lease_and_late_messages_break_bully() -> None:
    def both(name: str, fault: str) -> float:
        found = requirements(comparable(name, 5, T), fault, runs=20, seconds=300, patience_s=1)
        return float(found.frame.set_index("measure").value["runs_with_two_leaders_at_once"])

    assert both("lease", "partition") == 0
    assert both("lease", "drift") > 0.3
    late = {"late": lambda seed: {
        "actions": [a for a in FAULTS["late"].during(Setting(T, 60 * T, 5, 5, seed))["actions"]
                    if a.get("do", {}).get("action") not in ("partition", "heal")]
    }}  # fmt: skip
    found = requirements(comparable("bully", 5, T), late, runs=20, seconds=300, patience_s=1)
    assert found.frame.set_index("measure").value["runs_with_two_leaders_at_once"] > 0.5


def test_a_pause_counts_the_instants_in_which_the_old_leader_acts_on() -> None:
    found = requirements(comparable("raft", 5, T), "pause", runs=10, seconds=300, patience_s=60)
    value = found.frame.set_index("measure").value
    assert value["time_with_two_leaders"] == 0
    assert value["two_leaders_at_once_per_h"] > 0
    assert value["runs_with_two_leaders_at_once"] > 0.5


def test_kubernetes_at_the_tables_timeouts_is_not_an_artefact_of_whole_seconds() -> None:
    def late(_: int) -> dict[str, Any]:
        tail = el.hyperexponential(3, 2 * T, 0.03, min_ms=5)
        return {"network": el.Network(one_way_delay_ms=tail)}

    found = requirements(comparable("kubernetes"), {"late": late}, runs=20, seconds=300,
                         patience_s=1)  # fmt: skip
    value = found.frame.set_index("measure").value
    assert value["time_with_two_leaders"] == 0
    assert value["leader_changes_per_h"] < 10


# --- costs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        # One event, one listing and its reply.
        ("zk_recipe", lambda n: 3),
        # n-1 events, 4 (n-1) requests with replies.
        ("zk_lock", lambda n: 9 * (n - 1)),
        # 2 (n-1) for votes less the dead node's, n-1 heartbeats and the answers of the living.
        ("raft", lambda n: 2 * (n - 1) - 1 + (n - 1) + (n - 2)),
        ("multi_paxos", lambda n: 2 * (n - 1) - 1 + (n - 1)),
        # All that are left notice: who has k nodes above it sends k ELECTIONs, each of these but
        # the dead one answers, and the highest tells the n-2 others.
        ("bully", lambda n: sum(range(1, n)) + sum(range(n - 1)) + n - 2),
        ("lease", lambda n: 0),
        ("heartbeat", lambda n: 0),
        ("garcia_molina", lambda n: 9 * n - 16),
        ("viewstamped", lambda n: (n - 1) * n + (n - 2)),
    ],
)
@pytest.mark.parametrize("nodes", [3, 5])
def test_messages_of_a_failover_are_the_closed_form(name: str, cost: Any, nodes: int) -> None:
    subject = Subject(name, None, T)
    found = [measure_election(subject, nodes, 200 * T, seed).messages for seed in range(1, 16)]
    assert np.median(found) == cost(nodes), found
    assert min(found) == cost(nodes), found


@pytest.fixture(scope="module")
def rings() -> Comparison:
    names = ["le_lann", "chang_roberts", "franklin", "peterson", "hirschberg_sinclair"]
    return compare(names, runs=2, trials=200, hours=1, threads=2)


def test_rings_in_random_orders_grow_as_their_papers_say(rings: Comparison) -> None:
    orders = {name: growth.order for name, growth in rings.orders.items()}
    assert orders == dict.fromkeys(orders, "n log n") | {"le_lann": "n^2"}


def test_chang_and_roberts_on_average_and_at_worst(rings: Comparison) -> None:
    for n in (5, 25, *LARGE_SIZES):
        usual = rings.cell("chang_roberts", "first_messages", nodes=n)
        mean = n * sum(1 / k for k in range(1, n + 1)) + n
        assert usual.value == pytest.approx(mean, rel=0.12), n
        worst = rings.cell("chang_roberts", "worst_order_messages", nodes=n)
        assert worst.value == n * (n + 1) / 2 + n
    assert rings.other_orders["chang_roberts"].order == "n^2"
    assert rings.other_orders["franklin"].order == "n log n"


@pytest.mark.parametrize("n", [3, 5, 8, 13])
def test_orders_of_a_ring_are_orders(n: int) -> None:
    assert all(sorted(order) == list(range(1, n + 1)) for order in orders_to_try(n))


def test_rings_that_assume_fifo_links_have_them() -> None:
    for name, fifo in (("peterson", True), ("franklin", True), ("chang_roberts", None)):
        assert Subject(name, None, T).network.fifo is fifo


def test_paxos_with_one_proposer_has_its_closed_form() -> None:
    paxos = compare(["paxos"], runs=10, trials=10, hours=1)
    for n in SIZES:  # 4 (n-1), and n-1 to tell all
        assert paxos.cell("paxos", "one_proposer_messages", nodes=n).value == 5 * (n - 1)
    assert paxos.other_orders["paxos"].order == "n"
    assert paxos.orders["paxos"].order in ("n^2", "n^3")
    assert "with one proposer 20 [20, 20], 5 n" in paxos.table().loc["paxos", "second figure"]


# --- elections that happen once -------------------------------------------------------------------


def test_protocols_that_elect_once_are_tried_in_every_fault(rings: Comparison) -> None:
    frame = compare(["le_lann", "paxos"], runs=20, trials=5, hours=1).frame
    for name in ("le_lann", "paxos"):
        ends = frame[(frame.protocol == name) & frame.measure.str.startswith("runs_that_end_with")]
        for _, cells in ends.groupby("fault"):
            value = cells.set_index("measure").value
            parts = ("one_leader", "no_leader", "two_leaders")
            assert sum(value[f"runs_that_end_with_{part}"] for part in parts) == pytest.approx(1)
        assert set(ends.fault) == set(FAULTS)

    def value(protocol: str, fault: str, measure: str) -> float:
        asked = {"protocol": protocol, "fault": fault, "measure": measure}
        return float(frame[(frame[[*asked]] == list(asked.values())).all(axis=1)].value.item())

    # A ring loses a message to a cut for ever; late or held up, it still arrives. Paxos asks again.
    assert value("le_lann", "partition", "runs_that_end_with_no_leader") > 0.5
    for fault in ("late", "pause", "drift"):
        assert value("le_lann", fault, "runs_that_end_with_agreement") == 1
    assert value("paxos", "partition", "runs_that_end_with_two_leaders") == 0
    assert "elects once" not in " ".join(rings.table().loc["le_lann", list(FAULTS)])
    assert re.match(r"one leader [\d.]+ % \[", rings.verdict("le_lann", "pause"))


def test_viewstamped_stays_without_a_primary_when_too_many_have_forgotten() -> None:
    """Recovery counts as a failure: when more than a minority is at it, nobody can answer."""
    stuck = 0
    for seed in range(1, 41):
        trouble = FAULTS["crash"].during(Setting(T, 60 * T, 5, 5, seed))
        cluster = el.Cluster(comparable("viewstamped"), seed=seed, record=False, **trouble)
        cluster.run(until=60 * T)
        for node in cluster.nodes:
            if node.role == "down":
                cluster.restart(node.node)
        if not cluster.run_until_leader(200 * T, agreed=True):
            stuck += 1
            status = [node.memory["status"] for node in cluster.nodes]
            assert status.count("recovering") > 2, (seed, status)
    assert stuck > 0


# --- requirements ---------------------------------------------------------------------------------


def test_requirements_tell_bully_from_raft_in_a_partition() -> None:
    frames = {
        cls.name: requirements(comparable(cls.name), "partition", runs=20).frame.set_index(
            "measure"
        )
        for cls in (el.Raft, el.Bully)
    }
    raft, bully = frames["raft"], frames["bully"]
    assert raft.value["runs_with_two_leaders_in_one_epoch"] == 0
    assert math.isnan(bully.value["runs_with_two_leaders_in_one_epoch"])
    assert bully.value["time_with_two_leaders"] > raft.value["time_with_two_leaders"]
    for frame in frames.values():
        assert frame.value["runs_that_agree_again"] == 1
        known = frame.dropna(subset=["low"])
        assert (known.low <= known.value).all()
        assert (known.value <= known.high).all()
        assert (frame.runs[frame.value.notna()] == 20).all()


def test_requirements_are_the_same_in_one_thread_and_in_three() -> None:
    def frame(threads: int) -> pd.DataFrame:
        return requirements(el.Ring(4), "crash", runs=8, seconds=5, threads=threads).frame

    pd.testing.assert_frame_equal(frame(1), frame(3))


def test_a_fault_of_ones_own() -> None:
    lossy = {
        "lossy": {"network": el.Network(loss_probability=1.0)},
        "seeded": lambda seed: {"network": el.Network(loss_probability=0.1 * (seed == 1))},
    }
    report = requirements(el.Raft(3), lossy, runs=3, seconds=2, patience_s=2)
    frame = report.frame[report.frame.fault == "lossy"].set_index("measure")
    assert frame.runs["recovery_ms"] == 0
    assert frame.failed["recovery_ms"] == 3
    assert frame.value["runs_that_agree_again"] == 0
    assert frame.value["time_led"] == 0
    assert math.isnan(frame.value["recovery_ms"])
    assert "lossy" in str(report)
    assert "none" in str(report)


def test_network_and_machine_hold_where_the_trouble_leaves_them_open() -> None:
    def sent(**arguments: Any) -> float:
        found = requirements(el.Raft(3), runs=2, seconds=5, **arguments)
        return float(found.frame.set_index("measure").value["messages_per_s"])

    lossy = el.Network(loss_probability=1.0)
    assert sent(faults=[], plan={}, network=lossy) != sent(faults=[], plan={})
    slow = el.Machine(write_delay_ms=200)
    assert sent(faults="drift", machine=slow) != sent(faults="drift")
    with pytest.raises(ValueError, match="one or more, or give a plan"):
        requirements(el.Raft(3), [])


class LowestLeads(el.UserProtocol):
    """Everybody pings; the lowest of those that were heard of lately leads."""

    messages = ("Ping",)
    timers = ("beat", "look")

    def memory(self, node: int) -> Any:
        return {"heard": [], "leader": 0}

    def on_start(self, ctx: Any) -> None:
        ctx.set_timer("beat", 0)
        ctx.set_timer("look", 500)

    def on_timer(self, ctx: Any, timer: str) -> None:
        if timer == "beat":
            ctx.broadcast("Ping")
            ctx.set_timer("beat", 200)
        else:
            ctx.memory["leader"] = min([ctx.node, *ctx.memory["heard"]])
            ctx.memory["heard"] = []
            ctx.set_timer("look", 500)

    def on_message(self, ctx: Any, sender: int, message: Any) -> None:
        ctx.memory["heard"] = [*ctx.memory["heard"], sender]

    def view(self, ctx: Any) -> Any:
        leader = ctx.memory["leader"]
        return ("leader" if leader == ctx.node else "follower"), leader, 0


def test_protocols_of_ones_own_are_reported_and_compared() -> None:
    mine = LowestLeads(3)
    report = requirements(
        mine, ["crash", "partition"], runs=2, seconds=30, patience_s=5, timeout_ms=500, threads=2
    )
    value = report.frame.set_index(["fault", "measure"]).value
    assert value["partition", "time_with_two_leaders"] > 0
    fast = el.Raft(3, election_timeout_ms=(300, 600), heartbeat_interval_ms=100)
    found = compare([mine, fast], timeout_ms=500, runs=2, trials=3, hours=1)
    assert found.protocols == ("lowestleads", repr(fast))
    assert found.nodes == 3
    # Pings go on as before: an election costs nothing.
    assert found.cell("lowestleads", "failover_messages").value == 0
    assert found.cell(repr(fast), "failover_messages").value == 6
    assert len(found.table()) == 2
    assert found.orders["lowestleads"].order == ""
    found.plot()
    assert compare(el.Raft(5), runs=1, trials=2, hours=1).protocols == ("Raft(nodes=5)",)
    assert compare("raft", runs=1, trials=2, hours=1).protocols == ("raft",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"protocol": "raft"}, "protocol='raft': must be a protocol"),
        ({"faults": "fire"}, "faults='fire': must be one of crash, late"),
        ({"faults": 3}, "faults=3: must be names"),
        ({"faults": {"mine": 3}}, r"faults\['mine'\]=3: must be a dict"),
        ({"faults": "late", "plan": 3}, r"faults\['plan'\]=3: must be a dict"),
        ({"runs": 0}, "runs=0: must be a whole number"),
        ({"seconds": 0}, "seconds=0: must be a number above 0"),
        ({"seconds": math.nan}, "seconds=nan: must be a number above 0"),
        ({"patience_s": math.inf}, "patience_s=inf: must be"),
        ({"timeout_ms": True}, "timeout_ms=True: must be"),
        ({"seed": -1}, "seed=-1: must be"),
        ({"threads": 1.5}, "threads=1.5: must be"),
    ],
)
def test_bad_requests(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        requirements(**{"protocol": el.Raft(3), **arguments})


# --- the table ------------------------------------------------------------------------------------


def test_the_table_has_every_figure_with_seed_runs_and_interval(three: Comparison) -> None:
    frame = three.frame
    assert set(frame.protocol) == {"raft", "bully", "le_lann"}
    assert (frame.runs[frame.value.notna()] > 0).all()
    assert (frame.seed == 1).all()
    known = frame.dropna(subset=["value", "low"])
    assert (known.low <= known.value + 1e-9).all()
    assert (known.value <= known.high + 1e-9).all()
    shares = known[
        known.measure.str.startswith(("time_", "runs_")) | (known.measure == "leader_share")
    ]
    assert (shares.low >= 0).all()
    assert (shares.high <= 1).all()
    assert (known.low[known.measure != "failover_messages"] >= 0).all()
    table = three.table()
    assert list(table.index) == ["raft", "bully", "le_lann"]
    assert set(FAULTS) < set(table.columns)


def test_costs_agree_with_the_closed_forms(three: Comparison) -> None:
    # Le Lann, everybody starts: exactly n^2 of each size, no spread.
    for n in SIZES:
        cell = three.cell("le_lann", "first_messages", nodes=n)
        assert (cell.value, cell.low, cell.high) == (n * n, n * n, n * n)
    assert three.orders["le_lann"].order == "n^2"
    assert three.orders["le_lann"].factor == pytest.approx(1)
    # Raft: 4n-6 an attempt; the more nodes, the more attempts, so a few trials cannot tell.
    assert "n" in [name for name, _ in three.orders["raft"].close]
    # Bully: every live node notices; a quadratic number of ELECTIONs.
    assert three.orders["bully"].name == "n^2"


def test_speed_is_at_least_what_the_timeouts_say(three: Comparison) -> None:
    for name, least in (("raft", T * 2 / 3 - 10), ("bully", T * 2 / 3 - 10)):
        assert three.cell(name, "detection_ms_p05").value >= least
        low, mid, high = (three.cell(name, f"downtime_ms_{q}").value for q in ("p05", "p50", "p95"))
        assert least < low < mid < high < 1.6 * T
    assert math.isnan(three.cell("le_lann", "downtime_ms_p50").value)


def test_the_leader_carries_half_of_the_messages(three: Comparison) -> None:
    # Heartbeats and their answers: each has the leader at one end and somebody at the other.
    assert three.cell("raft", "leader_share").value == pytest.approx(0.5, abs=0.01)
    assert three.cell("bully", "leader_share").value == pytest.approx(0.5, abs=0.01)


def test_fencing_with_the_epoch_helps_raft_and_not_bully(three: Comparison) -> None:
    stale = {
        (name, fencing): three.cell(
            name, f"stale_writes_per_1000_fencing_{fencing}", "partition"
        ).value
        for name in ("raft", "bully")
        for fencing in ("none", "token")
    }
    assert stale["raft", "none"] > 0
    assert stale["raft", "token"] == 0
    assert stale["bully", "none"] > 0
    assert stale["bully", "token"] > 0


def test_the_familiar_table_stands_beside_it(three: Comparison) -> None:
    familiar = three.familiar()
    assert list(familiar.index) == ["bully", "raft"]
    assert FAMILIAR["raft"] == ("medium", "strong", "medium")
    assert familiar.loc["bully", "and in one epoch, of the runs"] == "no epochs"
    assert familiar.loc["raft", "and in one epoch, of the runs"] == "0 % [0, 16.1]"
    assert familiar.loc["bully", "they grow as"].endswith(" n^2")
    for name in familiar.index:
        for column, measure, fault, unit in (
            ("messages per failover", "failover_messages", "", 1),
            ("two leaders in partitions, of the time", "time_with_two_leaders", "partition", 100),
            ("median downtime, ms", "downtime_ms_p50", "", 1),
        ):
            cell = three.cell(name, measure, fault)
            figures = [float(text) for text in re.findall(r"[\d.]+", familiar.loc[name, column])]
            exact = [unit * figure for figure in (cell.value, cell.low, cell.high)]
            assert figures == pytest.approx(exact, rel=5e-3), (name, column)
    assert compare(["le_lann"], runs=1, trials=1, hours=1).familiar().empty
    with pytest.raises(ValueError, match="there is no 'beauty' of 'raft'"):
        three.cell("raft", "beauty")


def test_another_number_of_nodes() -> None:
    seven = compare(["raft", "le_lann"], nodes=7, runs=3, trials=5, hours=1, threads=2)
    assert seven.nodes == 7
    assert seven.cell("raft", "downtime_ms_p50").nodes == 7
    assert seven.cell("raft", "time_with_two_leaders", "partition").nodes == 7
    assert seven.cell("le_lann", "first_messages").value == 49
    assert seven.table().loc["le_lann", "messages per election"] == "49 [49, 49]"
    assert list(seven.familiar().index) == ["raft"]


def test_the_picture_shows_every_protocol(three: Comparison) -> None:
    import matplotlib.pyplot as plt

    axes = three.plot()
    for panel in axes[:2]:
        assert [label.get_text() for label in panel.get_yticklabels()] == list(three.protocols)
    assert "ms" in axes[1].get_xlabel()
    lines = {line.get_label() for line in axes[2].get_lines()}
    assert lines == {f"{name}: {order.name}" for name, order in three.orders.items()}
    assert "bully: n^2" in lines
    assert np.all([panel.get_title() for panel in axes])
    title = axes[0].figure.get_suptitle()
    assert "5 nodes" in title
    assert "20 runs" in title
    with pytest.raises(ValueError, match="must be three axes"):
        three.plot(ax=axes[:2])
    plt.close("all")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"protocols": [el.Raft(3), "raft"], "nodes": 5}, "must have 5 nodes"),
        ({"protocols": ["raft", "raft"]}, "protocols='raft': must be given once"),
        ({"protocols": 3}, "protocols=3: must be a list"),
        ({"protocols": []}, "must be a list of names"),
        ({"protocols": ["rafft"]}, "protocol='rafft': must be one of"),
        ({"nodes": 2}, "nodes=2: must be a whole number from 3 to 64"),
        ({"timeout_ms": -1}, "timeout_ms=-1: must be a number above 0"),
        ({"trials": 0}, "trials=0"),
        ({"hours": 0}, "hours=0"),
    ],
)
def test_bad_comparisons(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compare(**{"protocols": ["raft"], **arguments})


# --- the command line -----------------------------------------------------------------------------


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_compare_on_the_command_line(tmp_path: Any) -> None:
    few = ["compare", "raft", "chang_roberts", "--runs", "3", "--trials", "5", "--hours", "1",
           "-q"]  # fmt: skip
    csv, picture = tmp_path / "figures.csv", tmp_path / "picture.png"
    told = run(*few, "--csv", str(csv), "--plot", str(picture))
    heading = told.splitlines()[0]
    for part in ("n = 5", "5000 ms", "5 elections", "3 runs", "1 h", "seed 1", "95 % confidence"):
        assert part in heading
    assert "\nraft\n" in told
    assert "elects once" not in told
    assert re.search(r"^  messages per election: +14 \[14, 14\]$", told, re.M)
    assert re.search(r"^  downtime ms: +\d+ \[\d+, \d+\] / \d+ \[\d+, \d+\] / \d+ \[", told, re.M)
    assert re.search(r"^  leader's load: +50 % \[", told, re.M)
    lines = [line for line in told.splitlines() if line.startswith("  ")]
    assert all(re.match(r"  \S.*?: +\S", line) for line in lines)
    assert re.search(r"^  median downtime, ms: +\d+.* \[\d+.*, \d+.*\]$", told, re.M)
    assert len(pd.read_csv(csv)) > 100
    assert picture.stat().st_size > 10_000
    document = json.loads(run(*few, "--json"))
    assert document["seed"] == 1
    assert {f["protocol"] for f in document["figures"]} == {"raft", "chang_roberts"}


def test_report_on_the_command_line() -> None:
    told = run("report", "bully", "-n", "3", "--fault", "pause", "--runs", "4", "--seconds", "5")
    assert "Bully(nodes=3), 4 runs each, from seed 1" in told
    for requirement in ("uniqueness", "liveness", "fault tolerance", "performance", "stability",
                        "agreement", "fairness"):  # fmt: skip
        assert requirement in told
    document = json.loads(
        run("report", "raft", "-n", "3", "--fault", "crash", "--runs", "2", "--json")
    )
    assert document["effects"]["crash"] > 0


def test_report_of_a_plan_of_ones_own() -> None:
    plan = ["report", "raft", "-n", "3", "--runs", "3", "--seconds", "20"]
    told = json.loads(run(*plan, "--loss", "0.1", "--crash", "leader@5s:5s", "--json"))
    assert set(told["effects"]) == {"plan"}
    assert told["effects"]["plan"] >= 3
    told = json.loads(run(*plan, "--partition", "1/2,3@1s", "--fault", "pause", "--json"))
    assert set(told["effects"]) == {"plan", "pause"}
    assert json.loads(run(*plan, "--write-delay", "3ms", "--json"))["effects"].keys() == set(FAULTS)
    late = CliRunner().invoke(cli.app, [*plan, "--heal", "30s"])
    assert late.exit_code == 2
    assert "--seconds 20: must not end before" in late.output


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (1e-9, "< 0.01"), (0.00009, "< 0.01"), (0.0123, "1.23"), (1, "100"),
     (0.99999, "> 99.99"), (0.9995, "99.95")],
)  # fmt: skip
def test_a_small_share_does_not_read_as_none(share: float, text: str) -> None:
    assert share_text(share) == text
