"""What a dashboard says of one run, from what its folder says: plain data, no widget.

Everything comes from `run.state`, `run.events()` and the wishes in the run's folder, so whoever
trains, and whether it is over, makes no difference.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from typing import Any, NamedTuple

from workbench.errors import WorkbenchError
from workbench.events import (
    EpochDone,
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    StepDone,
)
from workbench.reprs import (
    readable_bytes,
    readable_duration,
    readable_loss,
    readable_percent,
    readable_rate,
)
from workbench.runs import Run, control
from workbench.runs.failures import cause, goes_on
from workbench.runs.folder import SPLIT
from workbench.runs.history import Stopwatch
from workbench.runs.lock import LOCK, is_live
from workbench.runs.run import LIVE
from workbench.runs.words import level, words
from workbench.widgets.thinning import Thinned

# Lines of the log that are kept, and how long one may be: a warning may quote half a dataset.
LOG_LINES = 60
LOG_LENGTH = 300
# One step says little, and the last one of an epoch has fewer chips: the middle of so many is said.
_RECENT = 20
# The state of a run whose folder does not say how it stands.
UNREADABLE = "unreadable"
_ASKED = {
    control.PAUSE: "pausing after this step…",
    control.STOP: "stopping after this step…",
    control.STOP_AFTER_EPOCH: "stopping after this epoch…",
}


class Line(NamedTuple):
    """One line of the log; `level` is `info`, `warning` or `error`."""

    time: float
    level: str
    text: str


class Follower:
    """One run as a dashboard shows it; `read` brings it up to date.

    Attributes:
        state: As `Run.state`; `unreadable` while the folder is damaged or gone.
        trouble: Why it is unreadable and what to do; empty while it is not.
        scoring: Whether it is trained, and its process scores it.
        steps: Loss, learning rate, speed and memory, thinned.
        epochs: A row for each epoch: number of epochs done, training loss, validation loss,
            validation mIoU (0 to 1), whether it was the best so far, the mIoU of `regions` and of
            `held_out` and the IoU of `classes` in their order.
        regions: Names of the training regions.
        held_out: Names of held-out regions; empty unless they were chosen to be watched.
        unwatched: Names of held-out regions while none of them is watched.
        classes: Names of the classes; empty for a run that did not write down their IoU.
        log: State changes and warnings, the newest last.
    """

    def __init__(self, run: Run) -> None:
        # A reader of its own: the user's object is read by the user's thread.
        self._run = Run(run.folder)
        self._lock = threading.Lock()
        self.folder = run.folder
        self.name = run.name
        self.state = "starting"
        self.trouble = ""
        self.scoring = False
        self.unwatched: tuple[str, ...] = ()
        self.times_begun = 0
        self._begin()

    def _begin(self) -> None:
        self.times_begun += 1
        self._read = 0
        self._last: Event | None = None
        self._started: RunStarted | None = None
        self._step: StepDone | None = None
        self._best: EpochDone | None = None
        self._speeds: deque[float] = deque(maxlen=_RECENT)
        self._eta_s: float | None = None
        self._watch = Stopwatch()
        self.steps = Thinned()
        self.epochs: list[list[Any]] = []
        self.regions: list[str] = []
        self.held_out: list[str] = []
        self.classes: list[str] = []
        self.log: list[Line] = []

    @property
    def live(self) -> bool:
        """Return whether some process trains it, or is about to."""
        return self.state in LIVE

    @property
    def busy(self) -> bool:
        """Return whether there may be more to come without anybody resuming it."""
        # One that cannot be read may be mended, by a person or by a network drive that is back.
        return self.live or self.scoring or bool(self.trouble)

    def read(self) -> None:
        """Take in what the folder says now; while it is unreadable, what can be read of it."""
        try:
            with self._lock:
                self.state = self._run.state
                events = self._run.events()
                self.unwatched = self._run.hold_out
        except WorkbenchError as error:
            self.state, self.trouble = UNREADABLE, str(error)
            events = self._run.events_before_damage()
        else:
            self.trouble = ""
            self.scoring = not self.live and is_live(self.folder)
        if self._read > len(events) or (self._read and events[self._read - 1] is not self._last):
            self._begin()  # a resumed run superseded what was read before
        for event in events[self._read :]:
            self._take(event)
            self._last = event
        self._read = len(events)
        self.unwatched = () if self.held_out else self.unwatched

    def ask(self, wish: str) -> None:
        """Ask the training to `pause`, `unpause`, `stop` or `stop_after_epoch`.

        Raises:
            RunError: It is not being trained.
        """
        asked = {
            control.PAUSE: self._run.pause, control.UNPAUSE: self._run.unpause,
            control.STOP: self._run.stop,
            control.STOP_AFTER_EPOCH: lambda: self._run.stop(after_epoch=True),
        }  # fmt: skip
        with self._lock:
            asked[wish]()

    @property
    def wish(self) -> str:
        """Return what is asked for and not yet done, in words; empty for nothing."""
        if not self.live:
            return ""
        wishes = control.wishes(self.folder)
        for wish in (control.STOP, control.STOP_AFTER_EPOCH):
            if wish in wishes:
                return _ASKED[wish]
        return _ASKED[control.PAUSE] if control.PAUSE in wishes and self.state != "paused" else ""

    @property
    def epochs_planned(self) -> int:
        """Return how many epochs there may be, 0 while that is not known."""
        return self._started.epochs if self._started else 0

    @property
    def capacity_bytes(self) -> int | None:
        """Return the memory that the device has, None without a device."""
        return self._step.device_capacity_bytes if self._step else None

    def headline(self) -> str:
        """Say how far it is."""
        if self.state == "starting":
            return f"opening data and model{self._since_launch()}"
        if not self._started:
            return ""
        epochs, steps = self._started.epochs, self._started.steps_per_epoch
        epoch = f"epoch {min(len(self.epochs) + self.live, epochs)} of {epochs}"
        if self.live:
            done = (self._last.step if self._last else 0) - len(self.epochs) * steps
            return f"{epoch} · {'validating' if done >= steps else f'step {done} of {steps}'}"
        return f"{epoch} · scoring test and held-out regions" if self.scoring else epoch

    def _since_launch(self) -> str:
        try:
            # The lock is written anew when the process takes it over; a resumed run has no better.
            begun = (self.folder / (LOCK if self._started else SPLIT)).stat().st_mtime
        except OSError:
            return ""
        return f" · {readable_duration(max(time.time() - begun, 0))}"

    def progress(self) -> float:
        """Return the share of all steps that is done, 0 to 1."""
        if not self._started or not self._last:
            return 0.0
        steps = self._started.epochs * self._started.steps_per_epoch
        return min(self._last.step / max(steps, 1), 1)

    @property
    def best_miou(self) -> float | None:
        """Return the validation mIoU of the epoch whose weights are kept, None before one."""
        return self._best.val_miou if self._best else None

    @property
    def elapsed_s(self) -> float:
        """Return the seconds that it has trained, until now where it does."""
        return self._watch.now(time.time()) if self.state == "running" else self._watch.seconds

    @property
    def left_s(self) -> float | None:
        """Return the seconds left if no early stopping comes, None where it does not go on."""
        return self._eta_s if self.state == "running" else None

    def facts(self) -> list[dict[str, Any]]:
        """Return what is worth a number of its own: label, value, note, and a share of a bar."""
        step, best = self._step, self._best
        validation = f"validation {readable_loss(self.epochs[-1][2])}" if self.epochs else ""
        facts = [
            _fact("training loss", readable_loss(step.loss if step else None), validation),
            _fact("validation mIoU", readable_percent(self.best_miou),
                  f"epoch {best.epoch + 1}, lowest loss" if best else ""),
            _fact("learning rate", readable_rate(step.lr if step else None)),
            _fact("speed", f"{statistics.median(self._speeds):.1f} chips/s" if step else "–"),
        ]  # fmt: skip
        if step and step.device_memory_bytes is not None:
            facts.append(_device(step))
        facts.append(_fact("host memory", readable_bytes(step.host_rss_bytes if step else None),
                           "Python included" if step else ""))
        facts.append(_fact("elapsed", readable_duration(self.elapsed_s)))
        if self.live:
            facts.append(_fact("left, at most", readable_duration(self.left_s)))
        return facts

    def notice(self) -> dict[str, str]:
        """Return how the run ended or what is wrong, and what to do; empty while it goes well."""
        if self.trouble:
            drawn = " The curves show what was said before." if self._read else ""
            return {"kind": "failed", "text": f"{self.trouble}{drawn} This view looks on, and goes "
                    "on as soon as the run can be read."}
        if self.state == "killed":
            return {"kind": "failed", "text": "The process that trained is gone without a word: "
                    f"killed, or the machine restarted. {goes_on(self.folder)}"}
        match self._last:
            case RunFailed() as failed if self.state == "failed":
                return {"kind": "failed", "text": cause(self.folder, failed)}
            case RunStopped(step=step, reason=reason) if self.state == "stopped":
                text = f"Stopped after step {step} ({reason}). {goes_on(self.folder)}"
                return {"kind": "stopped", "text": text}
            case RunFinished(reason=reason, best_epoch=best):
                text = f"{reason[:1].upper()}{reason[1:]}; best epoch {best + 1}{self._scored()}."
                return {"kind": "finished", "text": text}
        return {}

    def _scored(self) -> str:
        try:
            scores = self._run.scores()
        except (WorkbenchError, OSError) as error:
            return f"; its scores cannot be read: {error}"
        said = [f"; {words} mIoU {readable_percent(scores[part].get('miou'))}"
                for part, words in (("test", "test"), ("held_out", "held-out")) if part in scores]
        return "".join(said)

    def _take(self, event: Event) -> None:
        self._watch.take(event)
        match event:
            case RunStarted():
                self._started = event
            case StepDone():
                self._step, self._eta_s = event, event.eta_s
                self._speeds.append(event.samples_per_s)
                self.steps.add(event, event.step / self._steps_per_epoch())
            case EpochDone():
                self._eta_s = event.eta_s
                self._best = event if event.best else self._best
                self._take_epoch(event)
        if line := _line(event):
            self.log = [*self.log, line][-LOG_LINES:]

    def _take_epoch(self, event: EpochDone) -> None:
        for known, scores in ((self.regions, event.val_miou_by_region),
                              (self.held_out, event.held_out_miou_by_region),
                              (self.classes, event.val_iou_by_class)):
            known += [name for name in scores if name not in known]
        self.epochs.append([
            event.epoch + 1, event.train_loss, event.val_loss, event.val_miou, event.best,
            [event.val_miou_by_region.get(name) for name in self.regions],
            [event.held_out_miou_by_region.get(name) for name in self.held_out],
            [event.val_iou_by_class.get(name) for name in self.classes],
        ])  # fmt: skip

    def _steps_per_epoch(self) -> int:
        return max(self._started.steps_per_epoch, 1) if self._started else 1


def _device(step: StepDone) -> dict[str, Any]:
    peak, capacity = step.device_peak_bytes, step.device_capacity_bytes
    note = f"peak {readable_bytes(peak)}"
    if capacity:
        note += f" of {readable_bytes(capacity)}"
    return _fact("device memory", readable_bytes(step.device_memory_bytes), note,
                 (peak or 0) / capacity if capacity else None)


def _fact(label: str, value: str, note: str = "", share: float | None = None) -> dict[str, Any]:
    return {"label": label, "value": value, "note": note, "share": share}


def _line(event: Event) -> Line | None:
    text = words(event)
    if len(text) > LOG_LENGTH:
        text = f"{text[:LOG_LENGTH]}… (all of it is in log.txt)"
    return Line(event.time, level(event), text) if text else None
