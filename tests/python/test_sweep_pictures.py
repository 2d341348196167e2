"""A sweep's closed forms and pictures, and the commands that run and draw one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from typer.testing import CliRunner

import electionlab as el
from electionlab import formulas
from electionlab.cli import app
from electionlab.formulas import FORMULAS, Setting

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CONSTANT = el.Network(one_way_delay_ms=15)


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def result() -> el.Sweep:
    return el.sweep(
        el.Raft(nodes=5),
        {"nodes": [3, 5, 9], "election_timeout_ms": [(150, 200), (150, 300)]},
        network=CONSTANT,
        trials=1500,
        seed=3,
    )


# --- closed forms ---------------------------------------------------------------------------------


def test_closed_forms_by_hand() -> None:
    assert formulas.first_timeout_ms(4, (150, 300)) == 180
    assert formulas.first_timeout_ms(1, (150, 300)) == 225
    # Five nodes, one down: a split needs two more within a tenth: 1 - 0.9^4 - 4 0.1 0.9^3.
    assert formulas.split_vote_probability(5, 4, 0.1) == pytest.approx(0.0523)
    assert formulas.split_vote_probability(3, 2, 0.1) == pytest.approx(0.19)  # 1 - 0.9^2
    assert formulas.split_vote_probability(5, 4, 0) == 0
    assert formulas.split_vote_probability(5, 4, 3) == 1
    assert formulas.chang_roberts_messages(3) == pytest.approx(3 + 1.5 + 1 + 3)
    phi_at = formulas.phi_timeout_ms(mean_ms=100, deviation_ms=10, threshold=6.5)
    assert el.phi(phi_at, mean_ms=100, deviation_ms=10) == pytest.approx(6.5)
    for bad in (
        lambda: formulas.first_timeout_ms(0, (1, 2)),
        lambda: formulas.first_timeout_ms(1, (2, 1)),
        lambda: formulas.split_vote_probability(5, 2, 0.1),
        lambda: formulas.split_vote_probability(5, 4, -1),
        lambda: formulas.chang_roberts_messages(0),
    ):
        with pytest.raises(ValueError, match="must be"):
            bad()


def agrees(result: el.Sweep, formula: str, measure: str, statistic: str) -> None:
    """Every point's figure is as the formula says: within 4 of what 95 % intervals say is 2."""
    for number, point in enumerate(result.points):
        expected = FORMULAS[formula](Setting(point.definition))
        found = result.estimate(measure, statistic, point=number)
        half = max(found.high - found.value, found.value - found.low)
        assert abs(found.value - expected) < 2 * half, (point.values, expected, found)
        assert half > 0


def test_measured_curves_are_those_of_the_closed_forms(result: el.Sweep) -> None:
    agrees(result, "split_vote", "split_votes", "share")
    agrees(result, "first_timeout", "detection_ms", "mean")
    five = el.Network(one_way_delay_ms=5)
    crash = el.scenarios.leader_crash(after_heartbeats=20)
    for detector in ("nfd_s", "phi"):
        watched = el.sweep(
            el.Heartbeat(nodes=2, detector=detector),
            {"heartbeat_interval_ms": [30, 50]},
            scenario=crash, network=five, trials=500, seed=1,
        )  # fmt: skip
        agrees(watched, detector, "detection_ms", "mean")


def test_closed_forms_are_left_out_where_they_do_not_hold() -> None:
    jittery = el.sweep(el.Raft(nodes=5), trials=1)
    assert math.isnan(FORMULAS["split_vote"](Setting(jittery.points[0].definition)))
    cold = el.sweep(el.Raft(nodes=5), scenario=el.scenarios.cold_start(), trials=1)
    for name, formula in FORMULAS.items():
        assert math.isnan(formula(Setting(cold.points[0].definition))), name


# --- pictures -------------------------------------------------------------------------------------


