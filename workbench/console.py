"""A training seen in a terminal: a bar, and below it what a person wants to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workbench.events import (
    EpochDone,
    Event,
    FeaturesCached,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunUnpaused,
    StepDone,
    WarningRaised,
)
from workbench.reprs import (
    readable_bytes,
    readable_count,
    readable_duration,
    readable_loss,
    readable_percent,
)

_BAR_WIDTH = 24  # with the words beside it, it fits 80 columns


class TerminalView:
    """Shows events as they come; a pipe or a file gets a line an epoch instead of a picture."""

    def __init__(self, folder: Path, console: Console | None = None) -> None:
        self._folder = folder
        self._console = console or Console(stderr=True)
        self._started: RunStarted | None = None
        self._step: StepDone | None = None
        self._epoch: EpochDone | None = None
        self._best: EpochDone | None = None
        self._standing = "starting"
        self._live = Live(
            get_renderable=self._picture, console=self._console, refresh_per_second=4,
        )  # fmt: skip
        if self._console.is_terminal:
            self._live.start()

    def close(self) -> None:
        """Leave the last state standing."""
        if self._live.is_started:
            self._live.stop()

    def update(self, event: Event) -> None:
        """Show one event."""
        self._note(event)
        if isinstance(event, EpochDone) and not self._console.is_terminal:
            self._say(self._epoch_line(event))
        elif message := self._message(event):
            self._say(message)

    def _note(self, event: Event) -> None:
        """Keep what the picture is made of."""
        match event:
            case RunStarted():
                self._started, self._standing = event, ""
            case StepDone():
                self._step = event
            case EpochDone():
                self._epoch = event
                self._best = event if event.best else self._best
            case RunPaused():
                self._standing = "paused"
            case RunUnpaused() | RunResumed():
                self._standing = ""
            case RunFinished() | RunStopped() | RunFailed():
                self._standing = event.kind.removeprefix("run_")

    def _message(self, event: Event) -> str:
        """Return what is worth a line of its own, empty where nothing is."""
        match event:
            case RunStarted():
                return (f"{readable_count(event.trainable_parameters)} of "
                        f"{readable_count(event.total_parameters)} parameters learn on "
                        f"{event.device}")
            case RunResumed():
                return f"goes on after step {event.step}"
            case RunPaused():
                return f"paused after step {event.step}, its checkpoint written"
            case RunUnpaused():
                return "goes on"
            case FeaturesCached():
                return (f"features of {event.chips} chips computed in "
                        f"{readable_duration(event.duration_s)}; "
                        f"{readable_bytes(event.disk_bytes)} on disk")
            case WarningRaised():
                return f"warning: {event.message}"
            case RunFinished():
                peak = event.peak_device_bytes or event.peak_host_rss_bytes
                return (f"{event.reason}, in {readable_duration(event.duration_s)}; best epoch "
                        f"{event.best_epoch + 1}; peak memory {readable_bytes(peak)}")
            case RunStopped():
                return (f"stopped after step {event.step} ({event.reason}); "
                        f"wb.resume({str(self._folder)!r}) goes on")
            case RunFailed():
                return f"failed: {event.error}"
        return ""

    def _epoch_line(self, event: EpochDone) -> str:
        train, val = readable_loss(event.train_loss), readable_loss(event.val_loss)
        return (
            f"epoch {event.epoch + 1}/{self._epochs()} · loss {train} · val loss {val}"
            f"{_score(' · val mIoU', event.val_miou)}{' · best' if event.best else ''} · "
            f"ETA {readable_duration(event.eta_s)}"
        )

    def _epochs(self) -> int | str:
        return self._started.epochs if self._started else "?"

    def _say(self, message: str) -> None:
        self._console.print(f"{self._folder.name}: {message}", markup=False, highlight=False,
                            soft_wrap=True)

    def _picture(self) -> RenderableType:
        facts = Table.grid(padding=(0, 2))
        for name, fact in self._facts():
            facts.add_row(Text(f"  {name}", style="dim"), Text(fact))
        return Group(self._bar(), facts)

    def _bar(self) -> RenderableType:
        step, started = self._step, self._started
        total = started.epochs * started.steps_per_epoch if started else None
        done = step.step if step else 0
        words = [self._folder.name]
        if started:
            epoch = min((step.epoch if step else 0) + 1, started.epochs)
            words.append(f"epoch {epoch}/{started.epochs}")
        if self._standing:
            words.append(self._standing)
        elif step:
            words.append(f"ETA {readable_duration(step.eta_s)}")
        line = Table.grid(padding=(0, 1))
        moving = total is None and self._standing == "starting"
        line.add_row(
            ProgressBar(total=total or 1, completed=done, width=_BAR_WIDTH, pulse=moving),
            Text(" · ".join(words), overflow="ellipsis", no_wrap=True),
        )
        return line

    def _facts(self) -> Iterator[tuple[str, str]]:
        step, epoch, best = self._step, self._epoch, self._best
        if step:
            validation = f" · validation {readable_loss(epoch.val_loss)}" if epoch else ""
            yield "loss", f"training {readable_loss(step.loss)}{validation}"
        if epoch and epoch.val_miou is not None:
            chosen = f" · best in epoch {best.epoch + 1}" if best else ""
            yield "val mIoU", f"{readable_percent(epoch.val_miou)}{chosen}"
            if regions := _by_region(epoch.val_miou_by_region):
                yield "by region", regions
        if epoch and (watched := _by_region(epoch.held_out_miou_by_region)):
            yield "held out", f"{watched} (watched)"
        if step:
            yield "speed", f"{step.samples_per_s:.1f} chips/s · learning rate {step.lr:.2g}"
            yield "memory", _memory(step)


def _score(words: str, score: float | None) -> str:
    return "" if score is None else f"{words} {readable_percent(score)}"


def _by_region(scores: dict[str, float | None]) -> str:
    return " · ".join(_score(region, score) for region, score in scores.items()
                      if score is not None)


def _memory(step: StepDone) -> str:
    host = f"{readable_bytes(step.host_rss_bytes)} on the host"
    if step.device_memory_bytes is None:
        return host
    room = f" of {readable_bytes(step.device_capacity_bytes)}" if step.device_capacity_bytes else ""
    return (
        f"{readable_bytes(step.device_memory_bytes)} now, {readable_bytes(step.device_peak_bytes)} "
        f"at most{room} on the device · {host}"
    )
