"""Run: a training, live or finished, read from its folder."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

from workbench.data import ClassInfo, Dataset, DatasetInfo, Split
from workbench.errors import RunError
from workbench.events import (
    EpochDone,
    Event,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepDone,
    WarningRaised,
)
from workbench.recipe import AnyRecipe, recipe_from_json
from workbench.reprs import (
    html_card,
    readable_bytes,
    readable_count,
    readable_duration,
    readable_path,
    readable_percent,
)
from workbench.runs import checkpoints, control
from workbench.runs import folder as layout
from workbench.runs.history import History, history, last, peak_memory
from workbench.runs.journal import EVENTS, JournalReader, replay
from workbench.runs.lock import journal_size_at_start
from workbench.runs.preview import Preview, read_preview
from workbench.storage import read_json

_STATES = {"run_finished": "finished", "run_stopped": "stopped", "run_failed": "failed",
           "run_imported": "finished"}  # fmt: skip


# The states in which a process trains, or is about to.
LIVE = ("starting", "running", "paused")


class Run:
    """A training and what came of it. The folder alone is the truth; this object reads it.

    `wb.fit` and `wb.launch` make one, `wb.open_run` opens one.

    Args:
        folder: Where it is.
        split: Its split, where it is open already.
    """

    def __init__(self, folder: Path, split: Split | None = None) -> None:
        self.folder = Path(folder).absolute()  # a notebook may change its working directory
        self._split = split
        self._journal = JournalReader(self.folder / EVENTS)
        self._events: list[Event] = []

    @property
    def name(self) -> str:
        """Return the name of the run, which is its folder's."""
        return self.folder.resolve().name

    @functools.cached_property
    def recipe(self) -> AnyRecipe:
        """Return what was trained."""
        return recipe_from_json(self._read(layout.RECIPE))

    @property
    def resolved(self) -> dict[str, Any]:
        """Return what the recipe's open choices came to: learning rate, bands, device."""
        # Not kept: a launched run's process completes it.
        said = self._read(layout.RECIPE)
        if "resolved" not in said:
            raise RunError(f"{self.folder / layout.RECIPE} does not say what was trained: it is "
                           "damaged, or no run of the workbench.")
        return said["resolved"]

    @functools.cached_property
    def imported(self) -> bool:
        """Return whether the model was trained elsewhere, on data that are not known."""
        return "imported" in self._read(layout.SPLIT)

    @property
    def split(self) -> Split:
        """Return the chips of each part; opens the dataset and says what it misses."""
        if self._split is None:
            self._split = Split.from_json(self._read(layout.SPLIT))
        return self._split

    @functools.cached_property
    def hold_out(self) -> tuple[str, ...]:
        """Return the names of the held-out regions; known even where the data are not."""
        return tuple(self._read(layout.SPLIT).get("hold_out", ()))

    @functools.cached_property
    def info(self) -> DatasetInfo:
        """Return what the dataset said of itself; known even where the data are not."""
        return DatasetInfo.model_validate(self.resolved["dataset"])

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """Return the classes, in the order of their numbers."""
        return self.info.classes

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the bands that the model takes, in order."""
        return tuple(self.resolved["bands"])

    @property
    def watched_held_out(self) -> bool:
        """Return whether scores of held-out regions were shown while it trained."""
        return bool(self.resolved.get("watch_held_out", False))

    @property
    def state(self) -> str:
        """Return how the run stands now.

        `starting` until its process says something, `running`, `paused`, `finished`, `stopped`,
        `failed`; a run that neither ended nor has a living process was `killed`.
        """
        # The lock first: a run that ends between two looks has its last event by then.
        size_at_start = journal_size_at_start(self.folder)
        events = self.events()
        if size_at_start is not None and self._journal.offset <= size_at_start:
            return "starting"
        if events and events[-1].terminal:
            return _STATES[events[-1].kind]
        if size_at_start is None:
            return "killed"
        said = (event for event in reversed(events) if not isinstance(event, WarningRaised))
        return "paused" if isinstance(next(said, None), RunPaused) else "running"

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            said = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{path} is not there any more: the run was moved or deleted. "
                           "wb.list_runs() lists those that are.") from None
        if not isinstance(said, dict):
            raise RunError(f"{path} is damaged: it holds a {type(said).__name__}.")
        return said

    def pause(self) -> None:
        """Let the training wait after the step under way, with a checkpoint written.

        Raises:
            RunError: It is not being trained.
        """
        self._request(control.PAUSE)

    def unpause(self) -> None:
        """Let a paused training go on.

        Raises:
            RunError: It is not being trained.
        """
        self._request(control.UNPAUSE)

    def stop(self, *, after_epoch: bool = False) -> None:
        """End the training after the step under way, or after the epoch; `wb.resume` goes on.

        Raises:
            RunError: It is not being trained.
        """
        self._request(control.STOP_AFTER_EPOCH if after_epoch else control.STOP)

    def wait(self, timeout: float | None = None) -> Run:
        """Return the run once its process has ended, doing for a launched run what `wb.fit` does.

        It is shown live; interrupting (Ctrl-C, ■ in a notebook) stops the training after the step
        under way, and waits for its checkpoint; a second time stops waiting.

        Args:
            timeout: Seconds to wait at most; then the run is returned as it stands.

        Raises:
            TrainingError: Training broke off; says why and what to do.
        """
        # By name, as a plug-in is: showing a run takes views, which lie far above it.
        return importlib.import_module("workbench.fitting.waiting").wait(self, timeout)

    def last_words(self) -> str:
        """Return the last line that the process of a launched run printed, empty without one."""
        path = self.folder / layout.OUTPUT
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _request(self, wish: str) -> None:
        if (state := self.state) not in LIVE:
            goes_on = f" wb.resume({str(self.folder)!r}) goes on with it."
            raise RunError(
                f"{self.name!r} is not being trained, so it cannot {wish.replace('_', ' ')}: it is "
                f"{state}.{'' if state == 'finished' else goes_on}"
            )
        control.request(self.folder, wish)

    def events(self) -> list[Event]:
        """Return all events so far; what a resumed run superseded is left out."""
        self._events = _joined(self._events, self._journal.read())
        return list(self._events)

    def events_before_damage(self) -> list[Event]:
        """Return what can be read of a run whose `events` cannot be: to be looked at, no more."""
        return _joined(self._events, self._journal.before_damage)

    def history(self) -> History:
        """Return the events of steps and of epochs as tables.

        `steps` has the columns of `StepDone`, `epochs` those of `EpochDone` with one column
        `val_miou/<region>` for each training region, `val_iou/<class>` for each class, and
        `held_out_miou/<region>` where held-out regions were watched.
        """
        return history(self.events())

    def preview(self) -> Preview | None:
        """Return a few validation chips as the newest epoch predicts them, None before it."""
        return read_preview(self.folder)

    def checkpoint(self, name: str = "best") -> Path:
        """Return the folder of the checkpoint `best` or `last`.

        While the run trains, read it through `checkpoints.read`, which notices a replacement.

        Raises:
            RunError: There is no such checkpoint yet.
        """
        return checkpoints.read(self.folder / checkpoints.CHECKPOINTS / name, lambda path: path)

    def scores(self) -> dict[str, Any]:
        """Return the summary that evaluation left (`test`, `held_out`), empty before it."""
        path = self.folder / "evaluation" / "summary.json"
        return read_json(path) if path.exists() else {}

    def facts(self) -> dict[str, str]:
        """Return what is worth knowing about the run, ready to be shown."""
        events = self.events()
        started = last(events, RunStarted)
        epoch = last(events, EpochDone)
        facts = {"state": self._state_in_words(events)}
        if started:
            done = epoch.epoch + 1 if epoch else 0
            facts["epochs"] = f"{done} of {started.epochs}"
        if best := last([event for event in events if getattr(event, "best", False)], EpochDone):
            facts["validation mIoU"] = readable_percent(best.val_miou)
        scores = self.scores()
        for part, shown in (("test", "mIoU in region"), ("held_out", "mIoU held out")):
            if part in scores:
                facts[shown] = readable_percent(scores[part].get("miou"))
        if started:
            facts["trainable parameters"] = (
                f"{readable_count(started.trainable_parameters)} of "
                f"{readable_count(started.total_parameters)}"
            )
        if self.watched_held_out:
            facts["held-out regions"] = "watched while it trained"
        peak = peak_memory(events)
        on = " on the device" if peak and peak[1] == "device" else ""
        facts["peak memory"] = f"{readable_bytes(peak[0])}{on}" if peak else "–"
        facts["time"] = readable_duration(self.duration_s())
        facts["folder"] = readable_path(self.folder)
        return facts

    def duration_s(self) -> float | None:
        """Return the seconds spent on the epochs done, None before the first one's end."""
        done = [event.duration_s for event in self.events() if isinstance(event, EpochDone)]
        return sum(done) if done else None

    def peak_memory(self) -> tuple[int, str] | None:
        """Return the most memory in bytes and whose it is, `device` or `host` (the process).

        None before the first step.
        """
        return peak_memory(self.events())

    def _state_in_words(self, events: list[Event]) -> str:
        state = self.state
        if state == "failed" and (failed := last(events, RunFailed)):
            return f"failed: {failed.error}"
        if state == "killed" and (words := self.last_words()):
            return f"killed: {words}"
        step = last(events, StepDone)
        if state == "running" and step and step.eta_s is not None:
            return f"running, {readable_duration(step.eta_s)} left"
        return state

    def __repr__(self) -> str:
        facts = " · ".join(f"{key} {value}" for key, value in self.facts().items())
        return f"Run {self.name!r}: {facts}"

    def _repr_html_(self) -> str:
        return html_card(f"Run {self.name}", self.facts(), notes=(repr(self.recipe),))