def test_lines_show_figures_intervals_and_the_closed_form(result: el.Sweep) -> None:
    ax = result.plot_lines("nodes", "split_votes", "share", formula="split_vote")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("nodes", "share of trials with split votes")
    measured, expected = ax.containers[0], ax.lines[3]
    estimates = result.at(election_timeout_ms=(150, 200)).estimates("split_votes", "share")
    np.testing.assert_allclose(measured.lines[0].get_ydata(), estimates["value"])
    bars = measured.lines[2][0].get_segments()
    np.testing.assert_allclose([bar[0][1] for bar in bars], estimates["low"])
    np.testing.assert_allclose([bar[1][1] for bar in bars], estimates["high"])
    np.testing.assert_allclose(expected.get_xdata(), [3, 5, 9])
    np.testing.assert_allclose(
        expected.get_ydata(),
        [formulas.split_vote_probability(n, n - 1, 15 / 50) for n in (3, 5, 9)],
    )
    by_function = result.plot_lines("nodes", "messages", "mean", formula=lambda v: v["nodes"])
    np.testing.assert_allclose(by_function.lines[3].get_ydata(), [3, 5, 9])


def test_ranges_stand_side_by_side(result: el.Sweep) -> None:
    ax = result.plot_lines("election_timeout_ms", "agreed_ms", "p99")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["150-200", "150-300"]
    assert ax.get_ylabel() == "99 % quantile of agreed (ms)"


def test_trials_of_pooled_points_are_taken_together() -> None:
    orders = el.sweep(
        el.ChangRoberts(nodes=4), {"nodes": [4, 8], "shuffle": range(1, 201)},
        scenario=el.scenarios.cold_start(), trials=1,
    )  # fmt: skip
    ax = orders.plot_lines("nodes", "messages", "mean", formula="chang_roberts", pool=["shuffle"])
    means = ax.containers[0].lines[0].get_ydata()
    by_hand = [orders.at(nodes=n).column("messages").mean() for n in (4, 8)]
    np.testing.assert_allclose(means, by_hand)
    for n, (low, high) in zip((4, 8), ((11.6, 13.1), (28.4, 31.1)), strict=True):
        assert low < formulas.chang_roberts_messages(n) < high
        assert low < means[(4, 8).index(n)] < high
    with pytest.raises(ValueError, match="make 200 curves; must be at most 7"):
        orders.plot_lines("nodes", "messages")


def test_map_has_a_cell_for_every_pair(result: el.Sweep) -> None:
    ax = result.plot_heatmap("nodes", "election_timeout_ms", "agreed_ms", "median")
    values = ax.images[0].get_array()
    assert values.shape == (2, 3)
    assert (
        values[1, 2]
        == result.at(nodes=9, election_timeout_ms=(150, 300)).estimate("agreed_ms").value
    )
    texts = [text.get_text() for text in ax.texts]
    assert sum("[" in text for text in texts) == 6
    more = result + el.sweep(
        el.Raft(nodes=5), [{"nodes": 4, "election_timeout_ms": (150, 250)}],
        network=CONSTANT, trials=3, seed=3,
    )  # fmt: skip
    cells = more.plot_heatmap("nodes", "election_timeout_ms", "agreed_ms").images[0].get_array()
    assert np.isnan(np.asarray(cells)).sum() == 12 - 7


