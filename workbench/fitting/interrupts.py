"""Ctrl-C, and ■ in a notebook: first a wish, then an order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def first_interrupt(calls: Callable[[], None]) -> Iterator[None]:
    """Let the first SIGINT call `calls`; a second one interrupts as always."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may have signal handlers
        return
    asked = False

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        calls()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
