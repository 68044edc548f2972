"""A training seen in a terminal: one bar with loss, validation mIoU and time left."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from workbench.events import (
    EpochDone,
    Event,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    StepDone,
    WarningRaised,
)
from workbench.reprs import readable_bytes, readable_count, readable_duration


class TerminalView:
    """Shows events as they come; a pipe or a file gets a line an epoch instead of a bar."""

    def __init__(self, folder: Path, console: Console | None = None) -> None:
        self._folder = folder
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            BarColumn(bar_width=10), TextColumn("{task.description}"),  # fits 80 columns
            console=self._console, disable=not self._console.is_terminal, transient=True,
        )
        self._task = self._bar.add_task(f"{folder.name}: preparing", total=None)
        self._epochs = 0
        self._score = ""
        self._bar.start()

    def close(self) -> None:
        """Take the bar away; what was said stays."""
        self._bar.stop()

    def update(self, event: Event) -> None:
        """Show one event."""
        match event:
            case RunStarted():
                self._epochs = event.epochs
                self._bar.update(self._task, total=event.epochs * event.steps_per_epoch)
                self._say(f"{readable_count(event.trainable_parameters)} of "
                          f"{readable_count(event.total_parameters)} parameters learn on "
                          f"{event.device}")
            case RunResumed():
                self._bar.update(self._task, completed=event.step)
                self._say(f"goes on after step {event.step}")
            case StepDone():
                self._bar.update(self._task, completed=event.step, description=self._facts(event))
            case EpochDone():
                self._epoch_done(event)
            case WarningRaised():
                self._say(f"warning: {event.message}")
            case RunFinished():
                self._say(
                    f"{event.reason}, in {readable_duration(event.duration_s)}; best epoch "
                    f"{event.best_epoch + 1}; peak memory "
                    f"{readable_bytes(event.peak_device_bytes or event.peak_host_rss_bytes)}"
                )
            case RunStopped():
                self._say(f"stopped after step {event.step} ({event.reason}); "
                          f"wb.resume({str(self._folder)!r}) goes on")
            case RunFailed():
                self._say(f"failed: {event.error}")

    def _facts(self, event: StepDone) -> str:
        return (
            f"epoch {event.epoch + 1}/{self._epochs} · loss {event.loss:.3f}{self._score} · "
            f"ETA {readable_duration(event.eta_s)} · {event.samples_per_s:.1f} chips/s"
        )

    def _epoch_done(self, event: EpochDone) -> None:
        if event.val_miou is not None:
            self._score = f" · val mIoU {100 * event.val_miou:.1f} %"
        if not self._console.is_terminal:
            self._say(
                f"epoch {event.epoch + 1}/{self._epochs} · loss {event.train_loss:.3f} · "
                f"val loss {event.val_loss:.3f}{self._score}{' · best' if event.best else ''} · "
                f"ETA {readable_duration(event.eta_s)}"
            )

    def _say(self, message: str) -> None:
        self._console.print(f"{self._folder.name}: {message}", markup=False, highlight=False,
                            soft_wrap=True)
