"""The view of `wb.fit` and `run.wait()`: a dashboard while the cell runs, then a picture."""

from __future__ import annotations

import time

from IPython.display import DisplayHandle

from workbench.events import Event
from workbench.runs import Run
from workbench.widgets.dashboard import EVERY_S, Dashboard, still_bundle


class LiveView:
    """One output: the dashboard without buttons, which a blocked kernel could not hear.

    What stays behind is an ordinary picture: nothing is dead after a restart or in a stored
    notebook. ■ stops the training; that needs no button.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._board: Dashboard | None = None
        self._handle = DisplayHandle()
        self._next = 0.0

    def update(self, event: Event) -> None:
        """Look at the run's folder, where the event stands already, if it is time."""
        if time.monotonic() < self._next:
            return
        if self._board is None:
            self._board = Dashboard(self._run, buttons=False)
            self._handle.display(self._board.widget)
        self._board.refresh(now=event.terminal)
        self._next = time.monotonic() + EVERY_S

    def close(self) -> None:
        """Put the picture of the last state in the place of the widget."""
        if self._board is None:
            return
        self._board.refresh(now=True)
        self._handle.update(still_bundle(self._board), raw=True)
        self._board.close()
