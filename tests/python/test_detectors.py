"""Failure detectors: phi, NFD-S in closed form against the engine, the curve, its picture."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import integrate, stats
from typer.testing import CliRunner

import electionlab as el
from electionlab import _core
from electionlab.cli import app
from electionlab.detectors import DEFAULT_VALUES, PARAMETERS, _survival

DELAYS: dict[str, el.Delay] = {
    "constant": el.Delay(_core.check_distribution(20.0, "delay")),
    "uniform": el.Delay(_core.check_distribution((5.0, 60.0), "delay")),
    "exponential": el.exponential(20.0, min_ms=3.0),
    "hyperexponential": el.hyperexponential(5.0, 80.0, 0.1, min_ms=2.0),
    "normal": el.normal(30.0, 15.0, min_ms=10.0),
    "lognormal": el.lognormal(20.0, 1.0, min_ms=4.0),
    "pareto": el.pareto(10.0, 1.5, min_ms=5.0),
    "empirical": el.empirical([1.0, 4.0, 4.0, 9.0, 30.0, 90.0]),
}


# --- phi ------------------------------------------------------------------------------------------


def test_phi_is_the_normal_tail_to_1e_9_far_into_the_tail() -> None:
    z = np.concatenate([np.linspace(-8, 40, 4801), np.geomspace(40, 1e6, 200)])
    silence = 100 + 7 * z
    reference = -stats.norm.logsf(z) / math.log(10)
    assert np.max(np.abs(el.phi(silence, mean_ms=100, deviation_ms=7) / reference - 1)) < 1e-9


def test_phi_takes_arrays_and_refuses_what_is_no_deviation() -> None:
    assert isinstance(el.phi(120, mean_ms=100, deviation_ms=10), float)
    assert np.shape(el.phi([[1, 2, 3]], mean_ms=[[1], [2]], deviation_ms=1)) == (2, 3)
    for bad in (0, -1, math.nan, [1, 0]):
        with pytest.raises(ValueError, match=r"deviation_ms=.*must be above 0"):
            el.phi(1, mean_ms=1, deviation_ms=bad)
    with pytest.raises(ValueError, match="silence_ms=inf: must be finite"):
        el.phi(math.inf, mean_ms=1, deviation_ms=1)


# --- NFD-S ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DELAYS)
def test_survival_is_that_of_the_engines_draws(kind: str) -> None:
    delay = DELAYS[kind]
    drawn = delay.sample_ms(200_000, seed=1)
    later, corners = _survival(delay)
    at = np.unique(np.concatenate([np.quantile(drawn, np.linspace(0.01, 0.99, 25)), corners]))
    share = (drawn[:, None] > at[None, :]).mean(axis=0)
    # 5 standard deviations of a share of 200,000.
    assert np.all(np.abs(share - later(at)) <= 5 * 0.5 / math.sqrt(200_000))


@pytest.mark.parametrize("kind", DELAYS)
@pytest.mark.parametrize("delta", [0.0, 15.0, 50.0, 130.0])
def test_closed_form_by_another_road(kind: str, delta: float) -> None:
    """Theorem 5 written down a second time, with another integrator."""
    eta, loss = 50.0, 0.1
    quality = el.nfd_s_quality(
        heartbeat_interval_ms=eta,
        freshness_shift_ms=delta,
        one_way_delay_ms=DELAYS[kind],
        loss_probability=loss,
    )
    later, corners = _survival(DELAYS[kind])

    def missing(j: int, x: float) -> float:
        age = delta + x - j * eta
        return loss + (1 - loss) * (1.0 if age < 0 else float(later(np.array([age]))[0]))

    def u(x: float) -> float:
        return math.prod(missing(j, x) for j in range(math.ceil(delta / eta) + 1))

    q_0 = 1 - missing(0, eta)
    points = sorted({(c - delta) % eta for c in (*corners, 0.0)} | {0.0, eta})
    area = sum(
        integrate.quad(u, a, b, limit=200, epsabs=1e-10)[0] for a, b in itertools.pairwise(points)
    )
    assert quality.detection_bound_ms == delta + eta
    assert quality.p_s == pytest.approx(q_0 * u(0), rel=1e-12)
    assert quality.mistake_recurrence_ms == pytest.approx(eta / (q_0 * u(0)), rel=1e-12)
    assert quality.mistake_duration_ms == pytest.approx(area / (q_0 * u(0)), rel=1e-6)
    assert quality.query_accuracy == pytest.approx(1 - area / eta, abs=1e-8)


def test_degenerate_links() -> None:
    def quality(**changes: float) -> el.NfdQuality:
        given = {"heartbeat_interval_ms": 50, "freshness_shift_ms": 30, "one_way_delay_ms": 10}
        return el.nfd_s_quality(**{**given, **changes})

    perfect = quality()
    assert perfect.mistake_recurrence_ms == math.inf
    assert math.isnan(perfect.mistake_duration_ms)
    assert perfect.query_accuracy == 1.0
    assert perfect.mistakes_per_s == 0.0
    dead = quality(loss_probability=1)  # never trusted: never a mistake that begins
    assert dead.mistake_recurrence_ms == math.inf
    assert dead.query_accuracy == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heartbeat_interval_ms": 0}, "heartbeat_interval_ms=0: must be above 0"),
        ({"heartbeat_interval_ms": math.nan}, "heartbeat_interval_ms=nan: must be a number"),
        ({"freshness_shift_ms": -1}, "freshness_shift_ms=-1: must be a number"),
        ({"loss_probability": 1.5}, "loss_probability=1.5: must be from 0 to 1"),
        ({"loss_probability": math.nan}, "loss_probability=nan: must be from 0 to 1"),
        ({"one_way_delay_ms": -1}, "one_way_delay_ms=-1"),
    ],
)
def test_closed_form_refuses_by_name(changes: dict[str, float], message: str) -> None:
    given = {"heartbeat_interval_ms": 50, "freshness_shift_ms": 30, "one_way_delay_ms": 10}
    with pytest.raises(ValueError, match=message):
        el.nfd_s_quality(**{**given, **changes})


@pytest.mark.parametrize("kind", ["uniform", "exponential", "normal", "pareto"])
def test_the_engine_agrees_with_theorem_5(kind: str) -> None:
    """Within 99.99 % confidence intervals, for three shifts."""
    network = el.Network(one_way_delay_ms=DELAYS[kind], loss_probability=0.05)
    curve = el.detector_curve(
        {"nfd_s": [12, 40, 65]}, network=network, trials=100, observe_ms=20_000, seed=11, threads=2
    )
    widen = stats.norm.ppf(0.99995) / stats.norm.ppf(0.975)
    for line in curve.frame.to_dict("records"):
        exact = curve.nfd_s(line["value"])
        assert exact is not None
        assert line["undetected"] == 0
        assert line["detection_max_ms"] <= exact.detection_bound_ms
        for name, low, high, value in (
            ("mistakes_per_s", "mistakes_low_per_s", "mistakes_high_per_s", exact.mistakes_per_s),
            ("duration_ms", "duration_low_ms", "duration_high_ms", exact.mistake_duration_ms),
            ("accuracy", "accuracy_low", "accuracy_high", exact.query_accuracy),
        ):
            half = (line[high] - line[low]) / 2 * widen
            assert line["mistakes"] > 100
            assert abs(line[name] - value) <= half, (line["value"], name, line[name], value, half)


def test_closed_form_is_not_offered_where_it_does_not_apply() -> None:
    base = el.detector_curve("nfd_s", trials=1, observe_ms=10)
    assert base.nfd_s(100) is not None
    for network in (
        el.Network(duplicate_probability=0.1),
        el.Network(reorder_probability=0.1),
        el.Network(fifo=True),
        el.Network(links={(1, 2): el.Link(loss_probability=0.5)}),
    ):
        other = el.detector_curve("nfd_s", network=network, trials=1, observe_ms=10)
        assert other.nfd_s(100) is None


# --- the curve ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def curve() -> el.DetectorCurve:
    return el.detector_curve(
        {"fixed": [60, 100, 150, 600], "nfd_s": [40, 100, 600], "phi": [1, 2, 30]},
        trials=40, observe_ms=10_000, seed=3, threads=2,
    )  # fmt: skip


def test_the_same_from_any_number_of_threads(curve: el.DetectorCurve) -> None:
    again = el.detector_curve(
        {"nfd_s": [100], "fixed": [150]}, trials=40, observe_ms=10_000, seed=3, threads=1
    )
    for _, line in again.frame.iterrows():
        same = curve.frame[
            (curve.frame["detector"] == line["detector"]) & (curve.frame["value"] == line["value"])
        ].iloc[0]
        assert line.equals(same), (line, same)


def test_patience_trades_speed_for_rightness(curve: el.DetectorCurve) -> None:
    for detector in curve.detectors:
        lines = curve.frame[curve.frame["detector"] == detector]
        assert lines["mistakes_per_s"].is_monotonic_decreasing, detector
        assert lines["detection_p50_ms"].is_monotonic_increasing, detector
        assert lines["accuracy"].is_monotonic_increasing, detector
        assert lines["mistakes"].iloc[0] > 50 * max(lines["mistakes"].iloc[-1], 1), detector


def test_frame_adds_up(curve: el.DetectorCurve) -> None:
    f = curve.frame
    assert (f["parameter"] == f["detector"].map(PARAMETERS)).all()
    assert (f["observed_s"] == 400).all()
    assert (f["seed"] == 3).all()
    np.testing.assert_allclose(f["mistakes_per_s"], f["mistakes"] / 400)
    some = f[f["mistakes"] > 0]
    np.testing.assert_allclose(some["recurrence_ms"] * some["mistakes_per_s"], 1000)
    np.testing.assert_allclose(
        1 - some["accuracy"], some["duration_ms"] * some["mistakes_per_s"] / 1000, rtol=1e-6
    )
    for name in ("mistakes_{}per_s", "duration_{}ms", "accuracy{}", "detection_{}ms"):
        value = some[name.format("")]
        low = some[name.format("_low" if name[-1] == "}" else "low_")]
        high = some[name.format("_high" if name[-1] == "}" else "high_")]
        known = low.notna()
        assert ((low <= value) & (value <= high))[known].all(), name
    none = f[f["mistakes"] == 0]
    assert len(none)
    assert (none["recurrence_ms"] == math.inf).all()
    # No event in 400 s: less than 3.7 expected, with 97.5 % confidence.
    np.testing.assert_allclose(none["mistakes_high_per_s"], -math.log(0.025) / 400)


def test_a_crash_at_once_is_seen_at_once() -> None:
    # Without jitter or loss nothing is random but the moment of the crash: delta + eta minus a
    # uniform part of eta.
    c = el.detector_curve(
        {"nfd_s": [100]}, network=el.Network(one_way_delay_ms=5), trials=400, observe_ms=100, seed=2
    )
    line = c.frame.iloc[0]
    assert line["mistakes"] == 0
    assert line["detection_ms"] == pytest.approx(125, abs=4 * 50 / math.sqrt(12 * 400))
    assert 100 <= line["detection_p50_ms"] <= line["detection_max_ms"] <= 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"detectors": "swim"}, "detectors='swim': must be some of fixed, nfd_s, nfd_e, phi"),
        ({"detectors": {}}, "must name at least one"),
        ({"detectors": {"fixed": [math.nan]}}, r"detectors\['fixed'\]=nan: must be a finite"),
        ({"detectors": {"fixed": ["1"]}}, r"detectors\['fixed'\]='1': must be a finite"),
        ({"detectors": {"fixed": [0]}}, "timeout_ms=0.0: must be above 0"),
        ({"detectors": {"phi": [-1]}}, "phi_threshold=-1.0: must be above 0"),
        ({"trials": 0}, "trials=0: must be a whole number from 1"),
        ({"seed": -1}, "seed=-1: must be a whole number from 0"),
        ({"threads": -1}, "threads=-1: must be a whole number from 0"),
        ({"observe_ms": 0}, "observe_ms=0: must be above 0"),
        ({"observe_ms": math.inf}, "observe_ms=inf: must be a number of milliseconds"),
        ({"warm_up_ms": -1, "detectors": "phi"}, "warm_up_ms=-1"),
        ({"horizon_ms": math.nan, "detectors": "phi"}, "horizon_ms=nan"),
        ({"heartbeat_interval_ms": 0}, "heartbeat_interval_ms=0.0: must be above 0"),
        ({"network": 3}, "network=3: must be an electionlab.Network"),
        ({"options": {"phi_window": 1}}, "phi_window=1"),
        ({"options": {"nonsense": 1}}, "nonsense"),
    ],
)
def test_curve_refuses_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        el.detector_curve(**arguments)  # type: ignore[arg-type]


def test_engine_refuses_nodes_that_are_not_there() -> None:
    given = {
        "warm_up_ms": 0, "observe_ms": 1, "crash_after_ms": 0, "horizon_ms": 1, "seed": 1,
        "trials": 1,
    }  # fmt: skip
    for name in ("watched", "watcher"):
        with pytest.raises(ValueError, match=f"{name}=3: must be a node, from 1 to 2"):
            _core.watch_detector("heartbeat", 2, {}, {}, **given, **{name: 3})
    with pytest.raises(ValueError, match="nodes=1"):
        _core.watch_detector("heartbeat", 1, {}, {}, **given)


@pytest.mark.parametrize("protocol", ["swim", "omega", "bully"])
def test_any_protocol_can_be_watched(protocol: str) -> None:
    table = _core.watch_detector(
        protocol, 3, {}, {"initial_leader": 3} if protocol == "bully" else {}, watched=3 if
        protocol == "bully" else 1, watcher=2, warm_up_ms=1000.0, observe_ms=2000.0,
        crash_after_ms=(0.0, 200.0), horizon_ms=5000.0, seed=1, trials=5,
    )  # fmt: skip
    assert table["mistakes"].tolist() == [0] * 5
    assert table["suspected_ms"].tolist() == [0.0] * 5
    assert np.all((table["detection_ms"] > 0) & (table["detection_ms"] < 2000))


# --- pictures and the command ---------------------------------------------------------------------


def test_picture(curve: el.DetectorCurve) -> None:
    ax = el.plot_detector_curve(curve)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "mean detection time of a crash (ms)"
    assert ax.get_ylabel() == "mistakes per second (1 / T_MR)"
    legend = ax.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert [text.split("\n")[0] for text in texts] == [
        "fixed time-out", "NFD-S", "phi accrual", "NFD-S, closed form", "no mistake seen:",
    ]  # fmt: skip
    # The points stand where the frame says.
    line = curve.frame[curve.frame["detector"] == "nfd_s"].iloc[0]
    drawn = np.concatenate([np.asarray(one.get_xydata()) for one in ax.get_lines()])
    place = np.array([line["detection_ms"], line["mistakes_per_s"]])
    assert np.any(np.all(np.isclose(drawn, place), axis=1))
    colours = {one.get_color() for one in ax.get_lines() if one.get_linestyle() == "-"}
    assert len(colours) == 3
    own = plt.figure().add_subplot()
    assert curve.plot(ax=own) is own
    plt.close("all")


def test_table_is_for_people(curve: el.DetectorCurve) -> None:
    lines = curve.table().splitlines()
    assert len(lines) == 2 + len(curve.frame)
    assert all(len(line) <= 100 for line in lines)
    assert "freshness_shift_ms 100" in curve.table()


def test_default_values_are_in_order() -> None:
    assert set(DEFAULT_VALUES) == set(PARAMETERS)
    for values in DEFAULT_VALUES.values():
        assert list(values) == sorted(values)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    run = CliRunner()
    base = ["detectors", "-d", "fixed=100,200", "-d", "phi=2", "--trials", "5", "--observe", "1s"]
    told = run.invoke(app, [*base, "--csv", "d.csv", "--plot", "d.png"])
    assert told.exit_code == 0, told.output
    assert "timeout_ms 200" in told.stdout
    assert Path("d.png").read_bytes().startswith(b"\x89PNG")
    lines = list(csv.DictReader(Path("d.csv").read_text(encoding="utf-8").splitlines()))
    assert [(line["detector"], float(line["value"])) for line in lines] == [
        ("fixed", 100.0), ("fixed", 200.0), ("phi", 2.0),
    ]  # fmt: skip
    document = json.loads(run.invoke(app, [*base, "--json"]).stdout)
    assert document["seed"] == 1
    assert [p["mistakes"] for p in document["points"]] == [int(line["mistakes"]) for line in lines]
    for arguments, message in (
        (["-d", "fixed=a"], "--detector 'fixed=a': must be NAME or NAME=NUMBERS"),
        (["-d", "nfd"], "must be some of fixed"),
        (["--loss", "2"], "loss_probability=2"),
        (["--delay", "x"], "--delay 'x': must be a duration"),
        (["--plot", "d.foo"], "--plot 'd.foo': must end in"),
    ):
        refused = run.invoke(app, ["detectors", *arguments])
        assert refused.exit_code == 2
        assert message in refused.output
