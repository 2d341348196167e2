"""What a figure is for: a screen, a paper or a slide. Text keeps its size; the figure changes."""

from __future__ import annotations

import contextvars
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Size = Literal["screen", "paper", "slide"]


@dataclasses.dataclass(frozen=True)
class Format:
    """The measures of a figure.

    Attributes:
        width_in: Its whole width, inches; None: as its drawing needs.
        height_share: What is left of the height that its drawing has on a screen.
        dpi: Pixels per inch, when it is made of pixels.
        columns: Columns of the legend, which then stands below; 0: it stands at the right.
    """

    width_in: float | None = None
    height_share: float = 1.0
    dpi: float | None = None
    columns: int = 0


#: Paper: as wide as the text of two columns, with letters of 8 points. Slide: half as wide as one
#: of 13.33 inches, so that what fills a slide has letters of 16 points.
FORMATS: dict[str, Format] = {
    "screen": Format(),
    "paper": Format(width_in=7.0, height_share=0.8, dpi=300.0, columns=4),
    "slide": Format(width_in=6.67, height_share=0.62, dpi=192.0, columns=4),
}

_now: contextvars.ContextVar[str] = contextvars.ContextVar("size", default="screen")


def current() -> Format:
    """The format of figures that are made now."""
    return FORMATS[_now.get()]


def sized(draw: Callable[P, R]) -> Callable[P, R]:
    """Gives a function that draws, and has ``size=None`` among its arguments, what that means.

    Raises:
        ValueError: The size is unknown, or there are axes as well: their figure has its size.
    """

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        size: Any = kwargs.get("size")
        if size is None:
            return draw(*args, **kwargs)
        if not isinstance(size, str) or size not in FORMATS:
            raise ValueError(f"size={size!r}: must be one of {', '.join(map(repr, FORMATS))}")
        if kwargs.get("ax") is not None and size != "screen":
            raise ValueError(f"size={size!r}: is for a new figure; with ax, it must be left out")
        token = _now.set(size)
        try:
            return draw(*args, **kwargs)
        finally:
            _now.reset(token)

    return wrapped
