"""A picture of a run that redraws itself in a notebook while the run trains."""

from __future__ import annotations

import time

from IPython.display import DisplayHandle

from workbench.events import (
    EpochDone,
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    StepDone,
)
from workbench.plots import curves
from workbench.plots.style import Picture, themed
from workbench.reprs import readable_duration

# Drawing holds the interpreter's lock: once a second at most, and never more than a tenth of
# the time, however long the run has become.
EVERY_S = 1.0
SHARE = 0.1


class LiveView:
    """Curves of one run in one output, which stays behind as an ordinary picture.

    There is no widget in it: nothing is dead after a restart or in a stored notebook.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._events: list[Event] = []
        self._handle: DisplayHandle | None = None
        self._next = 0.0

    def update(self, event: Event) -> None:
        """Take in an event; redraw after a step or an epoch where it is time."""
        self._events.append(event)
        if isinstance(event, (StepDone, EpochDone)) and time.monotonic() >= self._next:
            self._draw()

    def close(self) -> None:
        """Draw the last picture; it stays."""
        self._draw()

    def _draw(self) -> None:
        if not any(isinstance(event, StepDone) for event in self._events):
            return
        begin = time.monotonic()
        status = summary(self._name, self._events)
        bundle = {"image/png": _drawn(self._name, self._events, status), "text/plain": status}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)
        end = time.monotonic()
        self._next = end + max(EVERY_S, (end - begin) / SHARE)


def _drawn(name: str, events: list[Event], status: str) -> bytes:
    # Not through `plot`, which lays a figure out twice so that it can outlive its theme.
    with themed() as look:
        figure = Picture(figsize=(8.6, 4.9), layout="constrained")
        curves.draw(curves.data({name: events}), figure)
        figure.suptitle(status, x=0.01, ha="left", fontsize=10, color=look.muted)
        return figure.png(dpi=100)


def summary(name: str, events: list[Event]) -> str:
    """Say in one line how far a run is."""
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    last = events[-1]
    words = [name]
    epochs = [event for event in events if isinstance(event, EpochDone)]
    if started:
        words.append(f"epoch {min(last.epoch + 1, started.epochs)} of {started.epochs}")
    best = max((event.val_miou for event in epochs if event.val_miou is not None), default=None)
    if best is not None:
        words.append(f"best validation mIoU {100 * best:.1f} %")
    match last:
        case RunFinished():
            words += [f"finished in {readable_duration(last.duration_s)}", last.reason]
        case RunStopped():
            words += ["stopped", last.reason]
        case RunFailed():
            words += ["failed", last.error]
        case StepDone() | EpochDone() if last.eta_s is not None:
            words.append(f"{readable_duration(last.eta_s)} left")
    return " · ".join(words)
