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
from electionlab._costs import fitted_order
from electionlab.comparison import FAMILIAR, SIZES


@pytest.fixture(scope="module")
def three() -> Comparison:
    return compare(["raft", "bully", "le_lann"], runs=20, trials=40, hours=1, threads=2)


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
    found, factor, offset = fitted_order(SIZES, [cost(n) for n in SIZES])
    assert found == order
    assert math.isfinite(factor)
    assert math.isfinite(offset)


def test_an_order_needs_three_figures() -> None:
    assert fitted_order([3, 5, 7], [1.0, math.nan, 2.0])[0] == ""
    assert fitted_order([3, 5, 7], [9.0, 5.0, 1.0])[0] == ""  # it shrinks
    name, factor, offset = fitted_order([3, 5, 7, 9], [4.0, math.nan, 12.0, 16.0])
    assert (name, pytest.approx(factor), pytest.approx(offset)) == ("n", 2.0, -2.0)


def test_comparable_timeouts_are_the_timeouts() -> None:
    assert comparable("raft", 3, 100).options["election_timeout_ms"] == [100, 200]
    assert comparable("bully", 3, 100).options["leader_timeout_ms"] == 100
    for name in el.PROTOCOLS:
        assert comparable(name, 5).nodes == 5


def test_every_fault_really_happens_but_drift_is_in_the_clocks() -> None:
    report = requirements(el.Bully(5), runs=5, seconds=10)
    assert set(report.effects) == set(FAULTS)
    assert all(count > 0 for name, count in report.effects.items() if name != "drift")
    clocks = FAULTS["drift"].during(300, 1000)["machine"].clock_drift_ppm
    cluster = el.Cluster(el.Bully(5), machine=el.Machine(clock_drift_ppm=clocks), seed=1)
    cluster.run(until=1000)
    assert {node.clock_ms for node in cluster.nodes} != {1000.0}


# --- requirements ---------------------------------------------------------------------------------


def test_requirements_tell_bully_from_raft_in_a_partition() -> None:
    frames = {
        cls.name: requirements(cls(5), "partition", runs=20).frame.set_index("measure")
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
        assert (frame.runs == 20).all()


def test_requirements_are_the_same_in_one_thread_and_in_three() -> None:
    def frame(threads: int) -> pd.DataFrame:
        return requirements(el.Ring(4), "crash", runs=8, seconds=5, threads=threads).frame

    pd.testing.assert_frame_equal(frame(1), frame(3))


def test_a_fault_of_ones_own() -> None:
    lossy = {"lossy": {"network": el.Network(loss_probability=1.0)}}
    report = requirements(el.Raft(3), lossy, runs=3, seconds=2, patience_s=2)
    frame = report.frame.set_index("measure")
    assert frame.value["runs_that_agree_again"] == 0
    assert frame.value["time_led"] == 0
    assert math.isnan(frame.value["recovery_ms"])
    assert "lossy" in str(report)
    assert "none" in str(report)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"protocol": "raft"}, "protocol='raft': must be a protocol"),
        ({"faults": "fire"}, "faults='fire': must be one of crash, late"),
        ({"faults": 3}, "faults=3: must be names"),
        ({"faults": {"mine": 3}}, r"faults\['mine'\]=3: must be a dict"),
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
    assert (frame.runs > 0).all()
    assert (frame.seed == 1).all()
    known = frame.dropna(subset=["value", "low"])
    assert (known.low <= known.value + 1e-9).all()
    assert (known.value <= known.high + 1e-9).all()
    table = three.table()
    assert list(table.index) == ["raft", "bully", "le_lann"]
    assert set(FAULTS) < set(table.columns)


def test_costs_agree_with_the_closed_forms(three: Comparison) -> None:
    # Le Lann, everybody starts: exactly n^2 of each size, no spread.
    for n in SIZES:
        cell = three.cell("le_lann", "first_messages", nodes=n)
        assert (cell.value, cell.low, cell.high) == (n * n, n * n, n * n)
    assert three.orders["le_lann"][0] == "n^2"
    assert three.orders["le_lann"][1] == pytest.approx(1)
    # Raft: 2(n-1) an attempt, less what the dead leader and the late answers do not say; the more
    # nodes, the more attempts, so that a few trials may look like n log n.
    assert three.orders["raft"][0] in ("n", "n log n")
    # Bully: every live node notices; a quadratic number of ELECTIONs.
    assert three.orders["bully"][0] == "n^2"


def test_speed_is_at_least_what_the_timeouts_say(three: Comparison) -> None:
    for name, least in (("raft", 300 - 100 - 10), ("bully", 300 - 100 - 10)):
        assert three.cell(name, "detection_ms_p05").value >= least
        low, mid, high = (three.cell(name, f"downtime_ms_{q}").value for q in ("p05", "p50", "p95"))
        assert least < low < mid < high < 1500
    assert math.isnan(three.cell("le_lann", "downtime_ms_p50").value)


def test_the_leader_carries_half_of_the_messages(three: Comparison) -> None:
    # Heartbeats and their answers: each has the leader at one end and somebody at the other.
    assert three.cell("raft", "leader_share").value == pytest.approx(0.5, abs=0.01)
    assert three.cell("bully", "leader_share").value == pytest.approx(0.5, abs=0.01)


def test_fencing_with_the_epoch_helps_raft_and_not_bully(three: Comparison) -> None:
    stale = {
        (name, fencing): three.cell(name, f"stale_writes_per_1000_fencing_{fencing}").value
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
    assert familiar.loc["bully", "and in one epoch, % of runs"] == "no epochs"
    assert familiar.loc["raft", "and in one epoch, % of runs"] == "0 [0, 16.1]"  # Wilson, 0 of 20
    assert familiar.loc["bully", "they grow as"].endswith(" n^2")
    for name in familiar.index:
        for column, measure, fault, unit in (
            ("messages per failover", "failover_messages", "", 1),
            ("two leaders in partitions, % of time", "time_with_two_leaders", "partition", 100),
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
    assert seven.table().loc["le_lann", "messages per election"] == "49"
    assert list(seven.familiar().index) == ["raft"]


def test_the_picture_shows_every_protocol(three: Comparison) -> None:
    import matplotlib.pyplot as plt

    axes = three.plot()
    for panel in axes[:2]:
        assert [label.get_text() for label in panel.get_yticklabels()] == list(three.protocols)
    assert "ms" in axes[1].get_xlabel()
    lines = {line.get_label() for line in axes[2].get_lines()}
    assert lines == {f"{name}: {order[0]}" for name, order in three.orders.items()}
    assert "bully: n^2" in lines
    assert np.all([panel.get_title() for panel in axes])
    with pytest.raises(ValueError, match="must be three axes"):
        three.plot(ax=axes[:2])
    plt.close("all")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"protocols": "raft"}, "protocols='raft': must be a list of names"),
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
    few = ["compare", "raft", "chang_roberts", "--runs", "3", "--trials", "5", "-q"]
    csv, picture = tmp_path / "figures.csv", tmp_path / "picture.png"
    told = run(*few, "--csv", str(csv), "--plot", str(picture))
    assert told.startswith("raft\n")
    assert "messages per election:" in told
    assert "elects once" in told
    lines = [line for line in told.splitlines() if line.startswith("  ")]
    assert len(lines) == 2 * 16 + 8  # and Raft of the lecture notes' table
    assert all(re.match(r"  \S.*?: +\S|  \S.*:$", line) for line in lines)
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
