"""Trainings one after the other: two at once on one machine would both be slow."""

from __future__ import annotations

import importlib
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from workbench.data import Split
from workbench.errors import WorkbenchError
from workbench.recipe import AnyRecipe
from workbench.runs import Run, list_runs
from workbench.runs.lock import is_live
from workbench.widgets.following import UNREADABLE


def launch(recipe: AnyRecipe, split: Split, *, root: Path) -> Run:
    """Do what `wb.launch` does."""
    # By name, because fitting shows views as it goes and so lies above them.
    return importlib.import_module("workbench.fitting").launch(recipe, split, root=root)


def state_of(run: Run) -> str:
    """Return the state of a run, `unreadable` for a damaged one: it must not stop the others."""
    try:
        return run.state
    except WorkbenchError:
        return UNREADABLE


def is_scoring(run: Run) -> bool:
    """Return whether a run is trained and its process still scores it."""
    return state_of(run) == "finished" and is_live(run.folder)


def is_done(run: Run) -> bool:
    """Return whether a run is trained and scored, or will never be."""
    return state_of(run) == "finished" and not is_live(run.folder)


def is_at_work(run: Run) -> bool:
    """Return whether a run computes; a paused one leaves the processor to others."""
    state = state_of(run)
    return state in ("starting", "running") or (
        state in ("finished", UNREADABLE) and is_live(run.folder))


@dataclass(eq=False)
class Training:
    """One training: waiting, then a run, or an error that says why it never began."""

    recipe: AnyRecipe
    split: Split
    run: Run | None = None
    error: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def waiting(self) -> bool:
        """Whether its turn has not come."""
        return self.run is None and not self.error


class Queue:
    """Trainings of one folder of runs, each launched when no other run there is under way.

    Args:
        root: Folder of the runs.

    Attributes:
        trainings: All that were added, in order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trainings: list[Training] = []
        self._launching = threading.Lock()

    @property
    def waiting(self) -> list[Training]:
        """Those whose turn has not come."""
        return [training for training in self.trainings if training.waiting]

    def add(self, recipe: AnyRecipe, split: Split) -> Training:
        """Put a training at the end."""
        training = Training(recipe, split)
        self.trainings.append(training)
        return training

    def drop(self, training: Training) -> None:
        """Take away a training that has not begun, or could not begin."""
        with self._launching:  # what is being launched is a run in a moment
            if training.run is None and training in self.trainings:
                self.trainings.remove(training)

    def advance(self) -> Run | None:
        """Launch the next training if nothing is under way; return its run."""
        # Several views of one queue may look at the same moment.
        if not self.waiting or not self._launching.acquire(blocking=False):
            return None
        try:
            return self._launch()
        finally:
            self._launching.release()

    def _launch(self) -> Run | None:
        waiting = self.waiting
        if not waiting or any(map(is_at_work, list_runs(self.root))):
            return None
        training = waiting[0]
        try:
            training.run = launch(training.recipe, training.split, root=self.root)
        except (WorkbenchError, OSError) as error:
            training.error = str(error)
        return training.run
