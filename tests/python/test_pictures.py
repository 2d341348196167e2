"""The pictures of protocols: each page prints the command that draws its picture."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support import ROOT
from typer.testing import CliRunner

from electionlab.cli import app

PAGES = ROOT / "docs/protocols"
TAUGHT = (
    "raft", "bully", "ring", "paxos", "multi_paxos", "zk_recipe", "zab", "lease", "kubernetes",
)  # fmt: skip


def test_the_most_taught_protocols_have_a_picture_and_no_picture_is_left_over() -> None:
    names = {path.stem.removeprefix("run_") for path in ROOT.glob("docs/pictures/run_*.png")}
    assert names == set(TAUGHT)


@pytest.mark.parametrize("name", TAUGHT)
def test_a_page_shows_its_picture_and_the_command_that_draws_it(name: str, tmp_path: Path) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert f"](../pictures/run_{name}.png)" in text
    assert (ROOT / f"docs/pictures/run_{name}.png").stat().st_size < 100_000
    command = re.search(
        r"^electionlab (run .*?--plot docs/pictures/run_\w+\.png)$", text, re.M | re.S
    )
    assert command is not None
    *arguments, picture = shlex.split(command[1].replace("\\\n", " "))
    assert picture == f"docs/pictures/run_{name}.png"
    assert arguments[1] == name
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "drawn.png"), "--quiet"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
