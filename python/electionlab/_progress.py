"""The live line of a search that is under way, in a terminal and in a notebook."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Told = Callable[[dict[str, Any]], "bool | None"]


def bytes_text(count: float) -> str:
    """A number of bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:.4g} GB"


@contextmanager
def told(progress: bool | Told | None) -> Iterator[Told | None]:
    """What a search calls now and then: the function given, or for True one that draws a line."""
    if progress is None or progress is False:
        yield None
        return
    if callable(progress):
        yield progress
        return
    if progress is not True:
        raise ValueError(f"progress={progress!r}: must be True, False or a function of a dict")
    with warnings.catch_warnings():
        # Without ipywidgets a notebook gets the line of a terminal, which will do.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from tqdm.auto import tqdm
    form = "{n:,} states{postfix} [{elapsed}, {rate_fmt}]"
    # A terminal that does not tell how wide it is would get nothing.
    wide = shutil.get_terminal_size().columns if tqdm.__module__ != "tqdm.notebook" else None
    with tqdm(unit=" states", bar_format=form, leave=False, ncols=wide, miniters=1) as bar:

        def draw(p: dict[str, Any]) -> bool:
            bar.set_postfix_str(
                f"depth {p['depth']}, frontier {p['frontier']:,}, {bytes_text(p['bytes'])}",
                refresh=False,
            )
            bar.update(p["states"] - bar.n)
            return True

        yield draw


__all__ = ["bytes_text", "told"]
