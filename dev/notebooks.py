#!/usr/bin/env python3
"""Executes the notebooks, and compares their outputs with the committed ones, or writes them.

    dev/notebooks.py                   executes and compares all
    dev/notebooks.py 05 12             only those whose names begin so
    dev/notebooks.py --write [05 12]   executes and writes them

Text must be the same to the letter. Of pictures the number, the kind and the size that is written
beside them must be the same, as their bytes change with the version of matplotlib and the fonts.
"""

from __future__ import annotations

import argparse
import base64
import difflib
import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
#: Seconds that a cell may take on a slow or busy machine; whole notebooks need a few.
CELL_TIMEOUT_S = 300
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the outputs")
    parser.add_argument("begins", nargs="*", help="beginnings of notebooks' names; none: all")
    given = parser.parse_args()
    paths = [p for p in found() if not given.begins or p.name.startswith(tuple(given.begins))]
    if not paths:
        parser.error(f"no notebook begins with {', '.join(given.begins)}")
    failed = 0
    for path in paths:
        start = time.monotonic()
        committed = read(path)
        done = execute(committed)
        took = f"{time.monotonic() - start:.1f} s"
        if given.write:
            write(path, done)
            print(f"{path.name}: written, {path.stat().st_size / 1000:.0f} kB, {took}", flush=True)
            continue
        said = differences(committed, done)
        failed += bool(said)
        verdict = "differs" if said else "the same"
        print("\n".join([f"{path.name}: {verdict}, {took}", *said]), flush=True)
    return 1 if failed else 0


def found() -> list[Path]:
    """The notebooks, in the order of their numbers."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, 4)


def execute(notebook: NotebookNode) -> NotebookNode:
    """A copy of the notebook with the outputs of a fresh kernel.

    Raises:
        CellExecutionError: A cell raises.
        CellTimeoutError: A cell takes too long.
    """
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # A backend from outside would keep pictures out of the notebook.
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    resources = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(
        copy, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources=resources
    )
    client.execute(env=env)
    return copy


def write(path: Path, notebook: NotebookNode) -> None:
    """Writes a notebook with nothing in it that changes from one execution to the next."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [_small(output) for output in _merged(cell.outputs)]
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def differences(committed: NotebookNode, done: NotebookNode) -> list[str]:
    """What is another in the second notebook, as lines of a diff under the cell's number."""
    lines = []
    for number, (old, new) in enumerate(zip(committed.cells, done.cells, strict=True)):
        if old.cell_type != "code":
            continue
        was, now = _told(old), _told(new)
        if was != now:
            lines += [
                f"cell {number}:",
                *difflib.unified_diff(was, now, "committed", "now", "", ""),
            ]
    return lines


def _told(cell: NotebookNode) -> list[str]:
    """What is compared of a cell, as lines."""
    lines = [f"execution {cell.execution_count}"]
    for output in _merged(cell.outputs):
        if output.output_type == "stream":
            lines += [f"{output.name}:", *output.text.splitlines()]
        elif output.output_type == "error":
            lines += [f"error: {output.ename}: {output.evalue}"]
        else:
            lines += [f"{output.output_type}: {', '.join(sorted(output.data))}"]
            lines += output.data.get("text/plain", "").splitlines()
    return lines


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with each stream in one piece: where it is cut depends on the time."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(nbformat.from_dict(output))
    return merged


def _small(output: NotebookNode) -> NotebookNode:
    """The output with its picture in 256 colours, which is a third of the size."""
    data: dict[str, Any] = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
        small = io.BytesIO()
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            small, "png", optimize=True
        )
        data["image/png"] = base64.b64encode(small.getvalue()).decode() + "\n"
    return output


if __name__ == "__main__":
    sys.exit(main())
