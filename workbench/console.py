"""A training seen in a terminal: a bar, and below it what a person wants to know of it."""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workbench.data.split import display_name
from workbench.events import (
    EpochDone,
    Event,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    RunUnpaused,
    StepDone,
)
from workbench.reprs import (
    readable_bytes,
    readable_duration,
    readable_loss,
    readable_path,
    readable_percent,
    readable_rate,
)
from workbench.runs.history import Stopwatch
from workbench.runs.words import level, words

_BEFORE_FACTS = 16  # columns that names and the room for ^C take
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
        self._watch = Stopwatch()
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
        self._watch.take(event)
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
        said = words(event)
        match event:
            case RunFinished():
                return f"{said}; scores of test and held-out regions come next"
            case RunStopped():
                folder = shlex.quote(readable_path(self._folder))
                return f"{said}; `workbench fit --resume {folder}` goes on"
            case RunFailed():
                return f"failed: {said}"
        return f"warning: {said}" if level(event) == "warning" else said

    def _epoch_line(self, event: EpochDone) -> str:
        train, val = readable_loss(event.train_loss), readable_loss(event.val_loss)
        eta = f" · ETA {readable_duration(event.eta_s)}" if event.eta_s else ""
        return (
            f"epoch {event.epoch + 1}/{self._epochs()} · loss {train} · val loss {val}"
            f"{_score(' · val mIoU', event.val_miou)}{' · best' if event.best else ''}{eta}"
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
        # A terminal writes ^C behind the last line: it must not break it.
        return Constrain(Group(self._bar(), facts), self._console.width - len("^C") - 1)

    def _bar(self) -> RenderableType:
        step, started = self._step, self._started
        total = started.epochs * started.steps_per_epoch if started else None
        line = Table.grid(padding=(0, 1))
        moving = total is None and self._standing == "starting"
        line.add_row(
            ProgressBar(total=total or 1, completed=step.step if step else 0, width=_BAR_WIDTH,
                        pulse=moving),
            Text(" · ".join((self._folder.name, *self._state())), overflow="ellipsis",
                 no_wrap=True),
        )
        return line

    def _state(self) -> Iterator[str]:
        """Yield how far it is."""
        step, started = self._step, self._started
        if started:
            done = self._epoch.epoch + 1 if self._epoch else 0
            yield f"epoch {min((step.epoch if step else 0) + 1, started.epochs)}/{started.epochs}"
            if not self._standing and step and step.step >= (done + 1) * started.steps_per_epoch:
                yield "validating"
        if self._standing:
            yield self._standing
        elif step:
            yield f"ETA {readable_duration(step.eta_s)}"

    def _facts(self) -> Iterator[tuple[str, str]]:
        step, epoch, best = self._step, self._epoch, self._best
        if step:
            validation = f" · validation {readable_loss(epoch.val_loss)}" if epoch else ""
            yield "loss", f"training {readable_loss(step.loss)}{validation}"
        if epoch and epoch.val_miou is not None:
            kept = f" · best by loss: epoch {best.epoch + 1}" if best else ""
            if best and best is not epoch:
                kept += _score(",", best.val_miou)
            yield "val mIoU", f"{readable_percent(epoch.val_miou)}{kept}"
            if regions := self._side_by_side(_displayed(epoch.val_miou_by_region)):
                yield "by region", regions
            if classes := self._side_by_side(epoch.val_iou_by_class):
                yield "by class", classes
        if epoch and (watched := self._side_by_side(_displayed(epoch.held_out_miou_by_region))):
            yield "held out", f"{watched} (watched)"
        if step:
            rate = readable_rate(step.lr)
            yield "speed", f"{step.samples_per_s:.1f} chips/s · learning rate {rate}"
            yield "memory", _memory(step)
            so_far = self._watch.seconds if self._standing else self._watch.now(time.time())
            yield "elapsed", readable_duration(so_far)


    def _side_by_side(self, scores: dict[str, float | None]) -> str:
        """Return scores side by side; no line ends between a name and its score."""
        entries = (_score(name, score).replace(" ", "\N{NO-BREAK SPACE}")
                   for name, score in scores.items() if score is not None)
        width = max(self._console.width - _BEFORE_FACTS, 20)
        return textwrap.fill(" · ".join(entries), width).replace("\N{NO-BREAK SPACE}", " ")


def _displayed(scores: dict[str, float | None]) -> dict[str, float | None]:
    return {display_name(region): score for region, score in scores.items()}


def _score(words: str, score: float | None) -> str:
    return "" if score is None else f"{words} {readable_percent(score)}"


def _memory(step: StepDone) -> str:
    host = f"{readable_bytes(step.host_rss_bytes)} on the host"
    if step.device_memory_bytes is None:
        return host
    room = f" of {readable_bytes(step.device_capacity_bytes)}" if step.device_capacity_bytes else ""
    return (
        f"{readable_bytes(step.device_memory_bytes)} now, {readable_bytes(step.device_peak_bytes)} "
        f"at most{room} on the device · {host}"
    )
