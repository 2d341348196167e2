"""Checks of arguments: a ValueError tells the name, the value and what is allowed."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

#: The latest moment of simulated time, as in the engine.
MOST_MS = 1e9


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number in a range as an int; NumPy's are taken too, truth values are not."""
    kind = type(value).__name__
    number = None
    if hasattr(type(value), "__index__") and not isinstance(value, bool) and kind != "bool":
        try:
            number = int(value.__index__())
        except TypeError:  # an array
            number = None
    if number is None or number < low or (high is not None and number > high):
        span = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise ValueError(f"{name}={value!r}: must be a whole number {span}")
    return number


def milliseconds(name: str, value: Any) -> float:
    """A finite number of milliseconds of at least 0 as a float."""
    number = math.nan
    if not isinstance(value, (bool, str, bytes)) and type(value).__name__ != "bool":
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name}={value!r}: must be a number of milliseconds of at least 0")
    return number


def above_zero(name: str, value: Any) -> float:
    """A finite number above 0 as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{name}={value!r}: must be a number above 0")
    return float(value)


def end_of_span(name: str, span_ms: Any, now_ms: float) -> float:
    """When a span that begins now ends; no run reaches beyond `MOST_MS`."""
    end = now_ms + milliseconds(name, span_ms)
    if end > MOST_MS:
        raise ValueError(
            f"{name}={span_ms!r}: must be a number of milliseconds from 0 to "
            f"{MOST_MS - now_ms:.16g}; it is {now_ms:.16g} ms, and no run goes beyond {MOST_MS:g}"
        )
    return end


def path_of(name: str, value: Any) -> Path:
    """The path of a file."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise ValueError(f"{name}={value!r}: must be the path of a file")
    return Path(value)


def truth(name: str, value: Any) -> bool:
    """True or False, NumPy's too."""
    if not isinstance(value, bool) and type(value).__name__ != "bool":
        raise ValueError(f"{name}={value!r}: must be True or False")
    return bool(value)
