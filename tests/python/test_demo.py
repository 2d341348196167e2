"""The main job: elections and failovers, the textbooks' examples, Figure 16, pictures."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from typer.testing import CliRunner

from electionlab import demo
from electionlab.cli import app
from electionlab.fig16 import CURVES
from electionlab.protocols import PROTOCOLS

PICTURES = (
    "space_time_raft.png", "space_time_bully.png", "space_time_ring.png", "roles.png", "ring.png",
    "fig16.png", "ecdf.png",
)  # fmt: skip


def test_demo_tells_checks_and_draws(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    arguments = ["demo", "--out", str(out), "--trials", "20", "--threads", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for name in ("Raft(nodes=5)", "Bully(nodes=3)", "Ring(nodes=3)"):
        assert f"{name}, seed 7" in result.stdout.replace("\n", " ")
    assert (
        result.stdout.count(" begins to act as leader") == 3 * 2 + 3
    )  # twice each, and the examples
    assert result.stdout.count("   Checked: ") == 3
    for name, cls in PROTOCOLS.items():
        (line,) = re.findall(rf"^{name} +node \d after .*", result.stdout, re.M)
        assert line.endswith("elects once") != cls.about["fails_over"], line
    for curve in CURVES:
        assert f"\n{curve} " in result.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted(PICTURES)
    for picture in PICTURES:
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
        assert f"  {out / picture} " in result.stdout
    assert result.stdout.endswith("Everything ended as it should.\n")


def test_demo_exits_1_when_an_example_ends_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = dataclasses.replace(demo.EXAMPLES[0], leader=1)
    monkeypatch.setattr(demo, "EXAMPLES", (wrong, *demo.EXAMPLES[1:]))
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--trials", "2"])
    assert result.exit_code == 1
    assert "NOT as in the textbook: leader 2, agreed: True; the textbook says A" in result.stdout
    assert "NOT everything ended as it should." in result.stdout


@pytest.mark.parametrize("name", demo.CLUSTERS)
def test_every_seed_can_be_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(25):
        cluster = demo.elect_and_fail_over(name, seed=seed)
        assert cluster.agreed, (name, seed)
        assert "failed at" in capsys.readouterr().out, (name, seed)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_protocol_elects_and_fails_over(name: str) -> None:
    for seed in range(20):
        one = demo.fail_over(name, seed=seed)
        assert one.good, (name, seed, one)
        if PROTOCOLS[name].about["fails_over"]:
            assert one.second not in (None, one.first), (name, seed, one)
            # Not sooner than the time-out, less what the last sign of life was ago.
            assert 600 < one.down_ms < 5000, (name, seed, one)
            assert one.messages > 0, (name, seed, one)
        else:
            assert one.second is None


def test_a_protocol_that_elects_nobody_in_time_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PATIENCE_MS", 1.0)
    good = dict(zip(PROTOCOLS, demo.elect_with_each(7), strict=True))
    lines = capsys.readouterr().out.splitlines()
    for name in ("raft", "le_lann", "viewstamped"):  # the last begins with a leader
        assert not good[name]
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        assert line.endswith("NOT as promised")


@pytest.mark.parametrize("example", demo.EXAMPLES, ids=lambda e: e.protocol)
def test_examples_end_as_the_textbooks_say(example: Any) -> None:
    cluster = demo.play(example)
    assert demo.differences(example, cluster) == []
    wrong = dataclasses.replace(example, leader=3 - example.leader, sent={"Heartbeat": 99})
    assert len(demo.differences(wrong, cluster)) == 2


@pytest.mark.parametrize("example", demo.EXAMPLES, ids=lambda e: e.protocol)
def test_examples_are_the_textbook_scenarios(example: Any) -> None:
    path = ROOT / "tests" / "scenarios" / example.protocol / "textbook.scenario"
    output = path.read_text(encoding="utf-8").split("----\n", 1)[1]
    told = [line for line in output.splitlines() if line.startswith("  ")]
    assert told == list(demo.play(example).trace.lines())
