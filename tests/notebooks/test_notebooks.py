"""The notebooks: each gives again what is committed, and has the parts that all have."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))
import notebooks  # noqa: E402

PATHS = notebooks.found()
TOUR = "00_tour_in_ten_minutes.ipynb"
PARTS = ("## And now break it", "## Exercises", "## Sources")

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)


@each_notebook
def test_executes_and_gives_what_is_committed(path: Path) -> None:
    committed = notebooks.read(path)
    assert notebooks.differences(committed, notebooks.execute(committed)) == []


@each_notebook
def test_has_the_parts(path: Path) -> None:
    cells = [c.source for c in notebooks.read(path).cells if c.cell_type == "markdown"]
    text = "\n\n".join(cells)
    assert text.startswith(f"# {int(path.name[:2])} · ")
    assert cells[0].index("**The question.**") < cells[0].index("**Write down first:**")
    places = [text.index(part) for part in (PARTS if path.name != TOUR else PARTS[:1])]
    assert places == sorted(places)


@each_notebook
def test_cells_are_short(path: Path) -> None:
    for number, cell in enumerate(notebooks.read(path).cells):
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            assert 1 <= len(lines) <= 12, f"cell {number} has {len(lines)} lines"
            assert max(map(len, lines)) <= 100, f"cell {number} has a line above 100 columns"


@each_notebook
def test_asks_every_exercise_of_its_own_and_leaves_it_open(path: Path) -> None:
    from electionlab import exercises

    lesson = int(path.name[:2])
    known = exercises.of_lesson(lesson) if lesson in exercises.lessons() else {}
    cells = notebooks.read(path).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    asked = re.findall(r'el\.exercises\.check\("([\d.]+)", (\S+)\)', code)
    assert [name for name, _ in asked] == list(known)
    printed = [o.text for c in cells for o in c.get("outputs", []) if o.output_type == "stream"]
    for name in known:
        assert any(text.startswith(f"{name}: not answered yet: ") for text in printed), name
    if path.name != TOUR:
        assert 2 <= len(known) <= 3


@each_notebook
def test_is_small_and_links_files_that_are_there(path: Path) -> None:
    assert path.stat().st_size < 300_000
    text = "\n".join(c.source for c in notebooks.read(path).cells if c.cell_type == "markdown")
    for name in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (path.parent / name).exists(), name


@each_notebook
def test_shows_a_picture_and_no_warnings(path: Path) -> None:
    outputs = [o for c in notebooks.read(path).cells for o in c.get("outputs", [])]
    assert any("image/png" in o.get("data", {}) for o in outputs)
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]


def test_every_lesson_with_exercises_has_a_notebook() -> None:
    from electionlab import exercises

    assert set(exercises.lessons()) <= {int(path.name[:2]) for path in PATHS}


# --- the comparison itself ------------------------------------------------------------------------


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return book


def test_differences_are_found() -> None:
    done = notebooks.execute(
        notebook_of("print(1)", "for i in range(3): print(i, flush=True)", "7")
    )
    assert notebooks.differences(done, done) == []
    for cell, change in ((0, "2\n"), (1, "0\n1\n")):
        other = nbformat.from_dict(done)
        other.cells[cell].outputs[0].text = change
        assert f"cell {cell}:" in notebooks.differences(other, done)
    other = nbformat.from_dict(done)
    other.cells[2].outputs[0].data["text/plain"] = "8"
    assert "+7" in notebooks.differences(other, done)
    other.cells[2].outputs = []
    assert "cell 2:" in notebooks.differences(other, done)


def test_a_stream_in_pieces_is_the_same(tmp_path: Path) -> None:
    whole, pieces = notebook_of("..."), notebook_of("...")
    whole.cells[0].outputs = [nbformat.v4.new_output("stream", text="a\nb\n")]
    pieces.cells[0].outputs = [
        nbformat.v4.new_output("stream", text="a\n"), nbformat.v4.new_output("stream", text="b\n"),
    ]  # fmt: skip
    assert notebooks.differences(whole, pieces) == []
    notebooks.write(tmp_path / "whole", whole)
    notebooks.write(tmp_path / "pieces", pieces)
    assert (tmp_path / "whole").read_text() == (tmp_path / "pieces").read_text()


def test_a_cell_that_raises_fails() -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(notebook_of("1 / 0"))
