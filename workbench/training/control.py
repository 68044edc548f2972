"""Asking a training to pause or stop: from a signal handler, another thread, or its folder."""

from __future__ import annotations

import time
from pathlib import Path

from workbench.runs import control as requests
from workbench.runs.control import PAUSE, STOP, STOP_AFTER_EPOCH

# Fast enough for a hand on a button, and next to no work for the processor.
_LOOK_EVERY_S = 0.1


class Interrupted(Exception):  # noqa: N818 (no error)
    """A wish came in the middle of something that can be begun again."""


class Control:
    """The wishes of whoever watches a training; the loop looks after every step."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._folder: Path | None = None

    def follow(self, folder: Path) -> None:
        """Obey the wishes in a run folder too."""
        self._folder = folder

    def stop(self, reason: str = "asked to stop") -> None:
        """Stop after the step under way, with its checkpoint written."""
        self._reason = reason

    @property
    def stop_reason(self) -> str | None:
        """Return why to stop after the step under way, None to go on."""
        if self._reason is None and STOP in self._wishes():
            self._reason = "asked to stop"
        return self._reason

    @property
    def pausing(self) -> bool:
        """Return whether to wait; a stop ends a pause."""
        return PAUSE in self._wishes() and self.stop_reason is None

    @property
    def stops_after_epoch(self) -> bool:
        """Return whether to stop at the end of the epoch under way."""
        return STOP_AFTER_EPOCH in self._wishes()

    def interrupt(self) -> None:
        """Break off something long where somebody wants a stop or a pause.

        Raises:
            Interrupted: Somebody does.
        """
        if self.stop_reason is not None or self.pausing:
            raise Interrupted

    def wait(self) -> None:
        """Return once nobody wants a pause any more."""
        while self.pausing:
            time.sleep(_LOOK_EVERY_S)

    def _wishes(self) -> frozenset[str]:
        return frozenset() if self._folder is None else requests.wishes(self._folder)
