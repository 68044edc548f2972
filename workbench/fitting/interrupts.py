"""Ctrl-C, ■ in a notebook, and the end of a session: first a wish, then an order."""

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


@contextlib.contextmanager
def gentle_end(calls: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM or SIGHUP call `calls` first, and end the process after the block.

    A batch system whose time is up, a machine that shuts down and a terminal that closes ask so.
    A second signal of the kind ends the process at once. Whoever handles or ignores them already
    (`nohup`, a notebook's kernel) goes on doing so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def asked(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        came.append(number)
        calls()

    ours = [number for number in (signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        if came:
            signal.raise_signal(came[0])
