"""Downtimes that were measured once, docs/measured, beside what the engine simulates today."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from support import ROOT
from typer.testing import CliRunner

import electionlab as el
from electionlab.cli import app
from electionlab.plot.calibration import plot_calibration, plot_formula
from electionlab.real.calibration import share_above_one

MEASURED = ROOT / "docs/measured"
#: The model holds: within what chance allows.
HOLDS = ("etcd_3_pre_vote", "etcd_3", "etcd_5", "etcd_lease", "etcd_lease_short")
#: A known difference remains.
DIFFERS = ("zookeeper_crash", "zookeeper_pause")


def compared(name: str) -> el.real.Calibration:
    return el.real.calibrate(MEASURED / f"{name}.json", trials=3000)


def stated() -> dict[str, tuple[float, float]]:
    """The distances that the page tells: of the simulation, of the naive model."""
    page = (ROOT / "docs/reality.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*?\| \**([\d.]+)\** \[.*?\| ([\d.]+) \[", page, re.M)
    return {name: (float(simulated), float(naive)) for name, simulated, naive in rows}


def test_everything_measured_is_told() -> None:
    assert set(stated()) == {path.stem for path in MEASURED.glob("*.json")}


@pytest.mark.parametrize("name", sorted(path.stem for path in MEASURED.glob("*.json")))
def test_the_page_tells_what_comes_out(name: str) -> None:
    result = compared(name)
    simulated, naive = stated()[name]
    assert result.distance == pytest.approx(simulated, abs=0.025)
    assert result.naive_distance == pytest.approx(naive, abs=0.025)
    assert result.naive_distance > result.limit
    low, high = result.interval(result.simulated_ms)
    assert low < high
    assert (result.distance <= result.limit + 0.01) >= (name in HOLDS)
    if name in DIFFERS:  # what servers do takes time that the model does not know
        late = np.median(result.real_ms) - np.median(result.simulated_ms)
        assert 0 < late < 150
        assert result.distance < result.naive_distance
    if name in ("etcd_3", "etcd_3_pre_vote", "etcd_5"):
        share = share_above_one(result.measured.real_epochs)
        expected = share_above_one(result.simulated_epochs)
        assert abs(share - expected) <= 0.01 + 2 * np.sqrt(expected / len(result.real_ms))
    if result.formula is not None:
        since = result.measured.since_renewal_ms
        assert np.mean(since >= result.formula.low_ms) == 1
        assert np.mean(since <= result.formula.high_ms + 10) >= 0.98
        assert result.formula_distance <= result.limit


def test_plots_and_command(tmp_path: Path) -> None:
    mpl.use("Agg")
    result = compared("etcd_lease")
    axes = plot_calibration(result)
    assert axes.get_xlabel() == "downtime (ms)"
    assert "granted TTL + U(0, 500 ms)" in plot_formula(result).get_title(loc="left")
    with pytest.raises(ValueError, match="has no rule"):
        plot_formula(el.real.calibrate(MEASURED / "etcd_3.json", trials=2))
    picture = tmp_path / "lease.png"
    asked = ["calibrate", "etcd-lease", "--measured", str(MEASURED / "etcd_lease.json")]
    run = CliRunner().invoke(app, [*asked, "--trials", "100", "--plot", str(picture)])
    assert run.exit_code == 0, run.output
    assert "KS distance of formula" in run.output
    assert picture.stat().st_size > 10_000
    again = CliRunner().invoke(app, [*asked, "--trials", "100", "--json"])
    kept = json.loads(again.output)
    assert kept["real_ms"] == json.loads((MEASURED / "etcd_lease.json").read_text())["real_ms"]


def test_distance_of_a_rule() -> None:
    rule = el.real.Formula("from 0 to 1 s", 0.0, 1000.0)
    assert rule.distance(np.array([500.0])) == 0.5
    assert rule.distance(np.array([2000.0, 3000.0])) == 1.0
    assert rule.distance((np.arange(100) + 0.5) * 10.0) == pytest.approx(0.005)


def test_what_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    for text in ("", "{}", '{"calibration": "etcd"}', "[1]"):
        other.write_text(text)
        with pytest.raises(ValueError, match="not a calibration"):
            el.real.calibrate(other)
    with pytest.raises(ValueError, match="system='consul'"):
        el.real.calibrate("consul")
    with pytest.raises(ValueError, match="kills: was settled"):
        el.real.calibrate(MEASURED / "etcd_3.json", kills=5)
    run = CliRunner().invoke(
        app, ["calibrate", "etcd", "--measured", str(MEASURED / "etcd_lease.json")]
    )
    assert run.exit_code == 2
    assert "is of 'etcd-lease'" in run.output
