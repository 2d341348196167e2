"""Figure 16: the published curves, the experiment, and the distance between them."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import signal
import sys
import threading
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from electionlab import _core, fig16
from electionlab.cluster import Cluster
from electionlab.protocols import make_protocol

#: KS distance of the fitted model itself to each published curve, at 100,000 trials (10,000 for
#: 150-150), as docs/fig16.md lists them.
DISTANCE = {
    "150-150": 0.090, "150-151": 0.056, "150-155": 0.036, "150-175": 0.023, "150-200": 0.015,
    "150-300": 0.019, "12-24": 0.039, "25-50": 0.034, "50-100": 0.030, "100-200": 0.016,
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> fig16.Fig16:
    return fig16.run(1000, threads=2)


# --- what was published ---------------------------------------------------------------------------


def test_published_numbers_are_those_that_the_paper_quotes() -> None:
    known = fig16.published()
    assert tuple(known) == fig16.CURVES
    # Section 9.3: 5 ms of spread, median 287; 50 ms, worst 513; 12-24, mean 35 and worst 152.
    assert known["150-155"].quantiles_ms[0.5] == pytest.approx(287, abs=1)
    assert known["150-200"].max_ms == pytest.approx(513, abs=1)
    assert known["12-24"].mean_ms == pytest.approx(35, abs=1)
    assert known["12-24"].max_ms == pytest.approx(152, abs=1)
    for curve, beside in known.items():
        values = list(beside.quantiles_ms.values())
        assert values == sorted(values), curve
        assert beside.min_ms <= values[0] <= values[-1] <= beside.max_ms, curve
        assert beside.trials == (100 if curve == "150-150" else 1000)
        assert beside.ks_limit == pytest.approx(1.36 / math.sqrt(beside.trials))
        assert 0.999 not in beside.quantiles_ms or curve != "150-150"  # one step is one percent


def test_ks_distance_by_hand() -> None:
    quantiles = {0.25: 10.0, 0.5: 20.0, 0.75: 30.0}
    assert fig16.ks_distance([10, 20, 30, 40], quantiles) == 0.0
    assert fig16.ks_distance([11, 20, 30, 40], quantiles) == 0.25  # F(10) = 0 instead of 0.25
    assert fig16.ks_distance([10, 20, math.nan, math.nan], quantiles) == 0.25  # F(30) = 0.5
    assert fig16.ks_distance([math.nan], quantiles) == 0.75
    for values, known, said in [([], quantiles, "values"), ([[1.0]], quantiles, "values"),
                                ([1.0], {}, "quantiles")]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            fig16.ks_distance(values, known)


# --- the experiment -------------------------------------------------------------------------------


def test_every_curve_is_as_close_as_the_model_is(fitted: fig16.Fig16) -> None:
    """Two distances add up: the model's own, and that of 1,000 trials to the model.

    The second is above sqrt(ln(2/0.001)/2000) = 0.062 in one sample of a thousand at most
    (Dvoretzky, Kiefer and Wolfowitz; Massart 1990).
    """
    noise = math.sqrt(math.log(2 / 0.001) / (2 * 1000))
    table = fitted.summary().set_index("curve")
    assert tuple(table.index) == fig16.CURVES
    for curve, distance in DISTANCE.items():
        assert table["ks"][curve] <= distance + noise, (curve, fitted.seed)


def test_a_plain_model_is_not_close() -> None:
    """No jitter, 5 ms for a message and for a write: what the band above would not let pass."""
    plain = fig16.Model(name="plain", one_way_delay_ms=5.0, write_delay_ms=5.0, processing_ms=0.0)
    table = fig16.run(1000, curves=["150-155", "150-200", "12-24"], model=plain).summary()
    assert (table["ks"] > 0.2).all()


def test_equal_timeouts_find_no_leader_within_10_s() -> None:
    result = fig16.run(1000, curves=["150-150"], horizon_ms=10_000.0)
    assert result.censored == {"150-150": 1000}
    line = result.summary().to_dict("records")[0]
    assert line["censored"] == 1.0
    assert line["ks"] == pytest.approx(0.99)  # the last quantile that is drawn
    for name in ("mean_ms", "min_ms", "p50_ms", "p99_ms", "max_ms"):
        assert math.isnan(line[name]), name
    assert "100.0 %" in result.table()


def test_first_timeout_bounds_every_time(fitted: fig16.Fig16) -> None:
    """A survivor waits for its timeout, counted from the last heartbeat, of which half may be gone
    when the leader crashes: nothing can be faster than half the minimum."""
    for curve, times in fitted.downtime_ms.items():
        low = float(curve.split("-")[0])
        assert np.nanmin(times) > low / 2 * (1 - 1e-4), curve  # clocks are 55 ppm off at most


def test_more_spread_ends_split_votes(fitted: fig16.Fig16) -> None:
    mean = fitted.summary().set_index("curve")["mean_ms"]
    narrow = [mean[curve] for curve in fig16.TOP[:-1]]
    assert narrow == sorted(narrow, reverse=True)
    scaled = [mean[curve] for curve in fig16.BOTTOM]
    assert scaled == sorted(scaled)


def test_threads_do_not_matter_nor_do_other_curves() -> None:
    one = fig16.run(700, 3, ["150-155", "25-50"], threads=1)
    two = fig16.run(700, 3, ["25-50", "150-155"], threads=2)
    assert set(one.curves) == set(two.curves)
    for curve in one.curves:
        np.testing.assert_array_equal(one.downtime_ms[curve], two.downtime_ms[curve])
    longer = fig16.run(900, 3, ["25-50"])
    np.testing.assert_array_equal(longer.downtime_ms["25-50"][:700], one.downtime_ms["25-50"])
    other = fig16.run(700, 4, ["25-50"])
    assert not np.array_equal(other.downtime_ms["25-50"], one.downtime_ms["25-50"])


def test_experiment_is_the_published_setup() -> None:
    arguments = fig16.experiment("100-200", seed=1)
    options = arguments["options"]
    assert (arguments["protocol"], arguments["nodes"]) == ("raft", 5)
    assert tuple(options["election_timeout_ms"]) == (100.0, 200.0)
    assert options["heartbeat_interval_ms"] == 50.0
    assert arguments["experiment"]["moments"][0]["at_ms"] == (0.0, 50.0)
    assert arguments["experiment"]["until"] == "agreed"
    assert arguments["config"]["initial_leader"] == 1
    best = max(fig16.LOGS)
    assert [end < best for end in fig16.LOGS[1:]].count(True) == 2  # of the four survivors


def test_servers_with_short_logs_never_win() -> None:
    raft = make_protocol("raft", 5, fig16.experiment("150-300", seed=1)["options"])
    for seed in range(100):
        cluster = Cluster(raft, initial_leader=1, seed=seed)
        cluster.run(until=1.0)
        cluster.crash("leader")
        assert cluster.run_until_leader(agreed=True), seed
        assert cluster.leader in (2, 3), seed


def test_a_deposed_leader_falls_silent() -> None:
    """Trials in which a heartbeat timer had expired, and waited for a busy server, when a newer
    term made that leader step down: the two then took turns as leader of one term, for ever."""
    arguments = fig16.experiment("12-24", seed=1, horizon_ms=10_000.0)
    for trial in (22702, 42369, 60352, 66754, 68100, 98218):
        table = _core.run_trials(**arguments, first=trial, trials=1)
        assert table["censored"].tolist() == [0], trial


# --- results --------------------------------------------------------------------------------------


def test_summary_columns_are_what_they_say(fitted: fig16.Fig16) -> None:
    table = fitted.summary().set_index("curve")
    known = fig16.published()
    for curve, times in fitted.downtime_ms.items():
        line, beside = table.loc[curve], known[curve]
        ended = np.sort(times[~np.isnan(times)])
        assert line["trials"] == times.size == 1000
        assert line["mean_ms"] == pytest.approx(ended.mean())
        assert (line["min_ms"], line["max_ms"]) == (ended[0], ended[-1])
        assert line["p50_ms"] == ended[499]
        assert line["censored"] == pytest.approx(fitted.censored[curve] / 1000)
        assert line["published_mean_ms"] == beside.mean_ms
        assert line["published_p50_ms"] == beside.quantiles_ms[0.5]
        assert line["ks"] == fig16.ks_distance(times, beside.quantiles_ms)


def test_frame_has_every_trial(fitted: fig16.Fig16) -> None:
    frame = fitted.to_frame()
    assert list(frame.columns) == ["curve", "trial", "downtime_ms", "censored"]
    assert len(frame) == 10_000
    part = frame[frame["curve"] == "12-24"]
    np.testing.assert_array_equal(part["downtime_ms"], fitted.downtime_ms["12-24"])
    np.testing.assert_array_equal(part["trial"], np.arange(1000))


def test_table_is_aligned_and_names_what_is_not_published() -> None:
    result = fig16.run(20, curves=["150-300", "30-40"])
    head, _, rule, first, second = result.table().splitlines()
    assert len(rule) == max(map(len, (head, first, second)))
    assert first.startswith("150-300 ")
    assert second.startswith("30-40 ")
    assert second.split()[-2:] == ["-", "-"]
    assert "<table" in result._repr_html_()


def test_plot_draws_both_panels(fitted: fig16.Fig16) -> None:
    top, bottom = fitted.plot()
    assert [ax.get_xscale() for ax in (top, bottom)] == ["log", "log"]
    for ax, curves in ((top, fig16.TOP), (bottom, fig16.BOTTOM)):
        assert len(ax.lines) == 2 * len(curves)  # a line simulated, marks published
        assert "ms" in ax.get_xlabel()
    colours = {
        curve: [ax.lines[2 * i].get_color() for ax, cs in ((top, fig16.TOP), (bottom, fig16.BOTTOM))
                for i, c in enumerate(cs) if c == curve]
        for curve in ("150-300",)
    }  # fmt: skip
    assert colours["150-300"][0] == colours["150-300"][1]
    plt.close(top.figure)
    figure, ax = plt.subplots()
    with pytest.raises(ValueError, match="ax="):
        fitted.plot(ax=ax)
    plt.close(figure)
    assert mpl.get_backend().lower() == "agg"


# --- long work ------------------------------------------------------------------------------------


def test_progress_is_shown_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    fig16.run(300, curves=["150-300"], progress=True)
    assert "150-300" in shown.getvalue()
    quiet = io.StringIO()
    monkeypatch.setattr(sys, "stderr", quiet)
    fig16.run(300, curves=["150-300"])
    assert quiet.getvalue() == ""


def test_ctrl_c_keeps_what_was_finished() -> None:
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(fig16.Interrupted) as caught:
            fig16.run(3_000_000, curves=["12-24", "150-300"], threads=1)
    finally:
        timer.cancel()
    result = caught.value.result
    assert result.curves == ("12-24",)
    times = result.downtime_ms["12-24"]
    assert 0 < times.size < 3_000_000
    same = fig16.run(200, curves=["12-24"])
    np.testing.assert_array_equal(times[:200], same.downtime_ms["12-24"])
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trials": 0}, "trials=0"),
        ({"trials": 1.5}, "trials=1.5"),
        ({"seed": -1}, "seed=-1"),
        ({"threads": -1}, "threads=-1"),
        ({"curves": []}, "curves="),
        ({"curves": ["150"]}, "curves='150'"),
        ({"curves": ["a-b"]}, "curves='a-b'"),
        ({"curves": ["300-150"]}, "curves='300-150'"),
        ({"curves": ["nan-5"]}, "curves='nan-5'"),
        ({"curves": ["1-5"]}, "curves='1-5'"),
        ({"curves": ["5-inf"]}, "curves='5-inf'"),
        ({"model": "fitted"}, "model='fitted'"),
        ({"horizon_ms": -1.0}, "horizon_ms"),
        ({"horizon_ms": math.nan}, "horizon_ms"),
        ({"model": dataclasses.replace(fig16.FITTED, one_way_delay_ms=-1.0)}, "one_way_delay_ms"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], said: str) -> None:
    given = {"trials": 2, "curves": ["150-300"]} | arguments
    with pytest.raises(ValueError, match=said):
        fig16.run(**given)


def test_scan_finds_the_best_constant_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fig16, "TOP", ("150-150", "150-300"))  # one curve is enough here
    table = fig16.scan_constant(30)
    assert (np.diff(table["worst"]) >= 0).all()
    assert (table["worst"] == table["150-300"]).all()
    total = table[["one_way_delay_ms", "write_delay_ms", "processing_ms"]].sum(axis=1)
    assert total.between(1.8, 5.0).all()
