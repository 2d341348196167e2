"""The page of pictures: each was made by the code above it, as it is now."""

from __future__ import annotations

import importlib.util
import json
import sys

from support import ROOT

PAGE = ROOT / "docs" / "gallery.md"
_spec = importlib.util.spec_from_file_location("gallery_page", ROOT / "dev" / "gallery.py")
assert _spec is not None
assert _spec.loader is not None
gallery = importlib.util.module_from_spec(_spec)
sys.modules["gallery_page"] = gallery
_spec.loader.exec_module(gallery)


def test_no_picture_is_of_older_code() -> None:
    made_by = json.loads(gallery.MADE_BY.read_text(encoding="utf-8"))
    now = dict(gallery.pictures(PAGE.read_text(encoding="utf-8")))
    assert made_by == now, "run python dev/gallery.py, and look at what it made"
    for image in now:
        assert (PAGE.parent / image).stat().st_size > 1000, image


def test_no_picture_is_left_over() -> None:
    shown = {image for image, _ in gallery.pictures(PAGE.read_text(encoding="utf-8"))}
    there = {
        path.relative_to(PAGE.parent).as_posix()
        for path in gallery.MADE_BY.parent.iterdir()
        if path != gallery.MADE_BY
    }
    assert there == shown


def test_a_change_of_code_is_noticed() -> None:
    text = "```python\na = 1\npicture = a\n```\n\n![x](p/one.png)\n\n![y](p/two.png)\n"
    (first, digest), (second, same) = gallery.pictures(text)
    assert (first, second) == ("p/one.png", "p/two.png")
    assert digest == same
    assert gallery.pictures(text.replace("a = 1", "a = 2"))[0][1] != digest
