#!/usr/bin/env python3
"""Makes the pictures of docs/gallery.md anew, each from the code above it.

A block of code that leaves a `picture` is followed by an image link: that file is written, and the
code that made it is remembered in docs/pictures/gallery/made_by.json. A test compares that with the
page, so that a picture of older code is found out; pictures themselves may differ by a pixel.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
MADE_BY = ROOT / "docs" / "pictures" / "gallery" / "made_by.json"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$|!\[[^\]]*\]\((?P<image>[^)]+)\)", re.M | re.S)


def pictures(text: str) -> list[tuple[str, str]]:
    """(image, digest of all code up to it), in the order of the page."""
    found, code = [], ""
    for match in BLOCK.finditer(text):
        code += match["code"] or ""
        if match["image"]:
            found.append((match["image"], hashlib.sha256(code.encode()).hexdigest()[:16]))
    return found


def make(text: str, folder: Path) -> None:
    """Runs the page's code and writes its pictures below a folder."""
    from electionlab.plot.files import save

    space: dict[str, Any] = {}
    for match in BLOCK.finditer(text):
        if match["code"]:
            exec(match["code"], space)
            continue
        target = folder / match["image"]
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = space.pop("picture")
        if isinstance(picture, str):
            target.write_text(picture, encoding="utf-8")
        else:
            axes = picture[0] if isinstance(picture, (list, tuple)) else picture
            save(axes, target, dpi=110)
        print(target.relative_to(folder), target.stat().st_size // 1000, "kB")


def main() -> int:
    os.environ["MPLBACKEND"] = "Agg"
    text = PAGE.read_text(encoding="utf-8")
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # a block may write files
        try:
            make(text, PAGE.parent)
        finally:
            os.chdir(before)
    MADE_BY.write_text(json.dumps(dict(pictures(text)), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
