"""The view of `wb.study` in a notebook: its table, drawn again as cells are trained."""

from __future__ import annotations

import time

from IPython.display import HTML, DisplayHandle

from workbench.events import Event
from workbench.reprs import html_notes
from workbench.runs.studies import Study
from workbench.runs.studies_shown import event_in_words

_EVERY_S = 1.0


class NotebookStudy:
    """One output that is replaced; the cell's own result is what stays."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._handle = DisplayHandle()
        self._shown = False
        self._now, self._next = "", 0.0

    def update(self, now: str, event: Event | None = None) -> None:
        """Draw the table and what is done now, at once where that is new, else once a second."""
        if now == self._now and time.monotonic() < self._next:
            return
        self._draw([f"now: {now}{event_in_words(event)}"])
        self._now, self._next = now, time.monotonic() + _EVERY_S

    def say(self, line: str) -> None:
        """Draw the table again: what failed stands in it."""
        self._draw([line])

    def close(self) -> None:
        """Leave one line: the study itself is what the cell returns."""
        if self._shown:
            self._handle.update(HTML(html_notes(["worked off"])))

    def _draw(self, lines: list[str]) -> None:
        page = HTML(self._study._repr_html_() + html_notes(lines))
        if self._shown:
            self._handle.update(page)
        else:
            self._handle.display(page)
            self._shown = True