def _joined(old: list[Event], new: list[Event]) -> list[Event]:
    both = [*old, *new]
    again = any(isinstance(event, (RunStarted, RunResumed)) for event in new)
    return replay(both) if again else both


def open_run(folder: str | Path, dataset: Dataset | None = None) -> Run:
    """Open a run from its folder, wherever and by whomever it was trained.

    Args:
        folder: Where it is.
        dataset: The run's dataset, where its files have moved; without it, it is opened from
            where it was, once it is needed.

    Raises:
        RunError: The folder is not there or is no run folder.
        SplitError: The dataset lacks chips of the run's split, or they have changed.
    """
    if not isinstance(folder, (str, Path)):
        raise RunError(f"{folder!r} is neither a run nor the folder of one, such as 'runs/lora'.")
    path = Path(folder)
    missing = [name for name in (layout.RECIPE, layout.SPLIT) if not (path / name).exists()]
    if not path.is_dir():
        raise RunError(f"There is no run folder {path}. wb.list_runs() lists those of `runs`.")
    if missing:
        raise RunError(
            f"{path} is not a run folder: it has no {' and no '.join(missing)}. Give the folder "
            "that wb.fit made, such as runs/<name>."
        )
    run = Run(path)
    if dataset is None:
        return run
    return Run(path, Split.from_json(run._read(layout.SPLIT), dataset))
