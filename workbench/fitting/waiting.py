"""Following a run that another process trains, as if it were trained here."""

from __future__ import annotations

import contextlib
import time

from workbench.errors import RunError, TrainingError
from workbench.fitting.interrupts import first_interrupt
from workbench.fitting.views import shown
from workbench.runs import Run
from workbench.runs.failures import why
from workbench.runs.journal import EVENTS, JournalReader, replay
from workbench.runs.lock import is_live

# Twice as often as the eye asks for; a look reads what is new in one file.
_LOOK_EVERY_S = 0.25


def wait(run: Run, timeout: float | None = None) -> Run:
    """Return a run once its process has ended; see `Run.wait`."""

    def stop() -> None:
        with contextlib.suppress(RunError):  # it may just have ended
            run.stop()

    with first_interrupt(stop):
        follow(run, timeout)
    if (message := why(run)) is not None:
        raise TrainingError(message)
    return run


def follow(run: Run, timeout: float | None = None, *, show: bool | None = None) -> None:
    """Show a run until its process has ended, or for `timeout` seconds."""
    ends = None if timeout is None else time.monotonic() + timeout
    reader = JournalReader(run.folder / EVENTS)
    with shown(run, show) as view:
        begun = False
        while True:
            # The lock first: what the process wrote before it ended is read after that look.
            live = is_live(run.folder)
            # Until a resumed run has said from where, nobody knows what of its past still holds.
            if begun or run.state != "starting":
                new = reader.read()
                for event in new if begun else replay(new):
                    view.update(event)
                begun = True
            if not live or (ends is not None and time.monotonic() >= ends):
                return
            time.sleep(_LOOK_EVERY_S)
