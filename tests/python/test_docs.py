"""What the text says is run: docstrings, README and docs."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from typer.main import get_command

import electionlab as el
import electionlab.user_protocol
from electionlab.cli import app
from electionlab.protocols import PROTOCOLS

MODULES = ["electionlab"] + [
    info.name
    for info in pkgutil.walk_packages(el.__path__, "electionlab.")
    if not info.name.endswith(("._core", ".__main__"))
]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
BLOCK = re.compile(r"^```(?P<kind>\w+)(?P<flags>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S)


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Examples may write files there; they show no windows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "MPLBACKEND", "Agg")
    return tmp_path


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str, in_a_folder: Path) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=FLAGS)
    assert result.failed == 0


def test_there_are_docstring_examples() -> None:
    finder = doctest.DocTestFinder()
    count = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert count >= 6


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_code_in_texts_runs_and_prints_what_it_says(path: Path, in_a_folder: Path) -> None:
    """Python blocks of one file share their names; a text block after one is its output."""
    text = path.read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    parser = doctest.DocTestParser()
    blocks = list(BLOCK.finditer(text))
    for number, block in enumerate(blocks):
        after = blocks[number + 1] if number + 1 < len(blocks) else None
        if block["kind"] not in ("python", "pycon"):
            continue
        line = text[: block.start()].count("\n") + 1
        where = f"{path.name}:{line}"
        if ">>>" in block["code"]:
            test = parser.get_doctest(block["code"], space, where, str(path), line)
            runner = doctest.DocTestRunner(optionflags=FLAGS)
            runner.run(test, clear_globs=False)
            space.update(test.globs)
            assert runner.summarize(verbose=False).failed == 0, where
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], where, "exec"), space)
        if after is None or after["kind"] != "text" or text[block.end() : after.start()].strip():
            continue
        said, did = after["code"], printed.getvalue()
        assert doctest.OutputChecker().check_output(said, did, FLAGS), f"{where}\n{did}"
    for value in space.values():
        if isinstance(value, tempfile.TemporaryDirectory):
            value.cleanup()


def test_readme_names_files_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\bdev/\w+\.sh\b", text):
        assert (ROOT / name).exists(), name


def test_readme_links_each_protocol_once() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(docs/protocols/(\w+)\.md\)", text)
    assert sorted(linked) == sorted({*PROTOCOLS, "raft_variants"})


def test_readme_names_every_command_in_the_order_of_the_help() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.search(r"\*\*A command line\*\*: `electionlab (.*?);", text, re.S)
    assert named is not None
    assert re.findall(r"\w+", named[1]) == list(get_command(app).commands)


def test_protocol_in_the_docstring_elects() -> None:
    doc = electionlab.user_protocol.__doc__ or ""
    code = textwrap.dedent(doc.split("::\n", 1)[1])
    space: dict[str, Any] = {"el": el}
    exec(code, space)
    cluster = el.Cluster(space["Highest"](4), seed=1)
    cluster.run(until=100)
    assert cluster.leader == 4
    assert cluster.agreed


def test_every_public_name_is_documented() -> None:
    for name in el.__all__:
        value = getattr(el, name)
        if callable(value):
            assert value.__doc__, name
            assert not value.__doc__.startswith(f"{name}("), name  # a dataclass without a text
