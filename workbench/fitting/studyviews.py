"""Where a study is shown: an output of a notebook, the terminal, lines of a log, nowhere else."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from workbench.events import Event
from workbench.fitting.views import in_notebook
from workbench.runs.studies import Study
from workbench.runs.studies_shown import event_in_words, progress

_EVERY_S = 1.0


class StudyView(Protocol):
    """Where a study is shown while it is worked off."""

    def update(self, now: str, event: Event | None = None) -> None:
        """Show what is done now."""

    def say(self, line: str) -> None:
        """Show what is worth a line that stays."""

    def close(self) -> None:
        """Leave the last state standing."""


class Unseen:
    """A view that nobody looks at."""

    def update(self, now: str, event: Event | None = None) -> None:
        """Take in what is done now."""

    def say(self, line: str) -> None:
        """Take in a line."""

    def close(self) -> None:
        """Leave nothing."""


class Terminal:
    """The study's table, drawn again as it fills; a pipe or a file gets a line a cell instead."""

    def __init__(self, study: Study, console: Console | None = None) -> None:
        self._study = study
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._now, self._next = "", 0.0
        if self._console.is_terminal:
            self._live.start()

    def update(self, now: str, event: Event | None = None) -> None:
        """Draw table and what is done now, at once where that is new, else once a second."""
        if self._live.is_started and (now != self._now or time.monotonic() >= self._next):
            text = f"{self._study!r}\nnow: {now}{event_in_words(event)}"
            self._live.update(Text(text), refresh=True)
            self._now, self._next = now, time.monotonic() + _EVERY_S

    def say(self, line: str) -> None:
        """Print a line above the table, with how far the study is."""
        self._console.print(f"{line} · {progress(self._study)}", markup=False, highlight=False,
                            soft_wrap=True)

    def close(self) -> None:
        """Take the table away: the study says the same."""
        self._live.stop()


def is_seen(show: bool | None) -> bool:
    """Return whether anybody looks on; `show` is as for `wb.fit`."""
    return (in_notebook() or sys.stderr.isatty()) if show is None else show


def study_view(study: Study, show: bool | None) -> contextlib.closing[StudyView]:
    """Return where a study is shown, to be closed at the end of a `with`."""
    if not is_seen(show):
        return contextlib.closing(Unseen())
    if in_notebook() and importlib.util.find_spec("ipywidgets"):
        from workbench.widgets.studying import NotebookStudy

        return contextlib.closing(NotebookStudy(study))
    return contextlib.closing(Terminal(study))
