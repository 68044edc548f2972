"""What a Workbench holds, without anything that is shown: it outlives the cell that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import traitlets

from workbench.data import Split
from workbench.evaluation import Comparison
from workbench.recipe import AnyRecipe, Recipe, baselines
from workbench.runs import Run, RunList, list_runs
from workbench.runs.folder import RECIPE
from workbench.widgets.app.queue import Queue, Training
from workbench.widgets.app.script import script
from workbench.widgets.picker.plan import Picked

STEPS = ("data", "model", "train", "compare")


class State(NamedTuple):
    """What the steps came to: nouns to go on with in the next cell.

    Attributes:
        split: The data; None before they are chosen.
        recipe: The model.
        runs: Those that are ticked.
        comparison: Of the ticked runs that have finished; None before there is one.
    """

    split: Split | None
    recipe: Recipe
    runs: RunList
    comparison: Comparison | None


class Session(traitlets.HasTraits):
    """The state of all steps and the trainings under way.

    Attributes:
        step: The step that is open.
        split: What is trained on.
        picked: How it was made on the map.
        begun: What the map was begun with.
        recipe: What is trained next.
        chosen: Names of the runs that are watched and compared, in order.
        comparison: The comparison of those that have finished.
        queue: The trainings that were asked for here.
        view: The line that shows the comparison as it is shown.
        asked: How many trainings were asked for.
        said: What people should know of what is kept.
    """

    step = traitlets.Enum(STEPS, "data")
    split = traitlets.Instance(Split, allow_none=True)
    picked = traitlets.Instance(Picked, allow_none=True)
    recipe = traitlets.Instance(Recipe, ())
    chosen = traitlets.Tuple()
    comparison = traitlets.Instance(Comparison, allow_none=True)
    view = traitlets.Unicode()
    asked = traitlets.Int()
    said = traitlets.Tuple()
    begun = ""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.queue = Queue(root)
        self._opened: dict[Path, Run] = {}

    @property
    def runs(self) -> RunList:
        """All runs of the folder, the newest last."""
        found = {run.folder: run for run in list_runs(self.queue.root)}
        # A run that is opened once reads only what is new.
        self._opened = {folder: self._opened.get(folder, run) for folder, run in found.items()}
        return RunList(sorted(self._opened.values(), key=_begun))

    @property
    def ticked(self) -> RunList:
        """The chosen runs that are there."""
        known = {run.name: run for run in self.runs}
        return RunList([known[name] for name in self.chosen if name in known])

    @property
    def value(self) -> State:
        """The nouns."""
        return State(self.split, self.recipe, self.ticked, self.comparison)

    @property
    def code(self) -> str:
        """The script that does the same."""
        return script(self.split, self.recipe, self.queue.trainings, self.ticked, self.view)

    def train(self) -> Training:
        """Put the recipe on the split into the queue."""
        assert self.split is not None
        training = self.queue.add(self.recipe, self.split)
        self.asked += 1
        return training

    def train_baselines(self) -> list[Training]:
        """Put what there is to beat into the queue: water indices, and a U-Net from nothing."""
        assert self.split is not None
        recipe = self.recipe
        shared = {"epochs": recipe.epochs, "batch_size": recipe.batch_size}
        found: list[AnyRecipe] = baselines(self.split.dataset.info, **shared)
        added = [self.queue.add(entry, self.split) for entry in found]
        self.asked += len(added)
        return added

    def advance(self) -> bool:
        """Launch what may be launched, and choose it; return whether something was."""
        run = self.queue.advance()
        if run is None:
            return False
        self.chosen = (*self.chosen, run.name)
        return True


def _begun(run: Run) -> float:
    try:
        return (run.folder / RECIPE).stat().st_ctime
    except OSError:  # deleted meanwhile
        return 0.0
