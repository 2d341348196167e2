"""Ctrl-C as an event that long work can ask about, so that nothing finished is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """Turns Ctrl-C into an event, where signals can be heard at all: in the main thread."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed
    finally:
        if before is not None:  # None: not set from Python, so it cannot be set again either
            signal.signal(signal.SIGINT, before)


__all__: Sequence[str] = ["ctrl_c"]
