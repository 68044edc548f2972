"""What the events of a run come to: tables, the newest of a kind, the most memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from workbench.events import EpochDone, Event, RunFinished, RunPaused, RunResumed, StepDone

E = TypeVar("E", bound=Event)


class Stopwatch:
    """Seconds that a run has trained: no pause counts, nor what lies between its end and a resume.

    Attributes:
        seconds: Until the newest event.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: Event | None = None

    def take(self, event: Event) -> None:
        """Take in the next event."""
        if self._runs and not isinstance(event, RunResumed):
            self.seconds += self._since(event.time)
        self._last = event

    def now(self, clock: float) -> float:
        """Return the seconds until `clock`, in seconds since 1970, of a run that lives."""
        return self.seconds + (self._since(clock) if self._runs else 0.0)

    @property
    def _runs(self) -> bool:
        last = self._last
        return last is not None and not (last.terminal or isinstance(last, RunPaused))

    def _since(self, clock: float) -> float:
        return max(clock - self._last.time, 0.0) if self._last else 0.0


class History(NamedTuple):
    """What the events say, as tables: one row a step, one row an epoch."""

    steps: pd.DataFrame
    epochs: pd.DataFrame


def history(events: Sequence[Event]) -> History:
    """Return the events of steps and of epochs as tables."""
    steps = [vars(event) for event in events if isinstance(event, StepDone)]
    epochs = [_flat(vars(event)) for event in events if isinstance(event, EpochDone)]
    return History(pd.DataFrame(steps), pd.DataFrame(epochs))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Give each score an entry of its own: `val_miou/<region>`, `val_iou/<class>`."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            name = key.partition("_by_")[0]
            flat |= {f"{name}/{part}": score for part, score in value.items()}
        else:
            flat[key] = value
    return flat


def last(events: Sequence[Event], kind: type[E]) -> E | None:
    """Return the newest event of a kind."""
    return next((event for event in reversed(events) if isinstance(event, kind)), None)


def peak_memory(events: Sequence[Event]) -> tuple[int, str] | None:
    """Return the most memory in bytes and whose it is, `device` or `host` (the process)."""
    steps = [event for event in events if isinstance(event, (StepDone, RunFinished))]
    device = [size for event in steps if (size := _peaks(event)[1]) is not None]
    host = [_peaks(event)[0] for event in steps]
    if device:
        return max(device), "device"
    return (max(host), "host") if host else None


def _peaks(event: Event) -> tuple[int, int | None]:
    if isinstance(event, RunFinished):
        return event.peak_host_rss_bytes, event.peak_device_bytes
    assert isinstance(event, StepDone)
    return event.host_rss_bytes, event.device_peak_bytes