def test_distributions_are_labelled_by_their_point(result: el.Sweep) -> None:
    ax = result.plot_ecdf("agreed_ms", confidence=0.95)
    assert ax.get_xlabel() == "agreed (ms)"
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "3, 150-200\n1,500 runs"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda r: r.plot_ecdf("agreed"), "measure='agreed': must be one of"),
        (lambda r: r.plot_lines("node", "agreed_ms"), "x='node': must be a name that was swept"),
        (lambda r: r.plot_lines("nodes", "agreed_ms", "mode"), "statistic='mode'"),
        (lambda r: r.plot_lines("nodes", "agreed_ms", formula="x"), "formula='x': must be one of"),
        (lambda r: r.plot_lines("nodes", "agreed_ms", pool=["x"]), r"pool\[0\]='x'"),
        (lambda r: r.plot_heatmap("nodes", "nodes", "agreed_ms"), "another name than x"),
        (lambda r: r.plot_ecdf("agreed_ms", ax=3), "ax=3"),
    ],
)
def test_bad_names_in_pictures_are_refused(result: el.Sweep, draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(result)


# --- the command line -----------------------------------------------------------------------------

SWEEP = """
protocol = "raft"
trials = 60
seed = 3
measures = ["agreed_ms", "split_votes"]

[options]
heartbeat_interval_ms = 40

[network]
one_way_delay_ms = { kind = "exponential", mean_ms = 5 }
loss_probability = 0.01

[scenario]
kind = "leader_crash"
at = [0, 1]

[over]
nodes = [3, 5]
election_timeout_ms = [[150, 200], [150, 300]]
"""


def call(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP)
    return path


def test_sweep_command_does_what_python_does(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.parquet"
    done = call("sweep", file, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found = el.Sweep.read_parquet(out)
    same = el.sweep(
        el.Raft(nodes=5, heartbeat_interval_ms=40),
        {"nodes": [3, 5], "election_timeout_ms": [(150, 200), (150, 300)]},
        network=el.Network(one_way_delay_ms=el.exponential(5), loss_probability=0.01),
        scenario=el.scenarios.leader_crash(at=(0, 1)),
        measures=["agreed_ms", "split_votes"],
        trials=60,
        seed=3,
    )
    assert found.digest == same.digest
    assert not list(tmp_path.glob("*.journal"))
    assert len(json.loads(done.stdout)["points"]) == 4
    table = call("sweep", file, "--out", out)
    assert table.stdout.splitlines()[0].split()[:3] == ["nodes", "election_timeout_ms", "trials"]
    for picture, options in (
        ("a.png", ()),
        ("b.svg", ("--x", "nodes", "--measure", "split_votes", "--statistic", "share")),
        ("c.png", ("--x", "nodes", "--y", "election_timeout_ms", "--statistic", "p90")),
    ):
        drawn = call("plot", out, "--out", tmp_path / picture, *options)
        assert drawn.exit_code == 0, drawn.output
        assert (tmp_path / picture).stat().st_size > 5000


def test_sweep_command_resumes(file: Path, tmp_path: Path) -> None:
    out, journal = tmp_path / "r.parquet", tmp_path / "r.parquet.journal"
    assert call("sweep", file, "--out", out, "-q").exit_code == 0
    whole = out.read_bytes()
    from electionlab._cli_sweep import _read_toml, sweep_arguments

    el.sweep(**sweep_arguments(_read_toml(file)), save=journal)
    journal.write_bytes(journal.read_bytes()[:-5000])
    refused = call("sweep", file, "--out", out)
    assert refused.exit_code == 2
    assert "--resume goes on with it" in refused.stderr
    assert call("sweep", file, "--out", out, "--resume", "-q").exit_code == 0
    assert out.read_bytes() == whole
    assert not journal.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("protocl = 1", "protocl: is no entry of a sweep"),
        ("nodes = 3", "protocol: must be given"),
        ('protocol = "rift"', "protocol='rift': must be one of"),
        ("a =", "is no TOML"),
        ('protocol = "raft"\nscenario = "crash"', "its kind must be one of cold_start"),
        ('protocol = "raft"\n[network]\nlos = 1', "[network]: got an unexpected"),
        ('protocol = "raft"\n[over]\nnodes = 3', "over.nodes=3: must be a list"),
        ('protocol = "raft"\n[over]\nx = [1]', "x: is neither an option of raft"),
        ('protocol = "raft"\n[over]\nnodes=[3]\n[zipped]\nnodes=[3]', "must be only one"),
        ('protocol = "raft"\n[until]\nmeasure = "x"', "measures='x'"),
        ('protocol = "raft"\n[latin_hypercube]\nnodes=[3, 5]', "points=0"),
        (
            'protocol = "raft"\n[network]\none_way_delay_ms = { kind = "normed", mean_ms = 3 }',
            "kind='normed': must be one of exponential",
        ),
        ('protocol = "raft"\n[scenario]\nkind="schedule"\nactions=[3]', "scenario.actions=3"),
    ],
)
def test_bad_files_are_told_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    refused = call("sweep", file, "--out", tmp_path / "r.parquet")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
    assert message in refused.stderr
    assert not list(tmp_path.glob("r.*"))


def test_bad_use_is_told_in_one_line(file: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("sweep", file, "--out", tmp_path / "r.csv"), "must end in .parquet"),
        (("sweep", tmp_path / "none.toml", "--out", tmp_path / "r.parquet"), "No such file"),
        (("plot", file), "is no result of a sweep"),
        (("plot", tmp_path / "none.parquet"), "there is no such file"),
        (("plot", file, "--y", "nodes"), "--y: needs --x"),
        (("plot", file, "--formula", "split_vote"), "are for curves"),
        (("plot", file, "--out", "x.txt"), "must end in one of"),
    ):
        refused = call(*arguments)
        assert refused.exit_code == 2, arguments
        assert message in refused.stderr
