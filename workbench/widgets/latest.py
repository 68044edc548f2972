"""Work in a thread for the newest request only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Latest:
    """Does something slow with the last thing asked for, once asking has paused.

    Args:
        work: Called in a thread of its own with what was asked for.
        pause_s: How long nothing new may be asked for before work begins.
    """

    def __init__(self, work: Callable[[Any], None], pause_s: float = 0.2) -> None:
        self._work, self._pause_s = work, pause_s
        self._wanted: Any = None
        self._number = 0
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, wanted: Any) -> None:
        """Ask for work; what was asked for before and has not begun is forgotten."""
        with self._news:
            self._wanted, self._number = wanted, self._number + 1
            self._news.notify_all()
            if self._thread is None:
                self._start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when everything asked for is done."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        done = 0
        while True:
            with self._news:
                while self._news.wait(self._pause_s):
                    pass
                if self._number == done:
                    self._thread = None
                    return
                wanted, done = self._wanted, self._number
            try:
                self._work(wanted)
            except BaseException:
                self._follow(done)
                raise

    def _follow(self, done: int) -> None:
        """Leave what was asked for while work failed to another thread."""
        with self._news:
            self._thread = None
            if self._number != done:
                self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
