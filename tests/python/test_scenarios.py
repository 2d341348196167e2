"""The scenario files, run from Python: the same bytes as from C++."""

from __future__ import annotations

from pathlib import Path

import pytest

from electionlab import _core

ROOT = Path(__file__).resolve().parents[1] / "scenarios"
FILES = sorted(ROOT.glob("*/*.scenario"))


def test_every_protocol_has_scenarios() -> None:
    for about in _core.catalog():
        assert [f for f in FILES if f.parent.name == about["name"]], about["name"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_scenario_holds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "a scenario says first why it is there"
    assert _core.run_scenario(text) == text


def test_bad_directive_names_its_line() -> None:
    with pytest.raises(ValueError, match=r"line 2: .*node=9"):
        _core.run_scenario("cluster raft nodes=3\ncrash 9\n----\n")
